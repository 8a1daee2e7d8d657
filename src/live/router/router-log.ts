/**
 * What a running router says of itself: a line a session and a line a route while few change, a line that counts
 * while many do. A peer that flaps, or sends nonsense a thousand times a second, gets a bounded number of lines.
 */
import { formatAddress } from '../../addr/address.js';
import { formatPrefix } from '../../addr/prefix.js';
import { familyName } from '../../bgp/codec/address-family.js';
import { hostNameOf } from '../../bgp/session/open-exchange.js';
import type { PeerStateChange, Session, SessionEnd } from '../../bgp/session/session-handler.js';
import { notificationText } from '../../bgp/session/stop-notification.js';
import type { Clock } from '../../bgp/session/wire.js';
import type { LogLevel, Say } from '../program-log.js';
import type { NextHopView, RouteCause, RouteChange, RoutesChanged } from '../router-view.js';

/** of more changes than these at once only the number is told */
const LISTED_AT_ONCE = 10;
/** lines that may come in a burst, and a second after it */
const BURST = 200;
const PER_SECOND = 20;
/** peers whose last trouble is remembered */
const MAX_TROUBLED = 4096;
/** a bulk change is told once nothing has been added to it for so long */
const BULK_QUIET_MS = 300;

/** after the number of prefixes */
const BULK_WORDS: Readonly<Record<RouteCause, string>> = {
  announce: 'prefixes announced',
  withdraw: 'prefixes withdrawn',
  update: 'prefixes announced or withdrawn',
  'session-lost': 'prefixes changed: the session ended',
  'long-lived-stale': 'prefixes changed: the restart time is over',
  'stale-expired': 'prefixes changed: stale routes were deleted',
  policy: 'prefixes changed: the configuration did',
  drain: 'prefixes changed: the peer is drained, or no longer',
  loaded: 'prefixes loaded',
};

export class RouterLog {
  private left = BURST;
  private refilledMs: number;
  private suppressed = 0;
  private bulkName = '';
  private bulkCause: RouteCause = 'loaded';
  private bulkTotal = 0;
  private cancelBulk: (() => void) | null = null;
  /** by peer */
  private readonly lastTrouble = new Map<string, string>();

  constructor(
    private readonly print: Say,
    private readonly clock: Pick<Clock, 'nowMs' | 'after'>,
  ) {
    this.refilledMs = clock.nowMs();
  }

  /** A line that is never left out. */
  say(line: string, level: LogLevel = 'info'): void {
    this.tellBulk();
    this.tellSuppressed();
    this.print(line, level);
  }

  /** A line that may be left out where there are too many. */
  line(line: string, level: LogLevel = 'info'): void {
    this.tellBulk();
    if (!this.mayPrint()) {
      this.suppressed++;
      return;
    }
    this.tellSuppressed();
    this.print(line, level);
  }

  sessionUp({ peer, info }: Session): void {
    const host = hostNameOf(info.remote);
    const families = info.context.families === null ? [] : [...info.context.families].map(familyName);
    const hold = info.holdTimeS === 0 ? 'no hold time' : `hold time ${info.holdTimeS} s`;
    const who = host === null ? '' : ` (${host})`;
    this.line(`${peer.id}: established, AS ${info.remote.asn}${who}, ${families.join(' and ')}, ${hold}`);
  }

  sessionDown({ peer }: Session, { reason, notification, sentBy, retained }: SessionEnd): void {
    const sent = notification !== null && sentBy === 'us' ? `; sent ${notificationText(notification)}` : '';
    const kept =
      retained.length === 0 ? '' : `; its ${retained.map(familyName).join(' and ')} routes are kept for now`;
    this.line(`${peer.id}: down, ${reason}${sent}${kept}`, 'warn');
  }

  /** Attempts that came to nothing; sessions that were up are told by {@link sessionDown}. */
  stateChanged({ peer, from, to, reason }: PeerStateChange): void {
    if (to === 'Established') this.lastTrouble.delete(peer.id);
    if (reason === null || from === 'Established' || to === 'Established') return;
    // told once, not at every attempt
    if (this.lastTrouble.get(peer.id) === reason) return;
    if (this.lastTrouble.size > MAX_TROUBLED) this.lastTrouble.clear();
    this.lastTrouble.set(peer.id, reason);
    this.line(`${peer.id}: ${reason}`, 'warn');
  }

  routes({ peer, cause, total, changes }: RoutesChanged): void {
    const name = peer ?? 'router';
    const isSame = name === this.bulkName && cause === this.bulkCause;
    if (total > LISTED_AT_ONCE || (isSame && this.bulkTotal > 0)) this.addBulk(name, cause, total);
    else for (const change of changes) this.line(`${name}: ${changeText(change)}`);
  }

  private addBulk(name: string, cause: RouteCause, total: number): void {
    if (name !== this.bulkName || cause !== this.bulkCause) this.tellBulk();
    this.bulkName = name;
    this.bulkCause = cause;
    this.bulkTotal += total;
    this.cancelBulk?.();
    this.cancelBulk = this.clock.after(BULK_QUIET_MS, () => this.tellBulk());
  }

  private tellBulk(): void {
    if (this.bulkTotal === 0) return;
    const total = this.bulkTotal;
    this.bulkTotal = 0;
    this.cancelBulk?.();
    this.line(`${this.bulkName}: ${total} ${BULK_WORDS[this.bulkCause]}`);
  }

  private mayPrint(): boolean {
    const now = this.clock.nowMs();
    this.left = Math.min(BURST, this.left + ((now - this.refilledMs) / 1000) * PER_SECOND);
    this.refilledMs = now;
    if (this.left < 1) return false;
    this.left--;
    return true;
  }

  private tellSuppressed(): void {
    if (this.suppressed === 0) return;
    const count = this.suppressed;
    this.suppressed = 0;
    this.print(`router: ${count} line${count === 1 ? '' : 's'} left out`, 'warn');
  }
}

function changeText({ prefix, before, after }: RouteChange): string {
  const name = formatPrefix(prefix);
  if (after.length === 0) return `${name} withdrawn, was via ${hopsText(before)}`;
  const was = before.length === 0 ? '' : `, was ${hopsText(before)}`;
  return `${name} via ${hopsText(after)}${was}`;
}

function hopsText(hops: readonly NextHopView[]): string {
  return hops
    .map(({ address, weight }) => formatAddress(address) + (weight === 1 ? '' : `*${weight}`))
    .join(', ');
}
