/**
 * The timeline on a virtual clock: each line of the scenario is a cause; its effects are due at once or later
 * (hold timer, BFD, graceful restart, kube-proxy's sync, the node grace period, a pod's grace period).
 *
 * {@link Timeline.advance} performs everything that is due up to a moment, in order of time; of two effects due
 * at the same moment the one caused first goes first, and a kube-proxy sync goes after all of them, so that
 * several endpoint changes at one moment are one sync. An event is known by its number (0, 1, ...): its record in
 * the report is `e<number + 1>`.
 */
import { formatPrefix } from '../addr/prefix.js';
import { type EdgeAction, memberName } from '../cluster/edge-model.js';
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import type { ProbeOutcome } from '../control/kubelet-probe.js';
import type { ClusterState } from '../state/cluster-state.js';
import type { EdgeState } from '../state/edge-state.js';
import type { Pod } from '../state/pod.js';
import type { Route, RouterState } from '../state/router-state.js';
import { type EdgeListener, EdgeSchedule } from './edge-schedule.js';
import { GroupUpkeep } from './group-upkeep.js';
import { LOST_NODE_S, Owners } from './owners.js';
import { placeNewPod } from './place-pod.js';
import { podHealth } from './pod-health.js';

/** What a replay wants to know. `event` is the number of the event that is the cause. */
export interface TimelineListener extends Partial<EdgeListener> {
  /** the next hops of these routes, or how flows are hashed onto them, changed */
  routesChanged(routes: readonly Route[], event: number, atS: number): void;
  /** a node, a pod or the rules of a node changed: whatever was known of paths beyond the router is stale */
  placesChanged(event: number): void;
  /** a pod's process ends now; it closes its connections */
  podStopped(pod: Pod, event: number, atS: number): void;
  /** a line of the timeline is about to act */
  eventStarts(event: number, atS: number): void;
  /** the router's way to a node, its link or its neighbour entry, changed */
  linkChanged(node: number, event: number, atS: number): void;
  /** a node went down or came back */
  nodeChanged(node: number, event: number, atS: number): void;
}

export interface TimelineEntry {
  readonly at: number;
  readonly kind: string;
  /** one sentence */
  readonly detail: string;
  /** the node it is about, where it is about one */
  readonly node: number | null;
}

/** Where an engine's events come from: this timeline, or a living router. */
export interface EventSource {
  /** by number of the event; may forget old ones */
  readonly entries: readonly TimelineEntry[];
  /** time of the next thing that happens by itself; Infinity = nothing */
  readonly dueS: number;
  /** performs everything due at or before `nowS` */
  advance(nowS: number): void;
}

interface Effect {
  readonly atS: number;
  readonly order: number;
  readonly sequence: number;
  readonly event: number;
  readonly run: () => void;
}

interface SyncState {
  /** token bucket of syncs */
  tokens: number;
  refilledS: number;
  lastRunS: number;
  stalledUntilS: number;
  scheduled: boolean;
  /** rules are being written, and something has changed since they were drawn up */
  writing: boolean;
  outdated: boolean;
}

const FIRST = 0;
const AFTER_ALL = 1;
/** kube-proxy lets this many syncs follow each other before minSyncPeriod counts */
const SYNC_BURST = 2;

export class Timeline implements EventSource {
  readonly entries: TimelineEntry[] = [];
  private readonly queue: Effect[] = [];
  private readonly sync: SyncState[];
  /** counts what happened to a node's speaker, or to the node: a timer started before is void */
  private readonly speakerTurn: number[];
  private readonly nodeTurn: number[];
  /** nodes that were never told to announce: a boot does not change that */
  private readonly mute: boolean[];
  private sequence = 0;
  private readonly upkeep: GroupUpkeep;
  private readonly monitors: EdgeSchedule | null;
  private readonly owners: Owners;

