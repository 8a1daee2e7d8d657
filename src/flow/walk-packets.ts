/** A second pass over a capture: every frame, one after the other, decoded where the visitor wants it; nothing kept. */
import { openByteSource } from '../capture/byte-source.js';
import { openCapture } from '../capture/capture-reader.js';
import { createRecordBatch } from '../capture/record-batch.js';
import { type Level, PacketDecoder } from './packet-decoder.js';

/** One frame of the walk; reused, and valid until the visitor returns. */
export interface WalkedPacket {
  /** from 1 */
  number: number;
  /** nanoseconds since the capture's first record */
  timeNs: number;
  view: DataView;
  /** the same memory */
  bytes: Uint8Array;
  /** offset of the frame in `view` */
  at: number;
  capLen: number;
  wireLen: number;
  linkType: number;
  readonly decoder: PacketDecoder;
}

/** As {@link walkFrames}, with every frame decoded. */
export function walkPackets(path: string, level: Level, visit: (packet: WalkedPacket) => void): void {
  walkFrames(path, (packet) => {
    decodeFrame(packet, level);
    visit(packet);
  });
}

/** Decodes the frame into its `decoder`. */
export function decodeFrame(
  { decoder, view, at, capLen, wireLen, linkType }: WalkedPacket,
  level: Level,
): void {
  decoder.decode(view, at, capLen, wireLen, linkType, level);
}

/**
 * Frames that nobody has decoded.
 *
 * @throws FlowfateError where the capture cannot be opened. Damage ends the walk, as it ended the first pass.
 */
export function walkFrames(path: string, visit: (packet: WalkedPacket) => void): void {
  const reader = openCapture(openByteSource(path));
  const batch = createRecordBatch(4096, new Uint8Array(0));
  const decoder = new PacketDecoder();
  const packet: WalkedPacket = {
    number: 0,
    timeNs: 0,
    view: batch.view,
    bytes: batch.bytes,
    at: 0,
    capLen: 0,
    wireLen: 0,
    linkType: 0,
    decoder,
  };
  try {
    while (reader.next(batch)) {
      packet.view = batch.view;
      packet.bytes = batch.bytes;
      for (let row = 0; row < batch.count; row++) {
        packet.number++;
        packet.timeNs = batch.timeNs[row]!;
        packet.at = batch.at[row]!;
        packet.capLen = batch.capLen[row]!;
        packet.wireLen = batch.wireLen[row]!;
        packet.linkType = batch.linkType[row]!;
        visit(packet);
      }
    }
  } finally {
    reader.close();
  }
}
