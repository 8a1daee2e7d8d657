/**
 * Client traffic made from a plan and a seed, as a capture on the router's client-facing link would show it: TCP
 * connections that send a request now and then and close in good order, UDP clients that keep asking. Both
 * directions, Ethernet, headers only, tenths of a millisecond. The same plan gives the same octets everywhere.
 *
 * Nothing fails in it: what fails is the scenario's doing. Addresses are documentation ranges (RFC 5737, RFC 3849).
 */
import { type Address, ipv4, ipv6 } from '../addr/address.js';
import { PcapWriter } from '../capture/pcap-writer.js';
import { Tuple } from '../conntrack/tuple.js';
import { type ForgedFields, forgePacket } from '../state/forge.js';
import { Packet } from '../state/packet.js';
import { Dice } from '../what-if/dice.js';
import { TCP, UDP } from '../wire/ip-protocol.js';
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_SYN } from '../wire/tcp.js';

/** A share of the connections lives between so and so many seconds; Infinity = to the end. */
interface LifeTime {
  readonly share: number;
  readonly fromS: number;
  readonly toS: number;
}

export interface TrafficPlan {
  readonly seed: number;
  readonly durationS: number;
  /** new connections a second, evenly with jitter */
  readonly perSecond: number;
  /** shares that add up to 1 */
  readonly lives: readonly LifeTime[];
  /** between two requests of a connection, seconds */
  readonly pauseS: readonly [least: number, most: number];
  readonly clients: number;
  readonly ipv6Share: number;
  readonly udpShare: number;
  /** requests are HTTP/1.1 on port 80 and captured in full; this share of the clients names another address */
  readonly http?: { readonly forgedShare: number };
}

export const MADE_VIP = ipv4(0xcb00710a);
export const MADE_VIP6 = ipv6(0x20010db8, 0x01130000, 0, 0x10);
const MADE_PORT = 443;
const MADE_HTTP_PORT = 80;
/** what lying clients say: of the range for benchmarks (RFC 2544), where nobody's client is */
const CLAIMED = '198.18.0.7';

/** 2026-11-23 06:00:00 UTC */
const BASE_NS = 1_795_413_600_000_000_000n;
const TICKS_PER_S = 10_000;
const NS_PER_TICK = 100_000;
const ETHERNET = 14;
const SNAP_BYTES = ETHERNET + 60;
const REQUEST_BYTES = 320;
const ANSWER_BYTES = 1200;
const FRAME_BYTES = ETHERNET + 60 + ANSWER_BYTES;

interface Connection {
  readonly client: Address;
  readonly clientPort: number;
  readonly vip: Address;
  readonly proto: number;
  readonly port: number;
  /** what the client sends each time; null: octets that nobody looks at */
  readonly request: Uint8Array | null;
  clientSeq: number;
  serverSeq: number;
}

interface Sent {
  readonly tick: number;
  readonly connection: Connection;
  readonly fromClient: 0 | 1;
  readonly flags: number;
  readonly payloadBytes: number;
}

/** The capture file, pcap with microseconds, not compressed. */
export function makeTraffic(plan: TrafficPlan): Uint8Array {
  const dice = new Dice(plan.seed);
  const sent: Sent[] = [];
  const total = Math.floor(plan.perSecond * plan.durationS);
  for (let n = 0; n < total; n++) {
    const startS = (n + dice.next()) / plan.perSecond;
    const connection = newConnection(plan, dice, n);
    const endS = Math.min(startS + lifeOf(plan, dice), plan.durationS);
    if (connection.proto === UDP) talkUdp(plan, dice, connection, startS, endS, sent);
    else talkTcp(plan, dice, connection, startS, endS, sent);
  }
  const lastTick = plan.durationS * TICKS_PER_S;
  return write(sent.filter(({ tick }) => tick <= lastTick).sort((a, b) => a.tick - b.tick));
}

function newConnection(plan: TrafficPlan, dice: Dice, n: number): Connection {
  const v6 = dice.next() < plan.ipv6Share;
  const proto = dice.next() < plan.udpShare ? UDP : TCP;
  const host = 1 + dice.below(plan.clients);
  return {
    client: v6 ? ipv6(0x20010db8, 0x00510000, 0, host) : ipv4(0xc6336400 + host),
    clientPort: 32768 + ((n * 13) % 28000),
    vip: v6 ? MADE_VIP6 : MADE_VIP,
    proto,
    port: plan.http === undefined ? MADE_PORT : MADE_HTTP_PORT,
    request: plan.http === undefined ? null : requestHead(n, dice.next() < plan.http.forgedShare),
    clientSeq: dice.below(2 ** 32),
    serverSeq: dice.below(2 ** 32),
  };
}

function requestHead(n: number, isForged: boolean): Uint8Array {
  const lines = [
    `GET /items/${n} HTTP/1.1`,
    'Host: shop.example',
    'User-Agent: made-traffic/1',
    'Accept: */*',
    ...(isForged ? [`X-Forwarded-For: ${CLAIMED}`] : []),
    '',
    '',
  ];
  return Uint8Array.from(lines.join('\r\n'), (c) => c.charCodeAt(0));
}