  constructor(
    private readonly model: ClusterModel,
    private readonly cluster: ClusterState,
    private readonly router: RouterState,
    private readonly listener: TimelineListener,
    private readonly edge: EdgeState | null = null,
  ) {
    this.sync = model.nodes.map(() => ({
      tokens: SYNC_BURST,
      refilledS: 0,
      lastRunS: Number.NEGATIVE_INFINITY,
      stalledUntilS: Number.NEGATIVE_INFINITY,
      scheduled: false,
      writing: false,
      outdated: false,
    }));
    this.owners = new Owners(model, cluster, {
      schedule: (atS, run) => this.schedule(atS, -1, run),
      changed: (event, atS) => this.endpointsChanged(event, atS),
      stop: (pods, event, atS) => this.stopPods(pods, event, atS),
    });
    this.upkeep = new GroupUpkeep(router);
    this.speakerTurn = model.nodes.map(() => 0);
    this.nodeTurn = model.nodes.map(() => 0);
    this.mute = model.nodes.map(({ announces }) => announces === false);
    const steps = model.timeline.flatMap((event) => this.stepsOf(event));
    steps.sort((a, b) => a.at - b.at);
    for (const { at, kind, detail, node, run } of steps) {
      const event = this.entries.push({ at, kind, detail, node }) - 1;
      this.schedule(at, event, () => {
        this.listener.eventStarts(event, at);
        run(event, at);
      });
    }
    this.monitors = edge && this.watch(edge);
    this.upkeep.note();
  }

  private watch(edge: EdgeState): EdgeSchedule {
    const memberDown: EdgeListener['memberDown'] = (member, atS) => this.listener.memberDown?.(member, atS);
    return new EdgeSchedule(edge, { memberDown }, (atS, run) => this.schedule(atS, -1, run));
  }

  get dueS(): number {
    return Math.min(this.queue[0]?.atS ?? Number.POSITIVE_INFINITY, this.upkeep.dueS);
  }

  advance(nowS: number): void {
    while (this.dueS <= nowS) {
      const next = this.queue[0];
      if (next === undefined || this.upkeep.dueS < next.atS) {
        const atS = this.upkeep.dueS;
        const changed = this.upkeep.run(atS);
        if (changed.length > 0) this.listener.routesChanged(changed, this.lastRouteEvent, atS);
      } else {
        this.queue.shift();
        next.run();
      }
      this.upkeep.note();
    }
  }

  /** the event that last changed a route: cause of what a resilient group moves later */
  private lastRouteEvent = -1;

  private schedule(atS: number, event: number, run: () => void, order: number = FIRST): void {
    const effect: Effect = { atS, order, sequence: this.sequence++, event, run };
    let at = this.queue.length;
    while (at > 0 && comesLater(this.queue[at - 1]!, effect)) at--;
    this.queue.splice(at, 0, effect);
  }

