/**
 * Five-tuples as text, a line each: `proto src sport dst dport`, separated by tabs or spaces; blank lines and
 * lines that begin with `#` are skipped.
 */
import { type Address, parseAddress } from '../addr/address.js';
import { FlowfateError } from '../errors.js';

export interface TupleLine {
  /** IP protocol number */
  readonly proto: number;
  readonly src: Address;
  readonly srcPort: number;
  readonly dst: Address;
  readonly dstPort: number;
}

/** Names as /etc/protocols has them. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  'ipv6-icmp': 58,
  sctp: 132,
  udplite: 136,
};

/** `null` for a line that says nothing. `file` and `line` (from 1) are for the error only. */
export function parseTupleLine(text: string, file: string, line: number): TupleLine | null {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.startsWith('#')) return null;
  const words = trimmed.split(/[\t ]+/);
  const wrong = (what: string): FlowfateError =>
    new FlowfateError(
      'input',
      `${file}:${line}: ${what}; expected "proto src sport dst dport", like "tcp 198.51.100.7 40000 203.0.113.10 80"`,
      {
        file,
        line,
      },
    );
  if (words.length !== 5) throw wrong(`${words.length} fields`);
  const [protoText = '', srcText = '', srcPortText = '', dstText = '', dstPortText = ''] = words;
  const proto = PROTOCOLS[protoText.toLowerCase()] ?? wholeUpTo(protoText, 255);
  if (proto === null) throw wrong(`"${protoText}" is no protocol`);
  const src = parseAddress(srcText);
  if (src === null) throw wrong(`"${srcText}" is no address`);
  const dst = parseAddress(dstText);
  if (dst === null) throw wrong(`"${dstText}" is no address`);
  if (src.family !== dst.family) throw wrong('one address is IPv4 and the other IPv6');
  const srcPort = wholeUpTo(srcPortText, 65535);
  if (srcPort === null) throw wrong(`"${srcPortText}" is no port`);
  const dstPort = wholeUpTo(dstPortText, 65535);
  if (dstPort === null) throw wrong(`"${dstPortText}" is no port`);
  return { proto, src, srcPort, dst, dstPort };
}

function wholeUpTo(text: string, most: number): number | null {
  if (!/^\d{1,5}$/.test(text)) return null;
  const value = Number(text);
  return value <= most ? value : null;
}