function lifeOf({ lives }: TrafficPlan, dice: Dice): number {
  let rest = dice.next();
  for (const { share, fromS, toS } of lives) {
    rest -= share;
    if (rest < 0) return toS === Number.POSITIVE_INFINITY ? toS : fromS + dice.next() * (toS - fromS);
  }
  return lives.at(-1)!.fromS;
}

function talkTcp(
  plan: TrafficPlan,
  dice: Dice,
  connection: Connection,
  startS: number,
  endS: number,
  sent: Sent[],
): void {
  const rtt = 100 + dice.below(500);
  let tick = Math.round(startS * TICKS_PER_S);
  const send = (delay: number, fromClient: 0 | 1, flags: number, payloadBytes: number): void => {
    tick += delay;
    sent.push({ tick, connection, fromClient, flags, payloadBytes });
  };
  send(0, 1, TCP_SYN, 0);
  send(4, 0, TCP_SYN | TCP_ACK, 0);
  send(rtt, 1, TCP_ACK, 0);
  for (;;) {
    send(1, 1, TCP_PSH | TCP_ACK, connection.request?.length ?? REQUEST_BYTES);
    send(20 + dice.below(200), 0, TCP_PSH | TCP_ACK, ANSWER_BYTES);
    send(rtt, 1, TCP_ACK, 0);
    const pause = Math.round(pauseOf(plan, dice) * TICKS_PER_S);
    if (tick + pause > endS * TICKS_PER_S) break;
    tick += pause;
  }
  // what would close after the end of the capture stays open
  tick = Math.max(tick + 1, Math.round(endS * TICKS_PER_S));
  if (endS >= plan.durationS) return;
  send(0, 1, TCP_FIN | TCP_ACK, 0);
  send(5, 0, TCP_FIN | TCP_ACK, 0);
  send(rtt, 1, TCP_ACK, 0);
}

function talkUdp(
  plan: TrafficPlan,
  dice: Dice,
  connection: Connection,
  startS: number,
  endS: number,
  sent: Sent[],
): void {
  for (let atS = startS; atS <= endS; atS += pauseOf(plan, dice)) {
    const tick = Math.round(atS * TICKS_PER_S);
    sent.push({ tick, connection, fromClient: 1, flags: 0, payloadBytes: REQUEST_BYTES });
    const answered = tick + 20 + dice.below(200);
    sent.push({ tick: answered, connection, fromClient: 0, flags: 0, payloadBytes: ANSWER_BYTES });
  }
}

function pauseOf({ pauseS: [least, most] }: TrafficPlan, dice: Dice): number {
  return least + dice.next() * (most - least);
}

function write(sent: readonly Sent[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  const writer = new PcapWriter((bytes) => pieces.push(bytes.slice()), {
    linkType: 1,
    resolution: 'microseconds',
    baseNs: BASE_NS,
    snapLen: sent.some(({ connection }) => connection.request !== null) ? FRAME_BYTES : SNAP_BYTES,
  });
  const frame = new Uint8Array(FRAME_BYTES);
  const view = new DataView(frame.buffer, ETHERNET);
  const packet = new Packet();
  const tuple = new Tuple();
  const fields: ForgedFields = { flags: 0, seq: 0, ack: 0, payloadBytes: 0, flowLabel: 0 };
  for (const { tick, connection, fromClient, flags, payloadBytes } of sent) {
    const { client, clientPort, vip, proto, port, request } = connection;
    tuple.setKind(vip.family, proto);
    tuple.setSource(fromClient === 1 ? client : vip, fromClient === 1 ? clientPort : port);
    tuple.setDestination(fromClient === 1 ? vip : client, fromClient === 1 ? port : clientPort);
    fields.flags = flags;
    fields.payloadBytes = payloadBytes;
    fields.payload = fromClient === 1 && payloadBytes > 0 ? request : null;
    fields.seq = fromClient === 1 ? connection.clientSeq : connection.serverSeq;
    fields.ack = (flags & TCP_ACK) === 0 ? 0 : fromClient === 1 ? connection.serverSeq : connection.clientSeq;
    forgePacket(tuple, fields, view, packet);
    const took = payloadBytes + ((flags & (TCP_SYN | TCP_FIN)) === 0 ? 0 : 1);
    if (fromClient === 1) connection.clientSeq = (connection.clientSeq + took) >>> 0;
    else connection.serverSeq = (connection.serverSeq + took) >>> 0;
    // locally administered addresses: the router's and the gateway's before it
    frame.set(fromClient === 1 ? [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2] : [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    frame.set(vip.family === 4 ? [0x08, 0x00] : [0x86, 0xdd], 12);
    const wireLen = ETHERNET + packet.end;
    const snapBytes = fields.payload === null ? SNAP_BYTES : frame.length;
    writer.write(tick * NS_PER_TICK, frame, 0, Math.min(snapBytes, wireLen), wireLen);
  }
  writer.flush();
  return new Uint8Array(Buffer.concat(pieces));
}
