import { describe, expect, test } from 'vitest';
import { parseNextHops } from '../../../src/cli/next-hop-list.js';
import { FlowfateError } from '../../../src/errors.js';

describe('parseNextHops()', () => {
  test('reads names with weights, in order', () => {
    expect(parseNextHops('n1, n2*3,2001:db8::1')).toEqual({
      names: ['n1', 'n2', '2001:db8::1'],
      nextHops: [
        { id: 0, weight: 1 },
        { id: 1, weight: 3 },
        { id: 2, weight: 1 },
      ],
    });
  });

  test.each(['', 'a,,b', 'a*', 'a*0', 'a*257', 'a*-1', 'a*x', 'a,a', 'a b'])('refuses "%s"', (text) => {
    expect(() => parseNextHops(text)).toThrow(FlowfateError);
  });
});
