/**
 * Conversations for tests of the post-mortem, written as a script: a line a packet, with sequence and acknowledgement
 * numbers kept as two well-behaved stacks would.
 *
 *     0      c SYN             the client (c) or the server (s), flags as a word, or "data 80", "ack", "icmp …"
 *     0.001  s SYNACK
 *     0.5    s RST ttl=64      RST: bare, at the number the peer acknowledged; RSTACK: at the own next number
 *     0.6    s data 1448 again the last data once more
 */
import {
  type ExplainLevel,
  type ReadConnections,
  readConnections,
} from '../../src/explain/read-connections.js';
import { ethernetFrame, ipv4Packet, pcapFile, type Recorded, udpDatagram, withFile } from './frames.js';

export interface Conversation {
  readonly client?: string;
  readonly clientPort?: number;
  readonly server?: string;
  readonly serverPort?: number;
  /** initial sequence numbers of client and server */
  readonly isn?: readonly [number, number];
  /** seconds that every line is later */
  readonly after?: number;
  readonly script: string;
}

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const DEFAULT_TTL = { c: 64, s: 63 };

const u16 = (v: number): number[] => [(v >> 8) & 255, v & 255];
const u32 = (v: number): number[] => [...u16(v >>> 16), ...u16(v)];
const word = (address: string): number =>
  address.split('.').reduce((sum, part) => ((sum << 8) | Number(part)) >>> 0, 0);

/** Records of all conversations, by time. */
export function recordsOf(conversations: readonly Conversation[]): Recorded[] {
  const records = conversations.flatMap((one, i) => oneConversation(one, i));
  return records.sort((a, b) => a.timeUs - b.timeUs);
}

/** The connection table of a capture that holds these conversations. */
export function readConversations(
  conversations: readonly Conversation[],
  level: ExplainLevel = 'auto',
): ReadConnections {
  return withFile(pcapFile(recordsOf(conversations)), (path) => readConnections(path, { level }));
}

function oneConversation(one: Conversation, index: number): Recorded[] {
  const client = word(one.client ?? '198.51.100.7');
  const server = word(one.server ?? '203.0.113.10');
  const clientPort = one.clientPort ?? 40000 + index;
  const serverPort = one.serverPort ?? 80;
  const [isnC, isnS] = one.isn ?? [1000 + index * 7, 0x90000000 + index * 11];
  const next = { c: isnC, s: isnS };
  const lastData = { c: [isnC, 0] as [number, number], s: [isnS, 0] as [number, number] };
  const spoke = { c: false, s: false };
  let id = 1 + index * 100;
  const records: Recorded[] = [];
  for (const line of one.script.trim().split('\n')) {
    const words = line.trim().split(/\s+/);
    const timeUs = Math.round((Number(words[0]) + (one.after ?? 0)) * 1e6);
    const who = words[1] as 'c' | 's';
    const peer = who === 'c' ? 's' : 'c';
    const verb = words[2]!;
    const settings = new Map(
      words.slice(3).flatMap((w) => (w.includes('=') ? [w.split('=') as [string, string]] : [])),
    );
    const size = verb === 'data' || verb === 'udp' ? Number(words[3]) : 0;
    const again = words.includes('again');
    const ttl = Number(settings.get('ttl') ?? DEFAULT_TTL[who]);
    const [src, dst] = who === 'c' ? [client, server] : [server, client];
    const ports = who === 'c' ? [clientPort, serverPort] : [serverPort, clientPort];
    const frame = (packet: number[]): number[] => {
      packet[8] = ttl;
      packet.splice(4, 2, ...u16(Number(settings.get('id') ?? id++)));
      const made = ethernetFrame(0x0800, packet);
      const mac = settings.get('mac');
      if (mac !== undefined) made[5] = Number(mac);
      return made;
    };
    if (verb === 'udp') {
      const payload = new Array<number>(size).fill(0);
      if (settings.has('quic')) payload[0] = 0xc3;
      records.push({
        timeUs,
        frame: frame(ipv4Packet(17, udpDatagram(ports[0]!, ports[1]!, payload), { src, dst })),
      });
      continue;
    }
    if (verb === 'icmp') {
      // an error of `from` about the last packet of the other side
      const [type = 3, code = 3, mtu = 0] = (settings.get('is') ?? '3/3').split('/').map(Number);
      const proto = settings.get('proto') === 'udp' ? 17 : 6;
      const quoted = ipv4Packet(proto, [...u16(ports[1]!), ...u16(ports[0]!), ...u32(next[peer])], {
        src: dst,
        dst: src,
      });
      const body = [type, code, 0, 0, 0, 0, ...u16(mtu), ...quoted];
      const from = word(settings.get('from') ?? '203.0.113.1');
      records.push({ timeUs, frame: frame(ipv4Packet(1, body, { src: from, dst })) });
      continue;
    }
    const flags = {
      SYN,
      SYNACK: SYN | ACK,
      FIN: FIN | ACK,
      RST,
      RSTACK: RST | ACK,
      ack: ACK,
      data: PSH | ACK,
      NULL: 0,
      XMAS: FIN | PSH | 32,
    }[verb];
    if (flags === undefined) throw new TypeError(`conversation: no verb ${verb}`);
    let seq = next[who];
    let ack = (flags & ACK) !== 0 ? next[peer] : 0;
    if (verb === 'RST') seq = next[who];
    if (verb === 'data') {
      if (again) [seq] = lastData[who];
      else lastData[who] = [seq, size];
    }
    if ((verb === 'FIN' || verb.startsWith('SYN')) && again) seq = (seq - 1) >>> 0;
    if (settings.has('seq')) seq = (seq + Number(settings.get('seq'))) >>> 0;
    if (settings.has('ack')) ack = (ack + Number(settings.get('ack'))) >>> 0;
    if (verb === 'RSTACK' && !spoke[who] && !settings.has('seq')) seq = 0;
    const options = verb === 'RST' || settings.has('bare') ? [] : [1, 1, 8, 10, ...u32(1), ...u32(2)];
    const window = verb === 'RST' ? 0 : Number(settings.get('window') ?? 500);
    const header = [...u16(ports[0]!), ...u16(ports[1]!), ...u32(seq), ...u32(ack)];
    const offset = ((20 + options.length) / 4) << 4;
    const segment = [
      ...header,
      offset,
      flags,
      ...u16(window),
      0,
      0,
      0,
      0,
      ...options,
      ...new Array<number>(size).fill(120),
    ];
    if (verb === 'RST' && !settings.has('id')) settings.set('id', '0');
    if (!settings.has('lost')) records.push({ timeUs, frame: frame(ipv4Packet(6, segment, { src, dst })) });
    if (again || verb.startsWith('RST')) continue;
    spoke[who] = true;
    next[who] = (next[who] + size + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)) >>> 0;
  }
  return records;
}

/** SYN, SYN+ACK, ACK, then `exchanges` of a request of 80 and a response of 240 octets, `everyS` apart. */
export function healthy(exchanges: number, everyS = 0.1): string {
  const lines = ['0 c SYN', '0.001 s SYNACK', '0.002 c ack'];
  for (let i = 0; i < exchanges; i++) {
    const at = 0.003 + i * everyS;
    lines.push(`${at} c data 80`, `${at + 0.001} s ack`, `${at + 0.002} s data 240`, `${at + 0.003} c ack`);
  }
  return lines.join('\n');
}

/** The FINs of both sides from `at` on. */
export function closed(at: number): string {
  return `${at} c FIN\n${at + 0.001} s FIN\n${at + 0.002} c ack`;
}
