import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ethernetFrame, ipv4Packet, pcapFile, tcpSegment, udpDatagram } from '../../support/frames.js';
import { inFolder, runCommand } from './made-io.js';

const RULES = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 203.0.113.10/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.244.1.2:8080
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -s 198.51.100.66/32 -j DROP
COMMIT
`;
const ADDRESSES = JSON.stringify([
  { ifname: 'lo', operstate: 'UNKNOWN', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8 }] },
  { ifname: 'eth0', operstate: 'UP', addr_info: [{ family: 'inet', local: '10.0.0.1', prefixlen: 24 }] },
]);
const ROUTES = JSON.stringify([
  { dst: 'default', gateway: '10.0.0.254', dev: 'eth0' },
  { dst: '10.244.1.0/24', dev: 'cni0' },
]);

/** The arguments that describe the node, in files of the folder. */
function nodeIn(folder: string): string[] {
  const files = { 'iptables.txt': RULES, 'addr.json': ADDRESSES, 'route.json': ROUTES };
  return Object.entries(files).flatMap(([name, text]) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return ['--node-state', `n1=${path}`];
  });
}

const CLIENT = 0xc6336407;
const VIP = 0xcb00710a;
const bytes32 = (value: number): number[] => [
  value >>> 24,
  (value >>> 16) & 255,
  (value >>> 8) & 255,
  value & 255,
];

/** A frame whose IPv4 addresses are these, whatever the support's shorthand makes of them. */
function frame(packet: number[], src: number, dst: number): number[] {
  packet.splice(12, 8, ...bytes32(src), ...bytes32(dst));
  return ethernetFrame(0x0800, packet);
}

const SYN = frame(ipv4Packet(6, tcpSegment(40000, 80, 2)), CLIENT, VIP);
/** The same frame in VXLAN, from one switch to a collector. */
const MIRRORED = frame(
  ipv4Packet(17, udpDatagram(50000, 4789, [8, 0, 0, 0, 0, 0, 7, 0, ...SYN])),
  0x0a090909,
  0x0a090908,
);

describe('flowfate trace', () => {
  test('prints the walk of a packet, and as JSON where it goes', () =>
    inFolder(async (folder) => {
      const packet = ['tcp', '198.51.100.7', '40000', '203.0.113.10', '80'];
      const argv = ['trace', ...packet, '--node', 'n1', ...nodeIn(folder)];
      const told = await runCommand(argv);
      expect([told.status, told.err]).toEqual([0, '']);
      expect(told.out).toContain('10.244.1.2:8080');
      const { outcomes } = JSON.parse((await runCommand([...argv, '--format', 'json'])).out);
      expect(outcomes).toMatchObject([
        { verdict: 'forwarded', probability: 1, out: { oif: 'cni0', dst: '10.244.1.2', dstPort: 8080 } },
      ]);
      const refused = [...argv, '--format', 'json'].map((word) =>
        word === '198.51.100.7' ? '198.51.100.66' : word,
      );
      expect(JSON.parse((await runCommand(refused)).out).outcomes).toMatchObject([{ verdict: 'dropped' }]);
    }));

  test('takes a packet of a capture; of a mirror’s copy the one inside, unless told otherwise', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'mirror.pcap');
      writeFileSync(path, pcapFile([SYN, MIRRORED].map((one, i) => ({ frame: one, timeUs: i }))));
      const from = async (packet: string, ...more: string[]) => {
        const argv = ['trace', '--capture', path, '--packet', packet, '--node', 'n1', ...nodeIn(folder)];
        const { out, err } = await runCommand([...argv, ...more, '--format', 'json']);
        return { err, into: JSON.parse(out).in };
      };
      const plain = await from('1');
      expect([plain.err, plain.into.dst]).toEqual(['', '203.0.113.10']);
      const copy = await from('2');
      expect(copy.into).toEqual(plain.into);
      expect(copy.err).toContain('packet 2 is a copy in a tunnel: the packet inside is traced');
      expect((await from('2', '--level', 'outer')).into).toMatchObject({ proto: 'udp', dstPort: 4789 });
    }));

  test.each([
    [['trace', 'tcp', '1.2.3.4', '1', '5.6.7.8', '2'], 'trace needs --node'],
    [['trace', '--node', 'n2', '--node-state', 'n1=x'], 'no --node-state describes n2'],
  ])('%j is a usage error that says what to write', async (argv, sentence) => {
    const { status, err } = await runCommand(argv);
    expect(status).toBe(2);
    expect(err).toContain(sentence);
  });
});
