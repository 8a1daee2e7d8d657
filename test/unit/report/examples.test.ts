import { describe, expect, test } from 'vitest';
import { chooseExamples } from '../../../src/report/examples.js';
import { MADE_VERDICTS, madeResult } from './made-result.js';

describe('chooseExamples()', () => {
  test('covers every cause before it repeats one', () => {
    const examples = chooseExamples(madeResult(), 4);
    expect(examples.map(({ cause }) => cause?.reason)).toEqual(['ecmp-rehash', 'invalid-dropped']);
  });

  test('takes the busiest flow of a cause', () => {
    expect(chooseExamples(madeResult(), 4)[0]?.id).toBe(8);
  });

  test('chooses none where nothing broke', () => {
    expect(chooseExamples(madeResult(MADE_VERDICTS.slice(0, 6)), 4)).toEqual([]);
  });

  test('finds a rare cause behind a thousand busier flows of the same fate', () => {
    const common = Array.from({ length: 1000 }, (_, id) => ({ ...MADE_VERDICTS[6]!, id }));
    const rare = {
      ...MADE_VERDICTS[6]!,
      id: 1000,
      packets: { out: 1, in: 0 },
      cause: { event: 'e2', hop: 'endpoint n1-p0', reason: 'endpoint-gone' as const },
    };
    const reasons = chooseExamples(madeResult([...common, rare]), 4).map(({ cause }) => cause?.reason);
    expect(reasons).toContain('endpoint-gone');
  });
});
