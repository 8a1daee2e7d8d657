import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../../../src/bgp/codec/byte-writer.js';
import { OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { encodeAttribute, makeAttribute } from '../../../../src/bgp/codec/update-message.js';
import { MARK } from '../../../../src/bgp/rib/attribute-columns.js';
import { AttributeStore } from '../../../../src/bgp/rib/attribute-store.js';
import { NextHopTable } from '../../../../src/bgp/rib/next-hop-table.js';
import { attributesOf, type RouteText } from '../../../support/rib-session.js';

const newStore = () => {
  const nextHops = new NextHopTable({ connected: null, ownAddresses: [] }, 180);
  return { nextHops, store: new AttributeStore({ localAsn: 65000, routerId: 0x0a0000fe }, nextHops) };
};

/** The set of a route with `communities` of them: long ones, so that the arena has to grow and be tidied. */
function octets(med: number, communities: number): Uint8Array {
  const out = new ByteWriter();
  const list = Array.from({ length: communities }, (_, i) => 0x0d1c0000 + i);
  const attributes = [
    makeAttribute({ code: 1 }, 0),
    makeAttribute({ code: 2 }, [{ type: 2, asns: [64601] }]),
    makeAttribute({ code: 3 }, 0x0a000001),
    makeAttribute({ code: 4 }, med),
    makeAttribute({ code: 8 }, list),
  ];
  for (const attribute of attributes) encodeAttribute(attribute, out, OFFLINE);
  return out.bytes();
}

const intern = (store: AttributeStore, bytes: Uint8Array) =>
  store.intern(bytes, new DataView(bytes.buffer), 0, bytes.length);

describe('AttributeStore', () => {
  test('holds each set once, with its octets, while somebody has it, whatever comes and goes', () => {
    const arbStep = fc.tuple(
      fc.constantFrom('take', 'take', 'give'),
      fc.nat({ max: 9 }),
      fc.constantFrom(1, 900),
    );
    fc.assert(
      fc.property(fc.array(arbStep, { maxLength: 250 }), (steps) => {
        const { store } = newStore();
        const held = new Map<string, { set: number; times: number; bytes: Uint8Array }>();
        for (const [what, med, communities] of steps) {
          const bytes = octets(med, communities);
          const key = `${med}/${communities}`;
          const one = held.get(key);
          if (what === 'take') {
            const set = intern(store, bytes);
            if (one !== undefined) expect(set).toBe(one.set);
            store.retain(set);
            held.set(key, { set, bytes, times: (one?.times ?? 0) + 1 });
          } else if (one !== undefined) {
            store.release(one.set);
            if (one.times === 1) held.delete(key);
            else one.times--;
          }
          expect(store.count).toBe(held.size);
        }
        for (const { set, bytes } of held.values()) {
          expect(store.bytes.slice(store.startOf(set), store.endOf(set))).toEqual(bytes);
          expect(store.columns.med[set]).toBe(bytes[bytes.indexOf(4, 20) + 5]);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('stays small while sets come and go for ever', () => {
    const { store } = newStore();
    const keep = intern(store, octets(77, 900));
    store.retain(keep);
    let last = -1;
    for (let i = 0; i < 3000; i++) {
      const set = intern(store, octets(1000 + i, 900));
      store.retain(set);
      if (last >= 0) store.release(last);
      last = set;
    }
    expect(store.count).toBe(2);
    expect(store.bytes.length).toBeLessThan(8 << 20);
    expect(store.bytes.slice(store.startOf(keep), store.endOf(keep))).toEqual(octets(77, 900));
  });

  test('works out what the choice of paths asks for', () => {
    const { store, nextHops } = newStore();
    const route: RouteText = {
      origin: 2,
      path: [64601, 3356, 65000],
      nextHop: '10.0.0.7',
      med: 5,
      localPref: 300,
      communities: [0xffffff01, 0xffff0000],
      originatorId: 0x0a0000fe,
      clusterList: [1, 2],
      otc: 64601,
    };
    const out = new ByteWriter();
    for (const attribute of attributesOf(route, true)) encodeAttribute(attribute, out, OFFLINE);
    const set = intern(store, out.bytes());
    const { columns } = store;
    const { ownAs, noExport, gracefulShutdown, hasLocalPref, hasOtc, reflectedToUs, hasNextHop } = MARK;
    expect(columns.marks[set]).toBe(
      ownAs | noExport | gracefulShutdown | hasLocalPref | hasOtc | reflectedToUs | hasNextHop,
    );
    expect(columns.pathLength[set]).toBe(3);
    expect(columns.neighbourAs[set]).toBe(64601);
    expect([columns.origin[set], columns.med[set], columns.localPref[set]]).toEqual([2, 5, 300]);
    expect([columns.clusterLength[set], columns.onlyToCustomer[set]]).toEqual([2, 64601]);
    expect(nextHops.addresses[columns.nextHop[set]!]!.w0).toBe(0x0a000007);
  });
});
