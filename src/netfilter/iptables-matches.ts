/**
 * The matches of iptables: what a rule's `-s`, `-p`, `-m …` ask of a packet. Each is a function from its options to steps
 * (net/netfilter/xt_*.c, net/ipv4/netfilter/ipt_*.c, net/ipv6/netfilter/ip6t_*.c); where an option is not known to its
 * match, the whole match is `unknown` under its name.
 */
import { parsePrefix, prefixContains } from '../addr/prefix.js';
import { isNameless, NAMELESS } from './assumed-routes.js';
import { CONNTRACK_MATCHES } from './iptables-conntrack-matches.js';
import { HEADER_MATCHES } from './iptables-header-matches.js';
import { NODE_MATCHES } from './iptables-node-matches.js';
import {
  interfaceTest,
  type MatchCompiler,
  type MatchContext,
  type RuleOption,
  type Test,
} from './iptables-options.js';
import { protocolNumber } from './protocols.js';
import { BREAK, NEXT, type Step } from './rule-set.js';

const MATCHES: Readonly<Record<string, MatchCompiler>> = {
  ...HEADER_MATCHES,
  ...CONNTRACK_MATCHES,
  ...NODE_MATCHES,
};

function stepOf(test: Test): Step {
  return (walk) => (test(walk) ? NEXT : BREAK);
}

function unknownStep(what: string): Step {
  return (walk) => (walk.unknown(what) ? NEXT : BREAK);
}

export function compileMatch(
  context: MatchContext,
  name: string,
  options: readonly RuleOption[],
): readonly Step[] {
  const compiler = Object.hasOwn(MATCHES, name) ? MATCHES[name]! : null;
  if (compiler === null) return [unknownStep(`the match ${name} is not modelled`)];
  const tests = compiler(options, context);
  if (tests !== null) return tests.map(stepOf);
  const words = options.map(
    (option) => `${option.negated ? '! ' : ''}--${option.name} ${option.values.join(' ')}`,
  );
  return [unknownStep(`the match ${name} with ${words.join(' ').trim()} is not modelled`)];
}

/** `-s`, `-d`, `-i`, `-o`, `-p`, `-f`. */
export function compileCore(_context: MatchContext, option: RuleOption): Step {
  const { name, negated } = option;
  const value = option.values[0] ?? '';
  switch (name) {
    case 'source':
    case 'destination': {
      const test = addressTest(value);
      if (test === null) return unknownStep(`"${value}" is no address`);
      const of = name === 'source' ? 'src' : 'dst';
      return stepOf(({ packet }) => test(packet[of]) !== negated);
    }
    case 'in-interface':
    case 'out-interface': {
      const matches = interfaceTest(value);
      const of = name === 'in-interface' ? 'iif' : 'oif';
      return stepOf((walk) => {
        const own = walk[of];
        if (isNameless(own)) return value === 'lo' ? negated : walk.unknown(NAMELESS);
        return matches(own) !== negated;
      });
    }
    case 'protocol': {
      const proto = protocolNumber(value);
      if (proto === null) return unknownStep(`the protocol ${value} is not known`);
      if (proto <= 0) return () => NEXT;
      return stepOf(({ packet }) => (packet.proto === proto) !== negated);
    }
    case 'fragment':
      // only second and later fragments: none is traced
      return stepOf((walk) => {
        walk.assume('the packet is no fragment');
        return negated;
      });
    case 'ipv4':
    case 'ipv6':
      return () => NEXT;
    default:
      return unknownStep(`the option --${name} is not known`);
  }
}

/** An address, a prefix, or an address with any mask: `10.0.0.1/255.0.255.0`. */
function addressTest(text: string): ((address: Parameters<typeof prefixContains>[1]) => boolean) | null {
  const prefix = parsePrefix(text);
  if (prefix !== null) return (address) => prefixContains(prefix, address);
  const [addressText = '', maskText = ''] = text.split('/');
  const address = parsePrefix(addressText)?.address;
  const mask = parsePrefix(maskText)?.address;
  if (address === undefined || mask === undefined || address.family !== mask.family) return null;
  return (own) =>
    own.family === address.family &&
    ((own.w0 ^ address.w0) & mask.w0) === 0 &&
    ((own.w1 ^ address.w1) & mask.w1) === 0 &&
    ((own.w2 ^ address.w2) & mask.w2) === 0 &&
    ((own.w3 ^ address.w3) & mask.w3) === 0;
}
