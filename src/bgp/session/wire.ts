/**
 * What sessions need of the world, so that everything but transport.ts runs without sockets and without a clock:
 * connections (`Wire`), time and chance (`Clock`), and somebody who opens connections (`Dial`).
 */
import type { Address } from '../../addr/address.js';
import type { PeerSettings } from './peer-settings.js';

export interface Wire {
  /** who opened it: `active` = we did */
  readonly direction: 'active' | 'passive';
  readonly localAddress: Address;
  readonly localPort: number;
  readonly remoteAddress: Address;
  readonly remotePort: number;
  /** octets given to {@link write} that the peer's side has not taken yet */
  readonly queuedBytes: number;
  /** grows whenever queued octets are taken */
  readonly takenBytes: number;
  /** octets may lie unread because others have their turn: silence then means nothing */
  readonly isHeldBack: boolean;
  /** From now on `listener` hears of everything; called once. */
  start(listener: WireListener): void;
  /** The octets must not change afterwards. */
  write(bytes: Uint8Array): void;
  /** Sends `last`, then closes; nothing is heard of the wire any more. */
  end(last: Uint8Array | null): void;
}

export interface WireListener {
  /** The octets are valid during the call. */
  chunk(bytes: Uint8Array): void;
  /** Queued octets were taken, and little is queued now. */
  drained(): void;
  /** The connection is gone, and not by `end`. */
  lost(reason: string): void;
}

export interface Clock {
  /** milliseconds from any fixed moment, never going back */
  nowMs(): number;
  /** milliseconds since 1970 */
  epochMs(): number;
  /** Calls `run` once after `ms`; what is returned prevents it. */
  after(ms: number, run: () => void): () => void;
  /** Calls `run` when everything that waits to be read has had a turn. */
  soon(run: () => void): void;
  /** 0 <= draw < 1: jitter */
  draw(): number;
}

/** Opens a connection; exactly one of both is called, later, unless what is returned was called before. */
export type Dial = (
  peer: PeerSettings,
  connected: (wire: Wire) => void,
  failed: (reason: string) => void,
) => () => void;

/** At most this much is queued for a peer before `writable` is called again. */
export const HIGH_WATER_BYTES = 256 * 1024;
