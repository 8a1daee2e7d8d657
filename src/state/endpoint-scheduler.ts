/**
 * How one node picks an endpoint for a new connection, among those that its rules allow.
 *
 * - `random`: kube-proxy's iptables and nftables, Cilium's and Calico's default: a draw for every entry.
 * - `maglev`: a table over the endpoints, asked with the flow's key. All nodes build the same table, so that a flow
 *   keeps its endpoint whichever node it comes through. The algorithm is exact, the bits are no product's.
 * - `rr`, `lc`: IPVS's own memory of what it did: in turn; fewest connections, the first of equals. A connection
 *   counts until its client sends FIN or RST.
 * - `sh`: net/netfilter/ipvs/ip_vs_sh.c: 256 buckets dealt to the endpoints in turn, asked with the client's
 *   address. `mh`: ip_vs_mh.c with the flag that kube-proxy sets (mh-port): address and port, a Maglev table.
 */
import { MaglevGroup } from '../route/maglev.js';
import { mixPair } from '../route/mix.js';
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

/** net/netfilter/ipvs/ip_vs_sh.c: IP_VS_SH_TAB_BITS */
const SH_BITS = 8;
/** include/linux/hash.h: GOLDEN_RATIO_32 */
const GOLDEN_RATIO_32 = 0x61c88647;
/** ip_vs_mh.c: CONFIG_IP_VS_MH_TAB_INDEX 12 */
const MH_TABLE = 4093;

export class EndpointScheduler {
  /** per service: how many connections have been dealt out */
  private readonly turn: number[] = [];
  /** per pod row: connections that this node opened and that have not ended */
  private active: number[] = [];
  /** Maglev tables by the candidates they were built for */
  private readonly tables = new WeakMap<readonly number[], MaglevGroup>();

  constructor(
    private readonly node: number,
    private readonly seed: number,
    private readonly scheduling: Scheduling,
    private readonly tableSize: number,
  ) {}

  /** The choice hangs on the connection alone: no chance, no memory. */
  get isConsistent(): boolean {
    return this.scheduling === 'maglev' || this.scheduling === 'sh' || this.scheduling === 'mh';
  }

  /** One of `candidates` (pod rows, not empty). */
  pick(service: number, candidates: readonly number[], connection: NewConnection): number {
    const { key, ordinal, source, sourcePort } = connection;
    switch (this.scheduling) {
      case 'random': {
        const drawn = draw(this.seed, this.node, Stream.endpoint, key, ordinal);
        return candidates[scale(drawn, candidates.length)]!;
      }
      case 'maglev':
        return this.tableOf(candidates, this.tableSize).peek(key >>> 0);
      case 'mh':
        return this.tableOf(candidates, MH_TABLE).peek(mixPair(source, sourcePort));
      case 'sh':
        return candidates[(Math.imul(source, GOLDEN_RATIO_32) >>> (32 - SH_BITS)) % candidates.length]!;
      case 'rr': {
        const turn = this.turn[service] ?? 0;
        this.turn[service] = turn + 1;
        return candidates[turn % candidates.length]!;
      }
      case 'lc':
        return this.leastConnections(candidates);
    }
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

/** The client's address as {@link NewConnection.source} wants it. */
export function foldedAddress(words: Uint32Array, at: number): number {
  return (words[at]! ^ words[at + 1]! ^ words[at + 2]! ^ words[at + 3]!) >>> 0;
}
