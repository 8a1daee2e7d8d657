/**
 * Finds the flow of a packet again, for a second pass over a capture: open addressing over the five-tuples of the
 * rows that are of interest. A packet of any other flow is not found.
 */
import type { FlowColumns } from './flow-columns.js';
import { type IpLayer, LAYER_DST, LAYER_SRC } from './ip-layer.js';

export class FlowLookup {
  private readonly slots: Int32Array;
  private readonly mask: number;

  /** `wanted[f]` is 1 for rows to be found; null = all. */
  constructor(
    private readonly flows: FlowColumns,
    wanted: Uint8Array | null,
  ) {
    let capacity = 16;
    while (capacity < flows.count * 2) capacity *= 2;
    this.slots = new Int32Array(capacity).fill(-1);
    this.mask = capacity - 1;
    for (let f = 0; f < flows.count; f++) {
      if (wanted !== null && wanted[f] !== 1) continue;
      const { addresses, aPort, bPort, proto } = flows;
      let slot = mix(addresses, 8 * f, addresses, 8 * f + 4, aPort[f]!, bPort[f]!, proto[f]!) & this.mask;
      while (this.slots[slot]! >= 0) slot = (slot + 1) & this.mask;
      this.slots[slot] = f;
    }
  }

  /** flow row << 1 | 1 where the packet runs from b to a; -1 where it belongs to none of the wanted flows */
  find({ words, srcPort, dstPort, proto, family }: IpLayer): number {
    let slot = mix(words, LAYER_SRC, words, LAYER_DST, srcPort, dstPort, proto) & this.mask;
    for (let f = this.slots[slot]!; f >= 0; f = this.slots[slot]!) {
      const { flows } = this;
      if (flows.proto[f] === proto && flows.family[f] === family) {
        if (
          flows.aPort[f] === srcPort &&
          flows.bPort[f] === dstPort &&
          this.same(f, words, LAYER_SRC, LAYER_DST)
        ) {
          return f << 1;
        }
        if (
          flows.bPort[f] === srcPort &&
          flows.aPort[f] === dstPort &&
          this.same(f, words, LAYER_DST, LAYER_SRC)
        ) {
          return (f << 1) | 1;
        }
      }
      slot = (slot + 1) & this.mask;
    }
    return -1;
  }

  private same(f: number, words: Uint32Array, aAt: number, bAt: number): boolean {
    const { addresses } = this.flows;
    for (let i = 0; i < 4; i++) {
      if (addresses[8 * f + i] !== words[aAt + i] || addresses[8 * f + 4 + i] !== words[bAt + i])
        return false;
    }
    return true;
  }
}

/** The same for both directions: what differs between them is added. */
function mix(
  a: Uint32Array,
  aAt: number,
  b: Uint32Array,
  bAt: number,
  aPort: number,
  bPort: number,
  proto: number,
): number {
  const sum = side(a, aAt, aPort) + side(b, bAt, bPort);
  const h = Math.imul((sum ^ proto) | 0, 0x85ebca6b);
  return (h ^ (h >>> 15)) >>> 0;
}

function side(words: Uint32Array, at: number, port: number): number {
  let h = Math.imul(port + 0x51ed, 0xc2b2ae35);
  for (let i = 0; i < 4; i++) {
    h = Math.imul(h ^ words[at + i]!, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h >>> 0;
}
