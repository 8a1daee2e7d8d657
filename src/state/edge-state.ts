/**
 * The load balancer before the cluster at one moment: which members its pools have, what it thinks of each, and the
 * choice among them. A timeline and its monitors change it; the hop and the fast engine ask it.
 *
 * Source: BIG-IP's documentation, and f5-cccl #247: a member of which nothing is known yet gets traffic like one that
 * is up. Round robin is a smooth weighted one: each choice adds every member's share to its credit and takes one from
 * the member with most, which for equal shares is the plain turn. The slow ramp is linear (that it is, is not
 * verified): a member that has become eligible t seconds ago has the weight t / ramp, up to 1.
 */
import type { Address } from '../addr/address.js';
import {
  type EdgeAction,
  type EdgeMemberModel,
  type EdgeModel,
  type EdgePool,
  type EdgeSession,
  nodePortOf,
} from '../cluster/edge-model.js';
import type { ClusterModel } from '../cluster/model.js';
import { addressOf, type ClusterState } from './cluster-state.js';
import { HopKind, hopCode } from './disposition.js';
import { EdgePorts } from './edge-ports.js';

/** Where a connection of the load balancer's table stands. */
export const EdgePhase = { none: 0, opening: 1, open: 2, dropped: 3, reselect: 4 } as const;
export type EdgePhase = (typeof EdgePhase)[keyof typeof EdgePhase];

export const EDGE_HOP = hopCode(HopKind.edge, 0);

export const Availability = { unknown: 0, up: 1, down: 2 } as const;
export type Availability = (typeof Availability)[keyof typeof Availability];

export interface EdgeMember {
  readonly row: number;
  readonly pool: number;
  readonly node: number;
  /** row in ClusterState.pods, or -1 */
  readonly pod: number;
  ratio: number;
  session: EdgeSession;
  availability: Availability;
  /** it belongs to the pool */
  present: boolean;
  /** it was added disabled, and is to be enabled once it is up */
  enableWhenUp: boolean;
  /** since when it gets new connections */
  eligibleS: number;
  /** last success of its monitor, or when it was added */
  successS: number;
  /** open connections; one that its client left without closing counts until its next packet finds it forgotten */
  connections: number;
  credit: number;
  /** event of the timeline that last concerned it, or -1 */
  event: number;
  /** counts its additions: a monitor's timer of before is void */
  turn: number;
}

interface Stuck {
  member: number;
  lastS: number;
}

export class EdgeState {
  readonly edge: EdgeModel;
  readonly members: EdgeMember[] = [];
  readonly ports: EdgePorts;
  /** per pool: rows of its members, in the order of their first joining */
  private readonly rows: number[][];
  private readonly persistence = new Map<string, Stuck>();

  constructor(
    private readonly model: ClusterModel & { readonly edge: EdgeModel },
    private readonly cluster: ClusterState,
  ) {
    this.edge = model.edge;
    this.ports = new EdgePorts(model.seed);
    this.rows = this.edge.pools.map(() => []);
    for (const [pool, { members, monitor }] of this.edge.pools.entries()) {
      for (const member of members) {
        const one = this.memberOf(pool, member);
        one.present = true;
        one.session = member.session;
        one.ratio = member.ratio;
        // what has been watched for long is known
        if (monitor !== null) one.availability = this.answers(one) ? Availability.up : Availability.down;
        one.eligibleS = Number.NEGATIVE_INFINITY;
        if (one.availability === Availability.up) one.successS = 0;
      }
    }
  }

  pool(member: EdgeMember): EdgePool {
    return this.edge.pools[member.pool]!;
  }

  isEligible({ present, session, availability }: EdgeMember): boolean {
    return present && session === 'enabled' && availability !== Availability.down;
  }

  /** How many members of a virtual server's pool a new connection could get. */
  choices(server: number): number {
    const rows = this.rows[this.edge.virtualServers[server]!.pool]!;
    return rows.filter((row) => this.isEligible(this.members[row]!)).length;
  }

  /** The member (row) for a new connection to a virtual server, or -1. `client`: with persistence only. */
  choose(server: number, client: string | null, nowS: number): number {
    const { pool, persistence, persistenceS } = this.edge.virtualServers[server]!;
    if (persistence === 'none' || client === null) return this.balance(pool, nowS);
    const id = `${server} ${client}`;
    const stuck = this.persistence.get(id);
    const stays = stuck !== undefined && nowS - stuck.lastS <= persistenceS && this.mayPersist(stuck.member);
    const member = stays ? stuck.member : this.balance(pool, nowS);
    if (stays && stuck !== undefined) this.shift(pool, member, nowS);
    if (member >= 0) this.persistence.set(id, { member, lastS: nowS });
    return member;
  }

  /** Where a member's connections of a port go. */
  addressOf({ node, pod }: EdgeMember, family: number): Address | null {
    const { addresses } = pod >= 0 ? this.cluster.pods[pod]! : this.model.nodes[node]!;
    return addressOf(addresses, family);
  }

  /** `port`: row in the service's ports. */
  portOf({ pod }: EdgeMember, server: number, port: number): number {
    const { service } = this.edge.virtualServers[server]!;
    return pod >= 0
      ? this.model.services[service]!.ports[port]!.targetPort
      : nodePortOf(this.model.services, service, port);
  }

