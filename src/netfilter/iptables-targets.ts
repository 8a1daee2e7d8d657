/**
 * The targets of iptables: verdicts, marks, translation (net/netfilter/xt_*.c). One that only tells somebody (LOG, NFLOG,
 * TRACE) or changes what no rule here reads goes on; one that is not known makes the packet's way `unknown`.
 */
import { parseAddress } from '../addr/address.js';
import { parsePrefix } from '../addr/prefix.js';
import { dscpOf } from './iptables-header-matches.js';
import {
  type MatchContext,
  named,
  type RuleOption,
  readMasked,
  readNumber,
  readRange,
} from './iptables-options.js';
import { ANY_RANGE, masquerade, type NatRange, redirect, setUpNat } from './nat.js';
import { ACCEPT, DROP, NEXT, RETURN, type Step, type Walk } from './rule-set.js';
import { notrack } from './tracking.js';

type TargetCompiler = (options: readonly RuleOption[], context: MatchContext, table: string) => Step | null;

export function compileTarget(
  context: MatchContext,
  table: string,
  name: string,
  options: readonly RuleOption[],
): Step {
  const compiler = Object.hasOwn(TARGETS, name) ? TARGETS[name]! : null;
  const step = compiler === null ? null : compiler(options, context, table);
  if (step !== null) return step;
  const words = options.map((option) => `--${option.name} ${option.values.join(' ')}`.trim()).join(' ');
  const why = `the target ${[name, words].join(' ').trim()} is not modelled`;
  return (walk) => ({ kind: 'unknown', why: walk.whereWhat(why) });
}

const goOn: TargetCompiler = () => () => NEXT;

/** Writes the packet's mark: clears `mask`, then xors `value`. */
export function setMark(walk: Walk, mark: number): void {
  walk.packet.mark = mark >>> 0;
  walk.packet.markUnknown = false;
  if (walk.recording) walk.changed(`mark becomes 0x${(mark >>> 0).toString(16)}`);
}

const MARK: TargetCompiler = (options) => {
  const option = options[0];
  const masked = readMasked(option?.values[0]);
  if (option === undefined || masked === null) return null;
  const [value, mask] = masked;
  const [and, xor] = markPair(option.name, value, mask, option.values[0]!.includes('/'));
  if (and === null) return null;
  return (walk) => {
    if (and !== 0 && walk.packet.markUnknown) return NEXT;
    setMark(walk, (walk.packet.mark & and) ^ xor);
    return NEXT;
  };
};

/** What each spelling means as (mark & and) ^ xor. */
function markPair(
  name: string,
  value: number,
  mask: number,
  hasMask: boolean,
): readonly [number | null, number] {
  switch (name) {
    case 'set-xmark':
      return [~mask, value];
    case 'set-mark':
      return hasMask ? [~(mask | value), value] : [0, value];
    case 'or-mark':
      return [~value, value];
    case 'and-mark':
      return [value, 0];
    case 'xor-mark':
      return [-1, value];
    default:
      return [null, 0];
  }
}

const CONNMARK: TargetCompiler = (options) => {
  const saves = named(options, 'save-mark') !== undefined;
  const restores = named(options, 'restore-mark') !== undefined;
  if (saves || restores) {
    const both = readNumber(named(options, 'mask')?.values[0]);
    const nfmask = both ?? readNumber(named(options, 'nfmask')?.values[0]) ?? 0xffffffff;
    const ctmask = both ?? readNumber(named(options, 'ctmask')?.values[0]) ?? 0xffffffff;
    return (walk) => {
      const { connection, packet } = walk;
      if (connection === null) return NEXT;
      if (saves) {
        connection.mark = ((connection.mark & ~ctmask) ^ (packet.mark & nfmask)) >>> 0;
        connection.markUnknown = packet.markUnknown;
      } else {
        setMark(walk, (packet.mark & ~nfmask) ^ (connection.mark & ctmask));
        packet.markUnknown = connection.markUnknown;
      }
      return NEXT;
    };
  }
  const option = options[0];
  const masked = readMasked(option?.values[0]);
  if (option === undefined || masked === null) return null;
  const [and, xor] = markPair(option.name, masked[0], masked[1], option.values[0]!.includes('/'));
  if (and === null) return null;
  return ({ connection }) => {
    if (connection !== null) connection.mark = ((connection.mark & and) ^ xor) >>> 0;
    return NEXT;
  };
};

const CT: TargetCompiler = (options) => {
  if (named(options, 'notrack') !== undefined) return notrackStep;
  const zone = named(options, 'zone', 'zone-orig');
  const number = zone === undefined ? null : readNumber(zone.values[0]);
  if (zone !== undefined && number === null) return null;
  if (named(options, 'zone-reply') !== undefined) return null;
  const helper = named(options, 'helper')?.values[0] ?? null;
  return (walk) => {
    if (walk.connection !== null) return NEXT;
    if (number !== null) walk.zone = number;
    walk.helper = helper;
    return NEXT;
  };
};

