/** What an audit says: one finding a fault, with the objects that say so. */
import type { ErrorPosition } from '../errors.js';

export const SEVERITIES = ['high', 'medium', 'low'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** An object, and the field of it, that a finding rests on. */
export interface Evidence {
  /** `Service shop/web` */
  readonly object: string;
  /** `spec.externalTrafficPolicy: Local`, or what was counted */
  readonly says: string;
  readonly position: ErrorPosition;
}

export interface Finding {
  /** stable name of the rule */
  readonly rule: RuleName;
  /** high: it is broken, or one ordinary event breaks it; medium: connections are lost or lied about; low: it costs */
  readonly severity: Severity;
  /** what is the matter, in one sentence */
  readonly finding: string;
  readonly mechanism: string;
  readonly breaks: string;
  readonly remedy: string;
  /** at least one */
  readonly evidence: readonly Evidence[];
}

/** Every rule in a few words; also what SARIF lists. */
export const RULES = {
  'tunnel-address-collision': 'A pod has the address of a node’s tunnel.',
  'tunnel-address-free': 'A node uses a tunnel address that its block counts as free.',
  'duplicate-pod-address': 'Two running pods have one address.',
  'single-failure-domain': 'All endpoints of a service stand in one failure domain.',
  'placement-not-held': 'Pods stand where their own placement rule forbids it.',
  'no-room-for-successor': 'A placement rule leaves no room for the successor of an evicted pod.',
  'budget-forbids-eviction': 'A PodDisruptionBudget allows no eviction at all.',
  'uneven-local': 'Pods of a Local service get unequal shares.',
  'announcers-exceed-proxies': 'More nodes announce than have an endpoint.',
  'forged-client-address': 'A proxy believes client addresses that anybody can write.',
  'lost-client-address': 'A proxy never sees its clients’ addresses.',
  'slow-failure-detection': 'A dead node keeps its share of the traffic for long.',
  'slow-probe': 'A hung pod keeps its share of the traffic for long.',
  'no-time-to-leave': 'A pod stops before the routes and rules that lead to it.',
  'unknown-members': 'A load balancer cannot tell which nodes answer.',
  'cpu-limit-throttles': 'A CPU limit far below the node’s CPUs stops all threads at once.',
  'hash-by-address': 'The router hashes addresses alone.',
  'conntrack-near-limit': 'The measured rate of connections nears a node’s table.',
} as const;
export type RuleName = keyof typeof RULES;
