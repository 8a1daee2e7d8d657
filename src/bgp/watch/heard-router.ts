/**
 * A router as one who overhears its sessions knows it: what the speakers of a capture or a dump announced and withdrew
 * goes through the same RIB as in a running router (import rules, choice with MED, multipath, stale routes of graceful
 * restart), at the times when it was said.
 *
 * A speaker's routes go when it withdraws them, when its session ends, and when it has been silent for its hold time;
 * unless it and the router agreed on graceful restart (RFC 4724, RFC 8538, RFC 9494).
 */
import { type Address, parseAddress } from '../../addr/address.js';
import type { Prefix } from '../../addr/prefix.js';
import { OUTCOME } from '../attribute/descriptor.js';
import { type CodecContext, OFFLINE } from '../codec/codec-context.js';
import type { NotificationMessage, OpenMessage } from '../codec/message.js';
import { negotiate } from '../codec/negotiate.js';
import { CEASE, ERROR_CODE } from '../codec/notification-code.js';
import { readUpdate } from '../codec/read-update.js';
import { UpdateView } from '../codec/update-view.js';
import type { FamilyRib } from '../rib/family-rib.js';
import type { HopOrder } from '../rib/next-hop-set-table.js';
import type { Policy } from '../rib/policy.js';
import { Rib } from '../rib/rib.js';
import { findPrefix, prefixOfRow, ribOf } from '../rib/rib-reader.js';
import { keptFamilies, type PeerRestart, peerRestart } from '../session/open-exchange.js';
import { DEFAULT_STALE_S } from '../session/peer-settings.js';
import { StaleKeeper } from '../session/stale-keeper.js';
import { ToldClock } from '../session/told-clock.js';

/** The next hops of `prefix` became these, in the order of the router's table. */
export interface RouteChange {
  readonly timeS: number;
  readonly prefix: Prefix;
  readonly nextHops: readonly Address[];
  /** who did what, as the beginning of a sentence */
  readonly because: string;
}

export interface HeardSettings {
  /** the router's AS; 0 where nobody knows: no session counts as internal then */
  readonly localAsn: number;
  readonly order: HopOrder;
  readonly maxPaths: number;
  readonly asPaths: 'relax' | 'same-neighbour';
  /** what the router does with routes of a speaker known by its address */
  importPolicy(speaker: string): Policy;
  /** prefixes whose changes are told */
  isWanted(prefix: Prefix): boolean;
}

/** Like zebra: a next hop that nobody uses keeps its place for so long. */
const ARRIVAL_KEEP_S = 180;
const ROOM_PREFIXES = 1024;
const RESTARTS = {
  restartTimeS: 0,
  staleTimeS: DEFAULT_STALE_S,
  forwardingPreserved: true,
  longLivedStaleS: 0,
};

interface Speaker {
  readonly name: string;
  row: number;
  context: CodecContext;
  isUp: boolean;
  open: OpenMessage | null;
  readonly stale: StaleKeeper;
  heardMs: number;
  holdTimeS: number;
  cancelHold: (() => void) | null;
}

export class HeardRouter {
  readonly changes: RouteChange[] = [];
  private readonly rib: Rib;
  private readonly clock = new ToldClock(Number.NEGATIVE_INFINITY);
  private readonly speakers = new Map<string, Speaker>();
  /** by speaker: what the router's OPEN to it said */
  private readonly routerOpens = new Map<string, OpenMessage>();
  private readonly view = new UpdateView();
  /** whose doing it is: a speaker's row, and the sentence where it is not an UPDATE of its own */
  private actor = -1;
  private because = '';

  constructor(private readonly settings: HeardSettings) {
    this.rib = new Rib({
      localAsn: settings.localAsn,
      routerId: 0,
      order: settings.order,
      arrivalKeepS: ARRIVAL_KEEP_S,
      connected: null,
      ownAddresses: [],
      maxPaths: settings.maxPaths,
      asPaths: settings.asPaths,
      room: ROOM_PREFIXES,
    });
    this.rib.onRoute((of, prefix, _before, after) => this.changed(of, prefix, after));
  }

