/**
 * A scenario for a capture that comes without one: its busiest server addresses become VIPs of LoadBalancer
 * services, behind them stand three nodes with one endpoint each, and half-way through one node is withdrawn.
 * What was chosen is said in `notes`.
 */

import {
  type Address,
  compareAddresses,
  type Family,
  formatAddress,
  ipv4,
  ipv6,
} from '../../addr/address.js';
import { type Prefix, parsePrefix, prefixContains } from '../../addr/prefix.js';
import { FlowfateError } from '../../errors.js';
import { assumptionsOf } from '../assumptions.js';
import { DEFAULT_SEED } from '../defaults.js';
import type { ClusterModel, EndpointModel, NodeModel, ServiceModel, TimelineEvent } from '../model.js';
import { Problems } from '../yaml/problems.js';
import type { LoadedScenario } from './load-scenario.js';
import { resolveModel } from './resolve-model.js';

/** An address that flows go to. */
export interface SeenServer {
  readonly address: Address;
  /** protocol numbers 6, 17 and 132; others are left out */
  readonly ports: readonly { readonly proto: number; readonly port: number }[];
  readonly flows: number;
}

export interface SeenTraffic {
  readonly servers: readonly SeenServer[];
  /** seconds from the first packet to the last */
  readonly durationS: number;
  /** every address of the capture, clients too: the made ones keep clear of them */
  readonly addresses?: Iterable<Address>;
}

export interface FromCaptureOptions {
  /** none: the timeline stays empty, for a caller who adds events of its own */
  readonly event?: 'withdraw-one' | 'none';
  /** how many endpoints of each service every node has; as many nodes as numbers. Default: three nodes with one each */
  readonly podsPerNode?: readonly number[];
  /** how many servers become VIPs, however few flows they have; default: the busiest few */
  readonly vips?: number;
}

const DEFAULT_PODS_PER_NODE: readonly number[] = [1, 1, 1];
const MAX_VIPS = 8;
/** A server with fewer flows than this share of the busiest one's is not what the capture is about. */
const MIN_SHARE = 0.01;
const MODELLED_PROTOCOLS = [6, 17, 132];

/** Throws a FlowfateError of code `input` for a capture without a single flow to a port. */
export function scenarioFromCapture(seen: SeenTraffic, options: FromCaptureOptions = {}): LoadedScenario {
  const servers = busiest(seen.servers, options.vips ?? null);
  if (servers.length === 0) {
    throw new FlowfateError(
      'input',
      'the capture has no TCP, UDP or SCTP flow to an address that could be a VIP; give a scenario with --scenario',
    );
  }
  const families = [...new Set(servers.map((server) => server.address.family))].sort((a, b) => a - b);
  const nets = freeNets(families, [
    ...(seen.addresses ?? []),
    ...seen.servers.map((server) => server.address),
  ]);
  const { podsPerNode = DEFAULT_PODS_PER_NODE } = options;
  const nodes = podsPerNode.map((_, i) => madeNode(i, nets));
  const services = servers.map((server, i) => madeService(server, i, nets, podsPerNode));
  const timeline: TimelineEvent[] =
    options.event === 'none' ? [] : [{ at: middleOf(seen.durationS), kind: 'withdraw', node: 1 }];
  const model = resolveModel({ seed: DEFAULT_SEED }, 'from-capture', new Problems());
  const made: ClusterModel = {
    ...model,
    router: { ...model.router, addresses: nets.map(({ nodes: net }) => host(net, 254)) },
    nodes,
    services,
    timeline,
  };
  return {
    model: { ...made, assumed: [...assumptionsOf({}, made), ...MADE] },
    notes: notesOn(seen, servers, timeline),
  };
}

function busiest(servers: readonly SeenServer[], vips: number | null): SeenServer[] {
  const usable = servers
    .map((server) => ({ ...server, ports: distinctPorts(server.ports) }))
    .filter(({ address, flows, ports }) => flows > 0 && ports.length > 0 && !isNeverVip(address))
    .sort((a, b) => b.flows - a.flows || compareAddresses(a.address, b.address));
  if (vips !== null) return usable.slice(0, vips);
  const least = (usable[0]?.flows ?? 0) * MIN_SHARE;
  return usable.filter((server) => server.flows >= least).slice(0, MAX_VIPS);
}

/** Multicast, limited broadcast, loopback, link-local and unspecified: nobody announces them (RFC 6890, RFC 4291). */
const NEVER_VIPS = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/127',
  'fe80::/10',
  'ff00::/8',
].map((text) => parsePrefix(text)!);

function isNeverVip(address: Address): boolean {
  return NEVER_VIPS.some(
    (prefix) => prefix.address.family === address.family && prefixContains(prefix, address),
  );
}

