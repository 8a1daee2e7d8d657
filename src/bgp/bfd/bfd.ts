/**
 * Bidirectional Forwarding Detection as the rest of the program sees it: somebody who says when a peer is gone.
 * RFC 5880 to 5882, asynchronous mode over a single hop.
 */
import type { Address } from '../../addr/address.js';
import type { BfdStateName } from './control-packet.js';

export interface BfdSettings {
  /** between two packets, in each direction: the slower side decides */
  readonly intervalMs: number;
  /** so many packets missing in a row mean that the peer is gone: 1 .. 255 */
  readonly multiplier: number;
}

export interface BfdPeer {
  readonly address: Address;
  /** our end, as the BGP session has it */
  readonly localAddress: Address;
}

export type BfdEvent =
  | { readonly kind: 'up' }
  /**
   * It was Up and is not any more. `administratively`: its operator has switched BFD off, which says nothing about
   * the path and must not end a session (RFC 5882 section 4.2).
   */
  | { readonly kind: 'down'; readonly reason: string; readonly why: 'failed' | 'administratively' };

/** What one session has come to. */
export interface BfdReport {
  readonly state: BfdStateName;
  readonly remoteState: BfdStateName;
  /** between two of our packets, before jitter; 0 = the peer wants none */
  readonly transmitIntervalUs: number;
  /** silence that means Down; 0 before the first packet */
  readonly detectionTimeUs: number;
  readonly localDiscriminator: number;
  readonly remoteDiscriminator: number;
}

export interface BfdWatch {
  report(): BfdReport;
  /** Tells the peer that we stop (AdminDown); nothing is heard of this watch afterwards. */
  stop(): void;
}

export interface Bfd {
  /** Events come later, never from inside this call. */
  watch(peer: BfdPeer, settings: BfdSettings, listener: (event: BfdEvent) => void): BfdWatch;
  /** Stops all watches, tells their peers, and gives the sockets back. */
  close(): Promise<void>;
}
