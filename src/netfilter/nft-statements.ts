/**
 * nft's statements: what a rule does. A match is a statement as well; a verdict ends the rule. What is not modelled and
 * could change the packet's way makes it `unknown`; what only tells somebody or counts goes on.
 */
import { setMark } from './iptables-targets.js';
import { ANY_RANGE, masquerade, type NatRange, redirect, setUpNat } from './nat.js';
import {
  compileExpression,
  type Datum,
  dataMap,
  datumOf,
  readAll,
  readMap,
  type Scope,
} from './nft-expressions.js';
import type { Expression } from './nft-read.js';
import { NftSet, unwrapped } from './nft-sets.js';
import { expressionText } from './nft-text.js';
import {
  constantOf,
  type Interval,
  intervalOf,
  isBitmask,
  NotModelled,
  numberOf,
  type Value,
  valueAddress,
  within,
} from './nft-types.js';
import { UNKNOWN, type Unknown } from './packet.js';
import {
  ACCEPT,
  BREAK,
  type Chain,
  DROP,
  NEXT,
  RETURN,
  type Step,
  type StepResult,
  type Walk,
} from './rule-set.js';
import { notrack } from './tracking.js';

type Json = Readonly<Record<string, unknown>>;

export interface StatementContext extends Scope {
  readonly chains: ReadonlyMap<string, Chain>;
}

/** Throws {@link NotModelled}. */
export function compileStatement(json: unknown, context: StatementContext): Step | null {
  if (typeof json !== 'object' || json === null)
    throw new NotModelled(`the statement ${JSON.stringify(json)}`);
  const [name, body] = Object.entries(json)[0] ?? ['nothing', null];
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Json;
  switch (name) {
    case 'match':
      return matchStep(fields, context);
    case 'vmap':
      return vmapStep(fields, context);
    case 'accept':
    case 'drop':
    case 'return':
    case 'jump':
    case 'goto':
    case 'continue':
      return verdictStep(verdictOf(json, context));
    case 'reject':
      return rejectStep(fields);
    case 'dnat':
    case 'snat':
      return natStep(name === 'dnat' ? 'dst' : 'src', fields, context);
    case 'masquerade':
    case 'redirect':
      return ownAddressStep(name, fields, context);
    case 'mangle':
      return mangleStep(fields, context);
    case 'notrack':
      return (walk) => {
        notrack(walk);
        return NEXT;
      };
    case 'limit':
      return limitStep(typeof body === 'string' ? (context.objects.get(body) ?? {}) : fields);
    case 'quota':
      return quotaStep(typeof body === 'string' ? (context.objects.get(body) ?? {}) : fields);
    case 'ct count':
      return countStep(fields);
    case 'set':
    case 'map':
      return updateStep(fields, context);
    case 'meter':
      return compileStatement(fields.stmt ?? { continue: null }, context);
    case 'queue':
      return queueStep(fields);
    case 'counter':
    case 'log':
    case 'last':
    case 'dup':
    case 'flow':
    case 'secmark':
    case 'ct helper':
    case 'ct timeout':
    case 'ct expectation':
    case 'comment':
    case 'reset':
      return null;
    default:
      throw new NotModelled(`the statement ${name}`);
  }
}

// ---- matches

function matchStep({ op, left, right }: Json, context: StatementContext): Step {
  const expression = compileExpression(left, context);
  const test = comparison(String(op), expression, right, context, expressionText(left));
  return (walk) => {
    if (expression.parts !== undefined) return test(walk, null) ? NEXT : BREAK;
    if (expression.random === true) return test(walk, UNKNOWN) ? NEXT : BREAK;
    const value = expression.read(walk);
    if (value === null) return BREAK;
    return test(walk, value) ? NEXT : BREAK;
  };
}

type Comparison = (walk: Walk, value: Value | Unknown | null) => boolean;

