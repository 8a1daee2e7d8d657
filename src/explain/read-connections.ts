/**
 * One pass over a capture for the post-mortem: every frame decoded, every TCP segment and UDP datagram added to its
 * connection, every ICMP error kept with the connection that it is about.
 *
 * Level `auto` follows both the outside and the inside of tunnels; {@link ReadConnections.layer} says which of them is
 * the traffic: the inside where hardly any TCP connection runs outside of a tunnel, as in a mirror of a port.
 */
import { formatAddress, ipv4, ipv6 } from '../addr/address.js';
import { openByteSource } from '../capture/byte-source.js';
import { openCapture } from '../capture/capture-reader.js';
import { LinkType, linkTypeName } from '../capture/link-types.js';
import { createRecordBatch, type RecordBatch } from '../capture/record-batch.js';
import type { CaptureReader } from '../capture/record-reader.js';
import { FaultTally } from '../flow/decode-fault.js';
import type { CaptureSummary } from '../flow/flow-columns.js';
import { type IpLayer, LAYER_SRC } from '../flow/ip-layer.js';
import { PacketDecoder } from '../flow/packet-decoder.js';
import { senderServes } from '../flow/server-side.js';
import { UDP_TUNNEL_PORTS } from '../flow/tunnel-header.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as protocols from '../wire/ip-protocol.js';
import {
  BYTES_OUT,
  CHUNK_ROW_BITS,
  ConnectionTable,
  FIRST_SEQ,
  LAYER_INSIDE,
  LAYER_OUTSIDE,
  LAYER_PLAIN,
  MARKS,
  OUT,
  PACKETS,
  SAW_SYN,
} from './connection-table.js';
import { SeenPacket } from './seen-packet.js';
import { trackTcp } from './track-tcp.js';
import { trackUdp } from './track-udp.js';

export type ExplainLevel = 'outer' | 'inner' | 'auto';

/** An ICMP error that quotes a packet of a connection. */
export interface IcmpNotice {
  /** what the error says, in words */
  readonly what: string;
  readonly kind: 'too-big' | 'refused' | 'unreachable' | 'exceeded' | 'prohibited' | 'other';
  /** whose packet it quotes */
  readonly quotes: 'client' | 'server';
  readonly from: string;
  /** nanoseconds since the capture's first record, of the first one */
  readonly atNs: number;
  /** the next hop's MTU, where the error says it; 0 otherwise */
  readonly mtu: number;
  count: number;
}

interface ReadProgress {
  readonly doneBytes: number;
  readonly totalBytes: number | null;
  readonly packets: number;
}

export interface ReadConnectionsOptions {
  readonly level?: ExplainLevel | undefined;
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
}

export interface ReadConnections {
  readonly summary: CaptureSummary;
  readonly table: ConnectionTable;
  /** ICMP errors by row */
  readonly icmp: ReadonlyMap<number, readonly IcmpNotice[]>;
  /** the layers whose rows are the traffic; rows of the other one are left out of the report */
  readonly layer: typeof LAYER_OUTSIDE | typeof LAYER_INSIDE;
  /** packets that were found inside tunnels */
  readonly insidePackets: number;
  /** nanoseconds since the first record */
  readonly endNs: number;
}

const BATCH_ROWS = 4096;
/** packets whose rows are brought into the cache together */
const GROUP_PACKETS = 32;
const PROGRESS_BATCHES = 64;
/** of the TCP packets, at most this share outside of tunnels: then the inside is the traffic */
const OUTSIDE_SHARE = 0.02;

const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

export function readConnections(path: string, options: ReadConnectionsOptions = {}): ReadConnections {
  const source = openByteSource(path);
  const reader = openCapture(source);
  const batch = createRecordBatch(BATCH_ROWS, new Uint8Array(0));
  const reading = new Reading(options.level ?? 'auto');
  try {
    for (let batches = 1; reader.next(batch); batches++) {
      reading.add(batch);
      if (batches % PROGRESS_BATCHES === 0) {
        options.onProgress?.({
          doneBytes: source.positionBytes,
          totalBytes: source.sizeBytes,
          packets: reading.packets,
        });
      }
    }
    return reading.finish(path, reader);
  } finally {
    reader.close();
  }
}

