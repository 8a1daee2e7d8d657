/**
 * The kernel's ip_vs, which this machine's own kernel may lack, in a virtual machine: which real server it gives each
 * client under sh and mh, and what a segment hears that belongs to no connection. Both are held against the model.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VM_PROGRAMS, Vm } from '../../lab/vm/vm.js';
import { formatAddress, ipv4, parseAddress } from '../../src/addr/address.js';
import { Tuple } from '../../src/conntrack/tuple.js';
import { DataPlane } from '../../src/oracle/data-plane.js';
import { IpvsSourceTable, ipvsFold } from '../../src/route/ipvs-source-table.js';
import { ClusterState } from '../../src/state/cluster-state.js';
import { Outcome } from '../../src/state/disposition.js';
import { forgePacket } from '../../src/state/forge.js';
import { Packet } from '../../src/state/packet.js';
import { RouterState } from '../../src/state/router-state.js';
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN } from '../../src/wire/tcp.js';
import { hasProgram } from '../support/daemons.js';
import { smallCluster, VIP } from '../support/small-cluster.js';

const missing = Object.entries(VM_PROGRAMS).find(([program]) => !hasProgram(program));
const lack = missing === undefined ? null : `needs ${missing[0]} (Debian package ${missing[1]})`;

const seed = randomBytes(4).readUInt32LE();
const random = (() => {
  let state = seed;
  return (limit: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
})();

let port = 10_000;

interface Destination {
  readonly address: string;
  readonly weight: number;
}
interface Case {
  readonly name: string;
  readonly scheduler: 'sh' | 'mh';
  readonly withPort: boolean;
  readonly ipv6: boolean;
  /** in the order in which they are added */
  readonly destinations: readonly Destination[];
  readonly clients: readonly (readonly [address: string, port: number])[];
}

const CASES: readonly Case[] = [false, true].flatMap((ipv6) =>
  (['sh', 'mh'] as const).flatMap((scheduler) =>
    [false, true].flatMap((withPort) => [
      drawCase(scheduler, withPort, ipv6, false),
      drawCase(scheduler, withPort, ipv6, true),
    ]),
  ),
);

/** never one twice: the kernel remembers a connection longer than its service */
function nextPort(): number {
  port += 1 + random(30);
  return port;
}

function drawCase(scheduler: 'sh' | 'mh', withPort: boolean, ipv6: boolean, weighted: boolean): Case {
  const hosts = Array.from({ length: 2 + random(5) }, (_, i) => ({ i, at: random(1000) })).sort(
    (a, b) => a.at - b.at,
  );
  const destinations = hosts.map(({ i }) => ({
    address: ipv6 ? `fd00:244::${(0x10 + i * 7).toString(16)}` : `10.244.${i}.${10 + i * 3}`,
    weight: weighted ? 1 + random(4) : 1,
  }));
  const clients = Array.from({ length: 60 }, (): [string, number] => {
    const host = 10 + random(50);
    return [ipv6 ? `2001:db8:51::${host.toString(16)}` : `198.51.100.${host}`, nextPort()];
  });
  const name = `${scheduler}${withPort ? ' with ports' : ''}, IPv${ipv6 ? 6 : 4}${weighted ? ', weighted' : ''}`;
  return { name, scheduler, withPort, ipv6, destinations, clients };
}

const SETUP = `
set -e
ip netns add c
ip link add r0 type veth peer name c0 netns c
ip link set r0 up; ip link set lo up
ip addr add 198.51.100.1/24 dev r0; ip -6 addr add 2001:db8:51::1/64 dev r0 nodad
for i in $(seq 10 59); do
  ip -n c addr add 198.51.100.$i/24 dev c0; ip -n c -6 addr add 2001:db8:51::$(printf %x $i)/64 dev c0 nodad
done
ip -n c link set c0 up; ip -n c link set lo up
ip -n c route add default via 198.51.100.1; ip -n c -6 route add default via 2001:db8:51::1
ip link add kube-ipvs0 type dummy; ip link set kube-ipvs0 up
ip addr add 203.0.113.10/32 dev kube-ipvs0; ip -6 addr add 2001:db8:113::10/128 dev kube-ipvs0 nodad
ip link add pods type dummy; ip link set pods up
ip addr add 10.244.0.1/16 dev pods; ip -6 addr add fd00:244::1/64 dev pods nodad
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
`;

