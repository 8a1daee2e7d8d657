/**
 * A model as the text of a scenario, complete: every setting is there, with a word on those that need one, so
 * that it can be edited. Loading the text yields the same model again.
 */

import { sameAddress } from '../../addr/address.js';
import type { ProbeSettings, Probes } from '../../control/kubelet-probe.js';
import { protocolName } from '../check-model.js';
import { DEFAULT_CALICO_EBPF, DEFAULT_CILIUM, DEFAULT_IPVS } from '../defaults.js';
import { memberName } from '../edge-model.js';
import type { L7ProxyModel } from '../l7-model.js';
import { API_VERSION } from '../limits.js';
import type {
  ClusterModel,
  DataplaneModel,
  EcmpSettings,
  EndpointModel,
  NodeModel,
  RouteEntry,
  RouterModel,
  ServiceModel,
  ServicePort,
  TimelineEvent,
} from '../model.js';
import { formatDuration } from '../yaml/duration.js';
import { addressList, flow, list, listLines, prefixText, scalar, withRemark } from '../yaml/yaml-text.js';
import { policyLines } from './policy-schema.js';
import { edgeLines } from './print-edge.js';
import { ownerLines } from './print-owners.js';

export function printScenario(model: ClusterModel): string {
  const lines = [
    `apiVersion: ${API_VERSION}`,
    'kind: Scenario',
    `metadata: { name: ${scalar(model.name)} }`,
    'spec:',
    `  seed: ${model.seed}   # of every draw that the real system makes at random`,
    '  router:',
    ...routerLines(model),
    ...(model.edge === null ? [] : edgeLines(model.edge, model)),
    '  dataplane:',
    ...dataplaneLines(model.dataplane),
    ...(model.policies === undefined ? [] : policyLines(model.policies)),
    ...listLines('  nodes:', model.nodes.map(nodeText)),
    ...servicesLines(model),
    ...ownerLines(model),
    ...(model.epochNs === null
      ? []
      : [`  epoch: ${epochText(model.epochNs)}   # t = 0, seconds since 1970; without it the first packet`]),
    ...listLines(
      '  timeline:',
      model.timeline.map((event) => eventText(event, model)),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function routerLines(model: ClusterModel): string[] {
  const { addresses, ecmp, bgp, routes, aggregates = [] } = model.router;
  return [
    ...(addresses.length === 0 ? [] : [`    address: ${addressList(addresses)}`]),
    '    ecmp:',
    ...ecmpPairs(ecmp).map(([key, value, remark]) => withRemark(`      ${key}: ${value}`, remark)),
    ...bgpLines(bgp),
    ...(aggregates.length === 0 ? [] : [`    aggregates: ${list(aggregates.map(prefixText))}`]),
    ...(routes.length === 0
      ? []
      : [
          '    routes:   # the FIB at t = 0, next hops in the order of the table',
          ...routes.map((route) => `      - ${routeText(route, model)}`),
        ]),
  ];
}

function ecmpPairs(ecmp: EcmpSettings): [key: string, value: string, remark: string][] {
  return [
    ['hash', ecmp.hash, ''],
    ['fields', `0x${ecmp.fields.toString(16)}`, 'linux-custom'],
    ['seed', String(ecmp.seed), ''],
    ['select', ecmp.select, 'modulo, hash-threshold, resilient, rendezvous, maglev'],
    ['order', ecmp.order, 'how next hops stand in the group: address or arrival'],
    ['buckets', String(ecmp.buckets), 'resilient, maglev'],
    ['idleTimer', formatDuration(ecmp.idleTimerS), 'resilient'],
    ['unbalancedTimer', formatDuration(ecmp.unbalancedTimerS), 'resilient; 0s = never force'],
    ['replace', ecmp.replace, 'resilient: in-place or fresh-group'],
    ...optionalPair('nexthops', ecmp.nexthops, 'legacy, or objects as FRR programs them'),
    ...optionalPair('useNeigh', ecmp.useNeigh, 'fib_multipath_use_neigh'),
    ...optionalPair('ignoreLinkdown', ecmp.ignoreLinkdown, 'ignore_routes_with_linkdown'),
  ];
}

function bgpLines({ holdTimeS, bfdS, gracefulRestartS, fibDelayS }: RouterModel['bgp']): string[] {
  const values = {
    holdTime: formatDuration(holdTimeS),
    bfd: switchText(bfdS),
    gracefulRestart: switchText(gracefulRestartS),
    fibDelay: formatDuration(fibDelayS),
  };
  return [`    bgp: ${flow(values)}`];
}

function dataplaneLines(dataplane: DataplaneModel): string[] {
  const { tcpLoose, beLiberal, max, timeouts } = dataplane.conntrack;
  const times = Object.fromEntries(
    Object.entries(timeouts).map(([key, seconds]) => [key, formatDuration(seconds as number)]),
  );
  const sync = {
    delay: formatDuration(dataplane.sync.delayS),
    minPeriod: formatDuration(dataplane.sync.minPeriodS),
    duration: formatDuration(dataplane.sync.durationS),
  };
  return [
    `    proxy: ${dataplane.proxy}`,
    ...planeLines(dataplane),
    '    conntrack:',
    `      tcpLoose: ${tcpLoose}   # pick up connections in the middle: a moved flow is reset, else it times out`,
    `      beLiberal: ${beLiberal}`,
    `      max: ${max}`,
    `      timeouts: ${flow(times)}`,
    `    masqueradeRandomFully: ${dataplane.masqueradeRandomFully}`,
    `    dropInvalid: ${dataplane.dropInvalid}   # kube-proxy leaves this rule out where beLiberal is set`,
    `    sync: ${flow(sync)}   # kube-proxy, from the changed endpoints to the changed rules`,
    `    overlay: ${dataplane.overlay}`,
    `    nodeGrace: ${formatDuration(dataplane.nodeGraceS)}   # until the endpoints of a silent node are taken out`,
    ...optionalPair('networkPolicy', dataplane.networkPolicy, 'who enforces network policies').map(
      ([key, value, remark]) => withRemark(`    ${key}: ${value}`, remark),
    ),
  ];
}

/** Settings of the planes: those of the one in use, and of another where they are not the usual ones. */
function planeLines({ proxy, ipvs, cilium, calicoEbpf }: DataplaneModel): string[] {
  const same = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);
  const ipvsText = flow({ scheduler: ipvs.scheduler, sloppyTcp: String(ipvs.sloppyTcp) });
  const { mode, algorithm, tableSize } = cilium;
  const ciliumText = flow({ mode, algorithm, tableSize: String(tableSize) });
  const calicoText = flow({ mode: calicoEbpf.mode, maglev: String(calicoEbpf.maglev) });
  return [
    ...(proxy === 'ipvs' || !same(ipvs, DEFAULT_IPVS) ? [`    ipvs: ${ipvsText}`] : []),
    ...(proxy === 'cilium' || !same(cilium, DEFAULT_CILIUM) ? [`    cilium: ${ciliumText}`] : []),
    ...(proxy === 'calico-ebpf' || !same(calicoEbpf, DEFAULT_CALICO_EBPF)
      ? [`    calicoEbpf: ${calicoText}`]
      : []),
  ];
}

function nodeText(node: NodeModel): string {
  const { name, addresses, podCidrs, podGateways, tunnelAddresses, rack, zone, hasTunnel, announces } = node;
  const { freeAddresses } = node;
  const usual = podCidrs.map(({ address }) => address);
  const isUsual =
    tunnelAddresses.length === usual.length &&
    tunnelAddresses.every((address, i) => sameAddress(address, usual[i]!));
  return flow({
    name: scalar(name),
    address: addressList(addresses),
    podCIDR: list(podCidrs.map(prefixText)),
    podGateway: addressList(podGateways),
    ...(isUsual ? {} : { tunnelAddress: addressList(tunnelAddresses) }),
    ...(freeAddresses === undefined ? {} : { freeAddresses: addressList(freeAddresses) }),
    ...(rack === null ? {} : { rack: scalar(rack) }),
    ...(zone === undefined ? {} : { zone: scalar(zone) }),
    ...(hasTunnel === undefined ? {} : { hasTunnel: String(hasTunnel) }),
    announces: String(announces),
  });
}

function servicesLines(model: ClusterModel): string[] {
  if (model.services.length === 0) return ['  services: []'];
  return ['  services:', ...model.services.flatMap((service) => serviceLines(service, model))];
}

function serviceLines(service: ServiceModel, model: ClusterModel): string[] {
  const { name, vips, ports, externalTrafficPolicy, sessionAffinity, affinityTimeoutS, probes, l7Proxy } =
    service;
  return [
    `    - name: ${scalar(name)}`,
    `      vip: ${addressList(vips)}`,
    ...wayLines(service),
    `      ports: ${list(ports.map(portText))}`,
    `      externalTrafficPolicy: ${externalTrafficPolicy}   # Cluster or Local`,
    `      sessionAffinity: ${sessionAffinity}   # None or ClientIP`,
    `      sessionAffinityTimeout: ${formatDuration(affinityTimeoutS)}`,
    ...(l7Proxy === null ? [] : [`      l7Proxy: ${l7ProxyText(l7Proxy)}`]),
    ...(service.notModelled === undefined
      ? []
      : [`      notModelled: ${scalar(service.notModelled)}   # its connections are not judged`]),
    ...(probes === null ? [] : [`      probes: ${probesText(probes)}   # kubelet's`]),
    ...announcerLines(service, model),
    ...listLines(
      '      endpoints:',
      service.endpoints.map((endpoint) => endpointText(endpoint, model)),
    ),
  ];
}

/** Ways in beside the VIPs, and who is let in. */
function wayLines(service: ServiceModel): string[] {
  const { externalIPs, clusterAddresses, internalTrafficPolicy, sourceRanges, publishNotReady } = service;
  return [
    ...(externalIPs === undefined ? [] : [`      externalIPs: ${addressList(externalIPs)}`]),
    ...(clusterAddresses === undefined ? [] : [`      clusterIP: ${addressList(clusterAddresses)}`]),
    ...(internalTrafficPolicy === undefined ? [] : [`      internalTrafficPolicy: ${internalTrafficPolicy}`]),
    ...(sourceRanges === undefined
      ? []
      : [`      loadBalancerSourceRanges: ${list(sourceRanges.map(prefixText))}`]),
    ...(publishNotReady === undefined ? [] : [`      publishNotReadyAddresses: ${publishNotReady}`]),
  ];
}

function announcerLines({ announcers }: ServiceModel, model: ClusterModel): string[] {
  if (announcers === undefined) return [];
  const text = announcers.map(({ node, preference, vips }) =>
    flow({
      node: nodeName(node, model),
      preference: String(preference),
      ...(vips === undefined ? {} : { vip: addressList(vips) }),
    }),
  );
  return listLines('      announces:', text);
}

function portText({ name, proto, port, targetPort, nodePort, l7Proxy }: ServicePort): string {
  return flow({
    ...(name === null ? {} : { name: scalar(name) }),
    protocol: protocolName(proto),
    port: String(port),
    targetPort: String(targetPort),
    ...(nodePort === undefined ? {} : { nodePort: String(nodePort) }),
    ...(l7Proxy === undefined ? {} : { l7Proxy: l7Proxy === null ? 'none' : l7ProxyText(l7Proxy) }),
  });
}

function endpointText(endpoint: EndpointModel, model: ClusterModel): string {
  const { pod, node, addresses, ready, serving, terminating } = endpoint;
  const { targetPorts, zoneHints, nodeHints, gone } = endpoint;
  const usual = ready && serving && !terminating;
  return flow({
    pod: scalar(pod),
    ...(node < 0 ? {} : { node: nodeName(node, model) }),
    ...(targetPorts === undefined ? {} : { targetPorts: list(targetPorts.map(String)) }),
    ...(zoneHints === undefined ? {} : { zoneHints: list(zoneHints.map(scalar)) }),
    ...(nodeHints === undefined ? {} : { nodeHints: list(nodeHints.map(scalar)) }),
    ...(gone === undefined ? {} : { gone: String(gone) }),
    address: addressList(addresses),
    ...(usual ? {} : { ready: String(ready), serving: String(serving), terminating: String(terminating) }),
  });
}

function l7ProxyText(proxy: L7ProxyModel): string {
  const { application } = proxy;
  return flow({
    kind: proxy.kind,
    field: proxy.field,
    forward: `"${proxy.forward}"`,
    trustedIPs: list(proxy.trusted.map(prefixText)),
    insecure: String(proxy.insecure),
    realIp: proxy.realIp,
    proxyProtocol: flow({
      accept: `"${proxy.acceptProxy}"`,
      send: sendProxyText(proxy.sendProxy),
      ...(proxy.proxyTrusted && { trustedIPs: list(proxy.proxyTrusted.map(prefixText)) }),
    }),
    application: flow({
      address: addressList(application.addresses),
      port: String(application.port),
      reads: application.reads,
      take: application.take,
      trustedIPs: list(application.trusted.map(prefixText)),
    }),
  });
}

function sendProxyText(version: 0 | 1 | 2): string {
  return version === 0 ? '"off"' : `v${version}`;
}

function probesText({ readiness, liveness, startupS }: Probes): string {
  return flow({
    ...(readiness === null ? {} : { readiness: probeText(readiness) }),
    ...(liveness === null ? {} : { liveness: probeText(liveness) }),
    startup: formatDuration(startupS),
  });
}

function probeText(probe: ProbeSettings): string {
  return flow({
    initialDelay: formatDuration(probe.initialDelayS),
    period: formatDuration(probe.periodS),
    timeout: formatDuration(probe.timeoutS),
    failureThreshold: String(probe.failureThreshold),
    successThreshold: String(probe.successThreshold),
  });
}

function routeText({ prefix, nextHops }: RouteEntry, model: ClusterModel): string {
  const hops = nextHops.map(({ node, weight }) => {
    const { name } = model.nodes[node]!;
    return weight === 1 ? scalar(name) : scalar(`${name}*${weight}`);
  });
  return flow({ prefix: prefixText(prefix), nextHops: list(hops) });
}

/** A setting that is printed only where it is stated. */
function optionalPair(
  key: string,
  value: string | boolean | undefined,
  remark: string,
): [key: string, value: string, remark: string][] {
  return value === undefined ? [] : [[key, String(value), remark]];
}

function eventText(event: TimelineEvent, model: ClusterModel): string {
  return flow({ at: formatDuration(event.at), [event.kind]: objectText(event, model) });
}

function objectText(event: TimelineEvent, model: ClusterModel): string {
  switch (event.kind) {
    case 'withdraw':
    case 'announce':
    case 'speakerUp':
    case 'nodeDown':
    case 'nodeUp':
    case 'uncordon':
    case 'neighborFailed':
    case 'neighborReachable':
    case 'linkDown':
    case 'linkUp':
      return nodeName(event.node, model);
    case 'speakerDown':
      return flow({ node: nodeName(event.node, model), mode: event.mode });
    case 'drain':
      return flow({ node: nodeName(event.node, model), gracePeriod: formatDuration(event.gracePeriodS) });
    case 'scale':
      return flow({ service: scalar(model.services[event.service]!.name), replicas: String(event.replicas) });
    case 'endpointReady':
    case 'endpointUnready':
    case 'endpointTerminating':
    case 'endpointGone':
    case 'endpointCrashed':
      return scalar(event.pod);
    case 'unhealthy':
      return flow({
        pod: scalar(event.pod),
        for: formatDuration(event.forS),
        ...(event.latencyS === Number.POSITIVE_INFINITY ? {} : { latency: formatDuration(event.latencyS) }),
      });
    case 'throttle':
      return flow({
        pod: scalar(event.pod),
        for: formatDuration(event.forS),
        limit: String(event.limit),
        threads: String(event.threads),
        burst: formatDuration(event.burstS),
        sleep: formatDuration(event.sleepS),
        work: formatDuration(event.workS),
        slices: event.slices,
      });
    case 'rollingRedeploy':
      return flow({
        nodes: nodeNames(event.nodes, model),
        every: formatDuration(event.everyS),
        downFor: formatDuration(event.downForS),
      });
    case 'proxyStall':
      return flow({
        ...(event.nodes.length === 0 ? {} : { nodes: nodeNames(event.nodes, model) }),
        for: formatDuration(event.forS),
      });
    case 'poolMember': {
      const { action, member } = event;
      return flow({
        pool: scalar(model.edge!.pools[event.pool]!.name),
        [action]: scalar(memberName(member, model.nodes)),
        ...(action === 'add' ? { ratio: String(member.ratio), session: member.session } : {}),
      });
    }
    case 'route':
      return routeText(event, model);
    case 'rulesBecome':
      return flow({ node: nodeName(event.node, model), file: list(event.paths.map(scalar)) });
    case 'ecmp':
      return flow(Object.fromEntries(ecmpPairs(event.settings).map(([key, value]) => [key, value])));
  }
}

function nodeName(node: number, model: ClusterModel): string {
  return scalar(model.nodes[node]!.name);
}

function nodeNames(nodes: readonly number[], model: ClusterModel): string {
  return list(nodes.map((node) => nodeName(node, model)));
}

function switchText(seconds: number | null): string {
  return seconds === null ? 'off' : formatDuration(seconds);
}

function epochText(ns: bigint): string {
  const fraction = String(ns % 1_000_000_000n).padStart(9, '0');
  return `${ns / 1_000_000_000n}.${fraction}`;
}
