import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { flowfateProgram, lacksBuild } from '../../support/flowfate-process.js';

// what the other tests import is not what is shipped: the program is bundled
test('the built program reads a shipped capture', (ctx) => {
  if (lacksBuild !== null) ctx.skip(lacksBuild);
  const args = ['flows', 'captures/local-add.pcap.gz', '--summary', '--format', 'ndjson'];
  const done = spawnSync(process.execPath, [flowfateProgram, ...args], { encoding: 'utf8' });
  expect(done.stderr).toBe('');
  expect(done.status).toBe(0);
  expect(JSON.parse(done.stdout.split('\n')[0]!)).toMatchObject({ record: 'capture', packets: 23_730 });
});
