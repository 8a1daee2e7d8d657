import { describe, expect, test } from 'vitest';
import { formatAddress } from '../../../src/addr/address.js';
import { parseTupleLine } from '../../../src/cli/tuple-lines.js';
import { FlowfateError } from '../../../src/errors.js';

describe('parseTupleLine()', () => {
  test.each([
    'tcp 198.51.100.7 40000 203.0.113.10 80',
    'TCP\t198.51.100.7\t40000\t203.0.113.10\t80',
    '  6  198.51.100.7 40000  203.0.113.10 80 ',
  ])('reads "%s"', (line) => {
    const tuple = parseTupleLine(line, 't', 1);
    expect(tuple?.proto).toBe(6);
    expect(formatAddress(tuple!.src)).toBe('198.51.100.7');
    expect(tuple?.srcPort).toBe(40000);
    expect(formatAddress(tuple!.dst)).toBe('203.0.113.10');
    expect(tuple?.dstPort).toBe(80);
  });

  test.each(['', '   ', '# tcp a b', '\t# x'])('skips "%s"', (line) =>
    expect(parseTupleLine(line, 't', 1)).toBeNull(),
  );

  test.each([
    ['tcp 198.51.100.7 40000 203.0.113.10', '4 fields'],
    ['tcp 198.51.100.7 40000 203.0.113.10 80 9', '6 fields'],
    ['tpc 198.51.100.7 40000 203.0.113.10 80', '"tpc" is no protocol'],
    ['256 198.51.100.7 40000 203.0.113.10 80', '"256" is no protocol'],
    ['tcp 198.51.100.777 40000 203.0.113.10 80', '"198.51.100.777" is no address'],
    ['tcp 198.51.100.7 40000 203.0.113 80', '"203.0.113" is no address'],
    ['tcp 198.51.100.7 65536 203.0.113.10 80', '"65536" is no port'],
    ['tcp 198.51.100.7 1 203.0.113.10 -1', '"-1" is no port'],
    ['tcp 198.51.100.7 1 2001:db8::1 80', 'one address is IPv4'],
  ])('refuses "%s" with file and line', (line, what) => {
    let caught: unknown;
    try {
      parseTupleLine(line, 'tuples.tsv', 17);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(FlowfateError);
    const error = caught as FlowfateError;
    expect(error.code).toBe('input');
    expect(error.message).toContain(`tuples.tsv:17: ${what}`);
    expect(error.position.line).toBe(17);
  });
});
