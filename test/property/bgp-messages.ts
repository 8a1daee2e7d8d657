/** Arbitrary valid BGP messages, for the laws that hold for all of them. */
import fc from 'fast-check';
import { ipv4, ipv6 } from '../../src/addr/address.js';
import { maskAddress } from '../../src/addr/prefix.js';
import type { PathAttribute } from '../../src/bgp/attribute/descriptor.js';
import { FLAGS_OF } from '../../src/bgp/attribute/registry.js';
import {
  AFI,
  type FamilyKey,
  familyKey,
  NLRI_SHAPE,
  nlriShape,
  SAFI,
} from '../../src/bgp/codec/address-family.js';
import type { Capability } from '../../src/bgp/codec/capability.js';
import { type CodecContext, OFFLINE } from '../../src/bgp/codec/codec-context.js';
import { OFFLINE_ADD_PATH } from '../../src/bgp/codec/guess-context.js';
import {
  type BgpMessage,
  MESSAGE_TYPE,
  type OpenMessage,
  type RouteRefreshMessage,
  type UpdateMessage,
} from '../../src/bgp/codec/message.js';
import type { PrefixNlri } from '../../src/bgp/codec/nlri.js';
import { makeNotification } from '../../src/bgp/codec/notification-message.js';

const word = fc.nat({ max: 0xffffffff });
const asn32 = fc.integer({ min: 1, max: 0xffffffff });
const asn16 = fc.integer({ min: 1, max: 0xffff });
const octets = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });

const FAMILIES: readonly FamilyKey[] = [AFI.ipv4, AFI.ipv6].flatMap((afi) =>
  [SAFI.unicast, SAFI.multicast, SAFI.labelled, SAFI.vpn].map((safi) => familyKey(afi, safi)),
);

export const arbContext: fc.Arbitrary<CodecContext> = fc
  .record({ asn4: fc.boolean(), hasPathIds: fc.boolean() })
  .map(({ asn4, hasPathIds }) => ({ ...(hasPathIds ? OFFLINE_ADD_PATH : OFFLINE), asn4 }));

export function arbNlri(family: FamilyKey, context: CodecContext): fc.Arbitrary<PrefixNlri> {
  const isV4 = family >>> 8 === AFI.ipv4;
  const shape = nlriShape(family);
  // a label stack ends at its bottom; a label that reads as a withdrawal would end it, too
  const upper = fc.integer({ min: 1, max: 0x7ffffe }).map((n) => n * 2);
  const bottom = fc.nat({ max: 0x7fffff }).map((n) => n * 2 + 1);
  const labels = fc
    .tuple(
      fc.array(
        upper.filter((l) => l !== 0x800000),
        { maxLength: 1 },
      ),
      bottom,
    )
    .map(([above, last]) => [...above, last]);
  return fc
    .record({
      words: fc.tuple(word, word, word, word),
      length: fc.integer({ min: 0, max: isV4 ? 32 : 128 }),
      pathId: word,
      labels,
      distinguisher: fc.record({ hi: word, lo: word }),
    })
    .map(({ words, length, pathId, ...more }) => ({
      prefix: { address: maskAddress(isV4 ? ipv4(words[0]) : ipv6(...words), length), length },
      ...(context.addPathSend.has(family) && { pathId }),
      ...(shape !== NLRI_SHAPE.prefix && { labels: more.labels }),
      ...(shape === NLRI_SHAPE.vpn && { distinguisher: more.distinguisher }),
    }));
}

function nextHopBytes(family: FamilyKey): fc.Arbitrary<Uint8Array> {
  const lengths = nlriShape(family) === NLRI_SHAPE.vpn ? [12, 24, 48] : [4, 16, 32];
  const allowed = family >>> 8 === AFI.ipv4 ? lengths : lengths.slice(1);
  return fc.constantFrom(...allowed).chain((length) => octets(length, length));
}

const arbFamily = fc.constantFrom(...FAMILIES);

function arbAttributes(context: CodecContext): fc.Arbitrary<PathAttribute[]> {
  const asn = context.asn4 ? asn32 : asn16;
  const segments = fc.array(
    fc.record({ type: fc.integer({ min: 1, max: 4 }), asns: fc.array(asn, { minLength: 1, maxLength: 70 }) }),
    { maxLength: 3 },
  );
  const wide = fc.array(
    fc.record({
      type: fc.integer({ min: 1, max: 4 }),
      asns: fc.array(asn32, { minLength: 1, maxLength: 5 }),
    }),
    { minLength: 1, maxLength: 2 },
  );
  const tlv8 = fc.array(fc.record({ type: fc.integer({ min: 2, max: 255 }), value: octets(0, 9) }), {
    maxLength: 3,
  });
  const tlv16 = fc.array(fc.record({ type: fc.nat({ max: 65535 }), value: octets(0, 9) }), { maxLength: 3 });
  const reach = arbFamily.chain((family) =>
    fc.record({
      family: fc.constant(family),
      nextHop: nextHopBytes(family),
      nlri: fc.array(arbNlri(family, context), { maxLength: 5 }),
    }),
  );
  const unreach = arbFamily.chain((family) =>
    fc.record({ family: fc.constant(family), nlri: fc.array(arbNlri(family, context), { maxLength: 5 }) }),
  );
  const values: readonly [number, fc.Arbitrary<unknown>][] = [
    [1, fc.nat({ max: 2 })],
    [2, segments],
    [3, word],
    [4, word],
    [5, word],
    [6, fc.constant(true)],
    [7, fc.record({ asn, address: word })],
    [8, fc.array(word, { minLength: 1, maxLength: 80 })],
    [9, word],
    [10, fc.array(word, { minLength: 1, maxLength: 4 })],
    [14, reach],
    [15, unreach],
    [16, fc.array(fc.record({ hi: word, lo: word }), { minLength: 1, maxLength: 4 })],
    [17, wide],
    [18, fc.record({ asn: asn32, address: word })],
    [
      22,
      fc.record({
        flags: fc.nat({ max: 255 }),
        tunnelType: fc.nat({ max: 255 }),
        label: fc.nat({ max: 0xffffff }),
        identifier: octets(0, 16),
      }),
    ],
    [23, tlv16],
    [25, fc.array(octets(20, 20), { minLength: 1, maxLength: 3 })],
    [26, tlv8],
    [32, fc.array(fc.tuple(word, word, word), { minLength: 1, maxLength: 30 })],
    [35, word],
    [40, tlv8],
    [241, octets(0, 300)],
  ];
  return fc
    .tuple(
      ...values.map(([code, value]) =>
        fc.option(
          value.map((v) => ({ code, value: v })),
          { nil: null },
        ),
      ),
    )
    .map((found) =>
      found.flatMap((attribute) => {
        if (attribute === null) return [];
        // an unrecognized attribute is passed on with Partial
        const flags = attribute.code === 241 ? 0xe0 : FLAGS_OF[attribute.code]!;
        return [{ ...attribute, flags }];
      }),
    );
}

