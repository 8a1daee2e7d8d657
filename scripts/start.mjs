// `npm start` replays the shipped capture; `npm start -- <args>` is the command line.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const given = process.argv.slice(2);
const tour = [
  'replay',
  path('captures/cluster-withdraw.pcap.gz'),
  '--scenario',
  path('captures/cluster-withdraw.yaml'),
];
const done = spawnSync(
  process.execPath,
  [path('dist/src/bin/flowfate.js'), ...(given.length > 0 ? given : tour)],
  {
    stdio: 'inherit',
  },
);
process.exit(done.status ?? 1);
