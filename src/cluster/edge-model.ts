/**
 * A hardware load balancer before the cluster (F5 BIG-IP and its like), resolved: virtual servers that hold the
 * services' VIPs, pools of members behind them, and the monitors that watch the members.
 *
 * A member is a node's NodePort, or a pod that the load balancer reaches itself over an overlay. What it is worth to
 * the load balancer (unknown, up, down) belongs to a replay, not to the model.
 */
import type { Address } from '../addr/address.js';
import type { ForwardingField } from './l7-model.js';

export interface EdgeModel {
  readonly name: string;
  /** its self addresses: what SNAT automap puts in the client's place */
  readonly addresses: readonly Address[];
  readonly snat: 'automap' | 'none';
  readonly insert: EdgeInsert;
  /** a connection without packets for so long is forgotten; by protocol */
  readonly idleS: { readonly tcp: number; readonly udp: number };
  /** a SYN that nobody answers is forgotten after this time without another */
  readonly handshakeS: number;
  readonly pools: readonly EdgePool[];
  readonly virtualServers: readonly EdgeVirtualServer[];
}

/** What the load balancer says of the client to whom it sends on (insert X-Forwarded-For of an HTTP profile, a PROXY header). */
export interface EdgeInsert {
  readonly field: ForwardingField;
  readonly forward: 'off' | 'append' | 'replace';
  readonly sendProxy: 0 | 1 | 2;
}

export const NO_INSERT: EdgeInsert = { field: 'x-forwarded-for', forward: 'off', sendProxy: 0 };

export const EDGE_BALANCES = ['round-robin', 'least-connections', 'ratio'] as const;
export const EDGE_SERVICE_DOWN = ['none', 'reset', 'drop', 'reselect'] as const;
export const EDGE_SESSIONS = ['enabled', 'disabled', 'offline'] as const;
export const EDGE_ACTIONS = ['add', 'remove', 'enable', 'disable', 'offline'] as const;
export type EdgeSession = (typeof EDGE_SESSIONS)[number];
export type EdgeAction = (typeof EDGE_ACTIONS)[number];

export interface EdgePool {
  readonly name: string;
  readonly target: 'nodePort' | 'pod';
  /** at t = 0; not empty */
  readonly members: readonly EdgeMemberModel[];
  readonly balance: (typeof EDGE_BALANCES)[number];
  /** over which a member that has become eligible gets its share, 0 = at once */
  readonly slowRampS: number;
  readonly serviceDown: (typeof EDGE_SERVICE_DOWN)[number];
  /** whether a member that is added gets traffic before its monitor has said anything */
  readonly newMembers: 'enabled' | 'disabled';
  /** null: nobody looks, and every member stays unknown */
  readonly monitor: EdgeMonitor | null;
}

interface EdgeMonitor {
  readonly intervalS: number;
  /** without a success for so long a member is down */
  readonly timeoutS: number;
  /** what is asked: the member's own port, or kube-proxy's health check port of the service */
  readonly check: 'member' | 'healthCheckNodePort';
}

export interface EdgeMemberModel {
  /** row in `nodes`; of a pod, the node it runs on */
  readonly node: number;
  /** null in a pool of node ports */
  readonly pod: string | null;
  readonly ratio: number;
  readonly session: EdgeSession;
}

export interface EdgeVirtualServer {
  readonly name: string;
  /** row in `services` */
  readonly service: number;
  /** of that service */
  readonly vips: readonly Address[];
  /** row in `pools` */
  readonly pool: number;
  readonly persistence: 'none' | 'source-addr';
  readonly persistenceS: number;
  /** of its own, where it differs from the edge's */
  readonly snat?: EdgeModel['snat'] | undefined;
  readonly insert?: EdgeInsert | undefined;
}

/** Whether a virtual server (row) puts the load balancer's address in the client's place. */
export function snatOf({ snat, virtualServers }: EdgeModel, server: number): EdgeModel['snat'] {
  return virtualServers[server]!.snat ?? snat;
}

/** What it says of the client. */
export function insertOf({ insert, virtualServers }: EdgeModel, server: number): EdgeInsert {
  return virtualServers[server]!.insert ?? insert;
}

const FIRST_NODE_PORT = 30000;

/** The NodePort of a service's port: the stated one, or else the next of Kubernetes' range, in the order of the model. */
export function nodePortOf(
  services: readonly { readonly ports: readonly { readonly nodePort?: number }[] }[],
  service: number,
  port: number,
): number {
  const stated = services[service]!.ports[port]!.nodePort;
  if (stated !== undefined) return stated;
  const before = services.slice(0, service).reduce((count, { ports }) => count + ports.length, 0);
  return FIRST_NODE_PORT + before + port;
}

/** What a pool's member is called: its node or its pod. */
export function memberName(
  { node, pod }: Pick<EdgeMemberModel, 'node' | 'pod'>,
  nodes: readonly { readonly name: string }[],
): string {
  return pod ?? nodes[node]!.name;
}