  private stepsOf(event: TimelineEvent): Step[] {
    const name = (node: number): string => this.model.nodes[node]!.name;
    const { at } = event;
    const node = 'node' in event ? event.node : null;
    const step = (detail: string, run: Step['run']): Step[] => [{ at, kind: event.kind, detail, node, run }];
    switch (event.kind) {
      case 'withdraw':
        return step(`${name(event.node)} withdraws its announcements`, (e, t) => {
          this.router.withdrawn[event.node] = true;
          this.announcementsChanged(event.node, e, t);
        });
      case 'announce':
        return step(`${name(event.node)} announces`, (e, t) => {
          this.mute[event.node] = false;
          this.router.withdrawn[event.node] = false;
          this.router.session[event.node] = true;
          this.restore(event.node, e, t);
          this.announcementsChanged(event.node, e, t);
        });
      case 'speakerDown':
        return step(
          event.mode === 'close'
            ? `the speaker on ${name(event.node)} closes its session`
            : `the speaker on ${name(event.node)} falls silent`,
          (e, t) => this.speakerDown(event.node, event.mode, e, t),
        );
      case 'speakerUp':
        return step(`the speaker on ${name(event.node)} is back`, (e, t) => this.speakerUp(event.node, e, t));
      case 'nodeDown':
        return step(`${name(event.node)} stops answering`, (e, t) => this.nodeDown(event.node, e, t));
      case 'nodeUp':
        return step(`${name(event.node)} is back, with empty tables`, (e, t) =>
          this.nodeUp(event.node, e, t),
        );
      case 'neighborFailed':
      case 'neighborReachable':
      case 'linkDown':
      case 'linkUp': {
        const { kind, node } = event;
        return step(LINK_DETAIL[kind](name(node)), (e, t) => this.linkChanges(kind, node, e, t));
      }
      case 'drain':
        return step(`${name(event.node)} is drained`, (e, t) =>
          this.drain(event.node, event.gracePeriodS, e, t),
        );
      case 'uncordon':
        return step(`${name(event.node)} takes pods again`, (e, t) => {
          this.owners.cordoned[event.node] = false;
          this.startPodsOn(event.node, e, t);
        });
      case 'scale':
        return step(
          `${this.model.services[event.service]!.name} is scaled to ${event.replicas} endpoints`,
          (e, t) => this.scale(event.service, event.replicas, e, t),
        );
      case 'endpointReady':
      case 'endpointUnready':
      case 'endpointTerminating':
      case 'endpointGone':
      case 'endpointCrashed':
        return step(`${event.pod} ${ENDPOINT_DETAIL[event.kind]}`, (e, t) =>
          this.endpointChanges(event.kind, event.pod, e, t),
        );
      case 'unhealthy':
      case 'throttle':
        return podHealth(this.model, event).map(({ atS, kind, detail, outcome }) => ({
          at: atS,
          kind,
          detail,
          node: null,
          run: (e, t) => this.probed(outcome, event.pod, e, t),
        }));
      case 'rollingRedeploy':
        return event.nodes.flatMap((node, turn): Step[] => {
          const downAt = at + turn * event.everyS;
          return [
            {
              at: downAt,
              kind: 'rollingRedeploy',
              detail: `${name(node)} is taken down for its redeploy`,
              node,
              run: (e, t) => this.redeployDown(node, e, t),
            },
            {
              at: downAt + event.downForS,
              kind: 'rollingRedeploy',
              detail: `${name(node)} is back from its redeploy`,
              node,
              run: (e, t) => this.nodeUp(node, e, t),
            },
          ];
        });
      case 'proxyStall': {
        const nodes = event.nodes.length > 0 ? event.nodes : this.model.nodes.map((_, node) => node);
        const where = event.nodes.length > 0 ? event.nodes.map(name).join(', ') : 'every node';
        return step(`kube-proxy on ${where} programs nothing for ${event.forS} s`, (_, t) => {
          for (const node of nodes) this.sync[node]!.stalledUntilS = t + event.forS;
        });
      }
      case 'poolMember': {
        const pool = this.model.edge!.pools[event.pool]!.name;
        const member = memberName(event.member, this.model.nodes);
        return step(`pool ${pool}: ${member} ${MEMBER_DETAIL[event.action]}`, (e, t) => {
          this.monitors!.acted(this.edge!.act(event.pool, event.action, event.member, e, t), t);
        });
      }
      case 'route': {
        const hops = event.nextHops.map((h) =>
          h.weight === 1 ? name(h.node) : `${name(h.node)}*${h.weight}`,
        );
        const list = hops.length === 0 ? 'nothing: the route is gone' : hops.join(', ');
        const because = event.because === undefined ? '' : `${event.because}: `;
        return step(`${because}the route to ${formatPrefix(event.prefix)} became ${list}`, (e, t) => {
          const route = this.router.state(event.prefix, event.nextHops, t);
          this.routesChanged([route], e, t);
        });
      }
      case 'rulesBecome':
        return step(`the rules on ${name(event.node)} become those of ${event.paths.join(', ')}`, (e) => {
          this.cluster.rulesBecome(event.node, event.files);
          this.listener.placesChanged(e);
        });
      case 'ecmp':
        return step(
          `the router now hashes with ${event.settings.hash} and selects by ${event.settings.select}`,
          (e, t) => {
            this.router.configure(event.settings, t);
            this.routesChanged(this.router.routes, e, t);
          },
        );
    }
  }