function comparison(
  op: string,
  left: Expression,
  right: unknown,
  context: StatementContext,
  what: string,
): Comparison {
  const negated = op === '!=' || op === '!';
  const set = setOf(right, left, context);
  if (set !== null) {
    const parts = left.parts ?? [left];
    return (walk) => {
      const keys = readAll(walk, parts);
      if (keys === null) return false;
      const found = set.find(keys);
      if (found === UNKNOWN) return walk.unknown(`${what} is not known`) !== negated;
      if (found === null && walk.added.has(set)) {
        return walk.added.get(set)!.has(JSON.stringify(keys.map(String))) !== negated;
      }
      if (set.dynamic && found === null) walk.assume(`the set ${set.name} holds what the dump shows`);
      return (found !== null) !== negated;
    };
  }
  if (left.parts !== undefined) {
    const datum = datumOf(
      right,
      left.parts.map(({ type }) => type),
    );
    const parts = left.parts;
    return (walk) => {
      const keys = readAll(walk, parts);
      if (keys === null) return false;
      if (keys.includes(UNKNOWN)) return walk.unknown(`${what} is not known`);
      return datum.every((part, at) => within(part, keys[at] as Value)) !== negated;
    };
  }
  if (left.random === true) return randomComparison(op, right);
  if (left.type === 'fib_oif') return deviceComparison(right, negated);
  const test = scalarTest(op, left.type, right, context);
  return (walk, value) => {
    if (value === UNKNOWN) return walk.unknown(`${what} is not known`);
    return test(walk, value!);
  };
}

function scalarTest(
  op: string,
  type: string,
  right: unknown,
  context: StatementContext,
): (walk: Walk, value: Value) => boolean {
  const negated = op === '!=' || op === '!';
  if (isInterval(right)) {
    const interval = intervalOf(right, type);
    return (_, value) => within(interval, value) !== negated;
  }
  if (typeof right === 'string' && type === 'ifname' && right.endsWith('*')) {
    const start = right.slice(0, -1);
    return (_, value) => String(value).startsWith(start) !== negated;
  }
  if (typeof right === 'object' && right !== null && !Array.isArray(right) && !isConstant(right)) {
    const other = compileExpression(right, context, type);
    return (walk, value) => {
      const own = other.read(walk);
      if (own === null) return false;
      if (own === UNKNOWN) return walk.unknown('a value that the rule reads is not known');
      return ordered(op, value, own);
    };
  }
  const constant = constantOf(right, type);
  if (op === 'in' && (isBitmask(type) || Array.isArray(right))) {
    return (_, value) => (BigInt(value) & BigInt(constant)) !== 0n;
  }
  if (op === '!') return (_, value) => (BigInt(value) & BigInt(constant)) === 0n;
  if (op === 'in') return (_, value) => value === constant;
  return (_, value) => ordered(op, value, constant);
}

/** Operators over constants only: `syn|ack`. */
function isConstant(json: object): boolean {
  const [operator, operands] = Object.entries(json)[0] ?? [];
  return (
    ['|', '&', '^', '<<', '>>'].includes(operator ?? '') &&
    Array.isArray(operands) &&
    operands.every((each) => typeof each !== 'object' || each === null || isConstant(each))
  );
}

function isInterval(json: unknown): boolean {
  return typeof json === 'object' && json !== null && ('range' in json || 'prefix' in json);
}

function ordered(op: string, a: Value, b: Value): boolean {
  switch (op) {
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '>':
      return a > b;
    case '<=':
      return a <= b;
    case '>=':
      return a >= b;
    default:
      return a === b;
  }
}

/** `meta random < n`: a draw with the share of the 32-bit numbers that fit. */
function randomComparison(op: string, right: unknown): Comparison {
  const bound = Number(constantOf(right, 'integer')) / 0x100000000;
  const share: Readonly<Record<string, number>> = {
    '<': bound,
    '<=': bound,
    '>': 1 - bound,
    '>=': 1 - bound,
  };
  const p = share[op];
  if (p === undefined) throw new NotModelled(`meta random ${op}`);
  return ({ decisions }) => (p <= 0 || p >= 1 ? p >= 1 : decisions.draw([p, 1 - p]) === 0);
}

/** `fib … oif`: exists, missing, or a name; `0` is missing. */
function deviceComparison(right: unknown, negated: boolean): Comparison {
  const missing = right === false || right === 'missing' || right === 0 || right === '';
  const exists = right === true || right === 'exists';
  return (walk, value) => {
    if (value === UNKNOWN) return walk.unknown('the routes were not given (ip -j route)');
    const is = missing ? value === '' : exists ? value !== '' : value === right;
    return is !== negated;
  };
}