const scriptOf = ({ scheduler, withPort, ipv6, destinations, clients }: Case, row: number): string => {
  const vip = ipv6 ? '[2001:db8:113::10]' : '203.0.113.10';
  const to = vip.replace(/[[\]]/g, '');
  return [
    'ipvsadm -C',
    `ipvsadm -A -t ${vip}:80 -s ${scheduler}${withPort ? ` -b ${scheduler}-port` : ''}`,
    ...destinations.map(
      ({ address, weight }) =>
        `ipvsadm -a -t ${vip}:80 -r ${ipv6 ? `[${address}]` : address}:8080 -m -w ${weight}`,
    ),
    'ip netns exec c packets <<END',
    ...clients.map(([src, port]) => `connect ${src} ${port} ${to} 80`),
    'END',
    `echo CASE ${row}`,
    'cat /proc/net/ip_vs_conn',
  ].join('\n');
};

const SEGMENTS: readonly (readonly [string, number])[] = [
  ['data', TCP_PSH | TCP_ACK],
  ['a FIN', TCP_FIN | TCP_ACK],
  ['a RST', TCP_RST],
];

const STRANGERS = [
  'ipvsadm -C',
  'ipvsadm -A -t 203.0.113.10:80 -s rr',
  'ipvsadm -a -t 203.0.113.10:80 -r 10.244.1.10:8080 -m',
  'sysctl -qw net.ipv4.vs.sloppy_tcp=0',
  'echo STRANGERS',
  'ip netns exec c packets <<END',
  ...SEGMENTS.map(([, flags], i) => `segment ${flags} 198.51.100.20 ${20_000 + i} 203.0.113.10 80`),
  'END',
].join('\n');

describe('the ip_vs of another kernel', { timeout: 300_000 }, () => {
  let vm: Vm | null = null;
  let output = '';

  beforeAll(async () => {
    if (lack !== null) return;
    vm = await Vm.build();
    output = await vm.execute([SETUP, ...CASES.map(scriptOf), STRANGERS].join('\n'));
  }, 300_000);
  afterAll(() => vm?.remove());

  test.for(CASES.map((one, row) => [one.name, row] as const))(
    'gives each client the real server of the model: %s',
    ([, row], { skip, expect: expects }) => {
      if (lack !== null) skip(lack);
      const { scheduler, withPort, destinations, clients } = CASES[row]!;
      const chosen = choicesIn(output.split(`CASE ${row}\n`)[1]!.split('CASE ')[0]!);
      const table = new IpvsSourceTable(
        scheduler,
        destinations.map(({ address, weight }) => ({ fold: foldOf(address), port: 8080, weight })),
      );
      const ours = clients.map(
        ([src, port]) => destinations[table.choose(foldOf(src), withPort ? port : 0)]?.address,
      );
      const real = clients.map(([src, port]) => chosen.get(`${src} ${port}`));
      expects(ours, `seed ${seed}`).toEqual(real);
    },
  );

  test('answers a segment without a connection as the model says', ({ skip }) => {
    if (lack !== null) skip(lack);
    const real = output.split('STRANGERS\n')[1]!.match(/heard \d+|silence/g)!;
    expect(real.map((line) => (line === 'silence' ? line : 'reset'))).toEqual(
      SEGMENTS.map(([, flags]) => heard(flags)),
    );
  });
});

const foldOf = (address: string): number => ipvsFold(parseAddress(address)!);

/** Lines of /proc/net/ip_vs_conn: protocol, client, VIP, real server; addresses and ports as hex. */
function choicesIn(text: string): Map<string, string> {
  const readable = (field: string): string =>
    field.length === 8
      ? formatAddress(ipv4(Number.parseInt(field, 16)))
      : formatAddress(parseAddress(field.replace(/[[\]]/g, ''))!);
  const rows = text.split('\n').map((line) => line.trim().split(/\s+/));
  return new Map(
    rows
      .filter(([protocol]) => protocol === 'TCP')
      .map(([, src, port, , , real]) => [`${readable(src!)} ${Number.parseInt(port!, 16)}`, readable(real!)]),
  );
}

/** What the model says a client hears of a segment in the middle of a connection that the node does not know. */
function heard(flags: number): string {
  const world = smallCluster({ pods: [0, 1], dataplane: { proxy: 'ipvs' } });
  const cluster = new ClusterState(world);
  const plane = new DataPlane(world, cluster, new RouterState(world, cluster));
  const tuple = new Tuple();
  tuple.setKind(4, 6);
  tuple.setSource(ipv4(0x0a090001), 40000);
  tuple.setDestination(VIP, 80);
  const packet = new Packet();
  const fields = { flags, seq: 1000, ack: flags === TCP_SYN ? 0 : 2000, payloadBytes: 4, flowLabel: 0 };
  forgePacket(tuple, fields, new DataView(new ArrayBuffer(128)), packet);
  plane.send(packet, 0, 0);
  return plane.outcome === Outcome.reset ? 'reset' : plane.outcome === Outcome.silent ? 'silence' : '?';
}
