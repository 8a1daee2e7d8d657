/**
 * One run of the lab as data: the cluster, the router, the clients' connections, and what happens when. A story of
 * story.ts and a setting of settings.ts both come to this; run-lab.ts performs it.
 */
import type { LabService, Layout } from './layout.js';
import { layoutOf, NODE_NAMES } from './layout.js';
import type { RouterKind } from './router.js';
import type { Step } from './story.js';
import type { PlannedConnection } from './traffic-plan.js';

/** What kube-proxy writes its rules for. */
export const PROXIES = ['iptables', 'nftables'] as const;
export type LabProxy = (typeof PROXIES)[number];

export interface NextHop {
  readonly node: string;
  readonly weight: number;
}

export interface Setting {
  readonly name: string;
  /** pods by node name, in the order of the nodes */
  readonly podsPerNode: ReadonlyMap<string, number>;
  readonly services: readonly LabService[];
  readonly router: RouterKind;
  /** at t = 0 */
  readonly nextHops: readonly NextHop[];
  readonly hash: {
    /** net.ipv4.fib_multipath_hash_policy and IPv6's */
    readonly policy: 0 | 1 | 2 | 3;
    /** fib_multipath_hash_fields, with policy 3 */
    readonly fields: number | null;
    readonly seed: number;
  };
  /** of resilient groups */
  readonly buckets: number;
  readonly idleTimerS: number;
  readonly proxy: LabProxy;
  /** MASQUERADE with a random port, or the client's where it is free */
  readonly masqueradeRandomFully: boolean;
  /** whether kube-proxy's rule against INVALID packets is there */
  readonly dropInvalid: boolean;
  /** `name=value`, on every node */
  readonly nodeSysctls: readonly string[];
  /** the same to the model: `spec.dataplane.conntrack` of the scenario */
  readonly conntrack: Readonly<Record<string, unknown>>;
  readonly durationS: number;
  readonly plan: readonly PlannedConnection[];
  readonly steps: readonly Step[];
}

type Said = 'name' | 'services' | 'durationS' | 'plan' | 'steps';

/** The plain setting but for what is said: four nodes, a pod each, routes without a daemon, hash by the five-tuple. */
export function makeSetting(
  seed: number,
  different: Pick<Setting, Said> &
    Partial<Omit<Setting, Said | 'hash'>> & { readonly hash?: Partial<Setting['hash']> },
): Setting {
  const podsPerNode = different.podsPerNode ?? new Map(NODE_NAMES.map((node) => [node, 1]));
  return {
    ...{
      podsPerNode,
      router: 'static',
      nextHops: [...podsPerNode.keys()].map((node) => ({ node, weight: 1 })),
    },
    ...{ buckets: 64, idleTimerS: 3, proxy: 'iptables', masqueradeRandomFully: true, dropInvalid: true },
    ...{ nodeSysctls: [], conntrack: {} },
    ...different,
    hash: { policy: 1, fields: null, seed, ...different.hash },
  };
}

export const layoutOfSetting = ({ podsPerNode, services }: Setting): Layout =>
  layoutOf(podsPerNode, services);
