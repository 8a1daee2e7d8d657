import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findsVictim } from '../../../src/conntrack/early-drop.js';
import { Segment, TcpState } from '../../../src/conntrack/tcp-states.js';
import { Tuple } from '../../../src/conntrack/tuple.js';
import { ConntrackTable } from '../../../src/oracle/conntrack-table.js';
import { TableRoom } from '../../../src/oracle/table-room.js';
import { defaultTimeouts } from '../../support/conntrack-defaults.js';

const address = (w0: number) => ({ family: 4 as const, w0, w1: 0, w2: 0, w3: 0 });

function tuple(src: number, srcPort: number, proto = 6): Tuple {
  const t = new Tuple();
  t.setKind(4, proto);
  t.setSource(address(src), srcPort);
  t.setDestination(address(0xcb00710a), 80);
  return t;
}

function reply(t: Tuple): Tuple {
  const r = new Tuple();
  r.invert(t);
  return r;
}

function table(max = 1000): ConntrackTable {
  return new ConntrackTable({ max, timeouts: defaultTimeouts });
}

function add(to: ConntrackTable, t: Tuple, state: number, nowS: number): number {
  return to.insert(t, reply(t), state, nowS);
}

describe('an entry', () => {
  test('is found by its original and by its reply tuple', () => {
    const ct = table();
    const t = tuple(1, 1000);
    const entry = add(ct, t, TcpState.synSent, 0);
    expect(ct.find(t, 0)).toBe(entry * 2);
    expect(ct.find(reply(t), 0)).toBe(entry * 2 + 1);
    expect(ct.find(tuple(1, 1001), 0)).toBe(-1);
  });

  test('is gone once its timeout has passed, to the instant', () => {
    const ct = table();
    const t = tuple(1, 1000);
    add(ct, t, TcpState.synSent, 5);
    expect(ct.find(t, 125)).toBeGreaterThanOrEqual(0);
    expect(ct.find(t, 125.001)).toBe(-1);
    expect(ct.size).toBe(0);
  });

  test('picked up loosely lives 300 s until a reply makes it a connection', () => {
    const ct = table();
    const t = tuple(1, 1000);
    const entry = add(ct, t, TcpState.established, 0);
    expect(ct.expiresS(entry)).toBe(300);
    ct.stepTcp(ct.find(reply(t), 1), Segment.ack, 1);
    expect(ct.expiresS(entry)).toBe(1 + defaultTimeouts.established);
    expect(ct.isAssured(entry)).toBe(true);
  });

  test('is not refreshed by a SYN sent again', () => {
    const ct = table();
    const t = tuple(1, 1000);
    const entry = add(ct, t, TcpState.synSent, 0);
    ct.stepTcp(ct.find(t, 60), Segment.syn, 60);
    expect(ct.expiresS(entry)).toBe(120);
  });

  test('of UDP becomes a stream, assured, after more than two seconds both ways', () => {
    const ct = table();
    const t = tuple(1, 1000, 17);
    const entry = add(ct, t, 0, 0);
    ct.stepOther(ct.find(reply(t), 0.5), 0.5);
    expect(ct.expiresS(entry)).toBe(30.5);
    ct.stepOther(ct.find(t, 2), 2);
    expect(ct.isAssured(entry)).toBe(false);
    ct.stepOther(ct.find(t, 2.5), 2.5);
    expect(ct.isAssured(entry)).toBe(true);
    expect(ct.expiresS(entry)).toBe(122.5);
  });
});

describe('a full table', () => {
  const room = (ct: ConntrackTable, max: number): TableRoom => new TableRoom(0, ct, max, 1, () => {});

  test('lets expired entries go before it turns anybody away', () => {
    const ct = table(2);
    add(ct, tuple(1, 1), TcpState.synSent, 0);
    add(ct, tuple(1, 2), TcpState.synSent, 100);
    expect(room(ct, 2).make(7, 130)).toBe(true);
    expect(ct.size).toBe(1);
  });

  test('turns newcomers away where its buckets are many and its entries few, assured or not', () => {
    const ct = table(3);
    for (let port = 1; port <= 3; port++) add(ct, tuple(1, port), TcpState.synSent, 0);
    const full = room(ct, 3);
    const taken = Array.from({ length: 200 }, (_, key) => full.make(key, 1)).filter(Boolean);
    expect(taken.length).toBeLessThan(3);
  });

  test('counts the guests whose packets pass on their way to a pod', () => {
    const [near, far] = [table(2), table(2)];
    const [entered, home] = [room(near, 2), room(far, 2)];
    const entry = add(near, tuple(1, 1), TcpState.synSent, 0);
    add(far, tuple(2, 2), TcpState.synSent, 0);
    expect(home.host(entered, entry, 7, 1)).toBe(true);
    expect([home.make(8, 1), entered.make(8, 1)]).toEqual([false, true]);
    near.remove(entry);
    expect(home.make(8, 1)).toBe(true);
  });
});

test('how often a full table finds an entry to give up depends on how many may go in eight of its buckets', () => {
  const share = (unassured: number, max: number): number => {
    let found = 0;
    for (let i = 0; i < 1000; i++) if (findsVictim(unassured, max, i * 4294967)) found++;
    return found / 1000;
  };
  expect([share(0, 80), share(80, 80)]).toEqual([0, 0.002]);
  // 1 - e^(-8 u) of u entries a bucket
  expect(share(32768, 262144)).toBeCloseTo(1 - Math.exp(-1), 2);
  expect(share(262144, 262144)).toBeCloseTo(1, 2);
});

test('a table behaves as a map of tuples through growth, removal and reuse of rows', () => {
  const operation = fc.record({ port: fc.integer({ min: 1, max: 60 }), remove: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 400 }),
      fc.integer({ min: 0, max: 3000 }),
      (operations, many) => {
        const ct = table(100_000);
        const expected = new Set<number>();
        for (let i = 0; i < many; i++) add(ct, tuple(2, i + 1), TcpState.established, 0);
        for (const { port, remove } of operations) {
          const slot = ct.find(tuple(1, port), 0);
          expect(slot >= 0).toBe(expected.has(port));
          if (remove && slot >= 0) {
            ct.remove(slot >> 1);
            expected.delete(port);
          } else if (!remove && slot < 0) {
            add(ct, tuple(1, port), TcpState.established, 0);
            expected.add(port);
          }
        }
        expect(ct.size).toBe(expected.size + many);
        expect([...ct.entries()].length).toBe(ct.size);
      },
    ),
    { numRuns: 50 },
  );
});