export function arbUpdate(context: CodecContext): fc.Arbitrary<UpdateMessage> {
  const prefixes = fc.array(arbNlri(familyKey(1, 1), context), { maxLength: 6 });
  return fc.record({
    type: fc.constant(MESSAGE_TYPE.update),
    withdrawn: prefixes,
    attributes: arbAttributes(context),
    nlri: prefixes,
  });
}

const anyFamily = fc
  .tuple(fc.nat({ max: 65535 }), fc.nat({ max: 255 }))
  .map(([afi, safi]) => familyKey(afi, safi));

const arbCapability: fc.Arbitrary<Capability> = fc.oneof(
  anyFamily.map((family): Capability => ({ code: 1, kind: 'multiprotocol', family })),
  fc.constantFrom<Capability[]>(
    { code: 2, kind: 'flag' },
    { code: 6, kind: 'flag' },
    { code: 70, kind: 'flag' },
    { code: 128, kind: 'flag' },
  ),
  fc
    .array(fc.record({ family: anyFamily, nextHopAfi: fc.nat({ max: 65535 }) }), { maxLength: 3 })
    .map((entries): Capability => ({ code: 5, kind: 'extended-next-hop', entries })),
  fc.nat({ max: 255 }).map((role): Capability => ({ code: 9, kind: 'role', role })),
  fc
    .record({
      restarted: fc.boolean(),
      notification: fc.boolean(),
      restartTimeS: fc.nat({ max: 4095 }),
      families: fc.array(fc.record({ family: anyFamily, forwardingPreserved: fc.boolean() }), {
        maxLength: 3,
      }),
    })
    .map((gr): Capability => ({ code: 64, kind: 'graceful-restart', ...gr })),
  asn32.map((asn): Capability => ({ code: 65, kind: 'asn4', asn })),
  fc
    .array(fc.record({ family: anyFamily, mode: fc.nat({ max: 255 }) }), { maxLength: 3 })
    .map((entries): Capability => ({ code: 69, kind: 'add-path', entries })),
  fc
    .array(
      fc.record({
        family: anyFamily,
        forwardingPreserved: fc.boolean(),
        staleTimeS: fc.nat({ max: 0xffffff }),
      }),
      { maxLength: 3 },
    )
    .map((families): Capability => ({ code: 71, kind: 'long-lived', families })),
  fc
    .record({ host: fc.string({ maxLength: 20, unit: 'grapheme' }), domain: fc.string({ maxLength: 20 }) })
    .map((names): Capability => ({ code: 73, kind: 'fqdn', ...names })),
  octets(0, 12).map((bytes): Capability => ({ code: 200, kind: 'raw', bytes })),
);

const arbOpen: fc.Arbitrary<OpenMessage> = fc
  .record({
    version: fc.nat({ max: 255 }),
    asn16: fc.nat({ max: 65535 }),
    holdTimeS: fc.nat({ max: 65535 }),
    bgpIdentifier: word,
    // enough of them need the extended form of RFC 9072
    capabilities: fc.array(arbCapability, { maxLength: 60, size: 'max' }),
  })
  .map((open) => {
    const asn4 = open.capabilities.find((c) => c.kind === 'asn4');
    return { type: MESSAGE_TYPE.open, ...open, asn: asn4?.asn ?? open.asn16 };
  });

const arbRefresh: fc.Arbitrary<RouteRefreshMessage> = fc
  .record({ family: anyFamily, subtype: fc.nat({ max: 255 }), filters: octets(0, 20) })
  .map((message) => {
    const isMarker = message.subtype === 1 || message.subtype === 2;
    const filters = isMarker ? new Uint8Array(0) : message.filters;
    return { type: MESSAGE_TYPE.routeRefresh, ...message, filters };
  });

export function arbMessage(context: CodecContext): fc.Arbitrary<BgpMessage> {
  return fc.oneof(
    arbOpen,
    arbUpdate(context),
    fc
      .tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }), octets(0, 60))
      .map(([code, subcode, data]) => makeNotification(code, subcode, data)),
    fc.constant<BgpMessage>({ type: MESSAGE_TYPE.keepalive }),
    arbRefresh,
  );
}
