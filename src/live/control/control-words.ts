/**
 * Requests in the words of vtysh and birdc: `show bgp summary`, `clear 10.0.0.1 soft`, `show protocols`. A word may be
 * shortened as long as it means one thing, as in both of them.
 */
import { parseAddress } from '../../addr/address.js';
import { parsePrefix } from '../../addr/prefix.js';
import { nearest } from '../../cluster/yaml/nearest.js';
import { FlowfateError } from '../../errors.js';
import { FATES } from '../../verdict/fates.js';
import { type ControlRequest, MAX_ROWS, type RouterRequest } from './control-request.js';

const VERBS = [
  'show',
  'clear',
  'shutdown',
  'enable',
  'no',
  'drain',
  'undrain',
  'reload',
  'status',
  'announce',
  'withdraw',
  'restart',
  'disable',
  'configure',
] as const;
const THINGS = ['bgp', 'ip', 'fib', 'nexthop-groups', 'flows', 'events', 'protocols', 'route'] as const;
const OF_BGP = ['summary', 'neighbors', 'ipv4', 'ipv6', 'unicast'] as const;
const TABLES = ['received-routes', 'advertised-routes', 'routes'] as const;

const FIRST_ROWS = { offset: 0, limit: MAX_ROWS };

/** Throws a FlowfateError of code `usage` that says which word is not understood. */
export function parseControlWords(words: readonly string[]): ControlRequest {
  return new Words(words).request();
}

class Words {
  private at = 0;

  constructor(private readonly words: readonly string[]) {}

  request(): ControlRequest {
    const made = this.verb();
    if (this.at < this.words.length) {
      throw misunderstood(`"${this.said}" ends before "${this.words[this.at]}"`);
    }
    return made;
  }

  private verb(): ControlRequest {
    const verb = this.keyword(VERBS, 'a command');
    switch (verb) {
      case 'show':
        return this.show();
      case 'status':
        return { command: 'status' };
      case 'announce':
      case 'withdraw':
      case 'drain':
      case 'undrain':
        return { command: verb, name: this.name(verb) };
      case 'clear':
        this.skip(['ip']);
        this.skip(['bgp']);
        return { command: 'clear', peer: this.peerName('clear'), how: this.how() };
      case 'restart':
        return { command: 'clear', peer: this.peerName(verb), how: 'hard' };
      case 'shutdown':
      case 'disable': {
        const peer = this.peerName(verb);
        return { command: 'shutdown', peer, text: this.rest() };
      }
      case 'no':
        this.keyword(['shutdown'], '"shutdown"');
        return { command: 'enable', peer: this.peerName('no shutdown') };
      case 'enable':
        return { command: 'enable', peer: this.peerName(verb) };
      case 'reload':
      case 'configure':
        return { command: 'reload', apply: this.skip(['check']) === null };
      default:
        return verb satisfies never;
    }
  }

  private show(): RouterRequest {
    const thing = this.keyword(THINGS, 'what to show');
    switch (thing) {
      case 'bgp':
        return this.showBgp();
      case 'ip':
        return this.keyword(['bgp', 'route'], '"bgp" or "route"') === 'bgp' ? this.showBgp() : this.showFib();
      case 'protocols':
        return { command: 'show summary' };
      case 'route': {
        this.skip(['for']);
        return this.isLeft ? this.onePrefix() : this.table(null);
      }
      case 'fib':
        return this.showFib();
      case 'nexthop-groups':
        return { command: 'show nexthop-groups', prefix: this.optionalPrefix(), ...FIRST_ROWS };
      case 'flows':
        return this.showFlows();
      case 'events':
        return { command: 'show events' };
      default:
        return thing satisfies never;
    }
  }

  private showBgp(): RouterRequest {
    let family: 4 | 6 | null = null;
    while (this.isLeft) {
      if (isPrefix(this.peek)) return this.onePrefix(family);
      const word = this.keyword(OF_BGP, 'what to show of BGP');
      if (word === 'summary') return { command: 'show summary' };
      if (word === 'neighbors') return this.neighbors();
      if (word === 'ipv4') family = 4;
      if (word === 'ipv6') family = 6;
    }
    return this.table(family);
  }

  private onePrefix(family: 4 | 6 | null = null): RouterRequest {
    const prefix = this.prefix();
    if (this.skip(['longer-prefixes']) === null) return { command: 'show prefix', prefix };
    return { command: 'show routes', table: 'rib', peer: null, prefix, family, ...FIRST_ROWS };
  }