/** The set on the right of a match: named, or `{ set: [...] }`. */
function setOf(right: unknown, left: Expression, context: Scope): NftSet<null> | null {
  if (typeof right === 'string' && right.startsWith('@')) {
    const name = right.slice(1);
    const set = context.sets.get(name) ?? (context.maps.get(name) as unknown as NftSet<null> | undefined);
    if (set === undefined) throw new NotModelled(`the set ${right}`);
    return set;
  }
  if (typeof right !== 'object' || right === null || !('set' in right)) return null;
  const set = new NftSet<null>(
    '',
    (left.parts ?? [left]).map(({ type }) => typeOfKeys(type)),
    false,
  );
  const elements = Array.isArray(right.set) ? right.set : [right.set];
  for (const element of elements) set.add(element, null);
  return set;
}

function typeOfKeys(type: string): string {
  return type === 'fib_oif' ? 'ifname' : type;
}

// ---- verdicts

function verdictOf(json: unknown, context: StatementContext): StepResult {
  const [name, body] = Object.entries(json as object)[0] ?? ['', null];
  switch (name) {
    case 'accept':
      return ACCEPT;
    case 'drop':
      return DROP;
    case 'return':
      return RETURN;
    case 'continue':
      return NEXT;
    case 'jump':
    case 'goto': {
      const target = context.chains.get(String((body as Json | null)?.target));
      if (target === undefined) throw new NotModelled(`the chain ${String((body as Json | null)?.target)}`);
      return { kind: name, target };
    }
    case 'queue':
      throw new NotModelled('queue: a program decides');
    default:
      throw new NotModelled(`the verdict ${name}`);
  }
}

function verdictStep(verdict: StepResult): Step {
  return () => verdict;
}

function vmapStep({ key, data }: Json, context: StatementContext): Step {
  const expression = compileExpression(key, context);
  const parts = expression.parts ?? [expression];
  const map = verdictMap(data, parts, context);
  const what = expressionText(key);
  return (walk) => {
    const keys = readAll(walk, parts);
    if (keys === null) return BREAK;
    const found = map.find(keys);
    if (found === UNKNOWN) return { kind: 'unknown', why: walk.whereWhat(`${what} is not known`) };
    return found === null ? BREAK : found.data;
  };
}

/** Verdict maps of the table by name; filled once all chains are known. */
export const VERDICT_MAPS = new WeakMap<object, NftSet<StepResult>>();

function verdictMap(
  data: unknown,
  parts: readonly Expression[],
  context: StatementContext,
): NftSet<StepResult> {
  if (typeof data === 'string') {
    const named = context.maps.get(data.replace(/^@/, ''));
    const map = named === undefined ? undefined : VERDICT_MAPS.get(named);
    if (map === undefined) throw new NotModelled(`the map ${data}`);
    return map;
  }
  const map = new NftSet<StepResult>(
    '',
    parts.map(({ type }) => typeOfKeys(type)),
    false,
  );
  for (const [from, to] of (data as { set: [unknown, unknown][] }).set) map.add(from, verdictOf(to, context));
  return map;
}

export function fillVerdictMap(
  map: NftSet<StepResult>,
  elements: readonly (readonly [unknown, unknown])[],
  context: StatementContext,
): void {
  for (const [from, to] of elements) map.add(from, verdictOf(unwrapped(to), context));
}

const ICMPX: Readonly<Record<string, readonly [v4: string, v6: string]>> = {
  'no-route': ['icmp-net-unreachable', 'icmp6-no-route'],
  'port-unreachable': ['icmp-port-unreachable', 'icmp6-port-unreachable'],
  'host-unreachable': ['icmp-host-unreachable', 'icmp6-addr-unreachable'],
  'admin-prohibited': ['icmp-admin-prohibited', 'icmp6-adm-prohibited'],
};
const REJECT4: Readonly<Record<string, string>> = { 'prot-unreachable': 'icmp-proto-unreachable' };
const REJECT6: Readonly<Record<string, string>> = { 'admin-prohibited': 'icmp6-adm-prohibited' };

