/**
 * The configuration of a speaker: a document of `kind: Speaker`.
 *
 * | key             | default            | why                                                              |
 * |-----------------|--------------------|------------------------------------------------------------------|
 * | listen          | nothing            | a speaker connects; needed only for passive peers                |
 * | control         | by the file's name | the socket that `flowfate speaker announce …` talks to           |
 * | dialect         | standard           | `metallb-native`: as MetalLB's own speaker, for comparison       |
 * | vips[].nextHop  | self               | our end of the session, in the VIP's family                      |
 * | vips[].peers    | all                | addresses of those that hear of it                               |
 * | vips[].announce | true               | false: configured, but announced only when told                  |
 */
import { z } from 'zod';
import { type Address, formatAddress, parseAddress, sameAddress } from '../../addr/address.js';
import { formatPrefix, type Prefix } from '../../addr/prefix.js';
import { parseCommunity } from '../../bgp/attribute/008-communities.js';
import { type LargeCommunity, parseLargeCommunity } from '../../bgp/attribute/032-large-communities.js';
import type { BfdSettings } from '../../bgp/bfd/bfd.js';
import { IPV4_UNICAST } from '../../bgp/codec/address-family.js';
import type { ListenTarget } from '../../bgp/net/transport.js';
import type { LocalSpeaker, PeerSettings } from '../../bgp/session/peer-settings.js';
import { API_VERSION } from '../../cluster/limits.js';
import {
  address,
  addresses,
  listOf,
  mapping,
  oneOf,
  oneOrMore,
  prefix,
  truth,
  wholeNumber,
} from '../../cluster/scenario/field-schemas.js';
import { type JsonSchema, jsonSchemaOf } from '../../cluster/yaml/json-schema.js';
import { Problems } from '../../cluster/yaml/problems.js';
import { readWith } from '../../cluster/yaml/schema-issues.js';
import { readYaml, type ScenarioInput, type SourceDocument } from '../../cluster/yaml/yaml-source.js';
import { FlowfateError } from '../../errors.js';
import { controlPathOfFile, MAX_SOCKET_PATH_BYTES } from '../control/control-path.js';
import { parseListenTarget } from '../router/listen-address.js';
import {
  asn,
  bfdSettings,
  refuseSession,
  refuseValue,
  SESSION_FIELDS,
  sessionSettings,
} from '../router/peer-config.js';
import { refuseSecurity } from '../router/socket-security.js';

const SPEAKER_DIALECTS = ['standard', 'metallb-native'] as const;
export type SpeakerDialect = (typeof SPEAKER_DIALECTS)[number];

const COMMUNITY = 'expected a community like "64512:100" or "no-export"';
const community = z
  .string({ error: COMMUNITY })
  .transform((text, ctx) => parseCommunity(text) ?? refuseValue(ctx, text, COMMUNITY));
const LARGE = 'expected a large community like "64512:1:2"';
const largeCommunity = z
  .string({ error: LARGE })
  .transform((text, ctx): LargeCommunity => parseLargeCommunity(text) ?? refuseValue(ctx, text, LARGE));
const NEXT_HOP = 'expected self or an address';
const nextHop = z
  .string({ error: NEXT_HOP })
  .transform((text, ctx): Address | 'self' =>
    text === 'self' ? text : (parseAddress(text) ?? refuseValue(ctx, text, NEXT_HOP)),
  );
const LISTEN = 'expected an address with a port like 10.0.0.1:179, or a descriptor like fd:3';
const listen = z
  .union([z.string(), z.number()], { error: LISTEN })
  .transform((value, ctx) => parseListenTarget(String(value)) ?? refuseValue(ctx, value, LISTEN));

const vip = mapping({
  prefix,
  nextHop: nextHop.optional(),
  med: wholeNumber(0, 0xffffffff).optional(),
  localPref: wholeNumber(0, 0xffffffff).optional(),
  communities: oneOrMore(community, `${COMMUNITY}, or a list of them`).optional(),
  largeCommunities: oneOrMore(largeCommunity, `${LARGE}, or a list of them`).optional(),
  peers: addresses.optional(),
  announce: truth.optional(),
  drain: truth.optional(),
});
const peer = mapping({ address, ...SESSION_FIELDS });

const speakerSchema = mapping({
  apiVersion: z.literal(API_VERSION, { error: `expected ${API_VERSION}` }),
  kind: z.literal('Speaker', { error: 'expected Speaker' }),
  metadata: z.record(z.string(), z.unknown(), { error: 'expected a mapping' }).optional(),
  spec: mapping({
    asn,
    routerId: z.string({ error: 'expected an IPv4 address as router id' }).optional(),
    hostName: z.string({ error: 'expected text' }).optional(),
    listen: oneOrMore(listen, `${LISTEN}, or a list of them`).optional(),
    control: z.string({ error: 'expected the path of a socket' }).min(1).optional(),
    dialect: oneOf(SPEAKER_DIALECTS).optional(),
    peers: listOf(peer),
    vips: listOf(vip).optional(),
  }),
});
type RawSpec = z.output<typeof speakerSchema>['spec'];