class Reading {
  packets = 0;
  private readonly table = new ConnectionTable();
  private readonly icmp = new Map<number, IcmpNotice[]>();
  private readonly decoder = new PacketDecoder();
  private readonly faults = new FaultTally();
  private readonly packet = new SeenPacket();
  private readonly group = Array.from({ length: GROUP_PACKETS }, () => new SeenPacket());
  /** what the touching of rows added up to; without a meaning */
  touched = 0;
  private readonly tunnelPort = new Uint8Array(65536);
  private bytes = 0;
  private minNs = Number.POSITIVE_INFINITY;
  private maxNs = Number.NEGATIVE_INFINITY;
  private insidePackets = 0;
  private plainTcp = 0;
  private insideTcp = 0;

  constructor(private readonly level: ExplainLevel) {
    if (level !== 'outer') for (const port of UDP_TUNNEL_PORTS) this.tunnelPort[port] = 1;
  }

  add(batch: RecordBatch): void {
    const { group, tunnelPort } = this;
    const { view } = batch;
    let { minNs, maxNs, bytes } = this;
    let waiting = 0;
    for (let row = 0; row < batch.count; row++) {
      const timeNs = batch.timeNs[row]!;
      if (timeNs < minNs) minNs = timeNs;
      if (timeNs > maxNs) maxNs = timeNs;
      bytes += batch.wireLen[row]!;
      const packet = group[waiting]!;
      packet.timeNs = timeNs;
      const plain =
        packet.readPlain(view, batch.at[row]!, batch.capLen[row]!, batch.linkType[row]!) &&
        !(
          (packet.kind & 0xff) === protocols.UDP &&
          (tunnelPort[packet.srcPort]! | tunnelPort[packet.dstPort]!) !== 0
        );
      if (plain) {
        packet.rehash();
        if (++waiting < GROUP_PACKETS) continue;
      }
      this.flush(view, waiting);
      waiting = 0;
      if (!plain) this.addDecoded(batch, row);
    }
    this.flush(view, waiting);
    this.packets += batch.count;
    this.minNs = minNs;
    this.maxNs = maxNs;
    this.bytes = bytes;
  }

  /**
   * Adds the first `count` plain packets of the group. Slots first, then rows, then the work: the reads of a group do
   * not depend on each other, so that their cache misses overlap instead of adding up.
   */
  private flush(view: DataView, count: number): void {
    const { group, table } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += table.touchSlot(group[i]!.hash);
    for (let i = 0; i < count; i++) {
      const guess = table.touchSlot(group[i]!.hash);
      if (guess >= 0) sum += table.touchRow(guess);
    }
    this.touched = sum;
    for (let i = 0; i < count; i++) {
      const packet = group[i]!;
      if ((packet.kind & 0xff) === protocols.TCP) this.plainTcp++;
      this.track(packet, view);
    }
  }

  private addDecoded(batch: RecordBatch, row: number): void {
    const { decoder, packet, level } = this;
    const { view } = batch;
    const at = batch.at[row]!;
    const linkType = batch.linkType[row]!;
    packet.timeNs = batch.timeNs[row]!;
    decoder.decode(view, at, batch.capLen[row]!, batch.wireLen[row]!, linkType, 'inner');
    if (decoder.fault !== 0) this.faults.add(decoder.fault, linkType);
    if (decoder.layers === 0) return;
    const nextHop = linkType === LinkType.ethernet && batch.capLen[row]! >= 6 ? view.getUint32(at + 2) : 0;
    const inside = decoder.layers > 1;
    if (inside) this.insidePackets++;
    const top = level === 'outer' ? decoder.outer : decoder.inner;
    if (decoder.hasQuoted && (level !== 'outer' || !inside)) {
      this.addIcmp(view, decoder.inner, decoder.quoted, inside ? LAYER_INSIDE : LAYER_PLAIN);
      return;
    }
    if (inside && level === 'auto' && packet.readLayer(view, decoder.outer, nextHop)) {
      packet.kind |= LAYER_OUTSIDE << 16;
      packet.rehash();
      this.track(packet, view);
    }
    if (!packet.readLayer(view, top, inside && level !== 'outer' ? 0 : nextHop)) return;
    if (inside) packet.kind |= (level === 'outer' ? LAYER_OUTSIDE : LAYER_INSIDE) << 16;
    if (top.proto === protocols.TCP) {
      if (inside) this.insideTcp++;
      else this.plainTcp++;
    }
    packet.rehash();
    this.track(packet, view);
  }

