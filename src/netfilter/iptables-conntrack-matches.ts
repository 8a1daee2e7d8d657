/** Matches on what connection tracking knows (net/netfilter/xt_conntrack.c, xt_state.c, xt_connmark.c and kin). */
import { maskAddress, parsePrefix, prefixContains } from '../addr/prefix.js';
import type { Connection, Tuple } from './connections.js';
import {
  type MatchCompiler,
  named,
  onlyNamed,
  type RuleOption,
  readMasked,
  readNumber,
  readRange,
} from './iptables-options.js';
import { protocolNumber } from './protocols.js';
import type { Walk } from './rule-set.js';

const STATE = { INVALID: 1, ESTABLISHED: 2, RELATED: 4, NEW: 8, UNTRACKED: 16, SNAT: 32, DNAT: 64 } as const;

function readStates(text: string | undefined): number | null {
  let mask = 0;
  for (const word of (text ?? '').split(',')) {
    const bit = STATE[word.toUpperCase() as keyof typeof STATE];
    if (bit === undefined) return null;
    mask |= bit;
  }
  return mask;
}

/** The bits of a packet's state: before the look-up, and for what is no connection's, INVALID. */
function stateBits(walk: Walk): number {
  switch (walk.ctinfo) {
    case 'new':
      return STATE.NEW;
    case 'established':
      return STATE.ESTABLISHED;
    case 'related':
      return STATE.RELATED;
    case 'untracked':
      return STATE.UNTRACKED;
    default:
      return STATE.INVALID;
  }
}

/** include/uapi/linux/netfilter/nf_conntrack_common.h: the status bits that rules can ask for */
const STATUS = {
  EXPECTED: 1,
  SEEN_REPLY: 2,
  ASSURED: 4,
  CONFIRMED: 8,
  SNAT: 16,
  DNAT: 32,
  SRC_NAT_DONE: 128,
  DST_NAT_DONE: 256,
} as const;

export function statusBits(c: Connection): number {
  return (
    (c.seenReply ? STATUS.SEEN_REPLY : 0) |
    (c.assured ? STATUS.ASSURED : 0) |
    (c.confirmed ? STATUS.CONFIRMED : 0) |
    (c.srcNat ? STATUS.SNAT : 0) |
    (c.dstNat ? STATUS.DNAT : 0) |
    (c.srcDone ? STATUS.SRC_NAT_DONE : 0) |
    (c.dstDone ? STATUS.DST_NAT_DONE : 0)
  );
}

type ConnectionTest = (connection: Connection, walk: Walk) => boolean;

const SIDES: Readonly<Record<string, readonly [tuple: 'original' | 'reply', end: 'src' | 'dst']>> = {
  ctorigsrc: ['original', 'src'],
  ctorigdst: ['original', 'dst'],
  ctreplsrc: ['reply', 'src'],
  ctrepldst: ['reply', 'dst'],
};
const PORT_SIDES: Readonly<
  Record<string, readonly [tuple: 'original' | 'reply', end: keyof Tuple & `${'src' | 'dst'}Port`]>
> = {
  ctorigsrcport: ['original', 'srcPort'],
  ctorigdstport: ['original', 'dstPort'],
  ctreplsrcport: ['reply', 'srcPort'],
  ctrepldstport: ['reply', 'dstPort'],
};

/** What one option of `-m conntrack` (but --ctstate) asks of a connection; null where it is not understood. */
function connectionTest({ name, values, negated }: RuleOption): ConnectionTest | null {
  const value = values[0];
  const side = SIDES[name];
  if (side !== undefined) {
    const prefix = parsePrefix(value ?? '');
    return prefix && ((connection) => prefixContains(prefix, connection[side[0]][side[1]]) !== negated);
  }
  const portSide = PORT_SIDES[name];
  if (portSide !== undefined) {
    const range = readRange(value, 65535);
    return (
      range &&
      ((connection) => {
        const port = connection[portSide[0]][portSide[1]];
        return (port >= range[0] && port <= range[1]) !== negated;
      })
    );
  }
  switch (name) {
    case 'ctproto': {
      const proto = protocolNumber(value ?? '');
      return proto === null ? null : ({ original }) => (original.proto === proto) !== negated;
    }
    case 'ctstatus': {
      let mask = 0;
      for (const word of (value ?? '').split(',')) {
        const bit = word === 'NONE' ? 0 : STATUS[word as keyof typeof STATUS];
        if (bit === undefined) return null;
        mask |= bit;
      }
      return (connection) => ((statusBits(connection) & mask) !== 0) !== negated;
    }
    case 'ctdir': {
      const original = (value ?? '').toUpperCase() === 'ORIGINAL';
      return (_, walk) => (!walk.isReply === original) !== negated;
    }
    case 'ctexpire': {
      const range = readRange(value, 0xffffffff);
      return (
        range &&
        ((connection, walk) =>
          connection.confirmed
            ? walk.unknown('conntrack --ctexpire: how long the entry still lives is not known')
            : // an entry that is not confirmed yet has no timer
              (range[0] === 0) !== negated)
      );
    }
    default:
      return null;
  }
}