/** JSON Schema (draft 2020-12) of a Speaker document, for editors. */
export function speakerJsonSchema(): JsonSchema {
  return jsonSchemaOf(speakerSchema, 'flowfate Speaker', 'The configuration of flowfate speaker.');
}

type RawPeer = z.output<typeof peer>;

export interface Vip {
  readonly prefix: Prefix;
  readonly nextHop: Address | 'self';
  readonly med: number | null;
  /** iBGP only */
  readonly localPref: number;
  readonly communities: readonly number[];
  readonly largeCommunities: readonly LargeCommunity[];
  /** addresses of the peers that hear of it; `null` = all */
  readonly peers: readonly Address[] | null;
  readonly announce: boolean;
  readonly drain: boolean;
}

export interface SpeakerConfig {
  readonly local: LocalSpeaker;
  readonly dialect: SpeakerDialect;
  readonly listen: readonly ListenTarget[];
  /** path of the control socket */
  readonly control: string;
  readonly peers: readonly PeerSettings[];
  /** by the peer's id */
  readonly bfd: ReadonlyMap<string, BfdSettings>;
  readonly vips: readonly Vip[];
}

export interface SpeakerOverrides {
  readonly listen?: readonly ListenTarget[];
  readonly control?: string;
  readonly start: LocalSpeaker['start'];
  /** of this machine, for a router id where nobody names one */
  readonly ownAddresses: readonly Address[];
  /** the kernel's usual TTL; `null` = not known */
  readonly usualTtl: number | null;
}

const USUAL_LOCAL_PREF = 100;
const DEFERRAL_S = 30;

type Where = (path: readonly (string | number)[], sentence: string) => void;

/** Throws a FlowfateError of code `config` with file, line and key for whatever is wrong. */
export function speakerConfig(input: ScenarioInput, overrides: SpeakerOverrides): SpeakerConfig {
  const problems = new Problems();
  const { document, spec } = readSpeaker(input, problems);
  const where: Where = (path, sentence) => problems.add(document.positionOf(['spec', ...path]), sentence);
  const dialect = spec.dialect ?? 'standard';
  const stated = overrides.listen ?? spec.listen ?? [];
  const peers = peersOf(spec, stated, overrides.usualTtl, where);
  const config: SpeakerConfig = {
    local: localSpeaker(spec, peers, overrides, where),
    dialect,
    listen: stated,
    control: controlPath(input.name, overrides.control ?? spec.control, where),
    peers: dialect === 'standard' ? peers : peers.map(asMetallbNative),
    bfd: new Map(
      spec.peers.flatMap(({ bfd }, i) => {
        const settings = bfdSettings(bfd);
        return settings === null ? [] : [[peers[i]!.id, settings] as const];
      }),
    ),
    vips: vipsOf(spec, where),
  };
  if (dialect === 'metallb-native') refuseUnlikeMetallb(spec, config, where);
  problems.throwIfAny();
  return config;
}

/** Path of the control socket of the speaker that runs with this configuration. */
export function controlPathOf(input: ScenarioInput): string {
  const problems = new Problems();
  const { document, spec } = readSpeaker(input, problems);
  const path = controlPath(input.name, spec.control, (at, sentence) =>
    problems.add(document.positionOf(['spec', ...at]), sentence),
  );
  problems.throwIfAny();
  return path;
}

function controlPath(file: string, stated: string | undefined, where: Where): string {
  const path = stated ?? controlPathOfFile('speaker', file);
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    where(
      ['control'],
      `the path of the control socket has more than ${MAX_SOCKET_PATH_BYTES} octets; give a shorter one with "control:"`,
    );
  }
  return path;
}

function readSpeaker(
  input: ScenarioInput,
  problems: Problems,
): { readonly document: SourceDocument; readonly spec: RawSpec } {
  const documents = readYaml(input, problems);
  problems.throwIfAny();
  const speakers = documents.filter(({ data }) => (data as { kind?: unknown } | null)?.kind === 'Speaker');
  const [document] = speakers;
  if (document === undefined) {
    throw new FlowfateError(
      'config',
      `${input.name}: has no document of "kind: Speaker"; it begins with "apiVersion: ${API_VERSION}" and "kind: Speaker"`,
      { file: input.name },
    );
  }
  if (speakers.length > 1) {
    problems.add(speakers[1]!.positionOf([]), 'a second Speaker; one program is one speaker, remove one');
  }
  const raw = readWith(speakerSchema, document, [], document.data, problems);
  problems.throwIfAny();
  return { document, spec: raw!.spec };
}

