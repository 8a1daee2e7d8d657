/**
 * `ipset save`: sets and their entries, and whether a packet is in one (net/netfilter/ipset). Every type that hashes
 * addresses, nets, protocols with ports, marks and interfaces; bitmaps; lists of sets. `nomatch` entries take out what a
 * larger net takes in, and the most specific net decides, as in the kernel.
 */
import { type Address, compareAddresses, parseAddress } from '../addr/address.js';
import { maskAddress, type Prefix, parsePrefix, prefixContains } from '../addr/prefix.js';
import { ICMP, ICMPV6 } from '../wire/ip-protocol.js';
import { addressKey } from './packet.js';
import { protocolNumber } from './protocols.js';
import type { PacketSet, Walk } from './rule-set.js';

/** One dimension of an entry. */
type Part =
  | { readonly kind: 'net'; readonly prefix: Prefix }
  | { readonly kind: 'range'; readonly low: Address; readonly high: Address }
  | { readonly kind: 'port'; readonly proto: number | null; readonly low: number; readonly high: number }
  | { readonly kind: 'iface'; readonly name: string }
  | { readonly kind: 'mark'; readonly value: number }
  | { readonly kind: 'mac' };

interface Entry {
  readonly parts: readonly Part[];
  readonly nomatch: boolean;
  /** sum of prefix lengths: the larger, the more specific */
  readonly specific: number;
}

export class IpSet implements PacketSet {
  private readonly hosts = new Set<number | string>();
  private readonly entries: Entry[] = [];
  readonly members: IpSet[] = [];
  /** what an entry held that is not understood */
  unread: string | null = null;

  constructor(
    readonly name: string,
    readonly type: string,
    private readonly options: ReadonlyMap<string, string>,
  ) {}

  add(text: string, flags: readonly string[]): void {
    const parts = this.partsOf(text);
    if (parts === null) {
      this.unread = text;
      return;
    }
    const nomatch = flags.includes('nomatch');
    const only = parts[0];
    const host =
      parts.length === 1 &&
      only?.kind === 'net' &&
      only.prefix.length === (only.prefix.address.family === 4 ? 32 : 128);
    if (host && !nomatch && !this.type.includes('net')) {
      this.hosts.add(addressKey(only.prefix.address));
      return;
    }
    const specific = parts.reduce((so, part) => so + (part.kind === 'net' ? part.prefix.length : 0), 0);
    this.entries.push({ parts, nomatch, specific });
  }

  /** Null where the set cannot say. `directions`: `src` or `dst` for each dimension. */
  matches(walk: Walk, directions: readonly string[]): boolean | null {
    if (this.unread !== null) return null;
    if (this.type === 'list:set') {
      const answers = this.members.map((member) => member.matches(walk, directions));
      return answers.includes(true) ? true : answers.includes(null) ? null : false;
    }
    const { packet } = walk;
    const first = directions[0] === 'src' ? packet.src : packet.dst;
    if (this.hosts.has(addressKey(maskAddress(first, this.netmask(first))))) return true;
    let best: Entry | null = null;
    for (const entry of this.entries) {
      if (best !== null && best.specific >= entry.specific) continue;
      const fits = entry.parts.every((part, at) =>
        partMatches(part, walk, directions[at] ?? directions.at(-1)!),
      );
      if (fits) best = entry;
    }
    return best !== null && !best.nomatch;
  }

  private netmask(address: Address): number {
    return Number(this.options.get('netmask') ?? (address.family === 4 ? 32 : 128));
  }

  private partsOf(text: string): Part[] | null {
    const kinds = (this.type.split(':')[1] ?? '').split(',');
    const words = text.split(',');
    const parts: Part[] = [];
    for (let at = 0; at < kinds.length; at++) {
      const word = words[at] ?? '';
      const part = partOf(kinds[at]!, word, this.type.startsWith('bitmap:port'));
      // the later dimensions of some types may be left out
      if (word === '' && at > 0) continue;
      if (part === null) return null;
      parts.push(part);
    }
    return parts;
  }
}

function partOf(kind: string, word: string, bare: boolean): Part | null {
  switch (kind) {
    case 'ip':
    case 'net': {
      const prefix = parsePrefix(word);
      if (prefix !== null) return { kind: 'net', prefix };
      const [low, high] = word.split('-').map((each) => parseAddress(each));
      return low && high ? { kind: 'range', low, high } : null;
    }
    case 'port': {
      const [, protoText, low, high] = /^(?:([a-z0-9-]+):)?(\d+)(?:-(\d+))?$/i.exec(word) ?? [];
      const icmp = /^(icmp|icmpv6|ipv6-icmp):(\d+)\/(\d+)$/.exec(word);
      if (icmp !== null) {
        const code = (Number(icmp[2]) << 8) | Number(icmp[3]);
        return { kind: 'port', proto: protocolNumber(icmp[1]!), low: code, high: code };
      }
      if (low === undefined) return null;
      // an entry without a protocol is TCP, but a bitmap knows none
      const proto = protoText === undefined ? (bare ? null : 6) : protocolNumber(protoText);
      return { kind: 'port', proto, low: Number(low), high: Number(high ?? low) };
    }
    case 'iface':
      return { kind: 'iface', name: word.replace(/^physdev:/, '') };
    case 'mark':
      return { kind: 'mark', value: Number(word) >>> 0 };
    case 'mac':
      return { kind: 'mac' };
    default:
      return null;
  }
}

function partMatches(part: Part, walk: Walk, direction: string): boolean {
  const { packet } = walk;
  const address = direction === 'src' ? packet.src : packet.dst;
  switch (part.kind) {
    case 'net':
      return prefixContains(part.prefix, address);
    case 'range':
      return (
        address.family === part.low.family &&
        compareAddresses(address, part.low) >= 0 &&
        compareAddresses(address, part.high) <= 0
      );
    case 'port': {
      if (part.proto !== null && part.proto !== packet.proto) return false;
      const icmp = packet.proto === ICMP || packet.proto === ICMPV6;
      if (!icmp && !packet.hasPorts) return part.low === 0;
      const port = icmp
        ? (packet.icmpType << 8) | packet.icmpCode
        : direction === 'src'
          ? packet.srcPort
          : packet.dstPort;
      return port >= part.low && port <= part.high;
    }
    case 'iface': {
      const name = (direction === 'src' ? walk.iif : walk.oif) ?? '';
      return part.name.endsWith('+') ? name.startsWith(part.name.slice(0, -1)) : name === part.name;
    }
    case 'mark':
      return packet.mark === part.value;
    case 'mac':
      return walk.unknown('the link-layer address is not known');
  }
}

export function isIpsetSave(text: string): boolean {
  return /^\s*create \S+ (hash|bitmap|list):/m.test(text);
}

/** @param unread takes what was not understood */
export function readIpsetSave(
  sets: Map<string, IpSet>,
  unread: string[],
  text: string,
  source: string,
): void {
  text.split('\n').forEach((line, at) => {
    const [verb, name = '', third = '', ...rest] = line.trim().split(/\s+/);
    if (verb === 'create') {
      const options = new Map<string, string>();
      for (let i = 0; i + 1 < rest.length; i += 2) options.set(rest[i]!, rest[i + 1]!);
      sets.set(name, new IpSet(name, third, options));
    } else if (verb === 'add') {
      const set = sets.get(name);
      if (set === undefined) unread.push(`${source}:${at + 1}: the set ${name} was not created before`);
      else if (set.type === 'list:set') {
        const member = sets.get(third);
        if (member !== undefined) set.members.push(member);
        else set.unread = third;
      } else set.add(third, rest);
    }
  });
}
