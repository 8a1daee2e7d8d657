/**
 * Entries of the timeline as they are written: `at` and one verb with its object. Which verbs there are, and the
 * short and long form of each, is this file; what they mean in a cluster is timeline-events.ts.
 *
 *   { at: 5s, withdraw: n2 }                                  also announce, speakerUp, nodeDown, nodeUp, uncordon
 *   { at: 5s, neighborFailed: n2 }                           and neighborReachable; linkDown, linkUp: its carrier
 *   { at: 5s, withdraw: [n1, n2] }                            the same for each of them
 *   { at: 5s, speakerDown: n2, mode: silent }                 or speakerDown: { node: n2, mode: silent }; else close
 *   { at: 5s, drain: { node: n2, gracePeriod: 30s } }         or drain: n2
 *   { at: 5s, scale: { service: web, replicas: 5 } }          the service may be left out where there is only one
 *   { at: 5s, endpointGone: n1-p0 }                           also endpointReady, -Unready, -Terminating, -Crashed
 *   { at: 5s, unhealthy: { pod: n1-p0, for: 60s, latency: 3s } }     without latency: it does not answer
 *   { at: 5s, throttle: { pod: n1-p0, for: 60s, limit: 0.5, threads: 16, slices: expire } }
 *   { at: 5s, rackDown: r1 }                                  and rackUp: nodeDown, nodeUp for each of its nodes
 *   { at: 0s, rollingRedeploy: { nodes: [n1, n2], every: 60s, downFor: 20s } }     without nodes: all, in order
 *   { at: 5s, proxyStall: { node: n1, for: 30s } }            nodes: [..] as well; without: all
 *   { at: 5s, poolMember: { pool: web, add: n5 } }            also remove, enable, disable, offline; the only pool needs no name
 *   { at: 5s, route: { prefix: 203.0.113.10/32, nextHops: [n1, n3, "n4*2"] } }
 *   { at: 5s, rulesBecome: { node: n1, file: after.txt } }   real rules of a node; several files: a list
 *   { at: 5s, ecmp: { select: resilient } }                   what is not named stays as it is
 */
import { z } from 'zod';
import { FLOW_HASHES } from '../../hash/flow-hash.js';
import { MAGLEV_SIZES } from '../../route/maglev.js';
import { SELECTS } from '../../route/next-hop-group.js';
import { DEFAULT_GRACE_PERIOD_S, DEFAULT_ROLLING_REDEPLOY, DEFAULT_THROTTLE } from '../defaults.js';
import { MAX_BUCKETS, MAX_HASH_FIELDS, MAX_WORD } from '../limits.js';
import { poolMemberSchema } from './edge-schema.js';
import {
  duration,
  listOf,
  mapping,
  name,
  names,
  nextHop,
  numberOrHex,
  oneOf,
  positiveDuration,
  prefix,
  truth,
  wholeNumber,
} from './field-schemas.js';

const BUCKETS = `expected a whole number from 1 to ${MAX_BUCKETS}, or ${Object.keys(MAGLEV_SIZES).join(', ')}`;
/** table sizes of Maglev by whose they are */
const tableName = z
  .enum(Object.keys(MAGLEV_SIZES) as [keyof typeof MAGLEV_SIZES])
  .transform((name) => MAGLEV_SIZES[name]);

/** The router's settings, every one optional: absent ones take their default, or stay as they are. */
export const ecmpSchema = mapping({
  hash: oneOf(FLOW_HASHES).optional(),
  fields: numberOrHex(MAX_HASH_FIELDS).optional(),
  seed: numberOrHex(MAX_WORD).optional(),
  select: oneOf(SELECTS).optional(),
  order: oneOf(['address', 'arrival']).optional(),
  buckets: z.union([tableName, wholeNumber(1, MAX_BUCKETS)], { error: BUCKETS }).optional(),
  idleTimer: duration.optional(),
  unbalancedTimer: duration.optional(),
  replace: oneOf(['in-place', 'fresh-group']).optional(),
  nexthops: oneOf(['legacy', 'objects']).optional(),
  useNeigh: truth.optional(),
  ignoreLinkdown: truth.optional(),
});
export type RawEcmp = z.output<typeof ecmpSchema>;

