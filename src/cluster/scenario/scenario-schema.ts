/**
 * A document of `kind: Scenario` as it may be written: every key, its type and range. Every key is optional as
 * far as Kubernetes objects beside it may say the same; what must be there in the end is checked after both are
 * put together.
 */
import { z } from 'zod';
import { DEFAULT_PROBE } from '../../control/kubelet-probe.js';
import { USUAL_BFD_S, USUAL_GRACEFUL_RESTART_S } from '../defaults.js';
import {
  API_VERSION,
  CILIUM_TABLE_SIZES,
  IPVS_SCHEDULERS,
  MAX_CONNTRACK,
  MAX_WORD,
  OVERLAY_NAMES,
  PROXY_NAMES,
} from '../limits.js';
import { POLICY_ENGINES } from '../policy-model.js';
import { type JsonSchema, jsonSchemaOf } from '../yaml/json-schema.js';
import { edgeSchema } from './edge-schema.js';
import {
  addresses,
  duration,
  listOf,
  mapping,
  name,
  oneOf,
  positiveDuration,
  prefixes,
  switchableDuration,
  truth,
  wholeNumber,
} from './field-schemas.js';
import { l7ProxySchema } from './l7-schema.js';
import { ownerSchema } from './owner-schema.js';
import { networkPoliciesSchema } from './policy-schema.js';
import { ecmpSchema, routeSchema, timelineEntrySchema } from './timeline-schema.js';

const bgp = mapping({
  holdTime: positiveDuration.optional(),
  bfd: switchableDuration(USUAL_BFD_S).optional(),
  gracefulRestart: switchableDuration(USUAL_GRACEFUL_RESTART_S).optional(),
  fibDelay: duration.optional(),
});

const timeouts = mapping({
  synSent: positiveDuration.optional(),
  synRecv: positiveDuration.optional(),
  established: positiveDuration.optional(),
  finWait: positiveDuration.optional(),
  closeWait: positiveDuration.optional(),
  lastAck: positiveDuration.optional(),
  timeWait: positiveDuration.optional(),
  close: positiveDuration.optional(),
  unacknowledged: positiveDuration.optional(),
  udp: positiveDuration.optional(),
  udpStream: positiveDuration.optional(),
  icmp: positiveDuration.optional(),
  generic: positiveDuration.optional(),
});

const conntrack = mapping({
  tcpLoose: truth.optional(),
  beLiberal: truth.optional(),
  max: wholeNumber(1, MAX_CONNTRACK).optional(),
  timeouts: timeouts.optional(),
});

const TABLE_SIZE = `expected one of ${CILIUM_TABLE_SIZES.join(', ')}`;

const dataplane = mapping({
  proxy: oneOf(PROXY_NAMES).optional(),
  ipvs: mapping({ scheduler: oneOf(IPVS_SCHEDULERS).optional(), sloppyTcp: truth.optional() }).optional(),
  cilium: mapping({
    mode: oneOf(['snat', 'dsr', 'hybrid']).optional(),
    algorithm: oneOf(['random', 'maglev']).optional(),
    tableSize: z.literal([...CILIUM_TABLE_SIZES], { error: TABLE_SIZE }).optional(),
  }).optional(),
  calicoEbpf: mapping({ mode: oneOf(['tunnel', 'dsr']).optional(), maglev: truth.optional() }).optional(),
  conntrack: conntrack.optional(),
  masqueradeRandomFully: truth.optional(),
  dropInvalid: truth.optional(),
  sync: mapping({
    delay: duration.optional(),
    minPeriod: duration.optional(),
    duration: duration.optional(),
  }).optional(),
  overlay: oneOf(OVERLAY_NAMES).optional(),
  networkPolicy: oneOf(POLICY_ENGINES).optional(),
  nodeGrace: duration.optional(),
});

const ANNOUNCES = 'expected true, false or auto';
const node = mapping({
  name,
  address: addresses.optional(),
  podCIDR: prefixes.optional(),
  podGateway: addresses.optional(),
  tunnelAddress: addresses.optional(),
  freeAddresses: addresses.optional(),
  rack: z.string({ error: 'expected text' }).optional(),
  zone: z.string({ error: 'expected text' }).optional(),
  hasTunnel: truth.optional(),
  announces: z.union([z.boolean(), z.literal('auto')], { error: ANNOUNCES }).optional(),
});

const port = wholeNumber(1, 65535);
const servicePort = mapping({
  name: z.string({ error: 'expected text' }).optional(),
  protocol: oneOf(['TCP', 'UDP', 'SCTP']).optional(),
  port,
  targetPort: port.optional(),
  nodePort: port.optional(),
  l7Proxy: z.union([z.literal('none').transform(() => null), l7ProxySchema]).optional(),
});

