import { describe, expect, test } from 'vitest';
import { spreadRepeated } from '../../../src/cli/spread-repeated.js';

const REPEATED = new Set(['--cluster', '--event']);
const VALUED = new Set(['--cluster', '--event', '--out']);

const spread = (line: string): string => spreadRepeated(line.split(' '), REPEATED, VALUED).join(' ');

describe('spreadRepeated()', () => {
  test.each([
    ['web.pcap', 'web.pcap'],
    ['web.pcap --cluster a b', 'web.pcap --cluster a --cluster b'],
    ['--cluster a b web.pcap', '--cluster a --cluster b web.pcap'],
    ['--cluster a web.pcap', '--cluster a web.pcap'],
    ['--cluster a --event e web.pcap', '--cluster a --event e web.pcap'],
    [
      'web.pcap --cluster a b --event e f --out x',
      'web.pcap --cluster a --cluster b --event e --event f --out x',
    ],
    ['--cluster a b --out x web.pcap', '--cluster a --cluster b --out x web.pcap'],
    ['- --cluster a b', '- --cluster a --cluster b'],
    ['--cluster a -', '--cluster a -'],
    ['--cluster=a web.pcap', '--cluster=a web.pcap'],
    ['web.pcap surplus', 'web.pcap surplus'],
    ['--cluster', '--cluster'],
    ['web.pcap --timing --cluster a b', 'web.pcap --timing --cluster a --cluster b'],
  ])('reads "%s" as "%s"', (line, read) => expect(spread(line)).toBe(read));
});
