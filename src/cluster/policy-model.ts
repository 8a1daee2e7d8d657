/**
 * Network policies as a packet meets them: per endpoint an ordered list of rules, whatever dialect they were written in
 * (Kubernetes, Calico, Cilium). Names and labels are resolved to addresses and port numbers; what could not be resolved
 * stands there as `unsure`, so that nobody takes it for an allowance.
 *
 * Rules are read from the top; the first that matches decides. A tier that ends without a decision denies or passes on
 * to the next; what no tier denies is allowed. Kubernetes policies are one tier of allowances that ends in a denial.
 */
import type { Address } from '../addr/address.js';
import type { Prefix } from '../addr/prefix.js';

/** Who enforces. It decides which source a policy sees on the node that masquerades, and what a denied packet gets. */
export const POLICY_ENGINES = ['calico', 'cilium', 'kube-router', 'antrea', 'none', 'unknown'] as const;
export type PolicyEngine = (typeof POLICY_ENGINES)[number];

export interface PolicyModel {
  readonly engine: PolicyEngine;
  /** what a denied packet gets: nothing, or an ICMP error */
  readonly denial: 'drop' | 'reject';
  readonly groups: readonly PolicyGroup[];
  /** by name of an endpoint: its row in `groups`; no policy selects the others */
  readonly groupOf: ReadonlyMap<string, number>;
  /**
   * by address of a pod, as text: the policies that restrict what it sends. Rules for egress are not evaluated: what it
   * sends to a service is not judged.
   */
  readonly restricted: ReadonlyMap<string, string>;
  /** the policies that may restrict a pod of unknown labels; null: none */
  readonly mayRestrict: string | null;
  /** addresses of the pods that are known, as text: another address of a pod range is a pod of unknown labels */
  readonly knownPods: ReadonlySet<string>;
  /** ranges that pods have their addresses from, besides those of the nodes */
  readonly podRanges: readonly Prefix[];
  /** whether a CIDR matches the addresses of nodes (Cilium: only with policy-cidr-match-mode nodes) */
  readonly netsMatchNodes: boolean;
}

/** The policies of an endpoint. */
export interface PolicyGroup {
  readonly tiers: readonly PolicyTier[];
}

export interface PolicyTier {
  readonly rules: readonly PolicyRule[];
  /** what becomes of a packet that no rule decides; unsure: no policy is known for certain to select the endpoint */
  readonly end: 'deny' | 'pass' | 'unsure';
  /** the policies to which a denial at the end is due: "NetworkPolicy shop/default-deny" */
  readonly policies: readonly string[];
}

export interface PolicyRule {
  /** "NetworkPolicy shop/web" */
  readonly policy: string;
  readonly action: 'allow' | 'deny' | 'pass';
  /** the source is one of each list; no list: every source */
  readonly from: readonly (readonly PolicyPeer[])[];
  /** and none of these */
  readonly notFrom: readonly PolicyPeer[];
  /** ports of the endpoint; null: every one */
  readonly ports: readonly PolicyPort[] | null;
  readonly notPorts: readonly PolicyPort[];
  /** why it is not known whether it matches, a clause; null: it is known */
  readonly unsure: string | null;
}

export type PolicyPeer =
  | { readonly kind: 'net'; readonly net: Prefix; readonly except: readonly Prefix[] }
  /** pods that are selected, and such as may be selected; never an address outside the cluster */
  | { readonly kind: 'pods'; readonly addresses: readonly Address[]; readonly maybe: readonly Address[] }
  | { readonly kind: 'place'; readonly place: SourcePlace }
  /** a source there may be one, nobody knows */
  | { readonly kind: 'maybe'; readonly place: SourcePlace };

/** Where a source stands. */
export type SourcePlace = 'outside' | 'pod' | 'node';

export interface PolicyPort {
  /** IP protocol number; null: any */
  readonly proto: number | null;
  readonly first: number;
  readonly last: number;
}
