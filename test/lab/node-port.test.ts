/**
 * A NodePort on a real kernel: kube-proxy's DNAT rule and its INVALID drop in a namespace, and segments of connections
 * that the node does not know. Which of them the rule sends to the pod, and which the node's own stack answers, is what
 * oracle/node-hop.ts says.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Host, lacksNamespaces } from '../../lab/host.js';
import { Tuple } from '../../src/conntrack/tuple.js';
import { DataPlane } from '../../src/oracle/data-plane.js';
import { ClusterState } from '../../src/state/cluster-state.js';
import { Outcome } from '../../src/state/disposition.js';
import { edgeStateOf } from '../../src/state/edge-state.js';
import { forgePacket } from '../../src/state/forge.js';
import { Packet } from '../../src/state/packet.js';
import { RouterState } from '../../src/state/router-state.js';
import { nodeAddress, smallCluster } from '../support/small-cluster.js';
import { EDGE_ADDRESS, smallEdge } from '../support/small-edge.js';

const lacks =
  lacksNamespaces ??
  ['iptables', 'python3'].flatMap((program) =>
    spawnSync(program, ['--version']).status === 0 ? [] : [`needs the program ${program}`],
  )[0] ??
  null;

const SEND = `
import socket, struct, sys, time
def fold(b):
    s = sum(struct.unpack('!%dH' % (len(b) // 2), b))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff
src, dst = '10.9.0.1', '10.9.0.2'
flags, port = int(sys.argv[1]), int(sys.argv[2])
tcp = struct.pack('!HHIIBBHHH', port, 30000, 1000, 2000, 5 << 4, flags, 64240, 0, 0)
pseudo = socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack('!BBH', 0, 6, len(tcp))
tcp = tcp[:16] + struct.pack('!H', fold(pseudo + tcp)) + tcp[18:]
rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
rx.settimeout(0.4)
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP).sendto(tcp, (dst, 0))
try:
    while True:
        frame = rx.recv(200)
        tcp = 14 + (frame[14] & 15) * 4
        if frame[23] == 6 and frame[26:30] == socket.inet_aton(dst) and frame[tcp + 2:tcp + 4] == struct.pack('!H', port):
            print('RST' if frame[tcp + 13] & 4 else 'answer')
            break
except TimeoutError:
    print('silence')
`;

const SEGMENTS = { ACK: 16, 'FIN+ACK': 17, 'PSH+ACK': 24, 'SYN+ACK': 18, SYN: 2, RST: 4, none: 0 };

/** What the model says of a segment that comes first: whether it reaches the pod, and what the sender hears. */
function modelled(tcpLoose: boolean, flags: number): { reachesPod: boolean; hears: string } {
  const model = smallCluster({ edge: smallEdge([0]), conntrack: { tcpLoose } });
  const cluster = new ClusterState(model);
  const plane = new DataPlane(model, cluster, new RouterState(model, cluster), edgeStateOf(model, cluster));
  const tuple = new Tuple();
  tuple.setKind(4, 6);
  tuple.setSource(EDGE_ADDRESS, 40000);
  tuple.setDestination(nodeAddress(1), 30000);
  const packet = new Packet();
  const fields = { flags, seq: 1000, ack: 2000, payloadBytes: 0, flowLabel: 0 };
  forgePacket(tuple, fields, new DataView(new ArrayBuffer(128)), packet);
  const hop = plane.nodes[0]!;
  const reachesPod = hop.fromOutside(packet, 0);
  // the pod of the lab has no socket: a SYN is refused there, as everything else is
  const hears =
    flags === SEGMENTS.RST ? 'silence' : reachesPod || hop.outcome === Outcome.reset ? 'RST' : '?';
  return { reachesPod, hears };
}

describe('a NodePort’s node on this kernel', () => {
  const tag = `edge${randomBytes(3).toString('hex')}`;
  const [client, node, pod] = ['c', 'n', 'p'].map((name) => new Host(name, `${tag}${name}`, tmpdir())) as [
    Host,
    Host,
    Host,
  ];
  let port = 41000;

  beforeAll(async () => {
    if (lacks !== null) return;
    for (const { namespace } of [client, node, pod]) spawnSync('ip', ['netns', 'add', namespace]);
    await client.batch([`link add e0 type veth peer name e0 netns ${node.namespace}`]);
    await pod.batch([`link add e0 type veth peer name e1 netns ${node.namespace}`]);
    await client.batch(['addr add 10.9.0.1/24 dev e0', 'link set e0 up']);
    await node.batch([
      'addr add 10.9.0.2/24 dev e0',
      'addr add 10.9.1.1/24 dev e1',
      'link set e0 up',
      'link set e1 up',
    ]);
    await pod.batch(['addr add 10.9.1.2/24 dev e0', 'link set e0 up', 'route add default via 10.9.1.1']);
    await node.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    const dnat = [
      '-A',
      'PREROUTING',
      '-p',
      'tcp',
      '--dport',
      '30000',
      '-m',
      'addrtype',
      '--dst-type',
      'LOCAL',
    ];
    await node.exec('iptables', '-t', 'nat', ...dnat, '-j', 'DNAT', '--to-destination', '10.9.1.2:8080');
    await node.exec('iptables', '-A', 'FORWARD', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP');
    await pod.exec('iptables', '-A', 'INPUT', '-p', 'tcp', '--dport', '8080', '-j', 'ACCEPT');
  });
  afterAll(() => {
    for (const { namespace } of [client, node, pod]) spawnSync('ip', ['netns', 'delete', namespace]);
  });

  test.for([true, false])('with tcp_loose %s answers as the model says', async (tcpLoose, ctx) => {
    if (lacks !== null) ctx.skip(lacks);
    await node.exec('sysctl', '-qw', `net.netfilter.nf_conntrack_tcp_loose=${tcpLoose ? 1 : 0}`);
    for (const [name, flags] of Object.entries(SEGMENTS)) {
      await pod.exec('iptables', '-Z', 'INPUT');
      const hears = (await client.exec('python3', '-c', SEND, String(flags), String(port++))).trim();
      const counted = await pod.exec('iptables', '-nvxL', 'INPUT');
      const reachesPod = Number(/^\s*(\d+).*dpt:8080/m.exec(counted)![1]) > 0;
      expect([name, { reachesPod, hears }]).toEqual([name, modelled(tcpLoose, flags)]);
    }
  });
});
