/**
 * What sessions hand upward, and what whoever stands above may ask of them.
 *
 *   transport.ts ── established, update, endOfRib, … ──► SessionHandler (tables, announcements)
 *                ◄── send, requestWrite, stop ──────────  Session
 *
 * Invariants:
 * - Between `established` and `down` of a peer there is exactly one {@link Session}; its other calls come between
 *   the two. After `down` the session is dead: its methods do nothing.
 * - Calls are synchronous, never nested into one another for the same session, and must not throw.
 * - `update` gets a view into the receive buffer: nothing of it may be kept.
 * - Stale routes (RFC 4724, 9494) are the session's business as far as time goes: it says what `down` retains, when
 *   `keepLongLived` makes it the last choice and when `sweepStale` ends it; the handler only marks and deletes.
 */
import type { Address } from '../../addr/address.js';
import type { FamilyKey } from '../codec/address-family.js';
import type { CodecContext } from '../codec/codec-context.js';
import type { NotificationMessage, OpenMessage } from '../codec/message.js';
import type { UpdateView } from '../codec/update-view.js';
import type { PeerRestart } from './open-exchange.js';
import type { PeerSettings } from './peer-settings.js';

/** States of RFC 4271 section 8.2.2; of several connections to a peer, that of the most advanced one. */
export type SessionStateName = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established';

/** What an established session is made of. */
export interface SessionInfo {
  readonly context: CodecContext;
  /** the OPENs that were exchanged */
  readonly local: OpenMessage;
  readonly remote: OpenMessage;
  /** the smaller of both; 0 = no timer runs */
  readonly holdTimeS: number;
  /** the peer takes ROUTE-REFRESH (RFC 2918), and beginning and end of one (RFC 7313) */
  readonly refresh: 'none' | 'plain' | 'enhanced';
  /** families whose routes are kept should the session fail: both sides restart gracefully */
  readonly gracefulFamilies: readonly FamilyKey[];
  /** what the peer said of its restarts; `null` where one side does not restart gracefully */
  readonly restart: PeerRestart | null;
  readonly localAddress: Address;
  readonly localPort: number;
  readonly remoteAddress: Address;
  readonly remotePort: number;
  /** who opened the connection: `active` = we did */
  readonly direction: 'active' | 'passive';
}

/** Why the session is to end: each has its NOTIFICATION (RFC 4271 section 6.7, RFC 4486, 8538, 9003, 9384). */
export type StopCause =
  /** comes back only when started again */
  | { readonly kind: 'shutdown'; readonly text: string }
  /** comes back at once */
  | { readonly kind: 'reset'; readonly text: string }
  | { readonly kind: 'configuration-changed' }
  | { readonly kind: 'deconfigured' }
  /** comes back after {@link PeerSettings.penaltyS} */
  | { readonly kind: 'max-prefixes'; readonly family: FamilyKey; readonly limit: number }
  | { readonly kind: 'bfd-down' }
  | { readonly kind: 'out-of-resources' }
  /** our graceful restart: the connection closes without a word, so that the peer keeps our routes */
  | { readonly kind: 'restart' };

export interface SessionEnd {
  /** a sentence without its full stop */
  readonly reason: string;
  /** the NOTIFICATION that ended it, and who sent it */
  readonly notification: NotificationMessage | null;
  readonly sentBy: 'us' | 'peer' | null;
  /** families whose routes stay as stale until `sweepStale` */
  readonly retained: readonly FamilyKey[];
}

export interface Session {
  readonly peer: PeerSettings;
  readonly info: SessionInfo;
  /** Sends whole messages; the octets are copied. Nothing limits how much: that is what `writable` is for. */
  send(messages: Uint8Array): void;
  /** Asks for calls of {@link SessionHandler.writable} until it says `done`. Costs nothing when repeated. */
  requestWrite(): void;
  /** Ends the session. `down` is called before this returns. */
  stop(cause: StopCause): void;
}

export interface PeerStateChange {
  readonly peer: PeerSettings;
  readonly from: SessionStateName;
  readonly to: SessionStateName;
  /** AS of the peer, where it has said one */
  readonly asn: number | null;
  readonly reason: string | null;
}

export interface SessionHandler {
  established(session: Session): void;
  /** Outcome `accept` or `treatAsWithdraw`; an End-of-RIB does not come here. */
  update(session: Session, update: UpdateView): void;
  endOfRib(session: Session, family: FamilyKey): void;
  /** A ROUTE-REFRESH for a family of the session; `subtype` is one of REFRESH_SUBTYPE. */
  routeRefresh(session: Session, family: FamilyKey, subtype: number): void;
  /** The peer takes more: send some 64 KiB and say whether there is more. */
  writable(session: Session): 'more' | 'done';
  down(session: Session, end: SessionEnd): void;
  /** The restart time is over: what is stale of these families of the peer is long-lived stale from now on. */
  keepLongLived(peer: PeerSettings, families: readonly FamilyKey[]): void;
  /** What is still stale of these families of the peer goes away. */
  sweepStale(peer: PeerSettings, families: readonly FamilyKey[]): void;
  /** After every change of state; `Established` after `established`, what follows it after `down`. */
  stateChanged(change: PeerStateChange): void;
}
