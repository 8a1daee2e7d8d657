/** Dumps that other projects keep because they broke a reader once: how many records of each kind there are. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readMrt } from '../../../../src/bgp/mrt/read-mrt.js';
import { bunzip2IfNeeded } from '../../../../src/capture/bunzip2-source.js';
import { sourceFromBytes } from '../../../../src/capture/byte-source.js';
import { hasShared, sharedPath } from '../../../support/shared.js';

/** file, records, malformed ones (Zebra of 2000 shortened some), why the dump ends early */
const FILES: readonly [file: string, records: number, malformed: number, fault: string | null][] = [
  ['bgpkit/fixtures/ripe/rrc00/1999.09/updates.19990903.1041.gz', 24242, 0, null],
  ['bgpkit/fixtures/ripe/rrc00/1999.12/updates.19991214.1621.gz', 18203, 0, null],
  ['bgpkit/fixtures/ripe/rrc00/2000.01/bview.20000111.0032.gz', 452018, 0, null],
  ['bgpkit/fixtures/ripe/rrc00/2000.03/updates.20000325.0345.gz', 5, 0, 'damaged'],
  ['bgpkit/fixtures/ripe/rrc01/2000.11/updates.20001104.0124.gz', 1286, 63, null],
  ['bgpkit/fixtures/ripe/rrc03/2010.02/updates.20100227.1600.first-796-records.gz', 796, 0, null],
  ['bgpkit/fixtures/ripe/rrc15/2010.02/updates.20100227.1610.gz', 1953, 0, null],
  ['libbgpstream/ris.rrc06.updates.1427846400.gz', 795, 0, null],
  ['libbgpstream/routeviews.route-views.jinx.updates.1427846400.bz2', 1756, 0, null],
];

describe.skipIf(!hasShared)('kept dumps (skipped where the shared collection is absent)', () => {
  test.each(FILES)('%s', (file, records, malformed, fault) => {
    const stored = readFileSync(sharedPath('bgp', 'data', ...file.split('/')));
    const bytes = file.endsWith('.gz') ? gunzipSync(stored) : stored;
    const dump = readMrt(bunzip2IfNeeded(sourceFromBytes(bytes, file)));
    let [count, bad] = [0, 0];
    let next = dump.next();
    for (; next.done !== true; next = dump.next()) {
      count++;
      if (next.value.entry.kind === 'malformed') bad++;
    }
    expect([count, bad, next.value?.kind ?? null]).toEqual([records, malformed, fault]);
  });
});
