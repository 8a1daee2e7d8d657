import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ipv4, ipv6 } from '../../../src/addr/address.js';
import { maskAddress, type Prefix, prefixContains } from '../../../src/addr/prefix.js';
import { Fib } from '../../../src/route/fib.js';
import { ModuloGroup } from '../../../src/route/modulo.js';

// few distinct bits, so that prefixes nest and touch, at both ends of the address space too
const word = fc.constantFrom(0, 1, 0x0a000000, 0x0a000001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff);
const prefix4 = fc
  .tuple(word, fc.integer({ min: 0, max: 32 }))
  .map(([w, length]): Prefix => ({ address: maskAddress(ipv4(w), length), length }));
const prefix6 = fc
  .tuple(word, word, word, word, fc.integer({ min: 0, max: 128 }))
  .map(([a, b, c, d, length]): Prefix => ({ address: maskAddress(ipv6(a, b, c, d), length), length }));
const address = fc.oneof(
  word.map(ipv4),
  fc.tuple(word, word, word, word).map(([a, b, c, d]) => ipv6(a, b, c, d)),
);

test('a lookup finds the longest prefix, as a search through all of them does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(prefix4, prefix6), { maxLength: 12 }),
      fc.array(address, { maxLength: 20 }),
      fc.nat(11),
      (prefixes, addresses, gone) => {
        const fib = new Fib();
        const groups = new Map<Prefix, ModuloGroup>();
        prefixes.forEach((p, id) => {
          const group = new ModuloGroup([{ id, weight: 1 }]);
          fib.set(p, group);
          for (const known of groups.keys()) {
            if (known.length === p.length && prefixContains(known, p.address)) groups.delete(known);
          }
          groups.set(p, group);
        });
        const removed = [...groups.keys()][gone];
        if (removed !== undefined) {
          fib.remove(removed);
          groups.delete(removed);
        }
        for (const a of addresses) {
          const best = [...groups.keys()]
            .filter((p) => prefixContains(p, a))
            .sort((p, q) => q.length - p.length)[0];
          const expected = best === undefined ? null : groups.get(best)!;
          expect(fib.lookup(a.family, a.w0, a.w1, a.w2, a.w3)).toBe(expected);
        }
        expect(fib.list().length).toBe(groups.size);
      },
    ),
    { numRuns: 2000 },
  );
});

test('the version changes with every change and with nothing else', () => {
  const fib = new Fib();
  const p: Prefix = { address: ipv4(0xcb00710a), length: 32 };
  const group = new ModuloGroup([{ id: 1, weight: 1 }]);
  const versions = [fib.version];
  fib.set(p, group);
  versions.push(fib.version);
  fib.set(p, group);
  versions.push(fib.version);
  fib.remove(p);
  versions.push(fib.version);
  expect(new Set(versions).size).toBe(4);
  expect(fib.remove(p)).toBe(false);
  expect(fib.version).toBe(versions[3]);
});
