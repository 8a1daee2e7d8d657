/**
 * `spec.edge` as it may be written.
 *
 *   edge:
 *     name: bigip
 *     address: [10.0.0.250, "fd00:a::250"]
 *     snat: automap                        # automap | none
 *     insert: { forward: replace, proxyProtocol: v2 }    # off, append or replace X-Forwarded-For; off, v1 or v2
 *     idleTimeout: 300s                    # udpIdleTimeout: 60s, handshakeTimeout: 5s
 *     virtualServers:
 *       - { name: web, service: web, vip: 203.0.113.10, pool: web-nodes, persistence: source-addr }
 *         # snat and insert of its own, where they differ
 *     pools:
 *       - name: web-nodes
 *         target: nodePort                 # nodePort | pod (over an overlay)
 *         members: [n1, n2, "n3*2", { member: n4, session: disabled }]
 *         balance: round-robin             # round-robin | least-connections | ratio
 *         slowRamp: 10s
 *         serviceDown: none                # none | reset | drop | reselect
 *         newMembers: enabled              # enabled | disabled (until their monitor says up)
 *         monitor: { interval: 5s, timeout: 16s, check: member }     # or healthCheckNodePort; off: none at all
 *
 * Defaults are BIG-IP's: monitors of 5 s and 16 s, slow ramp 10 s, service-down action none, round robin; idle 300 s
 * for TCP and 60 s for UDP; 180 s for persistence by source address.
 */
import { z } from 'zod';
import { EDGE_ACTIONS, EDGE_BALANCES, EDGE_SERVICE_DOWN, EDGE_SESSIONS } from '../edge-model.js';
import {
  addresses,
  duration,
  listOf,
  mapping,
  name,
  nextHop,
  oneOf,
  positiveDuration,
  wholeNumber,
} from './field-schemas.js';
import { forwardingField, sendProxy } from './l7-schema.js';

const MEMBER = 'expected a member like n1 or "n1*2", or a mapping with the keys member, ratio and session';
const ratio = wholeNumber(1, 65535);
const member = z.union(
  [
    nextHop.transform(({ node, weight }) => ({ member: node, ratio: weight, session: 'enabled' as const })),
    mapping({
      member: name,
      ratio: ratio.default(1),
      session: oneOf(EDGE_SESSIONS).default('enabled'),
    }),
  ],
  { error: MEMBER },
);

const MONITOR = 'expected off, or a mapping with the keys interval, timeout and check';
const monitor = z.union(
  [
    z.literal(['off', 'none', false], { error: MONITOR }).transform(() => null),
    mapping({
      interval: positiveDuration.default(5),
      timeout: positiveDuration.optional(),
      check: oneOf(['member', 'healthCheckNodePort']).default('member'),
    }),
  ],
  { error: MONITOR },
);

const pool = mapping({
  name,
  target: oneOf(['nodePort', 'pod']).default('nodePort'),
  members: listOf(member).default([]),
  balance: oneOf(EDGE_BALANCES).default('round-robin'),
  slowRamp: duration.default(10),
  serviceDown: oneOf(EDGE_SERVICE_DOWN).default('none'),
  newMembers: oneOf(['enabled', 'disabled']).default('enabled'),
  monitor: monitor.optional(),
});

const insertMode = z
  .union([z.literal(false), oneOf(['off', 'append', 'replace'])], {
    error: 'expected one of off, append, replace',
  })
  .transform((mode) => (mode === false ? 'off' : mode));

const insert = mapping({
  field: forwardingField.default('x-forwarded-for'),
  forward: insertMode.default('off'),
  proxyProtocol: sendProxy.default(0),
});

const virtualServer = mapping({
  name: name.optional(),
  service: name.optional(),
  vip: addresses.optional(),
  pool: name.optional(),
  persistence: oneOf(['none', 'source-addr']).default('none'),
  persistenceTimeout: positiveDuration.default(180),
  snat: oneOf(['automap', 'none']).optional(),
  insert: insert.optional(),
});

export const edgeSchema = mapping({
  name: name.default('edge'),
  address: addresses.default([]),
  snat: oneOf(['automap', 'none']).default('automap'),
  insert: insert.optional(),
  idleTimeout: positiveDuration.default(300),
  udpIdleTimeout: positiveDuration.default(60),
  handshakeTimeout: positiveDuration.default(5),
  pools: listOf(pool).default([]),
  virtualServers: listOf(virtualServer).optional(),
});
export type RawEdge = z.output<typeof edgeSchema>;

/** `{ pool: web, add: n5 }`: one action on one member, or several members. */
const MEMBERS = 'expected a member, or a list of members';
const members = z.union([z.array(name).min(1, { error: MEMBERS }), name.transform((one) => [one])], {
  error: MEMBERS,
});
export const poolMemberSchema = mapping({
  pool: name.optional(),
  ...(Object.fromEntries(EDGE_ACTIONS.map((action) => [action, members.optional()])) as Record<
    (typeof EDGE_ACTIONS)[number],
    z.ZodOptional<typeof members>
  >),
  ratio: ratio.optional(),
  session: oneOf(EDGE_SESSIONS).optional(),
});
export type RawPoolMember = z.output<typeof poolMemberSchema>;
