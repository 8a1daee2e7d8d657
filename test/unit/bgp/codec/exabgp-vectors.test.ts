/** Messages of ExaBGP's own test collection, held against the JSON that ExaBGP prints of each. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatAddress, formatIpv4, parseAddress } from '../../../../src/addr/address.js';
import { formatPrefix } from '../../../../src/addr/prefix.js';
import type { AsPathSegment } from '../../../../src/bgp/attribute/002-as-path.js';
import {
  type MpReach,
  type MultiprotocolNlri,
  nextHopTexts,
} from '../../../../src/bgp/attribute/014-mp-reach-nlri.js';
import type { MpUnreach } from '../../../../src/bgp/attribute/015-mp-unreach-nlri.js';
import { type FamilyKey, NLRI_SHAPE, nlriShape } from '../../../../src/bgp/codec/address-family.js';
import { OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { guessContext, OFFLINE_ADD_PATH } from '../../../../src/bgp/codec/guess-context.js';
import { fromHex } from '../../../../src/bgp/codec/hex.js';
import type { UpdateMessage } from '../../../../src/bgp/codec/message.js';
import { formatDistinguisher, type PrefixNlri } from '../../../../src/bgp/codec/nlri.js';
import { readUpdate } from '../../../../src/bgp/codec/read-update.js';
import { updateMessage } from '../../../../src/bgp/codec/update-message.js';
import { UpdateView } from '../../../../src/bgp/codec/update-view.js';
import { hasShared, sharedPath } from '../../../support/shared.js';

interface ExaNlri {
  readonly nlri?: string;
  readonly 'path-information'?: string;
  readonly label?: readonly (readonly number[])[];
  readonly rd?: string;
}

interface ExaUpdate {
  readonly attribute?: Record<string, unknown>;
  readonly announce?: Record<string, Record<string, readonly ExaNlri[]>>;
  readonly withdraw?: Record<string, readonly ExaNlri[]>;
}

interface Vector {
  readonly name: string;
  readonly body: Uint8Array;
  readonly update: ExaUpdate;
}

/** ExaBGP shows these as generic attributes */
const WELL_KNOWN_TO_NOBODY = new Set(['conf-generic-attribute.ci 2', 'conf-generic-attribute.ci 3']);

const vectors = hasShared ? loadVectors() : [];

describe.skipIf(!hasShared)('ExaBGP vectors (skipped where the shared collection is absent)', () => {
  test('are there', () => expect(vectors.length).toBeGreaterThan(150));

  const named = vectors.map((v) => [v.name, v] as const);
  const readable = named.filter(([name]) => !WELL_KNOWN_TO_NOBODY.has(name));
  const refused = named.filter(([name]) => WELL_KNOWN_TO_NOBODY.has(name));

  test.each(readable)('%s decodes as ExaBGP decodes it', (_, { body, update }) => {
    const got = decode(body, update);
    expect(attributesOf(got)).toEqual(expectedAttributes(update.attribute ?? {}));
    expect(announcedOf(got)).toEqual(expectedAnnouncements(update.announce ?? {}));
    expect(withdrawnOf(got)).toEqual(expectedWithdrawals(update.withdraw ?? {}));
  });

  test.each(refused)(
    '%s has a well-known attribute that nobody knows: refused, RFC 4271 6.3',
    (_, { body }) => {
      const read = new UpdateView();
      const view = new DataView(body.buffer, body.byteOffset, body.length);
      readUpdate(body, view, 0, body.length, OFFLINE, read);
      expect(read.resetFault).toMatchObject({ code: 3, subcode: 2 });
    },
  );
});

function loadVectors(): Vector[] {
  const found: Vector[] = [];
  for (const folder of ['encoding', 'api']) {
    const directory = sharedPath('bgp', 'data', 'exabgp-qa', 'qa', folder);
    for (const file of readdirSync(directory).filter((f) => f.endsWith('.ci'))) {
      let raw = '';
      let count = 0;
      for (const line of readFileSync(`${directory}/${file}`, 'utf8').split('\n')) {
        const [, kind, rest] = /^[A-Z]?\d+:(raw|json):(.*)$/.exec(line) ?? [];
        if (kind === 'raw') raw = rest!;
        else if (kind === 'json' && raw !== '') {
          const message = JSON.parse(rest!);
          const update = message.neighbor?.message?.update;
          const bytes = fromHex(raw);
          if (update !== undefined && bytes !== null && bytes[18] === 2) {
            found.push({ name: `${file} ${++count}`, body: bytes.subarray(19), update });
          }
          raw = '';
        }
      }
    }
  }
  return found;
}

function decode(body: Uint8Array, update: ExaUpdate): UpdateMessage {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  // the session that ExaBGP decoded for is not in the file: path identifiers show in what it decoded
  const hasPathIds = JSON.stringify(update).includes('path-information');
  const { asn4 } = guessContext(body, view, 0, body.length);
  const context = { ...(hasPathIds ? OFFLINE_ADD_PATH : OFFLINE), asn4 };
  const read = new UpdateView();
  readUpdate(body, view, 0, body.length, context, read);
  expect(read.resetFault).toBeNull();
  return updateMessage(read, context);
}

