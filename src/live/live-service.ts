/**
 * A running router as others see it: what it tells goes into the book of events, through the traffic, and out on the
 * stream. Whoever owns the timers calls {@link LiveService.tick} and {@link LiveService.second}.
 */

import { EventBook } from './event-book.js';
import type { RouterEvent, RouterView } from './router-view.js';
import { LiveTraffic, type TrafficSettings } from './traffic/live-traffic.js';
import type { LiveEvent, StreamMessages } from './web/api-records.js';
import { EventStream } from './web/event-stream.js';
import type { LiveParts } from './web/live-status.js';

/** of more events than this at a time only the last are told one by one */
const TOLD_AT_A_TIME = 50;
const HEARTBEAT_SECONDS = 15;
const REPORTS_KEPT = 64;

export class LiveService implements LiveParts {
  readonly book = new EventBook();
  readonly traffic: LiveTraffic | null;
  readonly stream: EventStream;
  private readonly changed = new Set<StreamMessages['changed']['what']>();
  /** events whose effects have changed since the last second, and what was last said of an event */
  private readonly touched = new Map<string, LiveEvent>();
  private readonly reported = new Map<string, string>();
  private told = 0;
  private seconds = 0;
  private leave: () => void = () => {};

  constructor(
    readonly view: RouterView,
    traffic: TrafficSettings | null,
    readonly version: string,
    /** milliseconds since 1970; never runs backwards */
    readonly clockMs: () => number,
    /** told once a second, in a sentence, what an event has done to the flows by then */
    private readonly onImpact: (sentence: string) => void = () => {},
  ) {
    this.traffic = traffic === null ? null : new LiveTraffic(traffic, view, this.book);
    this.stream = new EventStream(Math.round(clockMs()).toString(36), version);
  }

  start(): void {
    this.leave = this.view.subscribe((event) => this.happened(event));
    this.traffic?.begin(this.clockMs());
  }

  stop(): void {
    this.leave();
    this.stream.close();
  }

  /** The router has another configuration: it may hash another way. */
  reloaded(): void {
    this.traffic?.reconfigured(this.clockMs());
    this.changed.add('routes');
    this.changed.add('peers');
  }

  /** Some times a second: plays the traffic that is due, and tells what has happened. */
  tick(): void {
    this.traffic?.advance(this.clockMs());
    const { count } = this.book;
    for (let n = Math.max(this.told, count - TOLD_AT_A_TIME); n < count; n++) {
      const event = this.book.get(n);
      if (event !== undefined) this.stream.tell('event', { ...event });
    }
    const fresh = this.told;
    this.told = count;
    for (const event of this.book.takeTouched()) {
      // what was told just now was told with its effects
      if (Number(event.id.slice(1)) <= fresh) this.stream.tell('impact', event);
      this.touched.set(event.id, event);
    }
    for (const what of this.changed) this.stream.tell('changed', { what });
    this.changed.clear();
  }

  /** Once a second. */
  second(): void {
    if (this.traffic !== null) this.stream.tellNow('sample', this.traffic.sample(this.clockMs()));
    for (const event of this.touched.values()) this.report(event);
    this.touched.clear();
    this.seconds++;
    if (this.seconds % HEARTBEAT_SECONDS === 0) this.stream.heartbeat();
  }

  private report({ id, flowsBroken, flowsStalled, flowsMoved, flowsActive }: LiveEvent): void {
    const figures = `${flowsBroken} broken, ${flowsStalled} without answer`;
    if (flowsBroken + flowsStalled === 0 || this.reported.get(id) === figures) return;
    this.reported.set(id, figures);
    if (this.reported.size > REPORTS_KEPT) this.reported.delete(this.reported.keys().next().value!);
    this.onImpact(`${id}: flows ${figures}, ${flowsMoved} moved, of ${flowsActive} open at that moment`);
  }

  private happened(event: RouterEvent): void {
    this.changed.add(event.kind === 'session' ? 'peers' : 'routes');
    const nowMs = this.clockMs();
    if (this.traffic !== null) this.traffic.happened(event, nowMs);
    else this.book.note(event, (nowMs - this.view.startedMs) / 1000);
  }
}