  /** An UPDATE of `speaker`: its body, and how it is to be read. */
  update(timeS: number, speaker: string, body: Uint8Array, context: CodecContext): void {
    this.advance(timeS);
    const known = this.heard(speaker);
    if (!known.isUp) this.goUp(known, `${speaker} is back`);
    const { peering, peerAsn } = known.context;
    const read = { ...context, families: null, peering, peerAsn, enforceFirstAs: false };
    readUpdate(
      body,
      new DataView(body.buffer, body.byteOffset, body.length),
      0,
      body.length,
      read,
      this.view,
    );
    if (this.view.outcome === OUTCOME.sessionReset) return;
    this.act(known, '');
    if (this.view.endOfRib >= 0) {
      this.act(known, `${speaker} did not announce it again`);
      known.stale.step({ kind: 'endOfRib', family: this.view.endOfRib });
    } else this.rib.update(known.row, this.view, read);
  }

  /** Anything but an UPDATE, OPEN or NOTIFICATION: the speaker is alive. */
  alive(timeS: number, speaker: string): void {
    this.advance(timeS);
    const known = this.heard(speaker);
    if (!known.isUp) this.goUp(known, `${speaker} is back`);
  }

  /** `speaker` opened a session: whatever was before is over. */
  opened(timeS: number, speaker: string, open: OpenMessage): void {
    this.advance(timeS);
    const because = `${speaker} opened a new session`;
    const known = this.heard(speaker);
    if (known.isUp) this.goDown(known, because, 'connection');
    known.open = open;
    known.holdTimeS = open.holdTimeS;
    known.context = this.contextOf(open);
    this.goUp(known, because);
    this.watchHold(known);
  }

  /** The router's own OPEN to a speaker: whether it keeps that one's routes when it restarts. */
  routerOpened(speaker: string, open: OpenMessage): void {
    this.routerOpens.set(speaker, open);
  }

  /** A NOTIFICATION ended the session of `speaker`, whoever sent it. */
  notified(timeS: number, speaker: string, { code, subcode }: NotificationMessage): void {
    this.advance(timeS);
    const known = this.speakers.get(speaker);
    if (known === undefined) return;
    const isHard = code === ERROR_CODE.cease && subcode === CEASE.hardReset;
    this.goDown(known, `the session of ${speaker} ended`, isHard ? 'hard reset' : 'notification');
  }

  /** The speaker's connection has ended. */
  closed(timeS: number, speaker: string): void {
    this.advance(timeS);
    const known = this.speakers.get(speaker);
    if (known !== undefined) this.goDown(known, `the session of ${speaker} ended`, 'connection');
  }

  /** Hold times and restart times that end before `timeS` have ended. */
  advance(timeS: number): void {
    this.clock.advanceTo(timeS * 1000);
    this.rib.setTime(Math.max(0, timeS));
  }

  /** Tells the next hops of `prefix` as they stand, whether or not they have changed. */
  tell(timeS: number, prefix: Prefix, because: string): void {
    const row = findPrefix(this.rib, prefix);
    const hops = row < 0 ? [] : this.hopsOf(ribOf(this.rib, prefix).hops[row]!);
    this.changes.push({ timeS, prefix, nextHops: hops, because });
  }

  private heard(name: string): Speaker {
    let speaker = this.speakers.get(name);
    if (speaker === undefined) {
      speaker = this.add(name);
      this.speakers.set(name, speaker);
    }
    speaker.heardMs = this.clock.nowMs();
    return speaker;
  }

  private add(name: string): Speaker {
    const after = (ms: number, run: () => void): (() => void) =>
      this.clock.after(ms, () => {
        this.act(speaker, ranOut(speaker, this.restartOf(speaker)));
        run();
      });
    const stale = new StaleKeeper(
      { after },
      {
        sweep: (families) => {
          for (const family of families) if (this.hasRow(speaker)) this.rib.sweepStale(speaker.row, family);
        },
        keepLongLived: (families) => {
          for (const family of families)
            if (this.hasRow(speaker)) this.rib.keepLongLived(speaker.row, family);
        },
        timerRanOut: () => {},
      },
    );
    const speaker: Speaker = {
      ...{ name, row: -1, context: OFFLINE, isUp: false, open: null, stale },
      ...{ heardMs: 0, holdTimeS: 0, cancelHold: null },
    };
    this.goUp(speaker, `${name} is here`);
    return speaker;
  }