  private track(packet: SeenPacket, view: DataView): void {
    const { table } = this;
    const proto = packet.kind & 0xff;
    let found = table.find(packet);
    if (proto === protocols.TCP && (packet.flags & (SYN | RST)) === SYN) found = this.onSyn(packet, found);
    if (found < 0)
      found = (table.open(packet, serverIsSource(packet), -1, packet.timeNs) << 1) | serverIsSource(packet);
    const row = found >>> 1;
    const fromServer = found & 1;
    const chunk = table.chunks[row >>> CHUNK_ROW_BITS]!;
    const c = ConnectionTable.clockAt(row);
    const w = ConnectionTable.wordsAt(row);
    chunk.clock[c + BYTES_OUT + fromServer]! += packet.ipBytes;
    if (proto === protocols.TCP) trackTcp(chunk, c, w, fromServer, packet);
    else trackUdp(chunk, c, w, fromServer, packet, view);
  }

  /**
   * A SYN, with or without ACK: the row that it belongs to. A SYN with another initial sequence number than the
   * client's, or against the direction of the row, begins another connection on the five-tuple.
   */
  private onSyn(packet: SeenPacket, found: number): number {
    if (found < 0) return found;
    const { table } = this;
    const row = found >>> 1;
    const { words } = table.chunkOf(row);
    const w = ConnectionTable.wordsAt(row);
    const opens = (packet.flags & ACK) === 0;
    const fromServer = found & 1;
    if (!opens) return found;
    const began = (words[w + MARKS]! & SAW_SYN) !== 0;
    const same = fromServer === 0 && began && words[w + OUT + FIRST_SEQ] === packet.seq;
    if (same) return found;
    // a SYN that comes after a copy-less SYN+ACK of the same handshake was reordered
    if (fromServer === 0 && !began && words[w + OUT + PACKETS] === 0) return found;
    return table.open(packet, 0, row, packet.timeNs) << 1;
  }

  private addIcmp(view: DataView, layer: IpLayer, quoted: IpLayer, kindLayer: number): void {
    const { packet, table, icmp: notices } = this;
    if (!packet.readQuoted(quoted)) return;
    packet.kind |= kindLayer << 16;
    packet.rehash();
    const found = table.find(packet);
    if (found < 0) return;
    const notice = noticeOf(view, layer, (found & 1) === 1 ? 'server' : 'client', packet.timeNs);
    const list = notices.get(found >>> 1);
    if (list === undefined) notices.set(found >>> 1, [notice]);
    else {
      const known = list.find(
        ({ what, from, quotes }) => what === notice.what && from === notice.from && quotes === notice.quotes,
      );
      if (known !== undefined) known.count++;
      else if (list.length < MAX_NOTICES) list.push(notice);
    }
  }