function rejectStep(fields: Json): Step {
  const type = String(fields.type ?? 'icmpx');
  const expr = String(fields.expr ?? 'port-unreachable');
  return (walk) => {
    const v4 = walk.packet.family === 4;
    // nft puts `meta l4proto tcp` before it where the rule does not say so, and does not print that
    if (type === 'tcp reset') return walk.packet.proto === 6 ? { kind: 'reject', with: 'tcp-reset' } : BREAK;
    const sent =
      type === 'icmpx'
        ? ICMPX[expr]?.[v4 ? 0 : 1]
        : type === 'icmp'
          ? (REJECT4[expr] ?? `icmp-${expr}`)
          : (REJECT6[expr] ?? `icmp6-${expr}`);
    return sent === undefined
      ? { kind: 'unknown', why: walk.whereWhat(`reject with ${type} ${expr} is not modelled`) }
      : { kind: 'reject', with: sent };
  };
}

// ---- translation

function natFlags(fields: Json): Pick<NatRange, 'random' | 'persistent'> {
  const flags = (Array.isArray(fields.flags) ? fields.flags : [fields.flags]).map(String);
  return {
    random: flags.includes('fully-random') || flags.includes('random'),
    persistent: flags.includes('persistent'),
  };
}

function portRange(json: unknown): readonly [number | null, number | null] {
  if (json === undefined) return [null, null];
  const { low, high } = intervalOf(json, 'inet_service');
  return [Number(low), Number(high)];
}

function natStep(manip: 'src' | 'dst', fields: Json, context: StatementContext): Step {
  const families: Readonly<Record<string, 4 | 6>> = { ip: 4, ip6: 6 };
  const family = families[String(fields.family ?? context.family)] ?? null;
  const flags = natFlags(fields);
  const { addr } = fields;
  const map = (addr as Json | undefined)?.map as Json | undefined;
  const portMap = (fields.port as Json | undefined)?.map as Json | undefined;
  const isExpression = (json: unknown): boolean =>
    typeof json === 'object' && json !== null && !isInterval(json) && !('concat' in json);
  const read = map === undefined ? null : mapReader(map, context);
  const portRead = portMap === undefined ? null : mapReader(portMap, context);
  const portExpression =
    portRead === null && isExpression(fields.port) ? compileExpression(fields.port, context) : null;
  const addrExpression = read === null && isExpression(addr) ? compileExpression(addr, context) : null;
  const fixed: Datum | null =
    read !== null || addrExpression !== null || addr === undefined ? null : datumOf(addr, []);
  const fixedPorts =
    portRead !== null || portExpression !== null ? ([null, null] as const) : portRange(fields.port);
  const isPrefix = (Array.isArray(fields.type_flags) ? fields.type_flags : [fields.type_flags]).includes(
    'prefix',
  );
  return (walk) => {
    if (family !== null && walk.packet.family !== family) return NEXT;
    const one = (value: Value | Unknown | null): Datum | null | Unknown =>
      value === null || value === UNKNOWN ? value : [{ low: value, high: value }];
    const datum =
      read !== null ? read(walk) : addrExpression !== null ? one(addrExpression.read(walk)) : (fixed ?? []);
    const ports =
      portRead !== null ? portRead(walk) : portExpression !== null ? one(portExpression.read(walk)) : [];
    if (datum === null || ports === null) return BREAK;
    if (datum === UNKNOWN || ports === UNKNOWN) {
      return { kind: 'unknown', why: walk.whereWhat('where it translates to is not known') };
    }
    return setUpNat(walk, manip, {
      ...rangeOf(walk, datum, ports[0] ?? null, fixedPorts, isPrefix),
      ...flags,
    });
  };
}

function mapReader(map: Json, context: StatementContext): (walk: Walk) => Datum | null | Unknown {
  const key = compileExpression(map.key, context);
  const parts = key.parts ?? [key];
  const data = dataMap(map.data, key, context);
  return (walk) => readMap(walk, parts, data);
}

