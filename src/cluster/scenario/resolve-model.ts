/**
 * Facts as the model: defaults filled in, names turned into rows. What only shows once everything is together is
 * judged in check-model.ts.
 */
import { ipv4, ipv6 } from '../../addr/address.js';
import { formatPrefix, type Prefix, prefixBits } from '../../addr/prefix.js';
import {
  DEFAULT_AFFINITY_TIMEOUT_S,
  DEFAULT_BGP,
  DEFAULT_CALICO_EBPF,
  DEFAULT_CILIUM,
  DEFAULT_CONNTRACK_MAX,
  DEFAULT_IPVS,
  DEFAULT_NODE_GRACE_S,
  DEFAULT_SEED,
  DEFAULT_SYNC,
  defaultEcmp,
  defaultTimeouts,
} from '../defaults.js';
import { changedEcmp, fitEcmp } from '../ecmp-settings.js';
import type {
  ClusterModel,
  ConntrackTimeouts,
  DataplaneModel,
  EndpointModel,
  NodeModel,
  RouteEntry,
  ServiceModel,
} from '../model.js';
import type { Problems } from '../yaml/problems.js';
import {
  type ClusterFacts,
  type DataplaneFacts,
  type EndpointFacts,
  type NodeFacts,
  over,
  positionIn,
  type ServiceFacts,
} from './facts.js';
import { NameTable } from './name-table.js';
import { resolveEdge } from './resolve-edge.js';
import { TimelineReader } from './timeline-events.js';

/** The model that the facts describe. It is to be trusted only where `problems` stays empty. */
export function resolveModel(facts: ClusterFacts, fallbackName: string, problems: Problems): ClusterModel {
  const seed = facts.seed ?? DEFAULT_SEED;
  const ecmp = changedEcmp(defaultEcmp(seed), (facts.ecmp ?? {}) as Partial<ClusterModel['router']['ecmp']>);
  const nodes = (facts.nodes ?? []).map(nodeModel);
  const nodeNames = new NameTable(
    'node',
    nodes.map((node) => node.name),
  );
  const services = (facts.services ?? []).map((service) => serviceModel(service, nodeNames, problems));
  const dataplane = dataplaneModel(facts.dataplane ?? {});
  const routerAddresses = facts.routerAddresses ?? [];
  const edge = resolveEdge(facts.edge, { nodes, services, dataplane, routerAddresses }, problems);
  const reader = new TimelineReader({ nodes, services, edge }, problems);
  return {
    name: facts.name ?? fallbackName,
    seed,
    router: {
      addresses: routerAddresses,
      ecmp: fitEcmp(ecmp),
      routes: routeEntries(facts, reader),
      bgp: over(DEFAULT_BGP, facts.bgp as ClusterModel['router']['bgp'] | undefined),
    },
    edge,
    dataplane,
    nodes,
    services,
    epochNs: facts.epochNs ?? null,
    timeline: reader.read(facts.timeline ?? [], ecmp),
  };
}

function nodeModel(facts: NodeFacts): NodeModel {
  const podCidrs = facts.podCidrs ?? [];
  return {
    name: facts.name,
    addresses: facts.addresses ?? [],
    podCidrs,
    podGateways: facts.podGateways ?? podCidrs.flatMap((cidr) => firstHost(cidr) ?? []),
    tunnelAddresses: facts.tunnelAddresses ?? podCidrs.map(({ address }) => address),
    rack: facts.rack ?? null,
    announces: facts.announces ?? 'auto',
  };
}

/** The address that host-local IPAM gives the bridge: the first of the range. */
function firstHost({ address, length }: Prefix) {
  if (length >= prefixBits(address.family)) return null;
  const { w0, w1, w2, w3 } = address;
  return address.family === 4 ? ipv4(w0 + 1) : ipv6(w0, w1, w2, w3 + 1);
}

function serviceModel(facts: ServiceFacts, nodes: NameTable, problems: Problems): ServiceModel {
  return {
    name: facts.name,
    vips: facts.vips ?? [],
    ports: facts.ports ?? [],
    externalTrafficPolicy: facts.externalTrafficPolicy ?? 'Cluster',
    sessionAffinity: facts.sessionAffinity ?? 'None',
    affinityTimeoutS: facts.affinityTimeoutS ?? DEFAULT_AFFINITY_TIMEOUT_S,
    probes: facts.probes ?? null,
    l7Proxy: facts.l7Proxy ?? null,
    endpoints: (facts.endpoints ?? []).flatMap((endpoint) => endpointModel(endpoint, nodes, problems)),
  };
}

function endpointModel(facts: EndpointFacts, nodes: NameTable, problems: Problems): EndpointModel[] {
  const node = nodes.rowOf(facts.node);
  if (node === null) {
    problems.add(positionIn(facts.place, 'node'), `endpoint ${facts.pod}: ${nodes.unknown(facts.node)}`);
    return [];
  }
  const { pod, addresses, ready, serving, terminating } = facts;
  return [{ pod, node, addresses, ready, serving, terminating }];
}

/** The last of several routes to one prefix holds. */
function routeEntries(facts: ClusterFacts, reader: TimelineReader): RouteEntry[] {
  const byPrefix = new Map<string, RouteEntry>();
  for (const { prefix, nextHops, place } of facts.routes ?? []) {
    byPrefix.set(formatPrefix(prefix), { prefix, nextHops: reader.nextHops(prefix, nextHops, place) });
  }
  return [...byPrefix.values()];
}

function dataplaneModel(facts: DataplaneFacts): DataplaneModel {
  const { conntrack = {}, overlay, proxy = 'iptables' } = facts;
  const beLiberal = conntrack.beLiberal ?? false;
  return {
    proxy,
    ipvs: over(DEFAULT_IPVS, facts.ipvs as typeof DEFAULT_IPVS | undefined),
    cilium: over(DEFAULT_CILIUM, facts.cilium as typeof DEFAULT_CILIUM | undefined),
    calicoEbpf: over(DEFAULT_CALICO_EBPF, facts.calicoEbpf as typeof DEFAULT_CALICO_EBPF | undefined),
    conntrack: {
      tcpLoose: conntrack.tcpLoose ?? true,
      beLiberal,
      max: conntrack.max ?? DEFAULT_CONNTRACK_MAX,
      timeouts: over(defaultTimeouts(proxy), facts.timeouts as ConntrackTimeouts | undefined),
    },
    masqueradeRandomFully: facts.masqueradeRandomFully ?? true,
    dropInvalid: facts.dropInvalid ?? !beLiberal,
    sync: over(DEFAULT_SYNC, facts.sync as typeof DEFAULT_SYNC | undefined),
    overlay: overlay?.kind ?? 'none',
    nodeGraceS: facts.nodeGraceS ?? DEFAULT_NODE_GRACE_S,
  };
}