  /** Does what a line of the timeline says to a member. Returns it. */
  act(pool: number, action: EdgeAction, member: EdgeMemberModel, event: number, nowS: number): EdgeMember {
    const one = this.memberOf(pool, member);
    const before = this.isEligible(one);
    one.event = event;
    if (action === 'add') this.add(one, member, nowS);
    else if (action === 'remove') one.present = false;
    else one.session = action === 'enable' ? 'enabled' : action === 'disable' ? 'disabled' : 'offline';
    if (action !== 'add') one.enableWhenUp = false;
    this.noteEligible(one, before, nowS);
    return one;
  }

  /** What its monitor has found out. */
  setAvailability(member: EdgeMember, availability: Availability, nowS: number): void {
    const before = this.isEligible(member);
    member.availability = availability;
    if (availability === Availability.up && member.enableWhenUp) {
      member.enableWhenUp = false;
      member.session = 'enabled';
    }
    this.noteEligible(member, before, nowS);
  }

  /** Whether a member answers its monitor now. */
  answers(member: EdgeMember): boolean {
    const { node, pod } = member;
    const { cluster } = this;
    if (!cluster.nodeUp[node]) return false;
    if (pod >= 0) return cluster.pods[pod]!.running;
    const server = this.edge.virtualServers.find((one) => one.pool === member.pool);
    if (server === undefined) return true;
    const rows = cluster.offered(server.service, node).map((row) => cluster.pods[row]!);
    // kube-proxy's health check answers 503 where only terminating endpoints remain
    if (this.pool(member).monitor?.check === 'healthCheckNodePort') return rows.some((one) => one.ready);
    return rows.some((one) => one.running && cluster.isUp(one.node));
  }

  /** Share of `ratio` that a member takes part with now. */
  weight(member: EdgeMember, nowS: number): number {
    const { balance, slowRampS } = this.pool(member);
    const full = balance === 'ratio' ? member.ratio : 1;
    return slowRampS === 0 ? full : full * Math.min(1, (nowS - member.eligibleS) / slowRampS);
  }

  private memberOf(pool: number, { node, pod }: EdgeMemberModel): EdgeMember {
    const podRow = pod === null ? -1 : this.cluster.podByName.get(pod)!.row;
    const known = this.rows[pool]!.map((row) => this.members[row]!).find(
      (one) => one.node === node && one.pod === podRow,
    );
    if (known !== undefined) return known;
    const member: EdgeMember = {
      row: this.members.length,
      pool,
      node,
      pod: podRow,
      ratio: 1,
      session: 'enabled',
      availability: Availability.unknown,
      present: false,
      enableWhenUp: false,
      eligibleS: 0,
      successS: Number.NEGATIVE_INFINITY,
      connections: 0,
      credit: 0,
      event: -1,
      turn: 0,
    };
    this.members.push(member);
    this.rows[pool]!.push(member.row);
    return member;
  }

  private add(member: EdgeMember, { ratio, session }: EdgeMemberModel, nowS: number): void {
    if (member.present) return;
    const { newMembers, monitor } = this.pool(member);
    member.present = true;
    member.ratio = ratio;
    member.enableWhenUp = newMembers === 'disabled' && monitor !== null && session === 'enabled';
    member.session = newMembers === 'disabled' && session === 'enabled' ? 'disabled' : session;
    member.availability = Availability.unknown;
    member.successS = nowS;
    member.turn++;
  }

  private noteEligible(member: EdgeMember, before: boolean, nowS: number): void {
    const now = this.isEligible(member);
    if (now && !before) member.eligibleS = nowS;
    if (!now) member.credit = 0;
  }

  private mayPersist(row: number): boolean {
    const { present, session, availability } = this.members[row]!;
    return present && session !== 'offline' && availability !== Availability.down;
  }

  private balance(pool: number, nowS: number): number {
    const { balance } = this.edge.pools[pool]!;
    let chosen = -1;
    let best = 0;
    const sum = this.addShares(pool, nowS);
    if (sum < 0) return -1;
    for (const row of this.rows[pool]!) {
      const member = this.members[row]!;
      if (!this.isEligible(member)) continue;
      const weight = sum === 0 ? 1 : this.weight(member, nowS);
      if (weight === 0) continue;
      const load = balance === 'least-connections' ? (member.connections + 1) / weight : 0;
      const better =
        chosen < 0 || load < best || (load === best && member.credit > this.members[chosen]!.credit);
      if (!better) continue;
      chosen = row;
      best = load;
    }
    this.members[chosen]!.credit--;
    return chosen;
  }

  /** A connection went to `member` by persistence: the others' turn comes the sooner. */
  private shift(pool: number, member: number, nowS: number): void {
    if (this.addShares(pool, nowS) >= 0) this.members[member]!.credit--;
  }

  /** Adds each eligible member's share to its credit. Returns the sum of weights, -1 where nobody is eligible. */
  private addShares(pool: number, nowS: number): number {
    let sum = 0;
    let count = 0;
    for (const row of this.rows[pool]!) {
      const member = this.members[row]!;
      if (!this.isEligible(member)) continue;
      sum += this.weight(member, nowS);
      count++;
    }
    if (count === 0) return -1;
    for (const row of this.rows[pool]!) {
      const member = this.members[row]!;
      if (!this.isEligible(member)) continue;
      member.credit += sum === 0 ? 1 / count : this.weight(member, nowS) / sum;
    }
    return sum;
  }
}

/** The state of the model's load balancer at t = 0, or null where it has none. */
export function edgeStateOf(model: ClusterModel, cluster: ClusterState): EdgeState | null {
  const { edge } = model;
  return edge === null ? null : new EdgeState({ ...model, edge }, cluster);
}