const notrackStep: Step = (walk) => {
  notrack(walk);
  return NEXT;
};

const REJECTS: Readonly<Record<string, string>> = {
  'net-unreach': 'icmp-net-unreachable',
  'host-unreach': 'icmp-host-unreachable',
  'proto-unreach': 'icmp-proto-unreachable',
  'port-unreach': 'icmp-port-unreachable',
  'net-prohib': 'icmp-net-prohibited',
  'host-prohib': 'icmp-host-prohibited',
  'admin-prohib': 'icmp-admin-prohibited',
  'tcp-rst': 'tcp-reset',
  'no-route': 'icmp6-no-route',
  'adm-prohibited': 'icmp6-adm-prohibited',
  'addr-unreach': 'icmp6-addr-unreachable',
  'policy-fail': 'icmp6-policy-fail',
  'reject-route': 'icmp6-reject-route',
};

const REJECT: TargetCompiler = (options, { family }) => {
  const given = named(options, 'reject-with')?.values[0];
  const fallback = family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable';
  const sent = REJECTS[given ?? ''] ?? given ?? fallback;
  const verdict = {
    kind: 'reject',
    with: family === 6 && sent === 'icmp-port-unreachable' ? fallback : sent,
  } as const;
  return () => verdict;
};

/** `[addr]:port`, `addr-addr:port-port/base`, `:port`; brackets around IPv6. */
function readNatRange(text: string): NatRange | null {
  const [, bracketed, plain, ports, base] =
    /^(?:\[([^\]]+)\](?:-\[[^\]]+\])?|([^:[\]]*|[0-9a-f:]+(?:-[0-9a-f:]+)?))(?::(\d+(?:-\d+)?)(?:\/(\d+))?)?$/i.exec(
      text,
    ) ?? [];
  const second = /^\[[^\]]+\]-\[([^\]]+)\]/.exec(text)?.[1];
  const words = (second === undefined ? (bracketed ?? plain ?? '') : `${bracketed}-${second}`).split('-');
  const [min, max] = words.map((word) => parseAddress(word));
  if (min === undefined || (words[0] !== '' && (min === null || max === null))) {
    return parsePlainV6(text);
  }
  const range = ports === undefined ? null : readRange(ports, 65535);
  if (ports !== undefined && range === null) return null;
  return {
    min: words[0] === '' ? null : min,
    max: words[0] === '' ? null : (max ?? min),
    minPort: range?.[0] ?? null,
    maxPort: range?.[1] ?? null,
    basePort: base === undefined ? null : Number(base),
  };
}

function parsePlainV6(text: string): NatRange | null {
  const [min, max] = text.split('-').map((word) => parseAddress(word));
  return min ? { min, max: max ?? min, minPort: null, maxPort: null } : null;
}

function natFlags(options: readonly RuleOption[]): Pick<NatRange, 'random' | 'persistent'> {
  return {
    random: named(options, 'random', 'random-fully') !== undefined,
    persistent: named(options, 'persistent') !== undefined,
  };
}

const DNAT: TargetCompiler = (options) => {
  const range = readNatRange(named(options, 'to-destination')?.values[0] ?? '?');
  if (range === null) return null;
  const full = { ...range, ...natFlags(options) };
  return (walk) => setUpNat(walk, 'dst', full);
};

const SNAT: TargetCompiler = (options) => {
  const range = readNatRange(named(options, 'to-source')?.values[0] ?? '?');
  if (range === null) return null;
  const full = { ...range, ...natFlags(options) };
  return (walk) => setUpNat(walk, 'src', full);
};

function portsOption(options: readonly RuleOption[]): NatRange | null {
  const option = named(options, 'to-ports');
  const range = option === undefined ? null : readRange(option.values[0], 65535);
  if (option !== undefined && range === null) return null;
  return { ...ANY_RANGE, minPort: range?.[0] ?? null, maxPort: range?.[1] ?? null, ...natFlags(options) };
}

const MASQUERADE: TargetCompiler = (options) => {
  const range = portsOption(options);
  return range && ((walk) => masquerade(walk, range));
};

const REDIRECT: TargetCompiler = (options) => {
  const range = portsOption(options);
  return range && ((walk) => redirect(walk, range));
};

const NETMAP: TargetCompiler = (options) => {
  const prefix = parsePrefix(named(options, 'to')?.values[0] ?? '');
  if (prefix === null) return null;
  const range = { ...ANY_RANGE, min: prefix.address, max: prefix.address, netmap: prefix.length };
  return (walk) =>
    setUpNat(walk, walk.hook === 'prerouting' || walk.hook === 'output' ? 'dst' : 'src', range);
};

