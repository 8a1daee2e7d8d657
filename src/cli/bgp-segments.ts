/** The BGP sessions inside a capture: frames to TCP segments of port 179, segments to messages. */
import { formatIpv4, formatIpv6 } from '../addr/address.js';
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
  const decoder = new PacketDecoder();
  const batch = createRecordBatch(BATCH_ROWS, new Uint8Array(0));
  while (reader.next(batch)) {
    for (let row = 0; row < batch.count; row++) {
      const at = batch.at[row]!;
      const linkType = batch.linkType[row]!;
      decoder.decode(batch.view, at, batch.capLen[row]!, batch.wireLen[row]!, linkType, 'inner');
      if (decoder.layers > 0)
        offer(decoder.inner, batch.view, batch.bytes, batch.timeNs[row]! / 1e9, sessions);
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
): void {
  if (layer.proto !== protocols.TCP || layer.tcpFlags < 0 || layer.moreFragments) return;
  if (layer.srcPort !== BGP_PORT && layer.dstPort !== BGP_PORT) return;
  const payloadAt = Math.min(layer.l4 + tcp.headerBytes(view, layer.l4), layer.end);
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

function addressText({ words, family }: IpLayer, at: number): string {
  if (family === 4) return formatIpv4(words[at]!);
  return formatIpv6(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
}