const conntrack: MatchCompiler = (options) => {
  const state = named(options, 'ctstate');
  const others = options.filter((option) => option !== state);
  const mask = state === undefined ? null : readStates(state.values[0]);
  if (state !== undefined && mask === null) return null;
  const tests: ConnectionTest[] = [];
  for (const option of others) {
    const test = connectionTest(option);
    if (test === null) return null;
    tests.push(test);
  }
  return [
    (walk) => {
      const { connection } = walk;
      if (state !== undefined) {
        let bits = stateBits(walk);
        if (connection?.srcNat) bits |= STATE.SNAT;
        if (connection?.dstNat) bits |= STATE.DNAT;
        if (((bits & mask!) !== 0) === state.negated) return false;
      }
      // without a connection the state is all that can match
      if (connection === null) return state !== undefined;
      return tests.every((test) => test(connection, walk));
    },
  ];
};

const state: MatchCompiler = (options) => {
  const option = named(options, 'state');
  const mask = readStates(option?.values[0]);
  if (option === undefined || mask === null || !onlyNamed(options, 'state')) return null;
  return [(walk) => ((stateBits(walk) & mask) !== 0) !== option.negated];
};

const connmark: MatchCompiler = (options) => {
  const option = named(options, 'mark');
  const masked = readMasked(option?.values[0]);
  if (option === undefined || masked === null) return null;
  return [
    (walk) => {
      const { connection } = walk;
      if (connection === null) return false;
      if (connection.markUnknown) return walk.unknown('the mark of the connection is not known');
      return ((connection.mark & masked[1]) >>> 0 === masked[0]) !== option.negated;
    },
  ];
};

const helper: MatchCompiler = (options) => {
  const option = named(options, 'helper');
  if (option === undefined) return null;
  return [
    ({ connection }) => {
      // xt_helper: only connections that a helper expected have a master to look at
      if (connection === null) return false;
      return option.negated;
    },
  ];
};

const connbytes: MatchCompiler = (options) => {
  const option = named(options, 'connbytes');
  const mode = named(options, 'connbytes-mode')?.values[0];
  const direction = named(options, 'connbytes-dir')?.values[0];
  // a bare number is where an open range begins
  const bare = /^\d+$/.test(option?.values[0] ?? '');
  const range = readRange(`${option?.values[0] ?? ''}${bare ? ':' : ''}`, Number.MAX_SAFE_INTEGER);
  if (option === undefined || range === null) return null;
  return [
    (walk) => {
      const { connection, packet } = walk;
      if (connection === null) return false;
      if (connection.confirmed) return walk.unknown('connbytes: what the connection has sent is not known');
      const value = direction === 'reply' ? 0 : mode === 'packets' ? 1 : packet.length;
      return (value >= range[0] && value <= range[1]) !== option.negated;
    },
  ];
};

const connlimit: MatchCompiler = (options) => {
  const above = named(options, 'connlimit-above');
  const upto = named(options, 'connlimit-upto');
  const limit = readNumber((above ?? upto)?.values[0]);
  const mask = readNumber(named(options, 'connlimit-mask')?.values[0]);
  const byDestination = named(options, 'connlimit-daddr') !== undefined;
  if (limit === null) return null;
  const isAbove = above !== undefined;
  return [
    (walk) => {
      const own = byDestination ? walk.packet.dst : walk.packet.src;
      const bits = own.family === 4 ? 32 : 128;
      const length = Math.min(bits, mask ?? bits);
      const prefix = { address: maskAddress(own, length), length };
      let count = walk.connection?.confirmed === true ? 0 : 1;
      for (const { original } of walk.node.connections.entries()) {
        if (prefixContains(prefix, byDestination ? original.dst : original.src)) count++;
      }
      if (!walk.node.hasConnections) walk.assume('no other connection is open (conntrack -L was not given)');
      return isAbove
        ? count > limit !== (above?.negated ?? false)
        : count <= limit !== (upto?.negated ?? false);
    },
  ];
};

const connlabel: MatchCompiler = (options) => {
  const option = named(options, 'label');
  const bit = readNumber(option?.values[0]);
  if (option === undefined || bit === null) return null;
  const sets = named(options, 'set') !== undefined;
  return [
    ({ connection }) => {
      if (connection === null) return option.negated;
      if (sets) connection.labels.add(bit);
      return connection.labels.has(bit) !== option.negated;
    },
  ];
};

export const CONNTRACK_MATCHES: Readonly<Record<string, MatchCompiler>> = {
  conntrack,
  state,
  connmark,
  helper,
  connbytes,
  connlimit,
  connlabel,
};
