import fc from 'fast-check';
import { expect, test } from 'vitest';
import { WordSet } from '../../../src/flow/word-set.js';

test('WordSet.add() says of each word whether it is new, as a Set does', () => {
  // few values, so that they meet again, and many, so that it grows
  const word = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 0xffffffff }));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 3000, size: 'max' }), (words) => {
      const [set, model] = [new WordSet(), new Set<number>()];
      for (const one of [0, 0xffffffff, 0x80000000, ...words]) {
        expect(set.add(one)).toBe(!model.has(one));
        model.add(one);
      }
    }),
    { numRuns: 50 },
  );
});
