/**
 * The robustness cases that lie beside the project (OPENs, UPDATEs and headers that are wrong in one way each, with
 * what the RFCs call for), against the built router. Each case has a neighbour of its own.
 */
import { existsSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { hasProgram } from '../support/daemons.js';
import { lacksBuild, startFlowfate } from '../support/flowfate-process.js';
import { Lan, lacksNamespaces } from '../support/netns.js';
import { hasShared, sharedPath } from '../support/shared.js';

const RUNNER = sharedPath('bgp', 'cases', 'bgpcase.py');

const CONFIG = `
apiVersion: flowfate.dev/v1
kind: Router
spec:
  asn: 65000
  routerId: 10.77.0.1
  listen: 10.77.0.1:179
  peers:
    - { addresses: 10.77.1.0/24, asn: 64601, passive: true, import: all, export: all }
    - { addresses: 10.77.2.0/24, asn: 65000, passive: true, import: all, export: all }
    - { address: 10.77.0.3, asn: 64602, passive: true, import: all, export: all }
`;

function lack(): string | null {
  if (lacksNamespaces !== null) return lacksNamespaces;
  if (!hasShared || !existsSync(RUNNER)) return 'needs the shared BGP cases beside the project';
  return hasProgram('python3') ? lacksBuild : 'needs python3';
}

function numbered(subnet: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${subnet}.${from + i}/16`);
}

let lan: Lan | null = null;
afterEach(async () => {
  await lan?.close();
  lan = null;
});

test('every robustness case comes out as the RFCs say', { timeout: 300_000 }, async (ctx) => {
  const missing = lack();
  if (missing !== null) ctx.skip(missing);
  lan = await Lan.create([
    { name: 'router', addresses: ['10.77.0.1/16', 'fd77::1/64'] },
    { name: 'peers', addresses: ['10.77.0.3/16', 'fd77::2/64'] },
  ]);
  const peers = lan.host('peers');
  const more = [...numbered('10.77.1', 1, 200), ...numbered('10.77.2', 1, 10)];
  for (const address of more) await peers.ip('address', 'add', address, 'dev', 'eth0');
  const router = await startFlowfate(lan.host('router'), 'router', CONFIG);
  const output = await peers.exec('python3', RUNNER, '--name', 'flowfate');
  const verdicts = output.split('\n').filter((line) => /^(ok|code|DIFF|CRASH) /.test(line));
  expect(verdicts.length).toBeGreaterThan(100);
  expect(verdicts.filter((line) => !line.startsWith('ok'))).toEqual([]);
  expect(router.running).toBe(true);
});
