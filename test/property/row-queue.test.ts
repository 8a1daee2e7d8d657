/** The queue of rows against an array. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowQueue } from '../../src/bgp/rib/row-queue.js';

test('a queue of rows gives the first of those that are in it, whoever leaves in between', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ row: fc.nat({ max: 9 }), joins: fc.boolean() })), (steps) => {
      const queue = new RowQueue();
      let naive: number[] = [];
      for (const { row, joins } of steps) {
        if (!joins) {
          queue.remove(row);
          naive = naive.filter((one) => one !== row);
        } else if (!queue.has(row)) {
          queue.append(row);
          naive.push(row);
        }
        expect([queue.first, queue.count, queue.has(row)]).toEqual([
          naive[0] ?? -1,
          naive.length,
          naive.includes(row),
        ]);
      }
    }),
  );
});