  private hasRow({ row }: Speaker): boolean {
    return row >= 0 && this.rib.peers[row] !== null;
  }

  private goUp(speaker: Speaker, because: string): void {
    const { name, context, open } = speaker;
    const { rib } = this;
    this.act(speaker, because);
    rib.setTime(Math.max(0, this.clock.nowMs() / 1000));
    const row = rib.peerUp(
      {
        name,
        address: parseAddress(name) ?? NOWHERE,
        bgpId: open?.bgpIdentifier ?? 0,
        context,
        import: this.settings.importPolicy(name),
        export: 'none',
        nextHop4: null,
        nextHop6: null,
        nextHops: 'any',
        internalNextHop: 'unchanged',
        role: null,
        takesLongLivedStale: false,
      },
      this.hasRow(speaker) ? speaker.row : -1,
    );
    speaker.row = row;
    speaker.isUp = true;
    if (open !== null)
      speaker.stale.step({ kind: 'up', restart: this.restartOf(speaker), settings: RESTARTS });
  }

  private goDown(speaker: Speaker, because: string, how: 'connection' | 'notification' | 'hard reset'): void {
    // one that is away has no session that could end: an attempt of its was refused
    if (!speaker.isUp) return;
    const restart = this.restartOf(speaker);
    const keeps = how === 'connection' || (how === 'notification' && restart?.coversNotification === true);
    const retained = keeps ? keptFamilies(restart) : [];
    speaker.cancelHold?.();
    this.act(speaker, because);
    speaker.stale.lost({ kind: 'lost', retained, restart }, () => {
      speaker.isUp = false;
      if (this.hasRow(speaker)) this.rib.peerDown(speaker.row, new Set(retained));
    });
  }

  private watchHold(speaker: Speaker): void {
    speaker.cancelHold?.();
    const { holdTimeS, name } = speaker;
    if (holdTimeS === 0) return;
    const leftMs = speaker.heardMs + holdTimeS * 1000 - this.clock.nowMs();
    speaker.cancelHold = this.clock.after(Math.max(leftMs, 0), () => {
      if (this.clock.nowMs() < speaker.heardMs + holdTimeS * 1000) this.watchHold(speaker);
      else this.goDown(speaker, `${name} was silent for its hold time of ${holdTimeS} s`, 'notification');
    });
  }

  private contextOf(open: OpenMessage): CodecContext {
    const { localAsn } = this.settings;
    const peering = localAsn === 0 ? 'unknown' : open.asn === localAsn ? 'internal' : 'external';
    return { ...OFFLINE, peering, peerAsn: open.asn };
  }

  private restartOf({ name, open }: Speaker): PeerRestart | null {
    const sent = this.routerOpens.get(name);
    return sent === undefined || open === null ? null : peerRestart(sent, open, negotiate(sent, open));
  }

  private act({ row }: Speaker, because: string): void {
    this.actor = row;
    this.because = because;
  }

  private changed(of: FamilyRib, row: number, after: number): void {
    const prefix = prefixOfRow(of, row);
    if (!this.settings.isWanted(prefix)) return;
    const timeS = this.clock.nowMs() / 1000;
    this.changes.push({ timeS, prefix, nextHops: this.hopsOf(after), because: this.reason(of, row) });
  }

  private reason({ paths, first }: FamilyRib, prefix: number): string {
    if (this.because !== '') return this.because;
    const name = this.rib.peers[this.actor]?.settings.name ?? 'the router';
    for (let path = first[prefix]! - 1; path >= 0; path = paths.next[path]!) {
      if (paths.owner[path] === this.actor + 1) return `${name} announced it`;
    }
    return `${name} withdrew it`;
  }

  private hopsOf(set: number): Address[] {
    const { hopSets, nextHops } = this.rib;
    return hopSets.hopsOf(set).map((hop) => nextHops.addresses[hop]!);
  }
}

const NOWHERE: Address = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0 };

function ranOut({ name, isUp }: Speaker, restart: PeerRestart | null): string {
  if (isUp) return `${name} did not announce it again`;
  return `${name} did not come back within its restart time of ${restart?.restartTimeS ?? 0} s`;
}