  finish(path: string, reader: CaptureReader): ReadConnections {
    const { table, icmp: notices, insidePackets, packets } = this;
    const tcp = this.plainTcp + this.insideTcp;
    const inside =
      this.level === 'inner' ||
      (this.level === 'auto' && this.insideTcp > 0 && this.plainTcp <= OUTSIDE_SHARE * tcp);
    const summary: CaptureSummary = {
      file: path,
      format: reader.format,
      linkTypes: reader.linkTypes.map(linkTypeName),
      packets,
      bytes: this.bytes,
      level: inside ? 'inner' : 'outer',
      baseNs: reader.baseNs,
      duration: packets > 0 ? (this.maxNs - this.minNs) / 1e9 : 0,
      truncated: reader.truncated,
      decodeFaults: this.faults.toRecord(),
      dropped: reader.dropped,
      damage: reader.damage,
      warnings: [...reader.warnings],
    };
    return {
      summary,
      table,
      icmp: notices,
      layer: inside ? LAYER_INSIDE : LAYER_OUTSIDE,
      insidePackets,
      endNs: packets > 0 ? this.maxNs : 0,
    };
  }
}

/** different errors kept of one connection */
const MAX_NOTICES = 4;

/**
 * Who serves, where the five-tuple is new: the receiver of a SYN, the sender of a SYN+ACK; in mid-stream, and without
 * connections, as ports tell.
 */
function serverIsSource({ kind, flags, srcPort, dstPort }: SeenPacket): 0 | 1 {
  if ((kind & 0xff) === protocols.TCP && (flags & SYN) !== 0) return (flags & ACK) !== 0 ? 1 : 0;
  return senderServes(kind & 0xff, srcPort, dstPort) ? 1 : 0;
}

const UNREACHABLE_V4: Readonly<Record<number, readonly [string, IcmpNotice['kind']]>> = {
  0: ['network unreachable', 'unreachable'],
  1: ['host unreachable', 'unreachable'],
  2: ['protocol unreachable', 'refused'],
  3: ['port unreachable', 'refused'],
  4: ['fragmentation needed', 'too-big'],
  9: ['network administratively prohibited', 'prohibited'],
  10: ['host administratively prohibited', 'prohibited'],
  13: ['administratively prohibited', 'prohibited'],
};
const UNREACHABLE_V6: Readonly<Record<number, readonly [string, IcmpNotice['kind']]>> = {
  0: ['no route', 'unreachable'],
  1: ['administratively prohibited', 'prohibited'],
  3: ['address unreachable', 'unreachable'],
  4: ['port unreachable', 'refused'],
  5: ['source address failed the policy', 'prohibited'],
  6: ['route rejected', 'prohibited'],
};

/** Types and codes as the registries of RFC 792 and RFC 4443 number them. */
function noticeOf(view: DataView, layer: IpLayer, quotes: 'client' | 'server', atNs: number): IcmpNotice {
  const { words, family, l4, end } = layer;
  const type = icmp.type(view, l4);
  const code = icmp.code(view, l4);
  const from = formatAddress(
    family === 4
      ? ipv4(words[LAYER_SRC]!)
      : ipv6(words[LAYER_SRC]!, words[LAYER_SRC + 1]!, words[LAYER_SRC + 2]!, words[LAYER_SRC + 3]!),
  );
  const name = family === 6 ? 'ICMPv6' : 'ICMP';
  const unreachable = type === (family === 4 ? icmp.UNREACHABLE : icmpv6.UNREACHABLE);
  const known = unreachable ? (family === 4 ? UNREACHABLE_V4 : UNREACHABLE_V6)[code] : undefined;
  const exceeded = type === (family === 4 ? icmp.TIME_EXCEEDED : icmpv6.TIME_EXCEEDED);
  const tooBigV6 = family === 6 && type === icmpv6.PACKET_TOO_BIG;
  const [what, kind]: readonly [string, IcmpNotice['kind']] = tooBigV6
    ? ['packet too big', 'too-big']
    : exceeded
      ? ['time exceeded', 'exceeded']
      : (known ?? [`type ${type} code ${code}`, 'other']);
  // RFC 1191 section 4: the low half of the second word; RFC 4443 section 3.2: the whole word
  const mtu =
    kind === 'too-big' && l4 + 8 <= end
      ? family === 4
        ? view.getUint16(l4 + 6)
        : view.getUint32(l4 + 4)
      : 0;
  return { what: `${name} ${what}`, kind, quotes, from, atNs, mtu, count: 1 };
}