  // -- speakers and routes

  private routesChanged(routes: readonly Route[], event: number, atS: number): void {
    if (routes.length === 0) return;
    this.lastRouteEvent = event;
    this.listener.routesChanged(routes, event, atS);
  }

  private announcementsChanged(node: number, event: number, atS: number): void {
    this.speakerTurn[node]!++;
    this.router.unpin(node);
    this.refreshRoutes(event, atS);
  }

  private refreshRoutes(event: number, atS: number): void {
    const delayS = this.model.router.bgp.fibDelayS;
    if (delayS === 0) this.routesChanged(this.router.refresh(atS), event, atS);
    else
      this.schedule(atS + delayS, event, () =>
        this.routesChanged(this.router.refresh(atS + delayS), event, atS + delayS),
      );
  }

  private speakerDown(node: number, mode: 'silent' | 'close', event: number, atS: number): void {
    const { holdTimeS, bfdS, gracefulRestartS } = this.model.router.bgp;
    const keptS = mode === 'silent' ? (bfdS ?? holdTimeS) : (gracefulRestartS ?? 0);
    this.loseSession(node, keptS, event, atS);
  }

  /** The router drops the session's routes after `keptS`, unless the speaker is back before. */
  private loseSession(node: number, keptS: number, event: number, atS: number): void {
    const turn = ++this.speakerTurn[node]!;
    const lose = (): void => {
      if (this.speakerTurn[node] !== turn) return;
      this.router.session[node] = false;
      this.router.unpin(node);
      this.refreshRoutes(event, atS + keptS);
    };
    if (keptS === 0) lose();
    else this.schedule(atS + keptS, event, lose);
  }

  private speakerUp(node: number, event: number, atS: number): void {
    this.router.session[node] = true;
    this.restore(node, event, atS);
    this.announcementsChanged(node, event, atS);
  }

  /** The router's way to a node. A session over a dead link ends with its timer; a failed neighbour entry ends none. */
  private linkChanges(kind: keyof typeof LINK_DETAIL, node: number, event: number, atS: number): void {
    const { router, listener } = this;
    const changed =
      kind === 'linkDown' || kind === 'linkUp'
        ? router.setLink(node, kind === 'linkUp' ? 'up' : 'down', atS)
        : router.setNeighbour(node, kind === 'neighborReachable' ? 'reachable' : 'failed');
    listener.linkChanged(node, event, atS);
    listener.placesChanged(event);
    this.routesChanged(changed, event, atS);
    if (kind === 'linkDown') {
      const { holdTimeS, bfdS } = this.model.router.bgp;
      this.loseSession(node, bfdS ?? holdTimeS, event, atS);
    } else if (kind === 'linkUp') this.speakerTurn[node]!++;
  }

  /** The routing daemon programs the node's next hop again. */
  private restore(node: number, event: number, atS: number): void {
    this.routesChanged(this.router.restore(node, atS), event, atS);
  }

  // -- nodes

  private nodeDown(node: number, event: number, atS: number): void {
    const turn = ++this.nodeTurn[node]!;
    this.cluster.nodeUp[node] = false;
    this.listener.nodeChanged(node, event, atS);
    this.listener.placesChanged(event);
    const { holdTimeS, bfdS } = this.model.router.bgp;
    this.loseSession(node, bfdS ?? holdTimeS, event, atS);
    const noticedS = atS + this.model.dataplane.nodeGraceS;
    this.schedule(noticedS, event, () => {
      if (this.nodeTurn[node] !== turn) return;
      for (const pod of this.cluster.podsOn(node)) this.cluster.unlist(pod);
      this.endpointsChanged(event, noticedS);
    });
    const lostS = noticedS + LOST_NODE_S;
    this.schedule(lostS, event, () => {
      if (this.nodeTurn[node] === turn) this.replaceOn(node, event, lostS);
    });
  }

