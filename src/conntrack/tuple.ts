/**
 * A tuple: one direction of a connection as conntrack keys it. Ten words: source address (4), destination
 * address (4), ports (source << 16 | destination), family << 8 | protocol. ICMP uses the ports word for
 * type, code and id as the kernel does: (id << 16 | type << 8 | code).
 */
import type { Address } from '../addr/address.js';

export const TUPLE_WORDS = 10;
export const TUPLE_SRC = 0;
export const TUPLE_DST = 4;
const PORTS = 8;
const KIND = 9;

export class Tuple {
  readonly words = new Uint32Array(TUPLE_WORDS);

  get srcPort(): number {
    return this.words[PORTS]! >>> 16;
  }

  get dstPort(): number {
    return this.words[PORTS]! & 0xffff;
  }

  get proto(): number {
    return this.words[KIND]! & 0xff;
  }

  get family(): number {
    return this.words[KIND]! >>> 8;
  }

  setKind(family: number, proto: number): void {
    this.words[KIND] = (family << 8) | proto;
  }

  setPorts(srcPort: number, dstPort: number): void {
    this.words[PORTS] = ((srcPort << 16) | dstPort) >>> 0;
  }

  setSource(address: Address, port: number): void {
    this.setAddress(TUPLE_SRC, address);
    this.setPorts(port, this.dstPort);
  }

  setDestination(address: Address, port: number): void {
    this.setAddress(TUPLE_DST, address);
    this.setPorts(this.srcPort, port);
  }

  /** The address at {@link TUPLE_SRC} or {@link TUPLE_DST}. */
  address(at: number): Address {
    const { words } = this;
    const [w0, w1, w2, w3] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
    return { family: this.family as 4 | 6, w0, w1, w2, w3 };
  }

  copy(from: Tuple): void {
    this.words.set(from.words);
  }

  /** Becomes the tuple of the other direction of `from`. */
  invert(from: Tuple): void {
    for (let i = 0; i < 4; i++) {
      this.words[TUPLE_SRC + i] = from.words[TUPLE_DST + i]!;
      this.words[TUPLE_DST + i] = from.words[TUPLE_SRC + i]!;
    }
    this.words[KIND] = from.words[KIND]!;
    this.setPorts(from.dstPort, from.srcPort);
  }

  private setAddress(at: number, { w0, w1, w2, w3 }: Address): void {
    this.words[at] = w0;
    this.words[at + 1] = w1;
    this.words[at + 2] = w2;
    this.words[at + 3] = w3;
  }
}

/** Multiply-mix over the words that the family uses; not seeded, for tables of our own only. */
export function hashTuple(words: Uint32Array, at: number): number {
  let h = Math.imul(words[at + KIND]! ^ words[at + PORTS]!, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ words[at + TUPLE_SRC]!, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ words[at + TUPLE_DST]!, 0xc2b2ae35);
  if (words[at + KIND]! >>> 8 === 6) {
    for (let i = 1; i < 4; i++) {
      h = Math.imul(h ^ (h >>> 15) ^ words[at + TUPLE_SRC + i]!, 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 13) ^ words[at + TUPLE_DST + i]!, 0xc2b2ae35);
    }
  }
  return h ^ (h >>> 16);
}

/** Whether two tuples are the same. */
export function sameTuple(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  if (a[atA + PORTS] !== b[atB + PORTS] || a[atA + KIND] !== b[atB + KIND]) return false;
  for (let i = 0; i < PORTS; i++) if (a[atA + i] !== b[atB + i]) return false;
  return true;
}
