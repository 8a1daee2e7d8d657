/** A resilient group fed with a recorded run's packets against the tables that the kernel showed meanwhile. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readCapture } from '../../../src/flow/read-capture.js';
import { createFlowHash } from '../../../src/hash/flow-hash.js';
import { ResilientGroup } from '../../../src/route/resilient.js';
import { hasShared, sharedPath } from '../../support/shared.js';

interface Topology {
  readonly t0: number;
  readonly hash: { readonly seed: number };
  readonly resilient: {
    readonly buckets: number;
    readonly idle_timer: number;
    readonly unbalanced_timer: number;
    readonly initial_buckets: Record<string, number[]>;
    readonly final_buckets: Record<string, number[]>;
  };
}

type RunEvent =
  | {
      readonly t: number;
      readonly type: 'nexthop';
      readonly id: number;
      readonly group: { id: number; weight: number }[];
    }
  | { readonly t: number; readonly type: 'bucket-table'; readonly group: number; readonly buckets: number[] }
  | {
      readonly t: number;
      readonly type: 'bucket';
      readonly group: number;
      readonly index: number;
      readonly nhid: number;
    }
  | { readonly t: number; readonly type: 'action' | 'route' };

const GROUP = { 4: 1004, 6: 1006 } as const;
const SERVER_PORT = 80;

test.skipIf(!hasShared)(
  'every bucket of a recorded run is where the kernel had it (needs the shared recordings)',
  () => {
    const run = (file: string): string => sharedPath('lab', 'runs', 'cluster-resilient-withdraw-readd', file);
    const topology = JSON.parse(readFileSync(run('topology.json'), 'utf8')) as Topology;
    const events = JSON.parse(readFileSync(run('events.json'), 'utf8')) as RunEvent[];
    const { flows, packets, summary } = readCapture(run('capture.pcap'));
    const { buckets, idle_timer, unbalanced_timer, initial_buckets, final_buckets } = topology.resilient;
    const settings = {
      buckets,
      idleTimerS: idle_timer,
      unbalancedTimerS: unbalanced_timer,
      replace: 'in-place',
    } as const;
    const hops = (...ids: number[]): { id: number; weight: number }[] => ids.map((id) => ({ id, weight: 1 }));
    const groups = new Map([
      [1004, new ResilientGroup(settings, hops(1, 2, 3, 4), -1)],
      [1006, new ResilientGroup(settings, hops(101, 102, 103, 104), -1)],
    ]);
    for (const [id, group] of groups) expect([...group.table()]).toEqual(initial_buckets[id]);

    const { hashTuple } = createFlowHash({ hash: 'linux-l4', seed: topology.hash.seed, fields: 7 });
    const begin = Number(summary.baseNs) / 1e9 - topology.t0;
    let next = 0;
    let tables = 0;
    const eventsUntil = (t: number): void => {
      for (; next < events.length && events[next]!.t <= t; next++) {
        const event = events[next]!;
        if (event.type === 'nexthop') groups.get(event.id)!.replace(event.group, event.t);
        if (event.type !== 'bucket-table') continue;
        tables++;
        expect([...groups.get(event.group)!.table()]).toEqual(event.buckets);
      }
    };
    for (const { count, flowDir, timeNs } of packets.segments) {
      for (let i = 0; i < count; i++) {
        const f = flowDir[i]! >>> 1;
        const towardsServer = (flowDir[i]! & 1) === 0 ? flows.bPort[f] : flows.aPort[f];
        if (towardsServer !== SERVER_PORT) continue;
        const t = begin + timeNs[i]! / 1e9;
        eventsUntil(t);
        const family = flows.family[f] as 4 | 6;
        const hash = hashTuple(
          family,
          flows.addresses,
          8 * f,
          8 * f + 4,
          6,
          flows.aPort[f]!,
          flows.bPort[f]!,
          0,
        );
        const group = groups.get(GROUP[family])!;
        group.advance(t);
        group.choose(hash, t);
      }
    }
    eventsUntil(Number.POSITIVE_INFINITY);
    expect(tables).toBe(4);
    for (const [id, group] of groups) expect([...group.table()]).toEqual(final_buckets[id]);
  },
);
