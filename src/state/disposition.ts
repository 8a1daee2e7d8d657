/** What became of one client packet on its way through the cluster. Codes, so that hot code allocates nothing. */

export const Outcome = {
  /** an endpoint took it and answers if there is anything to answer */
  answered: 0,
  /** a RST comes back to the client */
  reset: 1,
  /** an ICMP error comes back to the client */
  unreachable: 2,
  /** nothing comes back */
  silent: 3,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

/** Drop reasons and reasons of a break, in the order of their codes; the names are those of the report. */
export const REASON_NAMES = [
  'none',
  'ecmp-rehash',
  'no-local-endpoint',
  'no-endpoint',
  'endpoint-gone',
  'endpoint-stopped',
  'node-down',
  'no-route',
  'not-a-service',
  'invalid-dropped',
  'forwarding-loop',
  'entry-expired',
  'loose-off',
  'conntrack-full',
  'snat-port-exhausted',
  'stale-rules',
  'next-hop-failed',
  'invalid-refused',
  'member-unknown',
  'member-down',
  'no-member',
  'edge-unmatched',
  'tunnel-address-collision',
  'no-entry-reset',
  'mid-flow-dropped',
  'reset-ignored',
  'source-range',
  'stale-entry',
  'policy-denied',
  'rule-dropped',
  'rule-rejected',
  'stack-refused',
  'answer-astray',
] as const;
export type ReasonName = (typeof REASON_NAMES)[number];

export const ReasonCode = Object.fromEntries(REASON_NAMES.map((name, code) => [name, code])) as Readonly<
  Record<ReasonName, number>
>;

/** Where something happened, as one number: a kind and a row. */
export const HopKind = { none: 0, router: 1, node: 2, endpoint: 3, edge: 4 } as const;

export function hopCode(kind: number, row: number): number {
  return kind * 0x100000 + row;
}

export function hopKind(code: number): number {
  return Math.floor(code / 0x100000);
}

export function hopRow(code: number): number {
  return code % 0x100000;
}
