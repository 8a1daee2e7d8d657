import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ipv4, ipv6, parseAddress } from '../../../src/addr/address.js';
import { createFlowHash } from '../../../src/hash/flow-hash.js';
import {
  type Observation,
  type ObservedGroup,
  type RecoverOptions,
  recoverSeed,
} from '../../../src/recover-seed/recover-seed.js';
import { mixPair } from '../../../src/route/mix.js';
import { hasShared, sharedPath } from '../../support/shared.js';

/** The recipe for bounds and buckets is written out again here, so that the search is not its own judge. */
function choose(group: ObservedGroup, hash: number): number {
  if (group.kind === 'table') return group.table[hash % group.table.length]!;
  const total = group.weights.reduce((sum, weight) => sum + BigInt(weight), 0n);
  let cumulative = 0n;
  return group.weights.findIndex((weight) => {
    cumulative += BigInt(weight);
    return BigInt(hash) < ((cumulative << 31n) + total / 2n) / total;
  });
}

function observe(
  seed: number,
  count: number,
  { hash, fields, groups }: Pick<RecoverOptions, 'hash' | 'fields' | 'groups'>,
): Observation[] {
  const flowHash = createFlowHash({ hash, fields, seed });
  return Array.from({ length: count }, (_, i) => {
    const v6 = i % 3 === 0;
    const src = v6 ? ipv6(0x20010db8, i, 7, mixPair(i, 1)) : ipv4(mixPair(i, 2));
    const dst = v6 ? ipv6(0x20010db8, 0x113, 0, 16) : ipv4(0xcb00710a);
    const flow = {
      src,
      dst,
      proto: 6,
      srcPort: 1024 + (mixPair(i, 3) % 60000),
      dstPort: 80,
      label: mixPair(i, 4) & 0xfffff,
    };
    const words = Uint32Array.of(src.w0, src.w1, src.w2, src.w3, dst.w0, dst.w1, dst.w2, dst.w3);
    const group = i % groups.length;
    const h = flowHash.hashTuple(src.family, words, 0, 4, 6, flow.srcPort, flow.dstPort, flow.label);
    return { ...flow, group, chosen: choose(groups[group]!, h) };
  });
}

const SEED = 0xdeadbeef;
const RANGE = { from: SEED - 300_000, to: SEED + 200_000, threads: 1 };
const WEIGHTED: ObservedGroup = { kind: 'hash-threshold', weights: [1, 2, 1] };
const BUCKETS: ObservedGroup = { kind: 'table', table: Int32Array.of(4, 4, 4, 3, 3, 3, 2, 2, 2, 1, 1, 1) };

