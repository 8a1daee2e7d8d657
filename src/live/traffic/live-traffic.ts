/**
 * A capture's traffic in real time, through a living router: the engine of a replay, moved on by the clock and told of
 * route changes as they come.
 *
 * The capture is played in rounds, each with an engine of its own, so that memory stays that of one round: when a round
 * is over its flows are settled and counted, and the next round sends them again from other ports. Router, cluster and
 * what is known of events go on from round to round. (So a node's connection table begins empty in each round: entries of
 * flows that are over do not count against its limit.)
 *
 * Nothing here reads a clock: `nowMs` comes from whoever holds the timer. Traffic time is seconds since the traffic
 * began, `speed` times as fast as the clock.
 */
import type { Address } from '../../addr/address.js';
import type { ClusterModel } from '../../cluster/model.js';
import { ColumnsOutcome } from '../../engine/columns-outcome.js';
import { FlowEngine } from '../../engine/flow-engine.js';
import type { CaptureIndex } from '../../flow/flow-columns.js';
import { type FlowPlan, planOf } from '../../outcome/flow-plan.js';
import { REASON_NAMES } from '../../state/disposition.js';
import { eventId, FlowVerdicts } from '../../verdict/flow-verdicts.js';
import type { Fate } from '../../verdict/verdict.js';
import type { EventBook } from '../event-book.js';
import { Ring } from '../ring.js';
import type { RouterEvent, RouterView } from '../router-view.js';
import type { Listing, LiveFlow, TrafficRecord, TrafficSample } from '../web/api-records.js';
import { censusOf, type FlowCensus } from './flow-census.js';
import { LiveCounts } from './live-counts.js';
import { LiveRoutes } from './live-routes.js';
import { LiveWorld } from './live-world.js';

export interface TrafficSettings {
  readonly index: CaptureIndex;
  readonly model: ClusterModel;
  /** the model was made from the capture: its nodes are whatever next hops the router has */
  readonly made: boolean;
  readonly speed: number;
  readonly loop: boolean;
}

/** broken flows that are kept to be shown */
export const BROKEN_KEPT = 2000;
/** of so many that break at the same moment; the others are counted, but making a verdict of each takes too long */
const VERDICTS_AT_A_TIME = 250;
/** seconds of samples that are kept */
const SAMPLES_KEPT = 900;
/** client packets at a time, so that nothing else waits for long */
const PACKETS_AT_A_TIME = 200_000;
/** rounds at a time */
const ROUNDS_AT_A_TIME = 8;
/** further behind the clock than this (by the clock) the traffic leaves out what it missed */
const MAX_LAG_MS = 2000;
/** A world is made afresh between two rounds once it has met so many next hops. */
const MAX_MET = 128;
const SHORTEST_ROUND_S = 1;

export class LiveTraffic {
  readonly samples = new Ring<TrafficSample>(SAMPLES_KEPT);
  private readonly broken = new Ring<LiveFlow>(BROKEN_KEPT);
  private readonly plan: FlowPlan;
  private readonly vips: readonly Address[];
  private readonly dormant: Uint8Array;
  private readonly roundS: number;
  private world: LiveWorld;
  private routes: LiveRoutes;
  private engine: FlowEngine | null = null;
  private verdicts: FlowVerdicts | null = null;
  private state: TrafficRecord['state'] = 'waiting';
  /** by the clock, when traffic time 0 was */
  private originMs = 0;
  private skippedS = 0;
  private nowS = 0;
  private round = 0;
  private roundStartS = 0;
  /** flows that broke since they were last counted */
  private readonly fresh: number[] = [];
  private readonly past = new PastRounds();
  private readonly brokenOfVip: Float64Array;
  /** of each VIP: flows that broke, by reason */
  private readonly causesOfVip: (Map<string, number> | undefined)[] = [];
  private counted: {
    readonly engine: FlowEngine | null;
    readonly nowS: number;
    readonly events: number;
    readonly census: FlowCensus;
  } | null = null;

