/** The count that is foretold of an UPDATE, held against the RIB that has applied it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePrefix } from '../../../../src/addr/prefix.js';
import { type FamilyKey, IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { MESSAGE_TYPE } from '../../../../src/bgp/codec/message.js';
import { encodeMessage } from '../../../../src/bgp/codec/message-codec.js';
import { readUpdate } from '../../../../src/bgp/codec/read-update.js';
import { makeAttribute } from '../../../../src/bgp/codec/update-message.js';
import { UpdateView } from '../../../../src/bgp/codec/update-view.js';
import { familyOverLimit } from '../../../../src/bgp/rib/prefix-limit.js';
import { Rib } from '../../../../src/bgp/rib/rib.js';
import { attributesOf, peerSettings } from '../../../support/rib-session.js';

const LOCAL = 65000;
const HEADER_BYTES = 19;

interface UpdateText {
  readonly withdrawn?: readonly string[];
  readonly nlri?: readonly string[];
  readonly unreach6?: readonly string[];
  readonly reach6?: readonly string[];
  /** without the attributes that an announcement needs: treat-as-withdraw (RFC 7606) */
  readonly isBroken?: boolean;
}

function arrange(families: readonly FamilyKey[] = [IPV4_UNICAST, IPV6_UNICAST], addPath = false) {
  const rib = new Rib({
    ...{ localAsn: LOCAL, routerId: 1, maxPaths: 64, asPaths: 'relax', order: 'address', arrivalKeepS: 180 },
    ...{ connected: null, ownAddresses: [] },
  });
  const { context, ...rest } = peerSettings(
    { asn: 64601, at: '10.0.0.1', localAsn: LOCAL },
    { families: new Set(families), addPathReceive: new Set(addPath ? families : []) },
  );
  const row = rib.peerUp({ context, ...rest });
  const sending = { ...context, addPathSend: context.addPathReceive };
  const nlriOf = (texts: readonly string[] = []) =>
    texts.map((text) => {
      const [prefix, pathId] = text.split('#');
      return { prefix: parsePrefix(prefix!)!, ...(addPath && { pathId: Number(pathId ?? 0) }) };
    });
  const read = ({ withdrawn, nlri, unreach6 = [], reach6 = [], isBroken }: UpdateText): UpdateView => {
    const route = { origin: 0, path: [64601], nextHop: '10.0.0.1' };
    const needed = attributesOf(route, nlri !== undefined && nlri.length > 0);
    const attributes = isBroken === true ? needed.slice(1) : needed;
    const nextHop = new Uint8Array(16).fill(7);
    if (reach6.length > 0) {
      attributes.push(makeAttribute({ code: 14 }, { family: IPV6_UNICAST, nextHop, nlri: nlriOf(reach6) }));
    }
    if (unreach6.length > 0) {
      attributes.push(makeAttribute({ code: 15 }, { family: IPV6_UNICAST, nlri: nlriOf(unreach6) }));
    }
    const bytes = encodeMessage(
      { type: MESSAGE_TYPE.update, withdrawn: nlriOf(withdrawn), attributes, nlri: nlriOf(nlri) },
      sending,
    );
    const view = new UpdateView();
    const octets = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    readUpdate(bytes, octets, HEADER_BYTES, bytes.length, context, view);
    return view;
  };
  /** The lowest limit that the UPDATE does not exceed: what is foretold of the family with most paths. */
  const foretold = (update: UpdateView): number => {
    let limit = 0;
    while (familyOverLimit(rib, row, update, limit) !== null) limit++;
    return limit;
  };
  const received = (): number => Math.max(rib.ipv4.received[row]!, rib.ipv6.received[row]!);
  return { rib, row, read, foretold, received };
}

describe('the limit of prefixes', () => {
  const held = (limit: number, before: UpdateText, update: UpdateText) => {
    const { rib, row, read } = arrange();
    rib.update(row, read(before));
    return familyOverLimit(rib, row, read(update), limit);
  };
  const three = ['198.51.100.1/32', '198.51.100.2/32', '198.51.100.3/32'];

  test('counts what is new, not what is announced again or twice', () => {
    expect(held(3, { nlri: three }, { nlri: three })).toBeNull();
    expect(held(3, { nlri: three.slice(1) }, { nlri: [three[0]!, three[0]!, three[1]!] })).toBeNull();
    expect(held(3, { nlri: three }, { nlri: ['198.51.100.4/32'] })).toBe(IPV4_UNICAST);
    expect(held(2, {}, { reach6: ['2001:db8::1/128', '2001:db8::2/128', '2001:db8::3/128'] })).toBe(
      IPV6_UNICAST,
    );
  });

  test('counts withdrawals of the same UPDATE, which come first', () => {
    const other = ['198.51.100.4/32'];
    expect(held(3, { nlri: three }, { withdrawn: three.slice(2), nlri: other })).toBeNull();
    expect(held(3, { nlri: three }, { withdrawn: other, nlri: other })).toBe(IPV4_UNICAST);
  });

  test('is held by an UPDATE that only withdraws because it is broken, and by fields that the session does not have', () => {
    expect(held(3, { nlri: three }, { nlri: ['198.51.100.4/32'], isBroken: true })).toBeNull();
    const { rib, row, read } = arrange([IPV6_UNICAST]);
    expect(familyOverLimit(rib, row, read({ nlri: three }), 0)).toBeNull();
  });

  test('is foretold as the RIB has it afterwards, whatever comes', () => {
    const v4 = fc.array(
      fc.integer({ min: 1, max: 6 }).map((n) => `198.51.100.${n}/32#${n % 2}`),
      { maxLength: 6 },
    );
    const v6 = fc.array(
      fc.integer({ min: 1, max: 6 }).map((n) => `2001:db8::${n}/128#${n % 2}`),
      { maxLength: 6 },
    );
    const update = fc.record({ withdrawn: v4, nlri: v4, unreach6: v6, reach6: v6, isBroken: fc.boolean() });
    fc.assert(
      fc.property(fc.boolean(), fc.array(update, { maxLength: 8 }), (addPath, updates) => {
        const { rib, row, read, foretold, received } = arrange(undefined, addPath);
        for (const text of updates) {
          const view = read(text);
          const said = foretold(view);
          rib.update(row, view);
          expect(said).toBe(received());
        }
      }),
      { numRuns: 300 },
    );
  });
});
