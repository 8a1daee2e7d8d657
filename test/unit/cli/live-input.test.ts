import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { liveTraffic } from '../../../src/cli/live-input.js';
import type { LiveOptions } from '../../../src/cli/live-options.js';
import { ECMP } from '../../support/made-router.js';
import { madeIo } from './made-io.js';

const CAPTURES = join(import.meta.dirname, '..', '..', '..', 'captures');
const CAPTURE = join(CAPTURES, 'cluster-withdraw.pcap.gz');
const SCENARIO = join(CAPTURES, 'cluster-withdraw.yaml');

async function traffic(options: LiveOptions) {
  const io = madeIo();
  const settings = await liveTraffic(options, ECMP, io);
  return { settings, said: io.errText() };
}

describe('traffic of a live router', () => {
  test('is none without a capture, and then nothing may be said of it', async () => {
    expect((await traffic({})).settings).toBeNull();
    await expect(traffic({ loop: true })).rejects.toThrow(
      '--loop needs traffic: name a capture with --capture',
    );
    await expect(traffic({ speed: 2 })).rejects.toThrow('--speed needs traffic');
    await expect(traffic({ scenario: [SCENARIO] })).rejects.toThrow('--scenario needs traffic');
  });

  test('has every server of the capture for a VIP where no scenario is given', async () => {
    const { settings, said } = await traffic({ capture: CAPTURE, loop: true, speed: 10 });
    expect(settings).toMatchObject({ made: true, loop: true, speed: 10 });
    expect(settings!.model.services.flatMap(({ vips }) => vips)).toHaveLength(2);
    expect(said).toContain('every next hop a node with one endpoint of each');
  });

  test('takes a scenario without its timeline and router, and says so', async () => {
    const { settings, said } = await traffic({ capture: CAPTURE, scenario: [SCENARIO] });
    expect(settings).toMatchObject({ made: false, loop: false, speed: 1 });
    expect(settings!.model.nodes.map(({ name }) => name)).toEqual(['n1', 'n2', 'n3', 'n4']);
    expect(said).toContain("The scenario's timeline does not act here (3 events)");
    expect(said).not.toContain('spec.router.ecmp');
  });

  test('refuses a load balancer before the router', async () => {
    const file = join(tmpdir(), `flowfate-live-input-${process.pid}.yaml`);
    writeFileSync(
      file,
      `apiVersion: flowfate.dev/v1
kind: Scenario
spec:
  edge:
    address: 10.0.0.250
    virtualServers: [{ name: vs, service: web, vip: 203.0.113.10, pool: web-nodes }]
    pools: [{ name: web-nodes, members: [n1] }]
  nodes: [{ name: n1, address: 10.0.0.1 }]
  services:
    - name: web
      vip: 203.0.113.10
      ports: [{ protocol: TCP, port: 80, targetPort: 8080, nodePort: 30080 }]
      endpoints: [{ pod: p, node: n1, address: 10.244.1.10 }]
`,
    );
    await expect(traffic({ capture: CAPTURE, scenario: [file] })).rejects.toThrow(
      /is not part of live traffic/,
    );
  });
});
