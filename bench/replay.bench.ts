/** A whole replay of a scenario over an indexed capture. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadScenario } from '../src/cluster/scenario/load-scenario.js';
import { readCapture } from '../src/flow/read-capture.js';
import { replay } from '../src/verdict/replay.js';
import type { BenchCase } from './bench-case.js';
import { madeCapture } from './made-capture.js';

const path = (name: string): string => fileURLToPath(new URL(`../../captures/${name}`, import.meta.url));

export const replayCases: readonly BenchCase[] = [
  replayCase('replay, second scenario over an index', () => madeCapture().path),
  replayCase('replay, shipped capture', () => path('cluster-withdraw.pcap.gz')),
];

function replayCase(name: string, capture: () => string): BenchCase {
  let packets = 0;
  return {
    name,
    get batch() {
      return packets;
    },
    setup() {
      const index = readCapture(capture());
      const text = readFileSync(path('cluster-withdraw.yaml'), 'utf8')
        .replace(/^ *epoch:.*$/m, '')
        .replace(/targetPort: 8080 \}/, 'targetPort: 8080 }, { protocol: UDP, port: 53, targetPort: 5353 }');
      const { model } = loadScenario([{ name: 'cluster-withdraw.yaml', text }]);
      packets = index.packets.count;
      return () => replay(index, model).summary.flows;
    },
  };
}
