/**
 * The BGP sessions inside a capture: frames to TCP segments, segments to messages. A connection is BGP by port 179, or
 * from the first segment on that begins with a message (RFC 4271 section 4.1: 16 octets of ones, a length, a type).
 */
import { formatIpv4, formatIpv6 } from '../addr/address.js';
import { HEADER_BYTES } from '../bgp/codec/message.js';
import {
  BGP_PORT,
  type BgpSegment,
  type CapturedMessage,
  CaptureSessions,
} from '../bgp/watch/capture-sessions.js';
import { createRecordBatch } from '../capture/record-batch.js';
import type { CaptureReader } from '../capture/record-reader.js';
import { type IpLayer, LAYER_DST, LAYER_SRC } from '../flow/ip-layer.js';
import { PacketDecoder } from '../flow/packet-decoder.js';
import * as protocols from '../wire/ip-protocol.js';
import * as tcp from '../wire/tcp.js';

const BATCH_ROWS = 4096;

/** Hands every message to `onMessage`, in the order of the segments that complete them; times are since t = 0. */
export function readBgpSessions(
  reader: CaptureReader,
  onMessage: (message: CapturedMessage) => void,
  onEnd?: (segment: BgpSegment) => void,
): void {
  const sessions = new CaptureSessions(onMessage, onEnd);
  const known = new MarkedPorts();
  const decoder = new PacketDecoder();
  const batch = createRecordBatch(BATCH_ROWS, new Uint8Array(0));
  while (reader.next(batch)) {
    for (let row = 0; row < batch.count; row++) {
      const at = batch.at[row]!;
      const linkType = batch.linkType[row]!;
      decoder.decode(batch.view, at, batch.capLen[row]!, batch.wireLen[row]!, linkType, 'inner');
      if (decoder.layers > 0)
        offer(decoder.inner, batch.view, batch.bytes, batch.timeNs[row]! / 1e9, sessions, known);
    }
  }
  sessions.end();
}

function offer(
  layer: IpLayer,
  view: DataView,
  bytes: Uint8Array,
  timeS: number,
  sessions: CaptureSessions,
  known: MarkedPorts,
): void {
  if (layer.proto !== protocols.TCP || layer.tcpFlags < 0 || layer.moreFragments) return;
  const payloadAt = Math.min(layer.l4 + tcp.headerBytes(view, layer.l4), layer.end);
  if (layer.srcPort !== BGP_PORT && layer.dstPort !== BGP_PORT) {
    if (!known.has(layer) && !known.learn(layer, view, payloadAt)) return;
  }
  sessions.segment({
    timeS,
    src: addressText(layer, LAYER_SRC),
    srcPort: layer.srcPort,
    dst: addressText(layer, LAYER_DST),
    dstPort: layer.dstPort,
    seq: tcp.sequence(view, layer.l4),
    isSyn: (layer.tcpFlags & tcp.TCP_SYN) !== 0,
    isEnd: (layer.tcpFlags & (tcp.TCP_FIN | tcp.TCP_RST)) !== 0,
    payload: bytes.subarray(payloadAt, Math.min(layer.end, payloadAt + layer.payloadBytes)),
  });
}

/** Connections of other ports that have begun a message, in either direction. */
class MarkedPorts {
  private readonly ports = new Set<number>();

  has({ srcPort, dstPort }: IpLayer): boolean {
    return this.ports.size > 0 && this.ports.has(pairOf(srcPort, dstPort));
  }

  learn(layer: IpLayer, view: DataView, at: number): boolean {
    if (!beginsMessage(view, at, Math.min(layer.end, at + layer.payloadBytes))) return false;
    this.ports.add(pairOf(layer.srcPort, layer.dstPort));
    return true;
  }
}

function pairOf(a: number, b: number): number {
  return Math.min(a, b) * 65536 + Math.max(a, b);
}

const LAST_TYPE = 5;

function beginsMessage(view: DataView, at: number, end: number): boolean {
  if (end - at < HEADER_BYTES) return false;
  for (let word = 0; word < 16; word += 4) if (view.getUint32(at + word) !== 0xffffffff) return false;
  const type = view.getUint8(at + 18);
  return view.getUint16(at + 16) >= HEADER_BYTES && type >= 1 && type <= LAST_TYPE;
}

function addressText({ words, family }: IpLayer, at: number): string {
  if (family === 4) return formatIpv4(words[at]!);
  return formatIpv6(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
}
