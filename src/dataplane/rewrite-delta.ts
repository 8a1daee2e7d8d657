/**
 * What a translation does to a packet, worked out once a connection: the new addresses and ports as they stand in a
 * header, and the one's complement sums that RFC 1624 adds to a checksum (~m + m' over all words that change).
 */
import { TUPLE_DST, TUPLE_SRC, type Tuple } from '../conntrack/tuple.js';
import { Field } from './kernel-memory.js';

/** Writes what leads from `original` to the inverse of `reply` into the record at `at`. */
export function writeRewrite(view: DataView, at: number, original: Tuple, reply: Tuple): void {
  const words = original.family === 4 ? 1 : 4;
  const src = words === 1 ? Field.newSrc : Field.newSrc6;
  const dst = words === 1 ? Field.newDst : Field.newDst6;
  let addresses = 0;
  for (let i = 0; i < words; i++) {
    const newSrc = reply.words[TUPLE_DST + i]!;
    const newDst = reply.words[TUPLE_SRC + i]!;
    view.setUint32(at + src + 4 * i, newSrc);
    view.setUint32(at + dst + 4 * i, newDst);
    const oldSrc = original.words[TUPLE_SRC + i]!;
    const oldDst = original.words[TUPLE_DST + i]!;
    addresses += change32(oldSrc, newSrc) + change32(oldDst, newDst);
  }
  view.setUint16(at + Field.newPorts, reply.dstPort);
  view.setUint16(at + Field.newPorts + 2, reply.srcPort);
  const ports = change16(original.srcPort, reply.dstPort) + change16(original.dstPort, reply.srcPort);
  view.setUint16(at + Field.ipDelta, folded(addresses), true);
  view.setUint16(at + Field.l4Delta, folded(addresses + ports), true);
}

function change32(before: number, after: number): number {
  return change16(before >>> 16, after >>> 16) + change16(before & 0xffff, after & 0xffff);
}

function change16(before: number, after: number): number {
  return before === after ? 0 : (~before & 0xffff) + after;
}

function folded(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