export const routeSchema = mapping({ prefix, nextHops: listOf(nextHop) });

/** what sched-bwc can give: at least 1 ms in a period of 100 ms */
const CPUS = 'expected CPUs from 0.01 to 1024, like 0.5';
const MAX_THREADS = 1024;
const SPEAKER_MODES = ['silent', 'close'] as const;
const NODES = 'expected a node, a list of nodes, or a mapping with the key node';
const PODS = 'expected a pod, a list of pods, or a mapping with the key pod';

const onNodes = z.union([names, mapping({ node: names }).transform((given) => given.node)], { error: NODES });
const onPods = z.union([names, mapping({ pod: names }).transform((given) => given.pod)], { error: PODS });

const speakerDown = z.union(
  [
    names.transform((node) => ({ node, mode: undefined })),
    mapping({ node: names, mode: oneOf(SPEAKER_MODES).optional() }),
  ],
  { error: NODES },
);

const drain = z.union(
  [
    names.transform((node) => ({ node, gracePeriod: DEFAULT_GRACE_PERIOD_S })),
    mapping({ node: names, gracePeriod: duration.default(DEFAULT_GRACE_PERIOD_S) }),
  ],
  { error: NODES },
);

const rollingRedeploy = mapping({
  nodes: names.optional(),
  every: positiveDuration.default(DEFAULT_ROLLING_REDEPLOY.everyS),
  downFor: positiveDuration.default(DEFAULT_ROLLING_REDEPLOY.downForS),
});

const STALL = 'expected a duration, or a mapping with the keys nodes and for';
const proxyStall = z.union(
  [
    positiveDuration.transform((forS) => ({ node: undefined, nodes: undefined, for: forS })),
    mapping({ node: names.optional(), nodes: names.optional(), for: positiveDuration }),
  ],
  { error: STALL },
);

const unhealthy = mapping({ pod: names, for: positiveDuration, latency: duration.optional() });

const throttle = mapping({
  pod: names,
  for: positiveDuration,
  limit: z.number({ error: CPUS }).min(0.01, { error: CPUS }).max(1024, { error: CPUS }),
  threads: wholeNumber(1, MAX_THREADS).default(DEFAULT_THROTTLE.threads),
  burst: positiveDuration.default(DEFAULT_THROTTLE.burstS),
  sleep: positiveDuration.default(DEFAULT_THROTTLE.sleepS),
  work: positiveDuration.default(DEFAULT_THROTTLE.workS),
  slices: oneOf(['expire', 'kept']).default(DEFAULT_THROTTLE.slices),
});

const verbs = {
  withdraw: onNodes,
  announce: onNodes,
  speakerDown,
  speakerUp: onNodes,
  nodeDown: onNodes,
  nodeUp: onNodes,
  drain,
  uncordon: onNodes,
  neighborFailed: onNodes,
  neighborReachable: onNodes,
  linkDown: onNodes,
  linkUp: onNodes,
  scale: mapping({ service: name.optional(), replicas: wholeNumber(0, 10_000) }),
  endpointReady: onPods,
  endpointUnready: onPods,
  endpointTerminating: onPods,
  endpointGone: onPods,
  endpointCrashed: onPods,
  unhealthy,
  throttle,
  rackDown: names,
  rackUp: names,
  rollingRedeploy,
  proxyStall,
  poolMember: poolMemberSchema,
  route: routeSchema,
  ecmp: ecmpSchema,
  rulesBecome: mapping({ node: name, file: names }),
};

export type Verb = keyof typeof verbs;
export const VERBS = Object.keys(verbs) as readonly Verb[];

export const timelineEntrySchema = mapping({
  at: duration,
  ...(z.object(verbs).partial().shape as { [V in Verb]: z.ZodOptional<(typeof verbs)[V]> }),
  mode: oneOf(SPEAKER_MODES).optional(),
});
export type RawTimelineEntry = z.output<typeof timelineEntrySchema>;
