/** A packet of a capture, by its number: the fields and octets of its outermost IP packet, or its innermost. */
import { ipv4, ipv6 } from '../addr/address.js';
import { FlowfateError } from '../errors.js';
import type { Level } from '../flow/packet-decoder.js';
import { walkPackets } from '../flow/walk-packets.js';
import type { PacketFields } from '../netfilter/packet.js';
import { transportAt } from '../netfilter/packet.js';

export interface CapturedPacket {
  readonly fields: PacketFields;
  /** a tunnel or a mirror's copy: there is another IP packet inside */
  readonly isTunnel: boolean;
}

export function capturedPacket(
  path: string,
  number: number,
  iif: string | null,
  level: Level,
): CapturedPacket {
  let isTunnel = false;
  let found: PacketFields | null = null;
  let last = 0;
  walkPackets(path, 'inner', (packet) => {
    last = packet.number;
    const { decoder } = packet;
    if (packet.number !== number || decoder.layers === 0) return;
    const { words, family, proto, srcPort, dstPort, l3 } = level === 'inner' ? decoder.inner : decoder.outer;
    isTunnel = decoder.layers > 1;
    const bytes = packet.bytes.slice(l3, packet.at + packet.capLen);
    const at = transportAt(bytes);
    const address = (from: number) =>
      family === 4
        ? ipv4(words[from]!)
        : ipv6(words[from]!, words[from + 1]!, words[from + 2]!, words[from + 3]!);
    const length = family === 4 ? bytes[2]! * 256 + bytes[3]! : 40 + bytes[4]! * 256 + bytes[5]!;
    found = {
      iif,
      proto,
      src: address(0),
      srcPort,
      dst: address(4),
      dstPort,
      flags: proto === 6 ? bytes[at + 13] : undefined,
      icmpType: proto === 1 || proto === 58 ? bytes[at] : undefined,
      icmpCode: proto === 1 || proto === 58 ? bytes[at + 1] : undefined,
      length: length === 0 ? bytes.length : length,
      ttl: family === 4 ? bytes[8] : bytes[7],
      tos: family === 4 ? bytes[1] : ((bytes[0]! & 15) << 4) | (bytes[1]! >> 4),
      bytes,
    };
  });
  if (found === null) {
    throw new FlowfateError(
      'usage',
      last < number
        ? `${path} has ${last} packets; --packet ${number} is none of them`
        : `packet ${number} of ${path} is no IP packet`,
    );
  }
  return { fields: found, isTunnel };
}