function localSpeaker(
  spec: RawSpec,
  peers: readonly PeerSettings[],
  { start, ownAddresses }: SpeakerOverrides,
  where: Where,
): LocalSpeaker {
  const isIpv4 = (candidate: Address | null): candidate is Address => candidate?.family === 4;
  const usual = [...peers.map(({ localAddress }) => localAddress), ...ownAddresses].find(isIpv4);
  const id = spec.routerId === undefined ? usual : parseAddress(spec.routerId);
  if (id?.family !== 4 || id.w0 === 0) {
    where(
      spec.routerId === undefined ? [] : ['routerId'],
      spec.routerId === undefined
        ? 'there is no IPv4 address to serve as router id; give "routerId:", one that no peer has'
        : `the router id "${spec.routerId}" is no IPv4 address other than 0.0.0.0; give one that no peer has`,
    );
  }
  return {
    asn: spec.asn,
    bgpIdentifier: id?.w0 ?? 0,
    hostName: spec.hostName ?? null,
    start,
    selectionDeferralS: DEFERRAL_S,
  };
}

function peersOf(
  spec: RawSpec,
  targets: readonly ListenTarget[],
  usualTtl: number | null,
  where: Where,
): PeerSettings[] {
  if (spec.peers.length === 0) where(['peers'], 'a speaker without peers tells nobody; name one');
  const ids = new Set<string>();
  return spec.peers.map((raw, i) => {
    const at = ['peers', i];
    const settings = sessionSettings(raw);
    const id = peerId(raw, spec.peers);
    if (ids.has(id))
      where(at, `peers[${i}]: ${id} is configured twice; remove one, or give each its localAddress`);
    ids.add(id);
    if (raw.passive === true && targets.length === 0) {
      where([...at, 'passive'], `peers[${i}]: a passive peer needs "listen:" with an address to connect to`);
    }
    if (raw.asn === undefined && raw.passive !== true) {
      where(at, `peers[${i}]: the key "asn" is missing; only a passive peer may have any AS`);
    }
    for (const { key, sentence } of [...refuseSession(raw), ...refuseSecurity(raw, targets, usualTtl)]) {
      where([...at, key], `peers[${i}]: ${sentence}`);
    }
    return { ...settings, id, address: raw.address };
  });
}

/** The address; where several sessions share it, what tells them apart as well. */
function peerId(raw: RawPeer, all: readonly RawPeer[]): string {
  const text = formatAddress(raw.address);
  const same = all.filter((other) => sameAddress(other.address, raw.address));
  if (same.length === 1) return text;
  const withPort = same.some(({ port }) => port !== raw.port)
    ? `${raw.address.family === 6 ? `[${text}]` : text}:${raw.port ?? 179}`
    : text;
  return raw.localAddress === undefined ? withPort : `${withPort} from ${formatAddress(raw.localAddress)}`;
}

function vipsOf(spec: RawSpec, where: Where): Vip[] {
  const known = new Set<string>();
  return (spec.vips ?? []).map((raw, i) => {
    const text = formatPrefix(raw.prefix);
    if (known.has(text)) where(['vips', i, 'prefix'], `vips[${i}]: ${text} stands twice; remove one`);
    known.add(text);
    const hop = raw.nextHop ?? 'self';
    if (hop !== 'self' && raw.prefix.address.family === 6 && hop.family === 4) {
      where(['vips', i, 'nextHop'], `vips[${i}]: an IPv6 VIP needs an IPv6 next hop`);
    }
    for (const wanted of raw.peers ?? []) {
      if (!spec.peers.some((one) => sameAddress(one.address, wanted))) {
        where(['vips', i, 'peers'], `vips[${i}]: there is no peer ${formatAddress(wanted)}`);
      }
    }
    return {
      prefix: raw.prefix,
      nextHop: hop,
      med: raw.med ?? null,
      localPref: raw.localPref ?? USUAL_LOCAL_PREF,
      communities: raw.communities ?? [],
      largeCommunities: raw.largeCommunities ?? [],
      peers: raw.peers ?? null,
      announce: raw.announce ?? true,
      drain: raw.drain ?? false,
    };
  });
}

/** MetalLB's native speaker at the wire: IPv4 only, nothing newer than 4-octet AS numbers. */
function asMetallbNative(settings: PeerSettings): PeerSettings {
  return {
    ...settings,
    families: [IPV4_UNICAST],
    gracefulRestart: null,
    addPath: 'none',
    extendedMessages: false,
    extendedNextHop: false,
  };
}

function refuseUnlikeMetallb(spec: RawSpec, { vips, bfd, peers }: SpeakerConfig, where: Where): void {
  const without = 'the dialect metallb-native has no';
  if (peers.some(({ mode }) => mode === 'passive')) where(['dialect'], `${without} passive peers`);
  if (bfd.size > 0) where(['dialect'], `${without} BFD`);
  if (spec.peers.some((raw) => raw.gracefulRestart != null))
    where(['dialect'], `${without} graceful restart`);
  vips.forEach((one, i) => {
    if (one.prefix.address.family === 6) where(['vips', i], `vips[${i}]: ${without} IPv6 routes`);
    if (one.largeCommunities.length > 0) where(['vips', i], `vips[${i}]: ${without} large communities`);
  });
}