function find<V>({ attributes }: UpdateMessage, code: number): V | undefined {
  return attributes.find((a) => a.code === code && a.fault === undefined)?.value as V | undefined;
}

function attributesOf(update: UpdateMessage): unknown {
  const aggregator = find<{ asn: number; address: number }>(update, 7);
  return {
    origin: ['igp', 'egp', 'incomplete'][find<number>(update, 1) ?? 9],
    path: (find<readonly AsPathSegment[]>(update, 2) ?? []).flatMap((s) => s.asns),
    med: find<number>(update, 4),
    localPref: find<number>(update, 5),
    communities: (find<readonly number[]>(update, 8) ?? []).map((c) => [c >>> 16, c & 0xffff]),
    large: find(update, 32) ?? [],
    aggregator: aggregator && `${aggregator.asn}:${formatIpv4(aggregator.address)}`,
    originator: mapDefined(find<number>(update, 9), formatIpv4),
    clusters: (find<readonly number[]>(update, 10) ?? []).map(formatIpv4),
    extended: (find<readonly { hi: number; lo: number }[]>(update, 16) ?? []).map(({ hi, lo }) =>
      Number((BigInt(hi) << 32n) | BigInt(lo)),
    ),
  };
}

function expectedAttributes(attribute: Record<string, unknown>): unknown {
  const path = Object.values((attribute['as-path'] ?? {}) as Record<string, { value: number[] }>);
  const extended = (attribute['extended-community'] ?? []) as { value: number }[];
  return {
    origin: attribute.origin,
    path: path.flatMap((segment) => segment.value),
    med: attribute.med,
    localPref: attribute['local-preference'],
    communities: attribute.community ?? [],
    large: attribute['large-community'] ?? [],
    aggregator: attribute.aggregator,
    originator: attribute['originator-id'],
    clusters: attribute['cluster-list'] ?? [],
    extended: extended.map((community) => community.value),
  };
}

function mapDefined<A, B>(value: A | undefined, map: (value: A) => B): B | undefined {
  return value === undefined ? undefined : map(value);
}

const isOurs = (family: FamilyKey) => nlriShape(family) !== NLRI_SHAPE.raw;

function nlriText({ prefix, labels, distinguisher }: PrefixNlri): string {
  const rd = distinguisher === undefined ? '' : ` rd ${formatDistinguisher(distinguisher)}`;
  const stack = labels === undefined ? '' : ` label ${labels.map((l) => l >>> 4).join('/')}`;
  return `${formatPrefix(prefix)}${stack}${rd}`;
}

function texts(nlri: MultiprotocolNlri): string[] {
  return nlri instanceof Uint8Array ? [] : nlri.map(nlriText);
}

function announcedOf(update: UpdateMessage): string[] {
  const reach = find<MpReach>(update, 14);
  const nextHop = find<number>(update, 3);
  const classic = update.nlri.map((n) => `${nlriText(n)} via ${formatIpv4(nextHop!)}`);
  if (reach === undefined || !isOurs(reach.family)) return classic.sort();
  const hop = nextHopTexts(reach.nextHop)[0]!;
  return [...classic, ...texts(reach.nlri).map((text) => `${text} via ${hop}`)].sort();
}

function withdrawnOf(update: UpdateMessage): string[] {
  const unreach = find<MpUnreach>(update, 15);
  const classic = update.withdrawn.map(nlriText);
  if (unreach === undefined || !isOurs(unreach.family)) return classic.sort();
  return [...classic, ...texts(unreach.nlri).map((t) => t.replace(/ label \d+/, ''))].sort();
}

const OUR_FAMILIES = /^ipv[46] (unicast|multicast|nlri-mpls|mpls-vpn)$/;

function exaText({ nlri, label, rd }: ExaNlri): string {
  const stack = label === undefined ? '' : ` label ${label.map(([value]) => value).join('/')}`;
  const [address, length] = nlri!.split('/');
  return `${canonical(address!)}/${length}${stack}${rd === undefined ? '' : ` rd ${rd}`}`;
}

function canonical(text: string): string {
  const address = parseAddress(text);
  return address === null ? text : formatAddress(address);
}

function expectedAnnouncements(announce: NonNullable<ExaUpdate['announce']>): string[] {
  return Object.entries(announce)
    .filter(([family]) => OUR_FAMILIES.test(family))
    .flatMap(([, hops]) =>
      Object.entries(hops).flatMap(([hop, list]) => list.map((n) => `${exaText(n)} via ${canonical(hop)}`)),
    )
    .sort();
}

function expectedWithdrawals(withdraw: NonNullable<ExaUpdate['withdraw']>): string[] {
  return Object.entries(withdraw)
    .filter(([family]) => OUR_FAMILIES.test(family))
    .flatMap(([, list]) => list.map((n) => exaText(n).replace(/ label \d+/, '')))
    .sort();
}
