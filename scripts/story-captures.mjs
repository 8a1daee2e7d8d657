// Writes captures/stories/*.pcap.gz: the made traffic that `flowfate stories` runs on. Needs a build.
// The same plans give the same octets; a unit test holds the shipped files against them.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { MADE_CAPTURES } from '../dist/src/stories/made-captures.js';
import { makeTraffic } from '../dist/src/stories/made-traffic.js';

const folder = fileURLToPath(new URL('../captures/stories', import.meta.url));
mkdirSync(folder, { recursive: true });
for (const [name, plan] of Object.entries(MADE_CAPTURES)) {
  const bytes = gzipSync(makeTraffic(plan), { level: 9 });
  writeFileSync(`${folder}/${name}.pcap.gz`, bytes);
  console.log(`${name}.pcap.gz: ${bytes.length} octets`);
}