function rangeOf(
  walk: Walk,
  datum: Datum,
  port: Interval | null,
  fixedPorts: readonly [number | null, number | null],
  isPrefix: boolean,
): NatRange {
  const { family } = walk.packet;
  const [address, second] = datum;
  const ports = second ?? port;
  const range = {
    ...ANY_RANGE,
    ...(address === undefined
      ? {}
      : { min: valueAddress(address.low, family), max: valueAddress(address.high, family) }),
    minPort: ports === null ? fixedPorts[0] : numberOf(ports.low),
    maxPort: ports === null ? fixedPorts[1] : numberOf(ports.high),
  };
  return isPrefix && address !== undefined ? { ...range, netmap: prefixLength(address, family) } : range;
}

/** Of an interval that is a prefix. */
function prefixLength({ low, high }: Interval, family: 4 | 6): number {
  const differing = (BigInt(low) ^ BigInt(high)).toString(2);
  return (family === 4 ? 32 : 128) - (differing === '0' ? 0 : differing.length);
}

function ownAddressStep(name: 'masquerade' | 'redirect', fields: Json, context: StatementContext): Step {
  const flags = natFlags(fields);
  const map = (fields.port as Json | undefined)?.map as Json | undefined;
  const read = map === undefined ? null : mapReader(map, context);
  const [min, max] = read === null ? portRange(fields.port) : [null, null];
  const range = { ...ANY_RANGE, minPort: min, maxPort: max, ...flags };
  return (walk) => {
    let own = range;
    if (read !== null) {
      const datum = read(walk);
      if (datum === null) return BREAK;
      if (datum === UNKNOWN)
        return { kind: 'unknown', why: walk.whereWhat('where it translates to is not known') };
      own = { ...range, minPort: numberOf(datum[0]!.low), maxPort: numberOf(datum[0]!.high) };
    }
    return name === 'masquerade' ? masquerade(walk, own) : redirect(walk, own);
  };
}

// ---- changes

function mangleStep({ key, value }: Json, context: StatementContext): Step | null {
  const [kind, fields] = Object.entries(key as Json)[0] as [string, Json];
  const target = `${kind} ${String(fields.key ?? `${String(fields.protocol)} ${String(fields.field)}`)}`;
  const place = compilePlace(kind, fields);
  // what no modelled rule reads may be written
  if (place === null) return null;
  const type = compileExpression(key, context).type;
  const expression = compileExpression(value, context, type);
  return (walk) => {
    const next = expression.read(walk);
    if (next === null) return BREAK;
    return place(walk, next, target);
  };
}

type Place = (walk: Walk, value: Value | Unknown, target: string) => StepResult;

function compilePlace(kind: string, fields: Json): Place | null {
  const key = String(fields.key ?? '');
  if (kind === 'meta' && key === 'mark') {
    return (walk, value) => {
      if (value === UNKNOWN) walk.packet.markUnknown = true;
      else setMark(walk, numberOf(value));
      return NEXT;
    };
  }
  if (kind === 'meta') {
    if (key !== 'priority') return null;
    return ({ packet }, value) => {
      if (value !== UNKNOWN) packet.priority = numberOf(value);
      return NEXT;
    };
  }
  if (kind === 'ct' && key === 'mark') {
    return ({ connection }, value) => {
      if (connection !== null) {
        connection.markUnknown = value === UNKNOWN;
        if (value !== UNKNOWN) connection.mark = numberOf(value) >>> 0;
      }
      return NEXT;
    };
  }
  if (kind === 'ct' && key === 'zone') {
    return (walk, value, target) => {
      if (value === UNKNOWN)
        return { kind: 'unknown', why: walk.whereWhat(`${target} is set to what is not known`) };
      if (walk.connection === null) walk.zone = numberOf(value);
      return NEXT;
    };
  }
  if (kind === 'ct' && key === 'label') {
    return ({ connection }, value) => {
      if (connection === null || value === UNKNOWN) return NEXT;
      for (let bit = 0; bit < 128; bit++) if ((BigInt(value) >> BigInt(bit)) & 1n) connection.labels.add(bit);
      return NEXT;
    };
  }
  if (kind !== 'payload') return null;
  return payloadPlace(String(fields.protocol), String(fields.field));
}