  constructor(
    private readonly settings: TrafficSettings,
    private readonly view: RouterView,
    private readonly book: EventBook,
  ) {
    const { index, model, made } = settings;
    // clients stand outside: what begins on a node takes no route that a router could change
    this.plan = planOf(index, { services: model.services, nodes: [] });
    this.vips = this.plan.vips.map(({ address }) => address);
    this.dormant = new Uint8Array(this.vips.length).fill(1);
    this.brokenOfVip = new Float64Array(this.vips.length);
    this.roundS = Math.max(SHORTEST_ROUND_S, index.summary.duration);
    this.world = new LiveWorld(model, view.ecmp, made);
    this.routes = this.routesOf(this.world);
  }

  /** Plays what is due. The traffic begins with the first route to one of its VIPs. */
  advance(nowMs: number): void {
    if (this.state !== 'running') return;
    for (let rounds = 0; rounds < ROUNDS_AT_A_TIME && this.state === 'running'; rounds++) {
      const engine = this.engine!;
      const endS = this.roundStartS + this.roundS;
      const dueS = this.secondsAt(nowMs);
      const all = engine.advance(Math.min(dueS, endS), PACKETS_AT_A_TIME);
      this.nowS = all ? Math.max(this.nowS, Math.min(dueS, endS)) : Math.max(this.nowS, engine.clockS);
      this.countBreaks();
      if (!all) break;
      if (dueS < endS) return;
      this.endRound(endS);
    }
    const behindS = this.secondsAt(nowMs) - this.nowS;
    if (this.state === 'running' && behindS > (MAX_LAG_MS / 1000) * this.settings.speed) this.skip(behindS);
  }

  /** Something happened at the router. Notes it, and lets it act on the flows. Returns its number or -1. */
  happened(event: RouterEvent, nowMs: number): number {
    this.advance(nowMs);
    const number = this.book.note(event, this.nowS);
    if (event.kind === 'routes' && number >= 0 && this.routes.differs(this.view)) {
      this.follow(number, nowMs);
    }
    return number;
  }

  /** The router may hash or select in another way from now on. */
  reconfigured(nowMs: number): void {
    this.advance(nowMs);
    if (this.state === 'waiting' || !this.routes.differs(this.view)) return;
    const { hash, seed, select } = this.view.ecmp;
    const detail = `the router now hashes with ${hash}, seed ${seed}, and selects by ${select}`;
    this.follow(this.book.noteOwn('ecmp', detail, nowMs, this.nowS), nowMs);
  }

  /** Takes over the routes that there are already. */
  begin(nowMs: number): void {
    if (!this.routes.differs(this.view) || !this.vips.some((vip) => this.view.lookup(vip) !== null)) return;
    this.follow(this.book.noteOwn('routes', 'the traffic began', nowMs, 0), nowMs);
  }

  /** Counts the flows as they are now, and keeps the count. */
  sample(nowMs: number): { sample: TrafficSample; traffic: TrafficRecord } {
    const traffic = this.record();
    const { flowsActive, flowsStalled, flowsStarted, flowsBroken } = traffic;
    const sample = { time: Math.round(nowMs), flowsActive, flowsStalled, flowsStarted, flowsBroken };
    this.samples.push(sample);
    return { sample, traffic };
  }

  record(): TrafficRecord {
    const { settings, past } = this;
    const census = this.census();
    for (const event of this.book.stalled()) {
      if (!census.stalledBy.has(event)) this.book.set(event, 'flowsStalled', 0);
    }
    for (const [event, flows] of census.stalledBy) this.book.set(event, 'flowsStalled', flows);
    return {
      capture: settings.index.summary.file,
      scenario: settings.model.name,
      madeFromCapture: settings.made,
      speed: settings.speed,
      loop: settings.loop,
      state: this.state,
      round: this.round,
      at: Math.round(this.nowS * 1e3) / 1e3,
      duration: this.roundS,
      flowsStarted: past.started + census.started,
      flowsJudged: past.started + census.started - past.byFate.unknown - census.unknown - census.activeMidway,
      flowsActive: census.active,
      flowsStalled: census.stalled,
      flowsBroken: past.brokenTotal,
      byFate: {
        ...past.byFate,
        delivered: past.byFate.delivered + census.delivered,
        unknown: past.byFate.unknown + census.unknown,
      },
      byCause: Object.fromEntries([...past.byCause].sort(([, m], [, n]) => n - m)),
      skipped: Math.round(this.skippedS * 1e3) / 1e3,
    };
  }

