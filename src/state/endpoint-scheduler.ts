/**
 * How one node picks an endpoint for a new connection, among those that its rules allow.
 *
 * - `random`: kube-proxy's iptables and nftables, Cilium's and Calico's default: a draw for every entry.
 * - `maglev`: a table over the endpoints, asked with the flow's key. All nodes build the same table, so that a flow
 *   keeps its endpoint whichever node it comes through. The algorithm is exact, the bits are no product's.
 * - `rr`, `lc`: IPVS's own memory of what it did: in turn; fewest connections, the first of equals. A connection
 *   counts until its client sends FIN or RST.
 * - `sh`, `mh`: IPVS's source hashing as the kernel computes it (route/ipvs-source-table.ts): `sh` is asked with the
 *   client's address, `mh` with address and port (kube-proxy sets mh-port). kube-proxy adds a service's endpoints sorted
 *   by their text, "address:port" (pkg/proxy/ipvs/proxier.go, syncEndpoint: `newEndpoints.List()`; its latest versions
 *   take them in the order of a Go map, which no dump but `ipvsadm -Sn` shows); one that comes later stands first in the
 *   kernel's list, here as if added in order.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { type IpvsDestination, IpvsSourceTable, ipvsFold } from '../route/ipvs-source-table.js';
import { MaglevGroup } from '../route/maglev.js';
import { draw, Stream, scale } from './draw.js';
import type { Scheduling } from './proxy-plane.js';

/** What a choice may depend on. */
export interface NewConnection {
  /** see draw.ts */
  readonly key: number;
  /** how many entries this flow has made before */
  readonly ordinal: number;
  /** the client's address, IPv6 folded into 32 bits by exclusive or */
  readonly source: number;
  readonly sourcePort: number;
}

export class EndpointScheduler {
  /** per rule: how many connections have been dealt out */
  private readonly turn: number[] = [];
  /** per pod row: connections that this node opened and that have not ended */
  private active: number[] = [];
  /** Maglev tables by the candidates they were built for */
  private readonly tables = new WeakMap<readonly number[], MaglevGroup>();
  private readonly sourceTables = new WeakMap<readonly number[], SourceTable>();
  /** per pod row: what IPVS knows it by */
  private readonly destinations: (IpvsDestination & { readonly text: string })[] = [];

  constructor(
    private readonly node: number,
    private readonly seed: number,
    private readonly scheduling: Scheduling,
    private readonly tableSize: number,
  ) {}

  /** The choice depends on the connection alone: no chance, no memory. */
  get isConsistent(): boolean {
    return this.scheduling === 'maglev' || this.scheduling === 'sh' || this.scheduling === 'mh';
  }

  /** One of `candidates` (pod rows, not empty). */
  pick(rule: number, candidates: readonly number[], connection: NewConnection): number {
    const { key, ordinal, source, sourcePort } = connection;
    switch (this.scheduling) {
      case 'random': {
        const drawn = draw(this.seed, this.node, Stream.endpoint, key, ordinal);
        return candidates[scale(drawn, candidates.length)]!;
      }
      case 'maglev':
        return this.tableOf(candidates, this.tableSize).peek(key >>> 0);
      case 'mh':
      case 'sh': {
        const { table, rows } = this.sourceTableOf(candidates, this.scheduling);
        return rows[table.choose(source, this.scheduling === 'mh' ? sourcePort : 0)]!;
      }
      case 'rr': {
        const turn = this.turn[rule] ?? 0;
        this.turn[rule] = turn + 1;
        return candidates[turn % candidates.length]!;
      }
      case 'lc':
        return this.leastConnections(candidates);
    }
  }

  /** `pod` takes connections at this address and port. */
  know(pod: number, address: Address, port: number): void {
    const text = `${formatAddress(address)}:${port}`;
    if (this.destinations[pod]?.text === text) return;
    this.destinations[pod] = { fold: ipvsFold(address), port, weight: 1, text };
  }

  /** A connection to `pod` was made, or has ended. */
  opened(pod: number): void {
    this.active[pod] = (this.active[pod] ?? 0) + 1;
  }

  ended(pod: number): void {
    this.active[pod] = (this.active[pod] ?? 1) - 1;
  }

  /** The node has booted: it remembers nothing. */
  forget(): void {
    this.turn.length = 0;
    this.active = [];
  }

  private leastConnections(candidates: readonly number[]): number {
    let best = candidates[0]!;
    for (const pod of candidates) if ((this.active[pod] ?? 0) < (this.active[best] ?? 0)) best = pod;
    return best;
  }

  private sourceTableOf(candidates: readonly number[], scheduler: 'sh' | 'mh'): SourceTable {
    let known = this.sourceTables.get(candidates);
    if (known === undefined) {
      const of = (row: number) => this.destinations[row] ?? { fold: row, port: 0, weight: 1, text: '' };
      const rows = [...candidates].sort((a, b) =>
        of(a).text < of(b).text ? -1 : of(a).text > of(b).text ? 1 : a - b,
      );
      known = { table: new IpvsSourceTable(scheduler, rows.map(of)), rows };
      this.sourceTables.set(candidates, known);
    }
    return known;
  }

  private tableOf(candidates: readonly number[], size: number): MaglevGroup {
    let table = this.tables.get(candidates);
    if (table === undefined) {
      // the same table on every node: in the order of rows, not of each node's list
      const hops = [...candidates].sort((a, b) => a - b).map((id) => ({ id, weight: 1 }));
      table = new MaglevGroup(size, hops);
      this.tables.set(candidates, table);
    }
    return table;
  }
}

/** Destinations that stand for pod rows, in the order in which they were added. */
interface SourceTable {
  readonly table: IpvsSourceTable;
  readonly rows: readonly number[];
}

/** The client's address as {@link NewConnection.source} wants it. */
export function foldedAddress(words: Uint32Array, at: number): number {
  return (words[at]! ^ words[at + 1]! ^ words[at + 2]! ^ words[at + 3]!) >>> 0;
}
