/**
 * `spec.networkPolicies` of a Scenario: network policies with their names and labels resolved (policy-model.ts), as
 * `--print-scenario` writes them, so that a printed scenario keeps what the objects said.
 */
import { z } from 'zod';
import { formatAddress } from '../../addr/address.js';
import { PROTOCOLS } from '../limits.js';
import type { PolicyGroup, PolicyModel, PolicyPeer, PolicyPort, PolicyRule } from '../policy-model.js';
import { addressList, flow, list, listLines, prefixText, scalar } from '../yaml/yaml-text.js';
import { address, listOf, mapping, name, oneOf, prefix, truth, wholeNumber } from './field-schemas.js';

const text = z.string({ error: 'expected text' });
const portNumber = wholeNumber(0, 65535);
const PEER = 'expected one of net, pods, place and maybeIn';

const peer = mapping({
  net: prefix.optional(),
  except: listOf(prefix).optional(),
  pods: listOf(address).optional(),
  maybe: listOf(address).optional(),
  place: oneOf(['outside', 'pod', 'node']).optional(),
  maybeIn: oneOf(['outside', 'pod', 'node']).optional(),
}).transform(({ net, except = [], pods, maybe = [], place, maybeIn }, ctx): PolicyPeer => {
  if (net !== undefined) return { kind: 'net', net, except };
  if (pods !== undefined) return { kind: 'pods', addresses: pods, maybe };
  if (place !== undefined) return { kind: 'place', place };
  if (maybeIn !== undefined) return { kind: 'maybe', place: maybeIn };
  ctx.addIssue({ code: 'custom', message: PEER });
  return z.NEVER;
});

const port = mapping({
  protocol: oneOf(['TCP', 'UDP', 'SCTP']).optional(),
  first: portNumber.default(0),
  last: portNumber.default(65535),
}).transform(({ protocol, first, last }) => ({
  proto: protocol === undefined ? null : PROTOCOLS[protocol]!,
  first,
  last,
}));

const rule = mapping({
  policy: text,
  action: oneOf(['allow', 'deny', 'pass']),
  from: listOf(listOf(peer)).default([]),
  notFrom: listOf(peer).default([]),
  ports: listOf(port).optional(),
  notPorts: listOf(port).default([]),
  unsure: text.optional(),
}).transform(({ ports = null, unsure = null, ...rest }): PolicyRule => ({ ...rest, ports, unsure }));

const group = mapping({
  endpoints: listOf(name),
  tiers: listOf(
    mapping({
      end: oneOf(['deny', 'pass', 'unsure']).default('deny'),
      policies: listOf(text).default([]),
      rules: listOf(rule).default([]),
    }),
  ),
});

export const networkPoliciesSchema = mapping({
  denial: oneOf(['drop', 'reject']).default('drop'),
  netsMatchNodes: truth.default(true),
  knownPods: listOf(address).default([]),
  podRanges: listOf(prefix).default([]),
  restricted: listOf(mapping({ pod: address, policies: text })).default([]),
  mayRestrict: text.optional(),
  groups: listOf(group).default([]),
});
export type RawNetworkPolicies = z.output<typeof networkPoliciesSchema>;

/** What the scenario says, but for who enforces it (`dataplane.networkPolicy`). */
export function statedPolicies(raw: RawNetworkPolicies): Omit<PolicyModel, 'engine'> {
  const groupOf = new Map<string, number>();
  for (const [row, { endpoints }] of raw.groups.entries()) {
    for (const endpoint of endpoints) groupOf.set(endpoint, row);
  }
  return {
    denial: raw.denial,
    netsMatchNodes: raw.netsMatchNodes,
    knownPods: new Set(raw.knownPods.map(formatAddress)),
    podRanges: raw.podRanges,
    restricted: new Map(raw.restricted.map(({ pod, policies }) => [formatAddress(pod), policies])),
    mayRestrict: raw.mayRestrict ?? null,
    groups: raw.groups.map(({ tiers }) => ({ tiers })),
    groupOf,
  };
}

export function policyLines(policies: PolicyModel): string[] {
  const { denial, knownPods, podRanges, restricted, mayRestrict, groups, groupOf } = policies;
  const members = groups.map((): string[] => []);
  for (const [pod, row] of groupOf) members[row]?.push(pod);
  return [
    '  networkPolicies:   # resolved: labels to addresses, names of ports to numbers',
    `    denial: ${denial}`,
    `    netsMatchNodes: ${policies.netsMatchNodes}`,
    `    knownPods: ${list([...knownPods].map(scalar))}`,
    `    podRanges: ${list(podRanges.map(prefixText))}`,
    ...listLines(
      '    restricted:',
      [...restricted].map(([pod, all]) => flow({ pod: scalar(pod), policies: scalar(all) })),
    ),
    ...(mayRestrict === null ? [] : [`    mayRestrict: ${scalar(mayRestrict)}`]),
    ...(groups.length === 0 ? ['    groups: []'] : ['    groups:']),
    ...groups.flatMap((one, row) => groupLines(one, members[row]!)),
  ];
}

function groupLines({ tiers }: PolicyGroup, endpoints: readonly string[]): string[] {
  return [
    `      - endpoints: ${list(endpoints.map(scalar))}`,
    '        tiers:',
    ...tiers.flatMap(({ rules, end, policies }) => [
      `          - end: ${end}`,
      `            policies: ${list(policies.map(scalar))}`,
      ...(rules.length === 0
        ? []
        : ['            rules:', ...rules.map((one) => `              - ${ruleText(one)}`)]),
    ]),
  ];
}

function ruleText({ policy, action, from, notFrom, ports, notPorts, unsure }: PolicyRule): string {
  return flow({
    policy: scalar(policy),
    action,
    ...(from.length === 0 ? {} : { from: list(from.map((peers) => list(peers.map(peerText)))) }),
    ...(notFrom.length === 0 ? {} : { notFrom: list(notFrom.map(peerText)) }),
    ...(ports === null ? {} : { ports: list(ports.map(portText)) }),
    ...(notPorts.length === 0 ? {} : { notPorts: list(notPorts.map(portText)) }),
    ...(unsure === null ? {} : { unsure: scalar(unsure) }),
  });
}

function peerText(one: PolicyPeer): string {
  if (one.kind === 'place') return flow({ place: one.place });
  if (one.kind === 'maybe') return flow({ maybeIn: one.place });
  if (one.kind === 'net') {
    const except = one.except.length === 0 ? {} : { except: list(one.except.map(prefixText)) };
    return flow({ net: prefixText(one.net), ...except });
  }
  const maybe = one.maybe.length === 0 ? {} : { maybe: addressList(one.maybe) };
  return flow({ pods: addressList(one.addresses), ...maybe });
}

function portText({ proto, first, last }: PolicyPort): string {
  const protocol = Object.entries(PROTOCOLS).find(([, number]) => number === proto)?.[0];
  return flow({ ...(protocol === undefined ? {} : { protocol }), first: `${first}`, last: `${last}` });
}
