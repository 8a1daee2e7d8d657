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
import { resolveOwners } from './owner-schema.js';
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
  const owners = resolveOwners(facts.owners, nodes, problems);
  return {
    name: facts.name ?? fallbackName,
    seed,
    router: {
      addresses: routerAddresses,
      ecmp: fitEcmp(ecmp),
      routes: routeEntries(facts, reader),
      ...(facts.aggregates === undefined ? {} : { aggregates: facts.aggregates }),
      bgp: over(DEFAULT_BGP, facts.bgp as ClusterModel['router']['bgp'] | undefined),
    },
    edge,
    dataplane,
    nodes,
    services,
    ...(owners === undefined ? {} : { owners }),
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
    ...(facts.freeAddresses === undefined ? {} : { freeAddresses: facts.freeAddresses }),
    rack: facts.rack ?? null,
    ...(facts.zone === undefined ? {} : { zone: facts.zone }),
    ...(facts.hasTunnel === undefined ? {} : { hasTunnel: facts.hasTunnel }),
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
  const model: ServiceModel = {
    name: facts.name,
    vips: facts.vips ?? [],
    externalIPs: facts.externalIPs,
    clusterAddresses: facts.clusterAddresses,
    ports: facts.ports ?? [],
    externalTrafficPolicy: facts.externalTrafficPolicy ?? 'Cluster',
    internalTrafficPolicy: facts.internalTrafficPolicy,
    sourceRanges: facts.sourceRanges,
    publishNotReady: facts.publishNotReady,
    announcers: facts.announcers?.flatMap(({ node, vips, preference }) => {
      const row = nodes.rowOf(node);
      if (row !== null) return [{ node: row, vips, preference }];
      problems.add(positionIn(facts.place, 'announces'), `service ${facts.name}: ${nodes.unknown(node)}`);
      return [];
    }),
    sessionAffinity: facts.sessionAffinity ?? 'None',
    affinityTimeoutS: facts.affinityTimeoutS ?? DEFAULT_AFFINITY_TIMEOUT_S,
    probes: facts.probes ?? null,
    l7Proxy: facts.l7Proxy ?? null,
    notModelled: facts.notModelled,
    endpoints: (facts.endpoints ?? []).flatMap((endpoint) =>
      endpointModel(endpoint, facts.fromObjects === true, nodes, problems),
    ),
  };
  const stated = Object.entries(model).filter(([, value]) => value !== undefined);
  return Object.fromEntries(stated) as unknown as ServiceModel;
}

/** In a dump an endpoint may stand outside the cluster, or name a node that is no more: then nothing answers there. */
function endpointModel(
  facts: EndpointFacts,
  fromObjects: boolean,
  nodes: NameTable,
  problems: Problems,
): EndpointModel[] {
  const { pod, node: name, addresses, ready, serving, terminating } = facts;
  const node = name === null ? -1 : nodes.rowOf(name);
  if (node === null && !fromObjects) {
    problems.add(positionIn(facts.place, 'node'), `endpoint ${pod}: ${nodes.unknown(name!)}`);
    return [];
  }
  const details = Object.entries({
    targetPorts: facts.targetPorts,
    zoneHints: facts.zoneHints,
    nodeHints: facts.nodeHints,
    gone: node === null ? true : facts.gone,
  }).filter(([, value]) => value !== undefined);
  return [{ pod, node: node ?? -1, addresses, ready, serving, terminating, ...Object.fromEntries(details) }];
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
    ...(facts.networkPolicy === undefined ? {} : { networkPolicy: facts.networkPolicy }),
  };
}
