/** RIS and Route Views dumps, held against what bgpdump prints of them. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../../../src/addr/address.js';
import { readMrt } from '../../../../src/bgp/mrt/read-mrt.js';
import { sourceFromBytes } from '../../../../src/capture/byte-source.js';
import { hasShared, sharedPath } from '../../../support/shared.js';
import { bgpdumpLines } from './bgpdump-lines.js';

/** enough to meet every kind of record, few enough to stay quick */
const MAX_LINES = Number(process.env.FLOWFATE_MRT_LINES ?? 30_000);

const FILES: readonly [file: string, update: string, rib: string][] = [
  ['bview.20020722.2337.gz', '', 'TABLE_DUMP'],
  ['bview.64k_stream_overflow.gz', '', 'TABLE_DUMP2'],
  ['bview.ipv4_unicast_add_path.gz', '', 'TABLE_DUMP2_AP'],
  ['bview.ipv6_unicast_add_path.gz', '', 'TABLE_DUMP2_AP'],
  ['updates.20020722.2238.gz', 'BGP4MP', ''],
  ['updates.20070211.0141.gz', 'BGP4MP', ''],
  ['updates.20071015.1505.gz', 'BGP4MP', ''],
  ['updates.20100722.2015.gz', 'BGP4MP', ''],
  ['updates.20160811.1600.gz', 'BGP4MP', ''],
  ['updates.et-header.2015.gz', 'BGP4MP_ET', ''],
  ['updates.long_withdrawal.gz', 'BGP4MP', ''],
];

describe.skipIf(!hasShared)(
  'dumps of real collectors (skipped where the shared collection is absent)',
  () => {
    test.each(FILES)('%s reads line for line as bgpdump reads it', (file, update, rib) => {
      const path = sharedPath('bgp', 'data', 'bgpdump', file);
      const expected = gunzipSync(readFileSync(`${path}.bgp.gz`))
        .toString()
        .split('\n');
      if (expected.at(-1) === '') expected.pop();
      const dump = readMrt(sourceFromBytes(gunzipSync(readFileSync(path)), file));
      const got: string[] = [];
      for (const timed of dump) {
        for (const line of bgpdumpLines(timed, { update, rib })) got.push(line);
        if (got.length >= MAX_LINES) break;
      }
      const differing = got.flatMap((line, i) =>
        line === canonical(expected[i]) ? [] : [[line, expected[i]]],
      );
      expect(differing.slice(0, 3)).toEqual([]);
      expect(got.length).toBe(Math.min(expected.length, got.length));
      if (got.length < MAX_LINES) expect(got.length).toBe(expected.length);
    });
  },
);

describe.skipIf(!hasShared)('a prefix that the message cuts short', () => {
  test('is a fault of the UPDATE, where bgpdump shows the prefixes before it', () => {
    const path = sharedPath('bgp', 'data', 'bgpdump', 'updates.nlri_mask_trailing_bits.gz');
    const [timed] = readMrt(sourceFromBytes(gunzipSync(readFileSync(path)), 'trailing bits'));
    expect(bgpdumpLines(timed!, { update: 'BGP4MP', rib: '' })).toEqual([
      'fault the NLRI are not valid prefixes',
    ]);
  });
});

/** bgpdump writes addresses as inet_ntop does; RFC 5952 differs for one zero group and mapped addresses. */
function canonical(line = ''): string {
  return line
    .split('|')
    .map((field) => {
      const [text, length] = field.split('/');
      const address = field.includes(':') ? parseAddress(text!) : null;
      return address === null ? field : formatAddress(address) + (length === undefined ? '' : `/${length}`);
    })
    .join('|');
}
