/** The choice of a next hop by each selection, the FIB lookup, and building a Maglev table. */
import { ipv4 } from '../src/addr/address.js';
import { createNextHopGroup } from '../src/route/create-group.js';
import { Fib } from '../src/route/fib.js';
import { MaglevGroup } from '../src/route/maglev.js';
import { ModuloGroup } from '../src/route/modulo.js';
import type { SelectName } from '../src/route/next-hop-group.js';
import type { BenchCase } from './bench-case.js';

const CHOICES = 100_000;
const SELECTS: readonly SelectName[] = [
  'hash-threshold',
  'modulo',
  'resilient',
  'rendezvous',
  'maglev',
  'ring',
];
const equal = (n: number): { id: number; weight: number }[] =>
  Array.from({ length: n }, (_, id) => ({ id, weight: 1 }));

export const routeCases: readonly BenchCase[] = [
  ...SELECTS.map(
    (select): BenchCase => ({
      name: `next hop by ${select}, 8 hops`,
      unit: 'choice',
      batch: CHOICES,
      setup() {
        const buckets = select === 'maglev' ? 16381 : 128;
        const settings = {
          select,
          hashBits: 31 as const,
          buckets,
          idleTimerS: 120,
          unbalancedTimerS: 0,
          replace: 'in-place' as const,
        };
        const group = createNextHopGroup(settings, equal(8), 0);
        return () => {
          let sum = 0;
          for (let i = 0; i < CHOICES; i++) sum += group.choose((i * 21474) & 0x7fffffff, 1);
          return sum;
        };
      },
    }),
  ),
  {
    name: 'FIB lookup, 10 k prefixes',
    unit: 'lookup',
    batch: CHOICES,
    setup() {
      const fib = new Fib();
      const group = new ModuloGroup(equal(4));
      for (let i = 0; i < 10_000; i++) fib.set({ address: ipv4(i * 424_242), length: 24 + (i % 9) }, group);
      return () => {
        let hits = 0;
        for (let i = 0; i < CHOICES; i++)
          if (fib.lookup(4, Math.imul(i, 2654435761) >>> 0, 0, 0, 0) !== null) hits++;
        return hits;
      };
    },
  },
  {
    name: 'Maglev table, 1000 backends, 65537',
    unit: 'table',
    batch: 1,
    setup: () => () => new MaglevGroup(65537, equal(1000)).version,
  },
  {
    name: 'Maglev table, 1000 backends, 655373',
    unit: 'table',
    batch: 1,
    setup: () => () => new MaglevGroup(655373, equal(1000)).version,
  },
];
