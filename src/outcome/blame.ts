/**
 * From the place where a packet was lost or refused to the cause: which event of the timeline, at which hop, and why.
 *
 * What a node reports is where things ended (a pod without the connection, a segment without an entry). The
 * cause is further back: the router moved the flow, the node had rebooted, the endpoint was stopped.
 */
import { HopKind, hopCode, hopKind, hopRow, ReasonCode } from '../state/disposition.js';
import type { EdgeMember } from '../state/edge-state.js';

/** What an engine knows of the packet and its flow. */
export interface Grief {
  /** reason and hop as the hops reported them */
  reason: number;
  hop: number;
  /** node the router sent the packet to; -1 = no route */
  node: number;
  /** node through which the flow's connection was made; -1 = it has none */
  home: number;
  /** the connection's entry is no longer there because it expired / because the node booted */
  expired: boolean;
  rebooted: boolean;
  /** event that gave the flow its present next hop, or -1 */
  movedBy: number;
}

/** The events that last touched a thing; -1 = none. */
export class EventLog {
  readonly node: number[];
  pod: number[] = [];
  /** the event after which a node had no local endpoint to offer */
  readonly emptied: number[];
  routes = -1;
  /** the event that last changed the router's link to the node, or its neighbour entry */
  readonly link: number[];

  constructor(nodes: number) {
    this.node = new Array<number>(nodes).fill(-1);
    this.link = new Array<number>(nodes).fill(-1);
    this.emptied = new Array<number>(nodes).fill(-1);
  }

  addNode(): void {
    this.node.push(-1);
    this.emptied.push(-1);
    this.link.push(-1);
  }
}

export interface Blame {
  reason: number;
  event: number;
  hop: number;
}

/** What an engine knows of a flow behind a load balancer, besides. */
export interface EdgeGrief {
  /** the packet was not forwarded; reason as the load balancer reported it */
  readonly refused: number | null;
  /** the load balancer knows nothing of the member, and which event added it */
  readonly unknownSince: number | null;
  /** the connection was made with another pod than the one that it is sent to, and no node chose */
  readonly otherPod: boolean;
  /** event that ended or moved the flow's connection, or -1 */
  readonly movedBy: number;
}

const EDGE = hopCode(HopKind.edge, 0);

/** Where a node's failure is only the end of what the load balancer did: `out` holds what {@link blame} found. */
export function blameEdge(grief: EdgeGrief, out: Blame): void {
  if (grief.refused !== null) {
    out.reason = grief.refused;
    out.event = grief.movedBy;
  } else if (grief.otherPod || out.reason === ReasonCode['ecmp-rehash']) {
    out.reason = grief.movedBy >= 0 ? ReasonCode['member-down'] : ReasonCode['entry-expired'];
    out.event = grief.movedBy;
  } else if (grief.unknownSince !== null && MEMBER_FAILS.has(out.reason)) {
    out.reason = ReasonCode['member-unknown'];
    if (grief.unknownSince >= 0) out.event = grief.unknownSince;
  } else return;
  out.hop = EDGE;
}

/** Reasons by which a member that is not what its pool takes it for fails. */
const MEMBER_FAILS = new Set([
  ReasonCode['node-down'],
  ReasonCode['no-local-endpoint'],
  ReasonCode['no-endpoint'],
  ReasonCode['endpoint-gone'],
  ReasonCode['stale-rules'],
]);

/** The event by which a member stopped answering its monitor, as far as one is known. */
export function downBy(member: EdgeMember, up: boolean, log: EventLog): number {
  if (!up) return log.node[member.node]!;
  if (member.pod >= 0) return log.pod[member.pod] ?? -1;
  const emptied = log.emptied[member.node]!;
  return emptied >= 0 ? emptied : member.event;
}

/** Writes the cause into `out`. */
export function blame(grief: Grief, log: EventLog, out: Blame): void {
  const { reason, hop, node, home, movedBy } = grief;
  out.reason = reason;
  out.hop = hop;
  out.event = -1;
  if (node < 0) {
    out.reason = ReasonCode['no-route'];
    out.hop = hopCode(HopKind.router, 0);
    out.event = log.routes;
    return;
  }
  if (reason === ReasonCode['next-hop-failed']) {
    out.event = log.link[node]!;
    return;
  }
  const moved = home >= 0 && home !== node;
  const kind = hopKind(hop);
  const row = hopRow(hop);
  if (reason === ReasonCode['node-down'] && row === node) {
    out.event = log.node[node]!;
    return;
  }
  if (reason === ReasonCode['no-local-endpoint'] || reason === ReasonCode['no-endpoint']) {
    out.event = moved && movedBy >= 0 ? movedBy : log.emptied[node]!;
    return;
  }
  if (reason === ReasonCode['stale-entry']) {
    out.event = movedBy;
    return;
  }
  if (reason === ReasonCode['policy-denied']) {
    out.event = moved ? movedBy : -1;
    return;
  }
  if (moved) {
    out.reason = ReasonCode['ecmp-rehash'];
    out.hop = hopCode(HopKind.router, 0);
    out.event = movedBy;
    return;
  }
  if (grief.rebooted) {
    out.reason = ReasonCode['node-down'];
    out.hop = hopCode(HopKind.node, node);
    out.event = log.node[node]!;
    return;
  }
  if (reason === ReasonCode['node-down']) out.event = log.node[row]!;
  else if (kind === HopKind.endpoint) {
    if (reason === ReasonCode['endpoint-gone'] && grief.expired) out.reason = ReasonCode['entry-expired'];
    else out.event = log.pod[row] ?? -1;
  }
}

/** The cause where what the server sent did not come back, as the place that lost it reports it. */
export function blameForServer(reason: number, hop: number, log: EventLog, out: Blame): void {
  out.reason = reason;
  out.hop = hop;
  out.event = -1;
  if (reason === ReasonCode['node-down']) out.event = log.node[hopRow(hop)]!;
  else if (hopKind(hop) === HopKind.endpoint) out.event = log.pod[hopRow(hop)] ?? -1;
}