/** TTL and HL */
function ttlTarget(prefix: string): TargetCompiler {
  return (options) => {
    const option = options[0];
    const value = readNumber(option?.values[0]);
    if (option === undefined || value === null) return null;
    const change: Readonly<Record<string, (ttl: number) => number>> = {
      [`${prefix}-set`]: () => value,
      [`${prefix}-inc`]: (ttl) => Math.min(255, ttl + value),
      [`${prefix}-dec`]: (ttl) => Math.max(0, ttl - value),
    };
    const to = change[option.name];
    if (to === undefined) return null;
    return (walk) => {
      const { packet } = walk;
      if (packet.given.ttl === undefined && option.name !== `${prefix}-set`)
        walk.assume('the TTL is 64 when it comes in');
      packet.ttl = to(packet.ttl);
      packet.changed();
      if (walk.recording) walk.changed(`TTL becomes ${packet.ttl}`);
      return NEXT;
    };
  };
}

function setTos(walk: Walk, tos: number): void {
  walk.packet.tos = tos & 255;
  walk.packet.changed();
  if (walk.recording) walk.changed(`TOS becomes 0x${(tos & 255).toString(16)}`);
}

const DSCP: TargetCompiler = (options) => {
  const value = dscpOf(options[0]?.values[0]);
  if (value === null) return null;
  return (walk) => {
    setTos(walk, (walk.packet.tos & 3) | (value << 2));
    return NEXT;
  };
};

const TOS_NAMES: Readonly<Record<string, string>> = {
  'minimize-delay': '0x10',
  'maximize-throughput': '0x08',
  'maximize-reliability': '0x04',
  'minimize-cost': '0x02',
  'normal-service': '0x00',
};

const TOS: TargetCompiler = (options) => {
  const option = options[0];
  if (option === undefined) return null;
  const word = (option.values[0] ?? '').toLowerCase();
  const symbolic = TOS_NAMES[word];
  const masked = readMasked(symbolic === undefined ? word : `${symbolic}/0x3f`);
  if (masked === null) return null;
  const hasMask = symbolic !== undefined || word.includes('/');
  const mask = hasMask ? masked[1] : 255;
  const [and, xor] =
    option.name === 'set-tos'
      ? [~mask, masked[0]]
      : markPair(option.name.replace('tos', 'mark'), masked[0], mask, hasMask);
  if (and === null) return null;
  return (walk) => {
    setTos(walk, (walk.packet.tos & and) ^ xor);
    return NEXT;
  };
};

/** A hash that is not computed: the mark is then not known. */
const HMARK: TargetCompiler = () => (walk) => {
  walk.packet.markUnknown = true;
  return NEXT;
};

const ECN: TargetCompiler = (options) => (named(options, 'ecn-tcp-remove') !== undefined ? () => NEXT : null);

const NFQUEUE: TargetCompiler = (options) => {
  const bypass = named(options, 'queue-bypass') !== undefined;
  return (walk) => {
    const number = named(options, 'queue-num', 'queue-balance')?.values[0] ?? '0';
    if (bypass) walk.assume(`nobody reads the NFQUEUE ${number}, which --queue-bypass then passes over`);
    return bypass ? ACCEPT : { kind: 'unknown', why: walk.whereWhat(`NFQUEUE ${number}: a program decides`) };
  };
};

const SET: TargetCompiler = (options, { node }) => {
  const add = named(options, 'add-set', 'del-set');
  const map = named(options, 'map-set');
  if (map !== undefined) return null;
  return add === undefined || node === undefined ? null : () => NEXT;
};

const refused =
  (why: string): TargetCompiler =>
  () =>
  (walk) => ({ kind: 'unknown', why: walk.whereWhat(why) });

const SYNPROXY: TargetCompiler = refused(
  'SYNPROXY answers the client in place of the server, which is not modelled',
);
const TPROXY: TargetCompiler = refused('TPROXY hands the packet to a local socket, which is not modelled');

/** AUDIT, LOG and their kin tell somebody, TCPMSS and CHECKSUM change what no rule reads. */
const TARGETS: Readonly<Record<string, TargetCompiler>> = {
  ACCEPT: () => () => ACCEPT,
  DROP: () => () => DROP,
  RETURN: () => () => RETURN,
  QUEUE: refused('QUEUE: a program decides'),
  NFQUEUE,
  MARK,
  CONNMARK,
  CT,
  NOTRACK: () => notrackStep,
  REJECT,
  DNAT,
  SNAT,
  MASQUERADE,
  REDIRECT,
  NETMAP,
  TTL: ttlTarget('ttl'),
  HL: ttlTarget('hl'),
  DSCP,
  TOS,
  ECN,
  HMARK,
  SET,
  LOG: goOn,
  NFLOG: goOn,
  ULOG: goOn,
  TRACE: goOn,
  AUDIT: goOn,
  TCPMSS: goOn,
  TCPOPTSTRIP: goOn,
  CHECKSUM: goOn,
  CLASSIFY: goOn,
  IDLETIMER: goOn,
  LED: goOn,
  RATEEST: goOn,
  TEE: goOn,
  SECMARK: goOn,
  CONNSECMARK: goOn,
  SYNPROXY,
  TPROXY,
  CLUSTERIP: refused('CLUSTERIP is not modelled (kernels from 6.1 on lack it)'),
};