const targetPort = z.union([port, z.null()], { error: 'expected a port from 1 to 65535, or null' });

const endpoint = mapping({
  pod: name,
  /** absent: outside the cluster */
  node: name.optional(),
  address: addresses,
  targetPorts: listOf(targetPort).optional(),
  zoneHints: listOf(name).optional(),
  nodeHints: listOf(name).optional(),
  gone: truth.optional(),
  ready: truth.optional(),
  serving: truth.optional(),
  terminating: truth.optional(),
});

const probe = mapping({
  initialDelay: duration.default(DEFAULT_PROBE.initialDelayS),
  period: positiveDuration.default(DEFAULT_PROBE.periodS),
  timeout: positiveDuration.default(DEFAULT_PROBE.timeoutS),
  failureThreshold: wholeNumber(1, 1000).default(DEFAULT_PROBE.failureThreshold),
  successThreshold: wholeNumber(1, 1000).default(DEFAULT_PROBE.successThreshold),
}).transform(({ initialDelay, period, timeout, ...thresholds }) => ({
  initialDelayS: initialDelay,
  periodS: period,
  timeoutS: timeout,
  ...thresholds,
}));

const probes = mapping({
  readiness: probe.optional(),
  liveness: probe.optional(),
  startup: duration.default(0),
}).transform(({ readiness = null, liveness = null, startup }) => ({
  readiness,
  liveness,
  startupS: startup,
}));

const ANNOUNCERS = 'expected a list of nodes, or of mappings with node, preference and vip';
const announcer = z.union(
  [
    name.transform((node) => ({ node })),
    mapping({ node: name, preference: wholeNumber(0, MAX_WORD).optional(), vip: addresses.optional() }),
  ],
  { error: ANNOUNCERS },
);

const service = mapping({
  name,
  vip: addresses.optional(),
  externalIPs: addresses.optional(),
  clusterIP: addresses.optional(),
  internalTrafficPolicy: oneOf(['Cluster', 'Local']).optional(),
  loadBalancerSourceRanges: prefixes.optional(),
  publishNotReadyAddresses: truth.optional(),
  announces: z.array(announcer, { error: ANNOUNCERS }).optional(),
  ports: listOf(servicePort).optional(),
  externalTrafficPolicy: oneOf(['Cluster', 'Local']).optional(),
  sessionAffinity: oneOf(['None', 'ClientIP']).optional(),
  sessionAffinityTimeout: positiveDuration.optional(),
  probes: probes.optional(),
  l7Proxy: l7ProxySchema.optional(),
  notModelled: z.string({ error: 'expected text' }).optional(),
  endpoints: listOf(endpoint).optional(),
});

const EPOCH = 'expected seconds since 1970, like 1795391995.741888';

export const scenarioSchema = mapping({
  apiVersion: z.literal(API_VERSION, { error: `expected ${API_VERSION}` }),
  kind: z.literal('Scenario', { error: 'expected Scenario' }),
  metadata: mapping({
    name: z.string({ error: 'expected text' }).optional(),
    namespace: z.string({ error: 'expected text' }).optional(),
    labels: z.record(z.string(), z.unknown(), { error: 'expected a mapping' }).optional(),
    annotations: z.record(z.string(), z.unknown(), { error: 'expected a mapping' }).optional(),
  }).optional(),
  spec: mapping({
    seed: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
    router: mapping({
      address: addresses.optional(),
      ecmp: ecmpSchema.optional(),
      bgp: bgp.optional(),
      routes: listOf(routeSchema).optional(),
      aggregates: prefixes.optional(),
    }).optional(),
    edge: edgeSchema.optional(),
    dataplane: dataplane.optional(),
    networkPolicies: networkPoliciesSchema.optional(),
    nodes: listOf(node).optional(),
    services: listOf(service).optional(),
    owners: listOf(ownerSchema).optional(),
    epoch: z
      .union([z.number().min(0).max(1e12), z.string().regex(/^\d{1,12}(\.\d+)?$/, { error: EPOCH })], {
        error: EPOCH,
      })
      .optional(),
    timeline: listOf(timelineEntrySchema).optional(),
  }).optional(),
});
export type RawScenario = z.output<typeof scenarioSchema>;
export type RawSpec = NonNullable<RawScenario['spec']>;

/** JSON Schema (draft 2020-12) of a Scenario document, for editors. */
export function scenarioJsonSchema(): JsonSchema {
  return jsonSchemaOf(
    scenarioSchema,
    'flowfate Scenario',
    'A cluster, the router before it, and what happens to them. Keys that Kubernetes objects beside it say may be left out.',
  );
}