function distinctPorts(ports: SeenServer['ports']): SeenServer['ports'] {
  const byText = new Map(
    ports
      .filter(({ proto, port }) => MODELLED_PROTOCOLS.includes(proto) && port > 0)
      .map((port) => [`${port.proto} ${port.port}`, port]),
  );
  return [...byText.values()].sort((a, b) => a.proto - b.proto || a.port - b.port);
}

// -- addresses

interface Nets {
  readonly family: Family;
  readonly nodes: Prefix;
  /** node i has the i-th range in it */
  readonly pods: Prefix;
}

/** How many places for the made networks are tried in turn. */
const PLACES = 120;

/** For each family the first pair of private networks that no address of the capture lies in. */
function freeNets(families: readonly Family[], present: readonly Address[]): Nets[] {
  return families.map((family) => {
    const others = present.filter((address) => address.family === family);
    const candidates = Array.from({ length: PLACES }, (_, place) => netsAt(family, place));
    const isFree = ({ nodes, pods }: Nets): boolean =>
      !others.some((address) => prefixContains(nodes, address) || prefixContains(pods, address));
    return candidates.find(isFree) ?? candidates[0]!;
  });
}

function netsAt(family: Family, place: number): Nets {
  if (family === 4) {
    const net = (second: number): Prefix => ({ address: ipv4((10 * 256 + second) * 65536), length: 16 });
    return { family, nodes: net(place), pods: net(244 - place) };
  }
  const net = (second: number): Prefix => ({ address: ipv6(0xfd000000 + second, 0, 0, 0), length: 32 });
  return { family, nodes: net(0xa + place), pods: net(0x244 + place) };
}

function podRange({ family, pods }: Nets, node: number): Prefix {
  const { w0 } = pods.address;
  return family === 4
    ? { address: ipv4(w0 + (node + 1) * 256), length: 24 }
    : { address: ipv6(w0, (node + 1) * 65536, 0, 0), length: 64 };
}

function host({ address: { family, w0, w1, w2, w3 } }: Prefix, number: number): Address {
  return family === 4 ? ipv4(w0 + number) : ipv6(w0, w1, w2, w3 + number);
}

// -- the cluster

function madeNode(i: number, nets: readonly Nets[]): NodeModel {
  const podCidrs = nets.map((net) => podRange(net, i));
  return {
    name: `n${i + 1}`,
    addresses: nets.map((net) => host(net.nodes, i + 1)),
    podCidrs,
    podGateways: podCidrs.map((cidr) => host(cidr, 1)),
    tunnelAddresses: podCidrs.map(({ address }) => address),
    rack: null,
    announces: 'auto',
  };
}

function madeService(
  server: SeenServer,
  i: number,
  nets: readonly Nets[],
  podsPerNode: readonly number[],
): ServiceModel {
  const name = `svc${i + 1}`;
  const net = nets.find(({ family }) => family === server.address.family)!;
  return {
    name,
    vips: [server.address],
    ports: server.ports.map(({ proto, port }) => ({ name: null, proto, port, targetPort: port })),
    externalTrafficPolicy: 'Cluster',
    sessionAffinity: 'None',
    affinityTimeoutS: 10800,
    probes: null,
    l7Proxy: null,
    endpoints: podsPerNode.flatMap((pods, node) =>
      Array.from(
        { length: pods },
        (_, k): EndpointModel => ({
          pod: k === 0 ? `${name}-n${node + 1}` : `${name}-n${node + 1}-${k + 1}`,
          node,
          addresses: [host(podRange(net, node), 10 + i + MAX_VIPS * k)],
          ready: true,
          serving: true,
          terminating: false,
        }),
      ),
    ),
  };
}

/** What the whole of such a scenario is. */
const MADE = [
  {
    what: 'nodes, services',
    value: 'made from the capture',
    because: 'no scenario and no objects of the cluster were given',
  },
];

/** To the millisecond, as a person would write it. */
function middleOf(durationS: number): number {
  return Math.round(Math.max(0, durationS) * 500) / 1000;
}

function notesOn(
  { servers }: SeenTraffic,
  chosen: readonly SeenServer[],
  timeline: readonly TimelineEvent[],
): string[] {
  const vips = chosen
    .map(({ address, flows }) => `${formatAddress(address)} (${flows} flow${flows === 1 ? '' : 's'})`)
    .join(', ');
  const rest = servers.length - chosen.length;
  const notes = [
    `No scenario was given, so one was made from the capture: the busiest server address${chosen.length === 1 ? ' becomes a VIP' : 'es become VIPs'}, ${vips}, behind nodes n1, n2 and n3 with one endpoint each.`,
  ];
  if (rest > 0) {
    notes.push(
      `${rest} other server address${rest === 1 ? ' is' : 'es are'} no VIP; flows to ${rest === 1 ? 'it' : 'them'} are of unknown fate.`,
    );
  }
  for (const { at } of timeline)
    notes.push(`At ${at} s, half-way through the capture, node n2 is withdrawn.`);
  notes.push('--print-scenario prints it as a start for one of your own.');
  return notes;
}
