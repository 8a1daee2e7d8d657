import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { walkPackets } from '../../../src/flow/walk-packets.js';
import { ethernetFrame, ipv4Packet, pcapFile, tcpSegment } from '../../support/frames.js';
import { inFolder, runCommand } from './made-io.js';

const CLIENT = 0xc6336401;
const VIP = 0xcb00710a;
const SCENARIO = `
apiVersion: flowfate.dev/v1
kind: Scenario
metadata: { name: one-node }
spec:
  router: { address: 10.0.0.254, ecmp: { hash: linux-l4, seed: 1, select: hash-threshold } }
  nodes: [{ name: n1, address: 10.0.0.1, podCIDR: 10.244.1.0/24 }]
  services:
    - name: web
      vip: 203.0.113.10
      ports: [{ protocol: TCP, port: 80, targetPort: 8080 }]
      endpoints: [{ pod: p0, node: n1, address: 10.244.1.10 }]
`;

const tcp = (src: number, dst: number, sport: number, dport: number, flags: number): number[] =>
  ethernetFrame(0x0800, ipv4Packet(6, tcpSegment(sport, dport, flags), { src, dst }));

/** A handshake with the service, a packet to a port that it does not have, and one that has to do with nobody. */
function capture(): Uint8Array {
  const frames = [
    tcp(CLIENT, VIP, 4000, 80, 2),
    tcp(VIP, CLIENT, 80, 4000, 18),
    tcp(CLIENT, VIP, 4000, 80, 16),
    tcp(CLIENT, VIP, 4000, 81, 2),
    tcp(CLIENT, 0x08080808, 4000, 443, 2),
  ];
  return pcapFile(frames.map((frame, i) => ({ frame, timeUs: i * 1000 })));
}

function inputs(folder: string): { pcap: string; scenario: string; out: string } {
  const pcap = join(folder, 'in.pcap');
  const scenario = join(folder, 's.yaml');
  writeFileSync(pcap, capture());
  writeFileSync(scenario, SCENARIO);
  return { pcap, scenario, out: join(folder, 'out') };
}

function tuples(path: string): string[] {
  const seen: string[] = [];
  walkPackets(path, 'outer', ({ decoder, timeNs }) => {
    const { words, srcPort, dstPort } = decoder.outer;
    seen.push(`${timeNs} ${words[0]!.toString(16)}:${srcPort} > ${words[4]!.toString(16)}:${dstPort}`);
  });
  return seen;
}

test('both directions of a connection are translated, the rest stays, in their order and at their times', async () => {
  await inFolder(async (folder) => {
    const { pcap, scenario, out } = inputs(folder);
    for (const format of ['pcapng', 'pcap']) {
      const argv = [
        'forward',
        pcap,
        '--scenario',
        scenario,
        '--out',
        out,
        '--format',
        format,
        '--summary',
        'json',
      ];
      const result = await runCommand(argv);
      expect(result.status).toBe(0);
      expect(JSON.parse(result.out)).toMatchObject({
        packets: 5,
        translated: 3,
        unchanged: 1,
        dropped: 1,
        byReason: { 'not-a-service': 1 },
      });
      const seen = tuples(out);
      const source = /([0-9a-f]+:\d+) > af4010a:8080/.exec(seen[0]!)![1];
      expect(seen).toEqual([
        `0 ${source} > af4010a:8080`,
        `1000000 af4010a:8080 > ${source}`,
        `2000000 ${source} > af4010a:8080`,
        '3000000 c6336401:4000 > cb00710a:81',
        '4000000 c6336401:4000 > 8080808:443',
      ]);
    }
  });
});

test('pcapng names hops and addresses, and a drop says where and why', async () => {
  await inFolder(async (folder) => {
    const { pcap, scenario, out } = inputs(folder);
    await runCommand(['forward', pcap, '--scenario', scenario, '--out', out, '--only', 'dropped']);
    const text = readFileSync(out).toString('latin1');
    expect(text).toContain('flowfate: dropped at n1: not-a-service');
    for (const name of ['router', 'n1', 'web', 'p0']) expect(text).toContain(name);
    expect(tuples(out)).toHaveLength(1);
  });
});

const hasTshark = ((): boolean => {
  try {
    execFileSync('tshark', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!hasTshark)('tshark reads the interfaces (skipped where there is no tshark)', async () => {
  await inFolder(async (folder) => {
    const { pcap, scenario, out } = inputs(folder);
    await runCommand(['forward', pcap, '--scenario', scenario, '--out', out]);
    const fields = ['-T', 'fields', '-e', 'frame.interface_name', '-e', 'frame.comment'];
    const lines = execFileSync('tshark', ['-r', out, ...fields], { encoding: 'utf8' })
      .trimEnd()
      .split('\n');
    expect(lines.map((line) => line.trimEnd())).toEqual([
      'n1',
      'n1',
      'n1',
      'n1\tflowfate: dropped at n1: not-a-service',
      'router',
    ]);
  });
});

test('the tables are printed as conntrack -L prints them', async () => {
  await inFolder(async (folder) => {
    const { pcap, scenario } = inputs(folder);
    const { out } = await runCommand(['forward', pcap, '--scenario', scenario, '--conntrack']);
    expect(out).toMatch(
      /^n1 tcp {6}6 86399 ESTABLISHED src=198\.51\.100\.1 dst=203\.0\.113\.10 sport=4000 dport=80 src=10\.244\.1\.10 dst=\S+ sport=8080 dport=\d+ \[ASSURED\] mark=0 use=1$/m,
    );
  });
});

test('without a scenario, or with a hop that there is not, the sentence says what to do', async () => {
  await inFolder(async (folder) => {
    const { pcap, scenario } = inputs(folder);
    const without = await runCommand(['forward', pcap]);
    expect(without.status).toBe(2);
    expect(without.err).toMatch(/give --scenario or --cluster/);
    const wrong = await runCommand(['forward', pcap, '--scenario', scenario, '--only', 'n9']);
    expect(wrong.status).toBe(2);
    expect(wrong.err).toMatch(/--only n9: it takes unchanged, translated, dropped, or a hop: router, n1/);
  });
});