  private table(family: 4 | 6 | null): RouterRequest {
    return { command: 'show routes', table: 'rib', peer: null, prefix: null, family, ...FIRST_ROWS };
  }

  private neighbors(): RouterRequest {
    if (!this.isLeft) return { command: 'show neighbors', peer: null };
    const peer = this.next();
    if (!this.isLeft) return { command: 'show neighbors', peer };
    const which = this.keyword(TABLES, 'which routes');
    const table =
      which === 'received-routes' ? 'received' : which === 'advertised-routes' ? 'advertised' : 'rib';
    return { command: 'show routes', table, peer, prefix: null, family: null, ...FIRST_ROWS };
  }

  private showFib(): RouterRequest {
    return { command: 'show fib', prefix: this.optionalPrefix(), ...FIRST_ROWS };
  }

  private showFlows(): RouterRequest {
    let event: string | null = null;
    let fate: (typeof FATES)[number] | null = null;
    while (this.isLeft) {
      if (/^e\d+$/.test(this.peek)) event = this.next();
      else fate = this.keyword(FATES, 'a fate, or an event like e3');
    }
    return { command: 'show flows', fate, event, ...FIRST_ROWS };
  }

  private how(): 'hard' | 'soft' | 'soft in' | 'soft out' {
    if (!this.isLeft || this.keyword(['hard', 'soft'], 'hard or soft') === 'hard') return 'hard';
    return this.isLeft ? `soft ${this.keyword(['in', 'out'], 'in or out')}` : 'soft';
  }

  private name(verb: string): string {
    if (this.isLeft) return this.next();
    throw misunderstood(`${verb} needs the name of a peer, or of a speaker's VIP`);
  }

  private peerName(verb: string): string {
    if (this.isLeft) return this.next();
    throw misunderstood(`${verb} needs the name of a peer, or * for all`);
  }

  private optionalPrefix(): string | null {
    return this.isLeft ? this.prefix() : null;
  }

  private prefix(): string {
    const word = this.next();
    if (isPrefix(word)) return word;
    throw misunderstood(`"${word}" is neither an address nor a prefix`);
  }

  private rest(): string {
    const text = this.words.slice(this.at).join(' ');
    this.at = this.words.length;
    return text;
  }

  private get isLeft(): boolean {
    return this.at < this.words.length;
  }

  private get peek(): string {
    return this.words[this.at]!;
  }

  private get said(): string {
    return this.words.slice(0, this.at).join(' ');
  }

  private next(): string {
    return this.words[this.at++]!;
  }

  private skip<W extends string>(known: readonly W[]): W | null {
    if (!this.isLeft) return null;
    const found = meant(this.peek, known);
    if (found.length !== 1) return null;
    this.at++;
    return found[0]!;
  }

  private keyword<W extends string>(known: readonly W[], what: string): W {
    if (!this.isLeft) {
      throw misunderstood(`${this.said === '' ? 'there is no command' : `"${this.said}" wants ${what}`}`);
    }
    const found = meant(this.peek, known);
    if (found.length === 1) {
      this.at++;
      return found[0]!;
    }
    if (found.length > 1) {
      throw misunderstood(`"${this.peek}" may be ${found.join(' or ')}; write more of it`);
    }
    const near = nearest(this.peek, known);
    const after = this.said === '' ? '' : ` after "${this.said}"`;
    throw misunderstood(
      near === null
        ? `"${this.peek}"${after} is not understood; expected ${known.join(', ')}`
        : `"${this.peek}"${after} is not understood; did you mean ${near}?`,
    );
  }
}

/** what every network engineer types, though `shutdown` begins in the same way */
const SHORT: Readonly<Record<string, string>> = { sh: 'show' };

/** The words that this one may be a beginning of; itself alone where it is whole. */
function meant<W extends string>(word: string, known: readonly W[]): W[] {
  const lower = SHORT[word.toLowerCase()] ?? word.toLowerCase();
  const whole = known.find((one) => one === lower);
  return whole !== undefined ? [whole] : lower === '' ? [] : known.filter((one) => one.startsWith(lower));
}

function isPrefix(word: string): boolean {
  return parsePrefix(word) !== null || parseAddress(word) !== null;
}

function misunderstood(sentence: string): FlowfateError {
  return new FlowfateError('usage', `${sentence}; flowfate ctl --help lists the commands`);
}
