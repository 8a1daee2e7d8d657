import { expect, test } from 'vitest';
import { calicoSelector } from '../../../../src/cluster/kubernetes/calico-selector.js';

const LABELS = { rack: 'r1', 'kubernetes.io/os': 'linux' };

test.each([
  ['', true],
  ['all()', true],
  ["rack == 'r1'", true],
  ["rack != 'r1'", false],
  ["missing != 'x'", true],
  ["has(kubernetes.io/os) && rack in { 'r1', 'r2' }", true],
  ["rack not in {'r1'} || !has(gpu)", true],
  ["rack starts with 'r' && !(rack contains '2')", true],
  ["rack == 'r2' || missing == 'r1'", false],
])('the selector %s is read as Calico reads it', (text, expected) => {
  expect(calicoSelector(text)!(LABELS)).toBe(expected);
});

test.each(['rack = r1', "rack == 'r1", 'has(rack', "rack in 'r1'", "rack == 'r1' &&"])(
  '%s cannot be read, which is null',
  (text) => {
    expect(calicoSelector(text)).toBeNull();
  },
);