  /** VIPs that have, or have had, a route; with the flows of each, and of each node on it. */
  vipLoads(): VipLoad[] {
    const { active, stalled, byNode } = this.census().vips;
    return this.plan.vips.flatMap(({ address, service }, vip) => {
      if (this.dormant[vip] === 1) return [];
      return [
        {
          address,
          service: this.settings.model.services[service]!.name,
          active: active[vip]!,
          stalled: stalled[vip]!,
          broken: this.brokenOfVip[vip]!,
          brokenBy: this.causesOfVip[vip] ?? new Map(),
          onNode: (hop: Address) => byNode.get(`${vip} ${this.world.find(hop)}`) ?? 0,
          buckets: this.bucketsOf(address),
        },
      ];
    });
  }

  nodeName(address: Address): string | null {
    return this.world.nodeName(address);
  }

  /**
   * Flows, newest first: those that broke in this round or before (as far as they are kept), then the ones of this round
   * that wait for an answer, then all others of this round. Only the rows that are shown are made.
   */
  flows({ fate, event, offset, limit }: FlowQuery): Listing<LiveFlow> {
    const rows: LiveFlow[] = [];
    let total = 0;
    for (const found of this.matching(fate, event)) {
      if (total >= offset && rows.length < limit)
        rows.push(typeof found === 'number' ? this.openFlow(found) : found);
      total++;
    }
    return { total, offset, limit, rows };
  }

  /** Kept verdicts, and rows of the engine. */
  private *matching(fate: Fate | null, event: string | null): Generator<LiveFlow | number, void, undefined> {
    for (const flow of this.broken.newest()) {
      if ((fate === null || flow.fate === fate) && (event === null || flow.cause?.event === event))
        yield flow;
    }
    const { engine, verdicts } = this;
    if (engine === null || verdicts === null) return;
    const { tracker, plan } = engine;
    for (const which of ['waiting', 'rest'] as const) {
      if (which === 'rest' && event !== null) return;
      for (let f = plan.count - 1; f >= 0; f--) {
        if (tracker.fate[f] !== 0 || tracker.life[f] === 0) continue;
        if ((tracker.waiting[f] !== 0) !== (which === 'waiting')) continue;
        if (fate !== null && verdicts.fate(f) !== fate) continue;
        if (event !== null && eventId(tracker.ending(f)?.event ?? -1) !== event) continue;
        yield f;
      }
    }
  }

  private openFlow(f: number): LiveFlow {
    const waits = this.engine!.tracker.waiting[f] !== 0;
    return { ...this.flowOf(f), ...(waits ? { open: true as const } : {}) };
  }

  // -- time

  private secondsAt(nowMs: number): number {
    return ((nowMs - this.originMs) / 1000) * this.settings.speed;
  }

  /** What was missed (the machine slept, or cannot keep up) is not made up for. */
  private skip(behindS: number): void {
    this.skippedS += behindS;
    this.originMs += (behindS / this.settings.speed) * 1000;
  }

  // -- rounds

  private follow(number: number, nowMs: number): void {
    const { kind, detail, at } = this.book.get(number)!;
    this.routes.follow(this.view, number, { at, kind, detail, node: null }, this.nowS);
    this.countBreaks();
    if (this.state === 'waiting' && this.dormant.includes(0)) {
      this.state = 'running';
      this.originMs = nowMs;
      this.startRound(0);
    }
  }

  private routesOf(world: LiveWorld): LiveRoutes {
    return new LiveRoutes(world, this.vips, this.dormant, () => this.engine);
  }

  private startRound(atS: number): void {
    const { index } = this.settings;
    this.roundStartS = atS;
    const plan = this.round === 0 ? this.plan : this.plan.round(this.round);
    this.round++;
    const { model, cluster, router, log } = this.world;
    const engine = new FlowEngine(index, model, {
      plan,
      cluster,
      router,
      log,
      timeline: this.routes,
      counts: new LiveCounts(this.world, this.book),
      dormant: this.dormant,
      offsetNs: atS * 1e9,
    });
    engine.tracker.onBreak = (f) => void this.fresh.push(f);
    this.engine = engine;
    this.verdicts = new FlowVerdicts(index, model, new ColumnsOutcome(engine));
  }

