/**
 * What has happened at the router, as records that page and API show: sessions that came up or went down, routes that
 * changed, and what each did to the flows. An event is known by its number (0, 1, ...); its id is `e<number + 1>`.
 *
 * Bounded: the last {@link EVENTS_KEPT} are kept. What a flow owes to an event that is gone is counted in the totals
 * alone.
 */
import { formatAddress } from '../addr/address.js';
import { formatPrefix } from '../addr/prefix.js';
import { Ring } from './ring.js';
import type { NextHopView, RouteChange, RouterEvent, RoutesChanged, SessionChanged } from './router-view.js';
import type { LiveEvent, LiveRouteChange } from './web/api-records.js';

export const EVENTS_KEPT = 512;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What an event has done to the flows so far. */
export type Impact = Pick<
  LiveEvent,
  'flowsActive' | 'flowsMoved' | 'flowsBroken' | 'flowsStalled' | 'dropped'
>;

export class EventBook {
  private readonly ring = new Ring<Mutable<LiveEvent>>(EVENTS_KEPT);
  private readonly touched = new Set<number>();

  /** Number of the next event. */
  get count(): number {
    return this.ring.count;
  }

  /** Notes an event; `atS` is the traffic's time. Returns its number, or -1 where it is not worth a record. */
  note(event: RouterEvent, atS: number): number {
    if (event.kind === 'session') return isNews(event) ? this.add(event.atMs, atS, sessionFacts(event)) : -1;
    return this.add(event.atMs, atS, routeFacts(event));
  }

  /** Notes what the router itself did, or had done to it. */
  noteOwn(kind: string, detail: string, atMs: number, atS: number): number {
    return this.add(atMs, atS, { kind, detail, peer: null, total: 0, changes: [] });
  }

  get(number: number): LiveEvent | undefined {
    return this.ring.at(number);
  }

  newest(limit: number): LiveEvent[] {
    const events: LiveEvent[] = [];
    for (const event of this.ring.newest()) {
      if (events.length === limit) break;
      events.push({ ...event });
    }
    return events;
  }

  /** Adds to what an event did. */
  increment(number: number, field: keyof Impact): void {
    const event = this.ring.at(number);
    if (event === undefined) return;
    event[field]++;
    this.touched.add(number);
  }

  /** States what an event did. */
  set(number: number, field: keyof Impact, value: number): void {
    const event = this.ring.at(number);
    if (event === undefined || event[field] === value) return;
    event[field] = value;
    this.touched.add(number);
  }

  /** The events of which {@link flowsStalled} is not 0. */
  *stalled(): Generator<number, void, undefined> {
    for (let n = this.ring.first; n < this.ring.count; n++) if (this.ring.at(n)!.flowsStalled > 0) yield n;
  }

  /** Copies of the events whose effects have changed since the last call. */
  takeTouched(): LiveEvent[] {
    const events = [...this.touched].flatMap((n) => {
      const event = this.ring.at(n);
      return event === undefined ? [] : [{ ...event }];
    });
    this.touched.clear();
    return events;
  }

  private add(atMs: number, atS: number, facts: Facts): number {
    return this.ring.push({
      id: `e${this.ring.count + 1}`,
      time: Math.round(atMs),
      at: Math.round(atS * 1e3) / 1e3,
      ...facts,
      flowsActive: 0,
      flowsMoved: 0,
      flowsBroken: 0,
      flowsStalled: 0,
      dropped: 0,
    });
  }
}

type Facts = Pick<LiveEvent, 'kind' | 'detail' | 'peer' | 'total' | 'changes'>;

/** A session on its way up says nothing yet; a failed attempt does where it has a reason. */
function isNews({ from, to, reason }: SessionChanged): boolean {
  if (to === 'Established' || from === 'Established') return true;
  return reason !== null && to === 'Idle';
}

function sessionFacts({ peer, asn, to, from, reason }: SessionChanged): Facts {
  const who = asn === null ? peer : `${peer} (AS ${asn})`;
  const what =
    to === 'Established'
      ? `session with ${who} is up`
      : from === 'Established'
        ? `session with ${who} is down`
        : `no session with ${who}`;
  return {
    kind: to === 'Established' ? 'session-up' : from === 'Established' ? 'session-down' : 'session-failed',
    detail: reason === null ? what : `${what}: ${reason}`,
    peer,
    total: 0,
    changes: [],
  };
}

function routeFacts({ peer, cause, total, changes }: RoutesChanged): Facts {
  return {
    kind: cause,
    detail: routeSentence(peer ?? 'the router', cause, total, changes),
    peer,
    total,
    changes: changes.map(changeRecord),
  };
}

const VERBS: Record<RoutesChanged['cause'], string> = {
  announce: 'announced',
  withdraw: 'withdrew',
  update: 'updated',
  'session-lost': 'lost its session, and with it',
  'long-lived-stale': 'is not back within its restart time, and its routes are the last choice:',
  'stale-expired': 'did not announce again after its restart',
  policy: 'changed by configuration',
  drain: 'is drained, or no longer:',
  loaded: 'loaded',
};

function routeSentence(
  who: string,
  cause: RoutesChanged['cause'],
  total: number,
  changes: readonly RouteChange[],
): string {
  const only = changes[0];
  if (total !== 1 || only === undefined) return `${who} ${VERBS[cause]} ${total.toLocaleString('en')} routes`;
  const became =
    only.after.length === 0
      ? 'there is no next hop left'
      : `next hops ${only.before.length === 0 ? 'are' : 'became'} ${only.after.map(hopText).join(', ')}`;
  return `${who} ${VERBS[cause]} ${formatPrefix(only.prefix)}: ${became}`;
}

function hopText({ address, weight }: NextHopView): string {
  return weight === 1 ? formatAddress(address) : `${formatAddress(address)}*${weight}`;
}

function changeRecord({ prefix, before, after }: RouteChange): LiveRouteChange {
  const hops = (list: readonly NextHopView[]) =>
    list.map(({ address, weight }) => ({ nextHop: formatAddress(address), weight }));
  return { prefix: formatPrefix(prefix), before: hops(before), after: hops(after) };
}
