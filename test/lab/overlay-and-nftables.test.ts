/**
 * VXLAN between two nodes and kube-proxy's nftables rules on a real kernel: which source a pod on the other node sees,
 * and what becomes of a connection whose node forgets it. Both are held against the model.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Host, type HostProcess, lacksNamespaces } from '../../lab/host.js';
import { formatAddress, ipv4 } from '../../src/addr/address.js';
import { Tuple } from '../../src/conntrack/tuple.js';
import { DataPlane } from '../../src/oracle/data-plane.js';
import { ClusterState } from '../../src/state/cluster-state.js';
import { Outcome } from '../../src/state/disposition.js';
import { forgePacket } from '../../src/state/forge.js';
import { masqueradeAddress } from '../../src/state/masquerade.js';
import { Packet } from '../../src/state/packet.js';
import { RouterState } from '../../src/state/router-state.js';
import { TCP_ACK, TCP_PSH } from '../../src/wire/tcp.js';
import { smallCluster, VIP } from '../support/small-cluster.js';
import { until } from '../support/wait.js';

const lacks =
  lacksNamespaces ??
  ['nft', 'python3', 'conntrack'].flatMap((program) =>
    spawnSync(program, ['--version']).status === 0 ? [] : [`needs the program ${program}`],
  )[0] ??
  null;

/** Answers each line with the address of who sent it. */
const SERVER = `
import socket, threading
listener = socket.create_server(('10.244.2.10', 8080))
print('listening', flush=True)
def serve(peer):
    with peer:
        while peer.recv(100): peer.sendall(peer.getpeername()[0].encode())
while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
`;

/** Asks once, has the node forget the connection, asks again: prints the source seen, then what came. */
const CLIENT = `
import socket, subprocess, sys
s = socket.create_connection(('203.0.113.10', 80), 5)
s.sendall(b'who')
print(s.recv(100).decode())
subprocess.run(['ip', 'netns', 'exec', sys.argv[1], 'conntrack', '-F'], check=True, capture_output=True)
s.settimeout(1.5)
try:
    s.sendall(b'who')
    print('answer' if s.recv(100) else 'end')
except ConnectionResetError: print('reset')
except TimeoutError: print('silence')
`;

const RULES = `
table ip kube-proxy {
  chain services {
    type nat hook prerouting priority -100;
    ip daddr 203.0.113.10 tcp dport 80 meta mark set 0x4000 dnat ip to numgen random mod 2 map { 0 : 10.244.2.10 . 8080, 1 : 10.244.2.10 . 8080 }
  }
  chain masquerading {
    type nat hook postrouting priority 100;
    meta mark & 0x4000 == 0x4000 masquerade fully-random
  }
  chain forwarding {
    type filter hook forward priority 0;
    ct state invalid drop
  }
}
`;

const model = (tcpLoose: boolean) =>
  smallCluster({ pods: [0, 1], dataplane: { proxy: 'nftables', overlay: 'vxlan' }, conntrack: { tcpLoose } });

/** What the model says a client hears of data in the middle of a connection that the node does not know. */
function heard(tcpLoose: boolean): string {
  const world = model(tcpLoose);
  const cluster = new ClusterState(world);
  const plane = new DataPlane(world, cluster, new RouterState(world, cluster));
  const tuple = new Tuple();
  tuple.setKind(4, 6);
  tuple.setSource(ipv4(0x0a090001), 40000);
  tuple.setDestination(VIP, 80);
  const packet = new Packet();
  const fields = { flags: TCP_PSH | TCP_ACK, seq: 1000, ack: 2000, payloadBytes: 3, flowLabel: 0 };
  forgePacket(tuple, fields, new DataView(new ArrayBuffer(128)), packet);
  plane.send(packet, 0, 0);
  return plane.outcome === Outcome.reset ? 'reset' : plane.outcome === Outcome.silent ? 'silence' : '?';
}

describe('a node with nftables rules and VXLAN on this kernel', () => {
  const tag = `plane${randomBytes(3).toString('hex')}`;
  const hosts = ['c', 'a', 'b', 'p'].map((name) => new Host(name, `${tag}${name}`, tmpdir()));
  const [client, near, far, pod] = hosts as [Host, Host, Host, Host];
  let server: HostProcess | null = null;

  beforeAll(async () => {
    if (lacks !== null) return;
    for (const { namespace } of hosts) spawnSync('ip', ['netns', 'add', namespace]);
    await client.batch([`link add e0 type veth peer name e0 netns ${near.namespace}`]);
    await near.batch([`link add e1 type veth peer name e1 netns ${far.namespace}`]);
    await pod.batch([`link add e0 type veth peer name e0 netns ${far.namespace}`]);
    const tunnel = (own: number, other: number): string[] => [
      `link add vxlan.calico type vxlan id 4096 dstport 4789 local 10.9.2.${own} remote 10.9.2.${other} dev e1`,
      `addr add 10.244.${own}.0/32 dev vxlan.calico`,
      'link set vxlan.calico up',
      `route add 10.244.${other}.0/24 via 10.244.${other}.0 dev vxlan.calico onlink`,
    ];
    await client.batch(['addr add 10.9.0.1/24 dev e0', 'link set e0 up', 'route add default via 10.9.0.2']);
    await near.batch([
      'addr add 10.9.0.2/24 dev e0',
      'addr add 10.9.2.1/24 dev e1',
      'link set e0 up',
      'link set e1 up',
    ]);
    await far.batch([
      'addr add 10.244.2.1/32 dev e0',
      'addr add 10.9.2.2/24 dev e1',
      'link set e0 up',
      'link set e1 up',
    ]);
    await near.batch(tunnel(1, 2));
    await far.batch([...tunnel(2, 1), 'route add 10.244.2.10/32 dev e0']);
    await pod.batch([
      'addr add 10.244.2.10/32 dev e0',
      'link set e0 up',
      'route add default via 10.244.2.1 dev e0 onlink',
    ]);
    for (const node of [near, far]) await node.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
    const nft = spawnSync('ip', ['netns', 'exec', near.namespace, 'nft', '-f', '-'], { input: RULES });
    if (nft.status !== 0) throw new Error(`nft refused the rules: ${nft.stderr}`);
    server = pod.start('python3', ['-c', SERVER]);
    await until('the pod’s server', () => server!.log().includes('listening'));
  });
  afterAll(async () => {
    await server?.stop();
    for (const { namespace } of hosts) spawnSync('ip', ['netns', 'delete', namespace]);
  });

  test.for([true, false])(
    'gives the tunnel’s address, and with tcp_loose %s does what the model says',
    async (tcpLoose, ctx) => {
      if (lacks !== null) return ctx.skip(lacks);
      await near.exec('sysctl', '-qw', `net.netfilter.nf_conntrack_tcp_loose=${tcpLoose ? 1 : 0}`);
      const printed = await client.exec('python3', '-c', CLIENT, near.namespace);
      const source = masqueradeAddress(model(tcpLoose), 0, 1, 4)!;
      expect(String(printed).trim().split('\n')).toEqual([formatAddress(source), heard(tcpLoose)]);
    },
  );
});
