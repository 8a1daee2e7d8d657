/**
 * The node's connection-tracking table during a walk: entries that `conntrack -L` listed, and those that traced packets
 * have made. Small and by text key: a trace looks up one tuple.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { TcpState } from '../conntrack/tcp-states.js';
import { ICMP, ICMPV6 } from '../wire/ip-protocol.js';

export interface Tuple {
  readonly proto: number;
  readonly src: Address;
  readonly srcPort: number;
  readonly dst: Address;
  readonly dstPort: number;
}

export interface Connection {
  readonly original: Tuple;
  /** as its packets come in: from the far side's address */
  reply: Tuple;
  seenReply: boolean;
  confirmed: boolean;
  assured: boolean;
  srcNat: boolean;
  dstNat: boolean;
  srcDone: boolean;
  dstDone: boolean;
  mark: number;
  markUnknown: boolean;
  readonly zone: number;
  tcp: TcpState;
  helper: string | null;
  /** bits of `ct label` */
  readonly labels: Set<number>;
  /** the kernel draws this connection's source port: it cannot be said */
  portDrawn: boolean;
  /** null where the entry did not say, or the packet did not */
  readonly icmpId: number | null;
  readonly fromDump: boolean;
  /** seconds that a dumped entry had left; null where nobody said */
  readonly expiresS: number | null;
}

export function newConnection(original: Tuple, zone: number, icmpId: number | null): Connection {
  return {
    original,
    reply: inverted(original),
    seenReply: false,
    confirmed: false,
    assured: false,
    srcNat: false,
    dstNat: false,
    srcDone: false,
    dstDone: false,
    mark: 0,
    markUnknown: false,
    zone,
    tcp: TcpState.none,
    helper: null,
    labels: new Set(),
    portDrawn: false,
    icmpId,
    fromDump: false,
    expiresS: null,
  };
}

/** An ICMP tuple has its identifier as source port, and type and code as destination port, as the kernel keeps them. */
export function inverted(t: Tuple): Tuple {
  if (t.proto === ICMP || t.proto === ICMPV6) {
    const type = t.dstPort >> 8;
    const other = ICMP_PAIRS.find((pair) => pair.includes(type));
    const answer = other === undefined ? type : other[0] === type ? other[1]! : other[0]!;
    return {
      proto: t.proto,
      src: t.dst,
      srcPort: t.srcPort,
      dst: t.src,
      dstPort: (answer << 8) | (t.dstPort & 255),
    };
  }
  return { proto: t.proto, src: t.dst, srcPort: t.dstPort, dst: t.src, dstPort: t.srcPort };
}

/** request and reply types: echo, timestamp, information, address mask; IPv6's echo and node information */
const ICMP_PAIRS: readonly (readonly number[])[] = [
  [8, 0],
  [13, 14],
  [15, 16],
  [17, 18],
  [128, 129],
  [139, 140],
];

function tupleKey(t: Tuple, zone: number): string {
  return `${zone} ${t.proto} ${formatAddress(t.src)} ${t.srcPort} ${formatAddress(t.dst)} ${t.dstPort}`;
}

export interface Found {
  readonly connection: Connection;
  readonly reply: boolean;
}

export class ConnectionTable {
  private readonly byTuple = new Map<string, Found>();
  size = 0;

  find(tuple: Tuple, zone: number): Found | null {
    return this.byTuple.get(tupleKey(tuple, zone)) ?? null;
  }

  add(connection: Connection): void {
    this.size++;
    this.byTuple.set(tupleKey(connection.original, connection.zone), { connection, reply: false });
    const reply = tupleKey(connection.reply, connection.zone);
    if (!this.byTuple.has(reply) || !connection.portDrawn)
      this.byTuple.set(reply, { connection, reply: true });
  }

  remove(connection: Connection): void {
    this.size--;
    for (const tuple of [connection.original, connection.reply]) {
      const key = tupleKey(tuple, connection.zone);
      if (this.byTuple.get(key)?.connection === connection) this.byTuple.delete(key);
    }
  }

  *entries(): Iterable<Connection> {
    for (const { connection, reply } of this.byTuple.values()) if (!reply) yield connection;
  }
}
