/**
 * Packets as words: `proto src sport dst dport`, then any of `iif=`, `flags=`, `length=`, `icmp-type=`, `icmp-code=`,
 * `ttl=`, `tos=`, `mark=`. Of an ICMP packet both ports may be left out.
 */
import { FlowfateError } from '../errors.js';
import type { PacketFields } from '../netfilter/packet.js';
import { parseTupleLine } from './tuple-lines.js';

const FLAGS: Readonly<Record<string, number>> = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ECE: 0x40,
  CWR: 0x80,
  NONE: 0,
};

const KEYS = ['iif', 'flags', 'length', 'icmp-type', 'icmp-code', 'ttl', 'tos', 'mark'] as const;
type Key = (typeof KEYS)[number];

/** Null for a line that says nothing. `defaults`: what options gave for every packet. */
export function parsePacketLine(
  text: string,
  file: string,
  line: number,
  defaults: Readonly<Partial<Record<Key, string>>>,
): PacketFields | null {
  const trimmed = text.replace(/#.*$/, '').trim();
  if (trimmed === '') return null;
  const wrong = (what: string): FlowfateError =>
    new FlowfateError('input', `${file}:${line}: ${what}`, { file, line });
  const given: Partial<Record<Key, string>> = { ...defaults };
  const words: string[] = [];
  for (const word of trimmed.split(/[\t ]+/)) {
    const equals = word.indexOf('=');
    if (equals < 0) {
      words.push(word);
      continue;
    }
    const key = word.slice(0, equals) as Key;
    if (!KEYS.includes(key))
      throw wrong(`"${word}": expected one of ${KEYS.map((each) => `${each}=`).join(', ')}`);
    given[key] = word.slice(equals + 1);
  }
  const [proto = '', src = '', third = '', ...rest] = words;
  const tupleText = words.length === 3 ? [proto, src, '0', third, '0'] : [proto, src, third, ...rest];
  const tuple = parseTupleLine(tupleText.join(' '), file, line);
  if (tuple === null) return null;
  const number = (key: Key, most: number): number | undefined => {
    const value = given[key];
    if (value === undefined || value === '') return undefined;
    const parsed = /^(\d+|0x[0-9a-f]+)$/i.test(value) ? Number(value) : Number.NaN;
    if (!(parsed <= most)) throw wrong(`${key}=${value}: expected a number up to ${most}`);
    return parsed;
  };
  return {
    iif: given.iif === undefined || given.iif === '' ? null : given.iif,
    ...tuple,
    flags: given.flags === undefined || given.flags === '' ? undefined : flagsOf(given.flags, wrong),
    length: number('length', 65535),
    icmpType: number('icmp-type', 255),
    icmpCode: number('icmp-code', 255),
    ttl: number('ttl', 255),
    tos: number('tos', 255),
    mark: number('mark', 0xffffffff),
  };
}

function flagsOf(text: string, wrong: (what: string) => FlowfateError): number {
  if (/^0x[0-9a-f]{1,2}$/i.test(text)) return Number(text);
  let flags = 0;
  for (const word of text.split(/[,|+]/)) {
    const flag = FLAGS[word.trim().toUpperCase()];
    if (flag === undefined) throw wrong(`flags=${text}: expected names like SYN,ACK`);
    flags |= flag;
  }
  return flags;
}
