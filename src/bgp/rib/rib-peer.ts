/** A peer as the RIB knows it: a row, what it was set up with, and what it has sent. */
import { type Address, compareAddresses } from '../../addr/address.js';
import type { CodecContext } from '../codec/codec-context.js';
import type { AttributeStore } from './attribute-store.js';
import { type Policy, PolicyRunner } from './policy.js';

/** Our role towards the peer: RFC 9234 section 4.1. */
export type Role = 'provider' | 'customer' | 'peer' | 'rs' | 'rs-client';

export interface RibPeerSettings {
  /** for the API */
  readonly name: string;
  readonly address: Address;
  /** of its OPEN */
  readonly bgpId: number;
  /** what the session has agreed on: AS numbers, families, ADD-PATH, next hops, peering */
  readonly context: CodecContext;
  readonly import: Policy;
  readonly export: Policy;
  /** our address on this session as a next hop; `null` where we have none in that family */
  readonly nextHop4: number | null;
  /** 16 octets, or 32 with a link-local address */
  readonly nextHop6: Uint8Array | null;
  /**
   * Which next hops an external peer may give us (RFC 4271 section 5.1.3): `on-link` the peer itself and
   * connected prefixes, `any` each host (multihop). Without connected prefixes in the settings both are the same.
   */
  readonly nextHops: 'on-link' | 'any';
  /** next hop of routes to an internal peer: RFC 4271 section 5.1.3 leaves it, a route to us replaces it */
  readonly internalNextHop: 'unchanged' | 'self';
  readonly role: Role | null;
  /** it has announced long-lived graceful restart: the others are not told of long-lived stale routes (RFC 9494) */
  readonly takesLongLivedStale: boolean;
}

export class RibPeer {
  /** `down` peers have stale paths that wait for their return */
  state: 'up' | 'down' = 'up';
  /** traffic is led away from it: RFC 8326, from this end of the session */
  isDraining = false;
  importPolicy: PolicyRunner;
  exportPolicy: PolicyRunner;

  constructor(
    readonly row: number,
    public settings: RibPeerSettings,
    store: AttributeStore,
  ) {
    this.importPolicy = new PolicyRunner(settings.import, store);
    this.exportPolicy = new PolicyRunner(settings.export, store);
  }

  get isInternal(): boolean {
    return this.settings.context.peering === 'internal';
  }
}

/** The last steps of the choice: BGP identifier and peer address (RFC 4271 section 9.1.2.2 f, g). */
export function comparePeers(a: RibPeer, b: RibPeer): number {
  return compareAddresses(a.settings.address, b.settings.address);
}
