/** Documents of `kind: Scenario` as facts. */
import { USUAL_PREFERENCE } from '../defaults.js';
import { ecmpSettings } from '../ecmp-settings.js';
import { PROTOCOLS } from '../limits.js';
import type { Problems } from '../yaml/problems.js';
import { readWith } from '../yaml/schema-issues.js';
import type { Path, SourceDocument } from '../yaml/yaml-source.js';
import type { ClusterFacts, NodeFacts, Place, ServiceFacts } from './facts.js';
import { ownerFacts } from './owner-schema.js';
import { statedPolicies } from './policy-schema.js';
import { type RawSpec, scenarioSchema } from './scenario-schema.js';

/** What the Scenario at `root` says, or null where it is wrong. */
export function scenarioFacts(
  document: SourceDocument,
  root: Path,
  data: unknown,
  problems: Problems,
): ClusterFacts | null {
  const raw = readWith(scenarioSchema, document, root, data, problems);
  if (raw === null) return null;
  const spec = raw.spec ?? {};
  const place = (...inner: Path): Place => ({ document, path: [...root, 'spec', ...inner] });
  const { router } = spec;
  return {
    name: raw.metadata?.name,
    seed: spec.seed,
    epochNs: epochNs(spec, document, [...root, 'spec', 'epoch']),
    routerAddresses: router?.address,
    ecmp: router?.ecmp && ecmpSettings(router.ecmp),
    ecmpPlace: router?.ecmp && place('router', 'ecmp'),
    bgp: router?.bgp && {
      holdTimeS: router.bgp.holdTime,
      bfdS: router.bgp.bfd,
      gracefulRestartS: router.bgp.gracefulRestart,
      fibDelayS: router.bgp.fibDelay,
    },
    aggregates: router?.aggregates,
    routes: (router?.routes ?? []).map((route, i) => ({ ...route, place: place('router', 'routes', i) })),
    edge: spec.edge && { raw: spec.edge, place: place('edge'), stated: statedKeys(data) },
    dataplane: dataplaneFacts(spec.dataplane, place('dataplane', 'overlay')),
    networkPolicies: spec.networkPolicies && statedPolicies(spec.networkPolicies),
    nodes: (spec.nodes ?? []).map((node, i) => nodeFacts(node, place('nodes', i))),
    services: (spec.services ?? []).map((service, i) => serviceFacts(service, place('services', i))),
    owners: spec.owners?.map((owner, i) => ownerFacts(owner, place('owners', i))),
    timeline: (spec.timeline ?? []).map((entry, i) => ({ entry, place: place('timeline', i) })),
  };
}

/** Keys of `spec.edge` as it is written, before defaults fill it. */
function statedKeys(data: unknown): string[] {
  return Object.keys((data as { spec: { edge: object } }).spec.edge);
}

function dataplaneFacts(raw: RawSpec['dataplane'], overlayPlace: Place): ClusterFacts['dataplane'] {
  if (raw === undefined) return undefined;
  const {
    proxy,
    ipvs,
    cilium,
    calicoEbpf,
    conntrack,
    masqueradeRandomFully,
    dropInvalid,
    sync,
    overlay,
    nodeGrace,
    networkPolicy,
  } = raw;
  return {
    proxy,
    ipvs,
    cilium,
    calicoEbpf,
    conntrack: conntrack && {
      tcpLoose: conntrack.tcpLoose,
      beLiberal: conntrack.beLiberal,
      max: conntrack.max,
    },
    timeouts: conntrack?.timeouts,
    masqueradeRandomFully,
    dropInvalid,
    sync: sync && { delayS: sync.delay, minPeriodS: sync.minPeriod, durationS: sync.duration },
    overlay: overlay && { kind: overlay, place: overlayPlace },
    nodeGraceS: nodeGrace,
    networkPolicy,
  };
}

function nodeFacts(raw: NonNullable<RawSpec['nodes']>[number], place: Place): NodeFacts {
  return {
    name: raw.name,
    place,
    addresses: raw.address,
    podCidrs: raw.podCIDR,
    podGateways: raw.podGateway,
    tunnelAddresses: raw.tunnelAddress,
    freeAddresses: raw.freeAddresses,
    rack: raw.rack,
    zone: raw.zone,
    hasTunnel: raw.hasTunnel,
    announces: raw.announces,
  };
}

function serviceFacts(raw: NonNullable<RawSpec['services']>[number], place: Place): ServiceFacts {
  return {
    name: raw.name,
    place,
    vips: raw.vip,
    externalIPs: raw.externalIPs,
    clusterAddresses: raw.clusterIP,
    internalTrafficPolicy: raw.internalTrafficPolicy,
    sourceRanges: raw.loadBalancerSourceRanges,
    publishNotReady: raw.publishNotReadyAddresses,
    announcers: raw.announces?.map((one) => ({
      node: one.node,
      vips: 'vip' in one ? one.vip : undefined,
      preference: ('preference' in one ? one.preference : undefined) ?? USUAL_PREFERENCE,
    })),
    ports: raw.ports?.map(({ name, protocol, port, targetPort, nodePort, l7Proxy }) => ({
      name: name ?? null,
      proto: PROTOCOLS[protocol ?? 'TCP']!,
      port,
      targetPort: targetPort ?? port,
      ...(nodePort === undefined ? {} : { nodePort }),
      ...(l7Proxy === undefined ? {} : { l7Proxy }),
    })),
    externalTrafficPolicy: raw.externalTrafficPolicy,
    sessionAffinity: raw.sessionAffinity,
    affinityTimeoutS: raw.sessionAffinityTimeout,
    probes: raw.probes,
    l7Proxy: raw.l7Proxy,
    notModelled: raw.notModelled,
    endpoints: raw.endpoints?.map(
      ({ pod, node, address, ready, serving, terminating = false, ...rest }, i) => ({
        ...rest,
        pod,
        node: node ?? null,
        addresses: address,
        // A terminating endpoint is never ready; it goes on serving unless somebody says otherwise.
        ready: ready ?? !terminating,
        serving: serving ?? ready ?? true,
        terminating,
        place: { document: place.document, path: [...place.path, 'endpoints', i] },
      }),
    ),
  };
}

/** To the nanosecond: from the text, for a number has lost the last digits. */
function epochNs(spec: RawSpec, document: SourceDocument, path: Path): bigint | undefined {
  if (spec.epoch === undefined) return undefined;
  const written = document.sourceTextOf(path) ?? String(spec.epoch);
  const text = /^\d{1,12}(\.\d+)?$/.test(written) ? written : Number(spec.epoch).toFixed(9);
  const [seconds = '0', fraction = ''] = text.split('.');
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0'));
}
