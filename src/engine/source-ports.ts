/**
 * The source ports that MASQUERADE gives. With --random-fully a port is drawn for every connection; without it the
 * client's port is kept where the tuple is free, and drawn otherwise. Uniqueness is per node and target; the search is
 * Linux's, which gives up early (conntrack/port-range.ts).
 *
 * Where too few connections are about for a search to fail, drawn ports are not held against each other.
 */
import type { ClusterModel } from '../cluster/model.js';
import {
  HARDER_TRIES,
  PORT_TRIES,
  portClassFirst,
  portClassSize,
  portDrawOrdinal,
  triesOf,
} from '../conntrack/port-range.js';
import { TcpState } from '../conntrack/tcp-states.js';
import type { FlowPlan } from '../outcome/flow-plan.js';
import { draw, Stream, scale } from '../state/draw.js';
import { DEAD, type EntryPool, STATELESS } from './entry-pool.js';
import type { EntryLife } from './table-limits.js';

/** with fewer connections than these, in all or from ports below 1024, no run of ports in use is 128 long */
const FEW = 8192;
const FEW_LOW = 64;

export class SourcePorts {
  /** some search went beyond its first start: another draw may have found nothing */
  pressed = false;
  private readonly random: boolean;
  private readonly watches: boolean;
  private readonly seed: number;
  /** per node, by pod and target: the entry that has each port */
  private readonly holders: Map<number, Map<number, number>>[];

  constructor(
    model: ClusterModel,
    private readonly plan: FlowPlan,
    private readonly entries: EntryPool,
    private readonly life: EntryLife,
  ) {
    this.random = model.dataplane.masqueradeRandomFully;
    this.watches = !this.random || plan.count >= FEW || plan.lowPorts >= FEW_LOW;
    this.seed = model.seed;
    this.holders = model.nodes.map(() => new Map());
  }

  addNode(): void {
    this.holders.push(new Map());
  }

  /** A source port for a connection of flow `f` through `node` to `pod`; -1: the search found none. */
  find(
    node: number,
    pod: number,
    f: number,
    clientPort: number,
    ordinal: number,
    key: number,
    nowS: number,
  ): number {
    const first = portClassFirst(clientPort);
    const size = portClassSize(clientPort);
    const start = (round: number): number =>
      scale(draw(this.seed, node, Stream.sourcePort, key, portDrawOrdinal(ordinal, round)), size);
    if (!this.watches) return first + start(0);
    const held = this.heldAt(node, pod, f);
    if (!this.random && !this.isTaken(held, clientPort, false, nowS)) return clientPort;
    for (let round = 0; round < PORT_TRIES.length; round++) {
      if (round > 0) this.pressed = true;
      const tries = triesOf(round, size);
      const from = start(round);
      for (let i = 0; i < tries; i++) {
        const port = first + ((from + i) % size);
        if (!this.isTaken(held, port, tries - i <= HARDER_TRIES, nowS)) return port;
      }
      // every port of the class was tried
      if (tries === size) break;
    }
    return -1;
  }

  /** Entry `e` has its port. */
  hold(e: number): void {
    if (!this.watches) return;
    const { node, pod, flow, port } = this.entries;
    this.heldAt(node[e]!, pod[e]!, flow[e]!).set(port[e]!, e);
  }

  private heldAt(node: number, pod: number, f: number): Map<number, number> {
    const { count, of } = this.plan.targets;
    const place = pod * count + of[f]!;
    const ofNode = this.holders[node]!;
    let held = ofNode.get(place);
    if (held === undefined) {
      held = new Map();
      ofNode.set(place, held);
    }
    return held;
  }

  private isTaken(held: Map<number, number>, port: number, harder: boolean, nowS: number): boolean {
    const holder = held.get(port);
    if (holder === undefined) return false;
    const state = this.entries.state[holder]!;
    if (state === DEAD) return false;
    const givesWay = harder && state >= TcpState.timeWait && state < STATELESS && state !== TcpState.synSent2;
    if (!givesWay && nowS <= this.life.expiresS(holder)) return true;
    this.life.remove(holder);
    return false;
  }
}
