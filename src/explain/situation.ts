/** All that a hypothesis about one connection may look at. */
import type { LossSigns } from './capture-loss.js';
import type { Connection } from './connection.js';
import type { Neighbours, ServerGroup } from './neighbours.js';
import type { IcmpNotice } from './read-connections.js';
import type { RehashSigns } from './rehash-signs.js';

/** Unanswered for less than this at the end of the capture, an answer may still come. */
export const PATIENCE_NS = 1e9;

export interface Situation {
  readonly connection: Connection;
  readonly server: ServerGroup;
  /** what all connections of the server add up to */
  figures(): ReturnType<ServerGroup['figures']>;
  readonly neighbours: Neighbours;
  readonly icmp: readonly IcmpNotice[];
  readonly rehash: RehashSigns;
  /** what was lost in capturing */
  readonly loss: LossSigns;
  /** of the whole capture, nanoseconds since its first record */
  readonly endNs: number;
}