  private endRound(endS: number): void {
    const engine = this.engine!;
    engine.finish(endS);
    this.countBreaks();
    this.counted = null;
    this.past.add(this.census());
    if (!this.settings.loop) {
      this.state = 'ended';
      this.engine = null;
      this.verdicts = null;
      return;
    }
    if (this.world.met > MAX_MET) {
      this.world = new LiveWorld(this.settings.model, this.view.ecmp, this.settings.made);
      this.routes = this.routesOf(this.world);
      this.engine = null;
      const made = this.book.noteOwn('routes', 'next hops that are no longer used were forgotten', 0, endS);
      this.follow(made, 0);
    }
    this.startRound(endS);
  }

  // -- books

  private countBreaks(): void {
    const { fresh, engine, verdicts } = this;
    if (fresh.length === 0 || engine === null || verdicts === null) return;
    const keepFrom = fresh.length - VERDICTS_AT_A_TIME;
    fresh.forEach((f, i) => {
      const fate = verdicts.fate(f);
      if (fate !== 'unknown') this.countVip(engine.plan.vip[f]!, REASON_NAMES[engine.tracker.reason[f]!]!);
      this.past.broke(fate, REASON_NAMES[engine.tracker.reason[f]!]!);
      this.book.increment(engine.tracker.event[f]!, 'flowsBroken');
      if (i >= keepFrom) this.broken.push(this.flowOf(f));
    });
    fresh.length = 0;
  }

  private countVip(vip: number, reason: string): void {
    this.brokenOfVip[vip]!++;
    this.causesOfVip[vip] ??= new Map();
    const causes = this.causesOfVip[vip];
    causes.set(reason, (causes.get(reason) ?? 0) + 1);
  }

  private flowOf(f: number): LiveFlow {
    const verdict = this.verdicts!.flowVerdict(this.verdicts!.records.of(f));
    const id = (this.round - 1) * this.verdicts!.records.count + verdict.id;
    return { ...verdict, id, round: this.round };
  }

  /** Made once for all that is asked at one moment. */
  private census(): FlowCensus {
    const { counted, engine, nowS, book } = this;
    if (
      counted !== null &&
      counted.engine === engine &&
      counted.nowS === nowS &&
      counted.events === book.count
    )
      return counted.census;
    const census = censusOf(engine, nowS, this.vips.length);
    this.counted = { engine, nowS, events: book.count, census };
    return census;
  }

  private bucketsOf({ family, w0, w1, w2, w3 }: Address): Int32Array | null {
    const group = this.world.router.fib.lookup(family, w0, w1, w2, w3);
    const table = group?.table() ?? null;
    if (group === null || table === null) return null;
    const place = new Map(group.nextHops.map(({ id }, i) => [id, i]));
    return table.map((id) => place.get(id) ?? -1);
  }
}

export interface FlowQuery {
  readonly fate: Fate | null;
  /** id of the event that they owe it to */
  readonly event: string | null;
  readonly offset: number;
  readonly limit: number;
}

export interface VipLoad {
  readonly address: Address;
  readonly service: string;
  readonly active: number;
  readonly stalled: number;
  readonly broken: number;
  /** the same by reason */
  readonly brokenBy: ReadonlyMap<string, number>;
  onNode(hop: Address): number;
  /** as in FibEntryView; of the group that the flows really use */
  readonly buckets: Int32Array | null;
}

/** What is left of flows that are over. */
class PastRounds {
  started = 0;
  brokenTotal = 0;
  readonly byFate: Record<Fate, number> = {
    delivered: 0,
    reset: 0,
    refused: 0,
    timeout: 0,
    'endpoint-closed': 0,
    misdelivered: 0,
    unknown: 0,
  };
  readonly byCause = new Map<string, number>();

  broke(fate: Fate, reason: string): void {
    this.byFate[fate]++;
    // what depends on a guessed endpoint is unknown, not broken
    if (fate === 'unknown') return;
    this.brokenTotal++;
    this.byCause.set(reason, (this.byCause.get(reason) ?? 0) + 1);
  }

  /** A round is over: every flow that did not break. */
  add({ started, delivered, unknown, active, activeMidway }: FlowCensus): void {
    this.started += started;
    this.byFate.delivered += delivered + active - activeMidway;
    this.byFate.unknown += unknown + activeMidway;
  }
}