  private nodeUp(node: number, event: number, atS: number): void {
    this.nodeTurn[node]!++;
    this.cluster.boot(node);
    this.listener.nodeChanged(node, event, atS);
    this.router.session[node] = true;
    this.restore(node, event, atS);
    this.router.withdrawn[node] = this.mute[node]!;
    this.speakerTurn[node]!++;
    this.owners.cordoned[node] = false;
    this.startPodsOn(node, event, atS);
  }

  private drain(node: number, gracePeriodS: number, event: number, atS: number): void {
    const turn = ++this.nodeTurn[node]!;
    const isOver = (): boolean => this.nodeTurn[node] !== turn;
    this.owners.cordoned[node] = true;
    const all = this.cluster.podsOn(node).filter((pod) => !this.owners.isDaemon(pod));
    const bare = all.filter((pod) => !this.owners.isReplaced(pod));
    for (const pod of bare) this.cluster.terminate(pod);
    this.endpointsChanged(event, atS);
    for (const pod of all) {
      if (!bare.includes(pod)) this.owners.evict(pod, gracePeriodS, isOver, event, atS);
    }
    const goneS = atS + gracePeriodS;
    this.schedule(goneS, event, () => {
      if (!isOver()) this.stopPods(bare, event, goneS);
    });
  }

  /** A node that leaves in good order for its redeploy: speaker first, then pods, then the node itself. */
  private redeployDown(node: number, event: number, atS: number): void {
    this.nodeTurn[node]!++;
    this.router.withdrawn[node] = true;
    this.announcementsChanged(node, event, atS);
    this.stopPods(this.cluster.podsOn(node), event, atS);
    this.cluster.nodeUp[node] = false;
    this.listener.nodeChanged(node, event, atS);
    this.listener.placesChanged(event);
    this.replaceOn(node, event, atS);
  }

  /** Owners make pods elsewhere for those that stood on a node. */
  private replaceOn(node: number, event: number, atS: number): void {
    for (const pod of this.cluster.podsOn(node)) this.owners.replace(pod, event, atS);
  }

  private startPodsOn(node: number, event: number, atS: number): void {
    this.nodeTurn[node]!++;
    for (const pod of this.cluster.podsOn(node)) {
      if (this.owners.comesBack(pod)) this.cluster.startPod(pod);
    }
    this.owners.settle(event, atS);
    this.endpointsChanged(event, atS);
  }

  // -- endpoints

  private endpointChanges(
    kind: keyof typeof ENDPOINT_DETAIL,
    name: string,
    event: number,
    atS: number,
  ): void {
    const pod = this.cluster.podByName.get(name)!;
    if (kind === 'endpointGone') {
      this.stopPods([pod], event, atS);
      return;
    }
    if (kind === 'endpointReady') this.cluster.startPod(pod);
    else if (kind === 'endpointUnready') this.cluster.unlist(pod);
    else if (kind === 'endpointCrashed') this.crash(pod, event, atS);
    else this.cluster.terminate(pod);
    this.endpointsChanged(event, atS);
  }

  /** What a probe's result did to a pod; null = nothing yet. */
  private probed(outcome: ProbeOutcome | null, name: string, event: number, atS: number): void {
    const pod = this.cluster.podByName.get(name)!;
    if (outcome === null) return;
    if (outcome === 'started') this.cluster.runPod(pod);
    else if (outcome === 'ready') this.cluster.list(pod);
    else if (outcome === 'unready') this.cluster.unlist(pod);
    else this.crash(pod, event, atS);
    this.endpointsChanged(event, atS);
  }

  private crash(pod: Pod, event: number, atS: number): void {
    if (pod.running) this.listener.podStopped(pod, event, atS);
    this.cluster.crashPod(pod);
  }

  private scale(service: number, replicas: number, event: number, atS: number): void {
    const members = this.cluster.members[service]!;
    const running = members.map((row) => this.cluster.pods[row]!).filter((pod) => pod.running);
    const surplus = running.slice(replicas);
    const owner = this.owners.of(service);
    for (let missing = replicas - running.length; missing > 0; missing--) {
      const idle = members
        .map((row) => this.cluster.pods[row]!)
        .find((pod) => !pod.running && pod.node >= 0 && this.owners.comesBack(pod));
      if (idle === undefined && owner !== null) this.owners.add(owner);
      else if (idle !== undefined) this.cluster.startPod(idle);
      else this.cluster.addPod(service, placeNewPod(this.model, this.cluster, service));
    }
    if (surplus.length > 0) this.stopPods(surplus, event, atS);
    else this.endpointsChanged(event, atS);
  }