function payloadPlace(protocol: string, field: string): Place | null {
  const writes: Readonly<Record<string, (walk: Walk, value: Value) => void>> = {
    saddr: ({ packet }, value) => {
      packet.src = valueAddress(value, packet.family);
    },
    daddr: ({ packet }, value) => {
      packet.dst = valueAddress(value, packet.family);
    },
    sport: ({ packet }, value) => {
      packet.srcPort = numberOf(value);
    },
    dport: ({ packet }, value) => {
      packet.dstPort = numberOf(value);
    },
    ttl: ({ packet }, value) => {
      packet.ttl = numberOf(value);
    },
    hoplimit: ({ packet }, value) => {
      packet.ttl = numberOf(value);
    },
    dscp: ({ packet }, value) => {
      packet.tos = (packet.tos & 3) | (numberOf(value) << 2);
    },
    ecn: ({ packet }, value) => {
      packet.tos = (packet.tos & 0xfc) | numberOf(value);
    },
  };
  const write = writes[field];
  if (write === undefined) return null;
  return (walk, value, target) => {
    const { packet } = walk;
    if ((protocol === 'ip' && packet.family !== 4) || (protocol === 'ip6' && packet.family !== 6))
      return BREAK;
    if ((protocol === 'tcp' && packet.proto !== 6) || (protocol === 'udp' && packet.proto !== 17))
      return BREAK;
    if (value === UNKNOWN)
      return { kind: 'unknown', why: walk.whereWhat(`${target} is set to what is not known`) };
    write(walk, value);
    packet.changed();
    if (walk.recording) walk.changed(`${target} becomes ${String(value)}`);
    return NEXT;
  };
}

// ---- limits and counts

function limitStep(fields: Json): Step {
  const over = fields.inv === true;
  return (walk) => {
    walk.assume('limit has tokens left');
    return over ? BREAK : NEXT;
  };
}

function quotaStep(fields: Json): Step {
  const over = fields.inv === true;
  const units: Readonly<Record<string, number>> = { bytes: 1, kbytes: 1024, mbytes: 1048576 };
  const left =
    Number(fields.val ?? fields.bytes ?? 0) * (units[String(fields.val_unit ?? 'bytes')] ?? 1) -
    Number(fields.used ?? 0) * (units[String(fields.used_unit ?? 'bytes')] ?? 1);
  return (walk) => {
    walk.assume('quota: nothing of it has been used since it was dumped');
    return left < walk.packet.length === over ? NEXT : BREAK;
  };
}

/** nft_connlimit.c: connections that this rule or element has counted; a dump shows none of them. */
function countStep(fields: Json): Step {
  const most = Number(fields.val ?? 0);
  const over = fields.inv === true;
  return (walk) => {
    if (walk.connection === null && walk.ctinfo !== 'untracked') return BREAK;
    walk.assume('ct count: no other connection is counted');
    return 1 > most === over ? NEXT : BREAK;
  };
}

/** `add @set { key }`: the element is there for the packet's later rules; statements on it decide as they would alone. */
function updateStep(fields: Json, context: StatementContext): Step {
  const name = String(fields.set ?? fields.map ?? '').replace(/^@/, '');
  const set = context.sets.get(name);
  const key = compileExpression(unwrapped(fields.elem), context);
  const parts = key.parts ?? [key];
  const inner = (Array.isArray(fields.stmt) ? fields.stmt : fields.stmt === undefined ? [] : [fields.stmt])
    .map((each) => compileStatement(each, context))
    .filter((step) => step !== null);
  const deletes = fields.op === 'delete';
  return (walk) => {
    const keys = readAll(walk, parts);
    if (keys === null) return BREAK;
    if (set !== undefined) {
      let own = walk.added.get(set);
      if (own === undefined) {
        own = new Set();
        walk.added.set(set, own);
      }
      const text = JSON.stringify(keys.map(String));
      if (deletes) own.delete(text);
      else own.add(text);
    }
    for (const step of inner) {
      const result = step(walk);
      if (result !== NEXT) return result;
    }
    return NEXT;
  };
}

function queueStep(fields: Json): Step {
  const flags = (Array.isArray(fields.flags) ? fields.flags : [fields.flags]).map(String);
  const bypass = flags.includes('bypass');
  return (walk) => {
    if (bypass) walk.assume('nobody reads the queue, which its flag bypass then passes over');
    return bypass ? ACCEPT : { kind: 'unknown', why: walk.whereWhat('queue: a program decides') };
  };
}
