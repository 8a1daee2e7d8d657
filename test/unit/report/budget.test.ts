import { describe, expect, test } from 'vitest';
import { FlowfateError } from '../../../src/errors.js';
import { exceeded, parseBudget } from '../../../src/report/budget.js';
import { madeResult } from './made-result.js';

// The made result: 12 flows, 4 broken (3 reset, 1 timeout), 1 latent, 3 sources lost, 3 packets dropped.
const HOLDS: readonly [string, boolean][] = [
  ['broken>0', true],
  ['broken > 3', true],
  ['broken>4', false],
  ['broken>=4', true],
  ['broken<4', false],
  ['broken<=4', true],
  ['broken==4', true],
  ['broken=4', true],
  ['broken!=4', false],
  ['broken>33%', true],
  ['broken > 37 %', false],
  ['reset>2', true],
  ['timeout>1', false],
  ['refused>0', false],
  ['endpoint-closed>0', false],
  ['misdelivered>0', false],
  ['unknown>=1', true],
  ['latent>0', true],
  ['sourceLost>2', true],
  ['source-lost>2', true],
  ['dropped>2', true],
  ['flows<100', true],
  ['ecmp-rehash>=3', true],
  ['node-down>0', false],
  ['broken>36.4%', false],
];

describe('exceeded()', () => {
  test.each(HOLDS)('finds that "%s" holds: %s', (text, holds) => {
    expect(exceeded(parseBudget(text), madeResult()) !== null).toBe(holds);
  });

  test('says the budget and the figure in one sentence', () => {
    expect(exceeded(parseBudget('broken>1%'), madeResult())).toBe(
      'the budget "broken>1%" is exceeded: broken is 4 (36.4 % of 11 judged connections)',
    );
  });

  test('takes a share of no flows as zero', () => {
    expect(exceeded(parseBudget('broken>0%'), madeResult([]))).toBeNull();
  });
});

describe('parseBudget()', () => {
  test.each([
    '',
    'broken',
    'broken>',
    '>3',
    'broken>many',
    'broken >> 3',
    'brokn>0',
    'flows>50%',
    'broken>-1',
  ])('refuses "%s" with a usage error', (text) => {
    expect(() => parseBudget(text)).toThrow(FlowfateError);
  });
});
