/**
 * What one datagram (UDP, or any protocol with ports that is not TCP) changes in its row: who spoke, and whether the
 * client still waits. Every packet of the client opens a wait, every one of the server ends it.
 */
import * as t from './connection-table.js';
import type { SeenPacket } from './seen-packet.js';

export function trackUdp(
  { clock, words }: t.ConnectionChunk,
  c: number,
  w: number,
  fromServer: number,
  p: SeenPacket,
  view: DataView,
): void {
  const self = w + t.OUT + (t.IN - t.OUT) * fromServer;
  const now = p.timeNs;
  if (clock[c + t.OPEN_OUT]! < 0)
    clock[c + t.GAP] = Math.max(
      0,
      now - Math.max(clock[c + t.LAST_OUT]!, clock[c + t.LAST_IN]!, clock[c + t.FIRST]!),
    );
  if (words[self + t.PACKETS]!++ === 0 && fromServer === 0 && p.payloadAt < p.end) {
    // long header form and fixed bit, and a version that is not 0
    const longHeader = (view.getUint8(p.payloadAt) & 0xc0) === 0xc0 && p.payload >= 1200;
    if (longHeader) words[w + t.MARKS]! |= t.QUIC;
  }
  const hops = words[self + t.HOPS]!;
  words[self + t.HOPS] =
    (Math.min(hops & 0xff, p.ttl) | (Math.max((hops >>> 8) & 0xff, p.ttl) << 8) | (hops & 0xffff0000)) >>> 0;
  if (fromServer === 1) {
    clock[c + t.OPEN_OUT] = -1;
    words[w + t.OUT + t.REPEATS] = 0;
    if (clock[c + t.GAP]! > clock[c + t.SURVIVED]!) clock[c + t.SURVIVED] = clock[c + t.GAP]!;
  } else {
    if (clock[c + t.OPEN_OUT]! < 0) clock[c + t.OPEN_OUT] = now;
    if (words[self + t.REPEATS]! < 0xffff) words[self + t.REPEATS]!++;
  }
  clock[c + t.LAST_OUT + fromServer] = now;
}
