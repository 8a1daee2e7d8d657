/**
 * `conntrack -L` (with or without `-o extended`) and `/proc/net/nf_conntrack`: the entries that a node had when it was
 * asked.
 */
import { parseAddress } from '../addr/address.js';
import { TCP_STATE_NAMES, TcpState } from '../conntrack/tcp-states.js';
import { ICMP, ICMPV6 } from '../wire/ip-protocol.js';
import { type Connection, newConnection, type Tuple } from './connections.js';
import type { Node } from './node.js';
import { addressKey } from './packet.js';
import { protocolNumber } from './protocols.js';

const LINE = /^(?:ipv[46]\s+\d+\s+)?([a-z0-9-]+)\s+(\d+)\s+(?:(\d+)\s+)?.*\bsrc=\S+\s+dst=\S+/;

export function isConntrackList(text: string): boolean {
  return text.split('\n', 50).some((line) => LINE.test(line.trim()));
}

export function readConntrackList(node: Node, text: string, source: string): void {
  text.split('\n').forEach((line, at) => {
    const trimmed = line.trim();
    const [, name, number, left] = LINE.exec(trimmed) ?? [];
    if (number === undefined) return;
    const found = entryOf(trimmed, protocolNumber(name ?? '') ?? Number(number));
    const connection = found && { ...found, expiresS: left === undefined ? null : Number(left) };
    if (connection === null) node.unread.push(`${source}:${at + 1}: "${trimmed.slice(0, 60)}" is no entry`);
    else {
      node.hasConnections = true;
      node.connections.add(connection);
    }
  });
}

function entryOf(line: string, proto: number): Connection | null {
  const values = [...line.matchAll(/\b(src|dst|sport|dport|type|code|id)=(\S+)/g)];
  // the second `src` begins the reply
  const second = values.findIndex(([, key], at) => key === 'src' && at > 0);
  if (second < 0) return null;
  const original = tupleOf(values.slice(0, second), proto);
  const reply = tupleOf(values.slice(second), proto);
  if (original === null || reply === null) return null;
  const number = (key: string): number => Number(new RegExp(`\\b${key}=(\\d+)`).exec(line)?.[1] ?? 0);
  const connection = newConnection(
    original,
    number('zone'),
    proto === ICMP || proto === ICMPV6 ? original.srcPort : null,
  );
  const state = TCP_STATE_NAMES.find((name) => new RegExp(`\\b${name}\\b`).test(line));
  return Object.assign(connection, {
    reply,
    seenReply: !line.includes('[UNREPLIED]'),
    assured: line.includes('[ASSURED]'),
    confirmed: true,
    srcDone: true,
    dstDone: true,
    srcNat: addressKey(reply.dst) !== addressKey(original.src) || reply.dstPort !== original.srcPort,
    dstNat: addressKey(reply.src) !== addressKey(original.dst) || reply.srcPort !== original.dstPort,
    mark: number('mark'),
    tcp: state === undefined ? TcpState.none : (TCP_STATE_NAMES.indexOf(state) as TcpState),
    fromDump: true,
  });
}

function tupleOf(values: readonly RegExpMatchArray[], proto: number): Tuple | null {
  const of = (key: string): string => values.find((each) => each[1] === key)?.[2] ?? '';
  const src = parseAddress(of('src'));
  const dst = parseAddress(of('dst'));
  if (src === null || dst === null) return null;
  if (proto === ICMP || proto === ICMPV6) {
    const type = Number(of('type') || 0);
    return {
      proto,
      src,
      srcPort: Number(of('id') || 0),
      dst,
      dstPort: (type << 8) | Number(of('code') || 0),
    };
  }
  return { proto, src, srcPort: Number(of('sport') || 0), dst, dstPort: Number(of('dport') || 0) };
}