describe('recoverSeed', () => {
  test.each([
    ['linux-l3', 7],
    ['linux-l4', 7],
    ['linux-inner', 7],
    ['linux-custom', 0x37],
    ['linux-custom', 0x39],
  ] as const)(
    'finds the seed of %s with fields %i over thresholds and buckets, IPv4 and IPv6',
    async (hash, fields) => {
      const settings = { hash, fields, groups: [WEIGHTED, BUCKETS] };
      const result = await recoverSeed(observe(SEED, 200, settings), { ...settings, ...RANGE });
      expect(result.seed).toBe(SEED);
      expect(result.candidates).toEqual([SEED]);
      expect(result.usedBits).toBeGreaterThanOrEqual(44);
      expect(result.verified.of).toBe(200 - result.usedFlows);
      expect(result.verified.agree).toBe(result.verified.of);
    },
  );

  test('says so where no seed fits', async () => {
    const settings = { hash: 'linux-l4', fields: 7, groups: [WEIGHTED] } as const;
    const wrong = observe(SEED, 60, { ...settings, hash: 'linux-custom', fields: 0x30 });
    const result = await recoverSeed(wrong, { ...settings, ...RANGE });
    expect(result.seed).toBeNull();
    expect(result.seedsTried).toBe(500_000);
    expect(result.verdict).toMatch(/fits\. Either the router .*NIC.*6\.11.*order or weights/);
  });

  test('sees that a policy is too coarse without any search', async () => {
    const seen = observe(SEED, 60, { hash: 'linux-l4', fields: 7, groups: [WEIGHTED] });
    const oneClient = seen.map((o) => ({ ...o, src: ipv4(0x0a000001), dst: ipv4(0xcb00710a) }));
    const result = await recoverSeed(oneClient, {
      hash: 'linux-l3',
      fields: 7,
      groups: [WEIGHTED],
      ...RANGE,
    });
    expect(result.seedsTried).toBe(0);
    expect(result.verdict).toContain('cannot tell apart');
  });

  test('says how many flows it takes where there are too few', async () => {
    const settings = {
      hash: 'linux-l4',
      fields: 7,
      groups: [{ kind: 'hash-threshold', weights: [1, 1] }],
    } as const;
    const result = await recoverSeed(observe(SEED, 10, settings), { ...settings, ...RANGE });
    expect(result.verdict).toBe(
      '10 distinguishable flows say 10.0 bits about the 32 of the seed; about 44 such flows are needed.',
    );
  });

  test('tolerates a few wrong observations among those that verify, and none that no group has', async () => {
    const settings = {
      hash: 'linux-l4',
      fields: 7,
      groups: [{ kind: 'hash-threshold', weights: [1, 1, 1] }],
    } as const;
    const seen = observe(SEED, 200, settings);
    const last = seen[199]!;
    seen[199] = { ...last, chosen: (last.chosen + 1) % 3 };
    const result = await recoverSeed(seen, { ...settings, ...RANGE });
    expect(result.seed).toBe(SEED);
    expect(result.verified.agree).toBe(result.verified.of - 1);
    await expect(recoverSeed([{ ...last, chosen: 3 }], { ...settings, ...RANGE })).rejects.toThrow(
      RangeError,
    );
  });

  test.skipIf(!hasShared).each([
    ['cluster-withdraw', 0x5eedc0de],
    ['cluster-resilient-withdraw-readd', 0x12345678],
  ])(
    'finds the seed of the recorded run %s, whose kernel chose (needs the shared recordings)',
    async (name, seed) => {
      const run = (file: string): string => readFileSync(sharedPath('lab', 'runs', name, file), 'utf8');
      const { resilient } = JSON.parse(run('topology.json')) as {
        resilient?: { initial_buckets: Record<string, number[]> };
      };
      const tables = Object.values(resilient?.initial_buckets ?? {}).map((table) =>
        Int32Array.from(table, (id) => id % 100),
      );
      const groups: ObservedGroup[] =
        tables.length > 0
          ? tables.map((table) => ({ kind: 'table', table }))
          : [4, 6].map(() => ({ kind: 'hash-threshold', weights: [1, 1, 1, 1] }));
      const seen = run('paths.tsv')
        .split('\n')
        .map((line) => line.split('\t'))
        // what flows took before the next hops changed at 5 s
        .filter(([, , , , t]) => Number(t) < 4.9)
        .map(([src, srcPort, dst, dstPort, , node]): Observation => {
          const address = parseAddress(src!)!;
          const group = address.family === 4 ? 0 : 1;
          const place = Number(node!.slice(1));
          const chosen = tables.length > 0 ? place : place - 1;
          return {
            src: address,
            dst: parseAddress(dst!)!,
            proto: 6,
            srcPort: Number(srcPort),
            dstPort: Number(dstPort),
            label: 0,
            group,
            chosen,
          };
        });
      const range = { from: seed - 100_000, to: seed + 100_000, threads: 1 };
      const result = await recoverSeed(seen, { hash: 'linux-l4', fields: 7, groups, ...range });
      expect(result.seed).toBe(seed);
      expect(result.verified.of).toBeGreaterThan(300);
      expect(result.verified.agree).toBe(result.verified.of);
    },
  );
});