  private stopPods(pods: readonly Pod[], event: number, atS: number): void {
    for (const pod of pods) {
      if (!pod.running) continue;
      this.listener.podStopped(pod, event, atS);
      this.cluster.stopPod(pod);
    }
    this.endpointsChanged(event, atS);
  }

  /** The endpoint list changed: speakers decide anew, and every node's kube-proxy has a sync to do. */
  private endpointsChanged(event: number, atS: number): void {
    this.listener.placesChanged(event);
    this.refreshRoutes(event, atS);
    for (let node = 0; node < this.sync.length; node++) this.requestSync(node, event, atS);
  }

  private requestSync(node: number, event: number, atS: number): void {
    const state = this.sync[node]!;
    if (state.writing) state.outdated = true;
    if (state.scheduled || state.writing) return;
    const { delayS, minPeriodS } = this.model.dataplane.sync;
    if (minPeriodS > 0) {
      state.tokens = Math.min(SYNC_BURST, state.tokens + (atS - state.refilledS) / minPeriodS);
      state.refilledS = atS;
    }
    const ready = minPeriodS === 0 || state.tokens >= 1 ? atS + delayS : state.lastRunS + minPeriodS;
    const dueS = Math.max(ready, state.stalledUntilS);
    state.scheduled = true;
    this.schedule(dueS, event, () => this.runSync(node, event, dueS), AFTER_ALL);
  }

  private runSync(node: number, event: number, atS: number): void {
    const state = this.sync[node]!;
    if (atS < state.stalledUntilS) {
      this.schedule(
        state.stalledUntilS,
        event,
        () => this.runSync(node, event, state.stalledUntilS),
        AFTER_ALL,
      );
      return;
    }
    state.scheduled = false;
    state.tokens = Math.max(0, state.tokens - 1);
    state.lastRunS = atS;
    const drawnUp = this.cluster.drawUp();
    const { durationS } = this.model.dataplane.sync;
    const program = (): void => {
      if (this.cluster.program(node, drawnUp)) this.listener.placesChanged(event);
    };
    if (durationS === 0) {
      program();
      return;
    }
    state.writing = true;
    this.schedule(atS + durationS, event, () => {
      state.writing = false;
      program();
      if (!state.outdated) return;
      state.outdated = false;
      this.requestSync(node, event, atS + durationS);
    });
  }
}

interface Step {
  readonly at: number;
  readonly kind: string;
  readonly detail: string;
  readonly node: number | null;
  readonly run: (event: number, atS: number) => void;
}

const MEMBER_DETAIL: Record<EdgeAction, string> = {
  add: 'joins, and the load balancer knows nothing of it yet',
  remove: 'leaves',
  enable: 'is enabled',
  disable: 'is disabled: only connections and clients it has already',
  offline: 'is forced offline: only connections it has already',
};

const LINK_DETAIL = {
  neighborFailed: (node: string) => `the router’s neighbour entry of ${node} is FAILED`,
  neighborReachable: (node: string) => `the router’s neighbour entry of ${node} is valid again`,
  linkDown: (node: string) => `the router’s link to ${node} loses its carrier`,
  linkUp: (node: string) => `the router’s link to ${node} has its carrier back`,
};

const ENDPOINT_DETAIL = {
  endpointReady: 'is ready',
  endpointUnready: 'is no longer ready',
  endpointTerminating: 'is terminating',
  endpointGone: 'stops and is gone',
  endpointCrashed: 'crashes: its address refuses connections',
} as const;

function comesLater(a: Effect, b: Effect): boolean {
  return a.atS - b.atS > 0 || (a.atS === b.atS && (a.order - b.order || a.sequence - b.sequence) > 0);
}
