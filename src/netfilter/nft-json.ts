/** `nft -j list ruleset`: tables, chains, sets, maps and rules, in the order in which the kernel lists them. */
import { compileExpression, type Datum, datumOf } from './nft-expressions.js';
import { NftSet } from './nft-sets.js';
import { compileStatement, fillVerdictMap, type StatementContext, VERDICT_MAPS } from './nft-statements.js';
import { nftRuleText } from './nft-text.js';
import { NotModelled } from './nft-types.js';
import type { Node } from './node.js';
import {
  type BaseHook,
  type Chain,
  type Guard,
  type Hook,
  NO_GUARD,
  newChain,
  newTable,
  type RuleFamily,
  type Step,
  type StepResult,
  type Table,
} from './rule-set.js';

type Json = Readonly<Record<string, unknown>>;

interface TableParts extends StatementContext {
  readonly table: Table;
  readonly sets: Map<string, NftSet<null>>;
  readonly maps: Map<string, NftSet<Datum>>;
  readonly objects: Map<string, Json>;
  readonly chains: Map<string, Chain>;
}

export function isNftJson(json: unknown): boolean {
  return typeof json === 'object' && json !== null && Array.isArray((json as Json).nftables);
}

/** @param skipped tables that another dump has already (iptables-save of the nf_tables backend): `ip filter` */
export function readNftJson(node: Node, json: unknown, skipped: (table: Table) => boolean): void {
  const objects = (json as { nftables: Json[] }).nftables;
  const parts = new Map<string, TableParts>();
  const of = (body: Json): TableParts | undefined =>
    parts.get(`${String(body.family)} ${String(body.table)}`);
  const each = (kind: string, act: (body: Json) => void): void => {
    for (const object of objects) if (kind in object) act(object[kind] as Json);
  };
  each('table', (body) => {
    const family = String(body.family) as RuleFamily;
    const name = String(body.name);
    const flags = [body.flags].flat().map(String);
    const table = newTable(family, name, `${family} ${name}`, flags.includes('dormant'));
    const { chains } = table;
    parts.set(table.label, { table, family, sets: new Map(), maps: new Map(), objects: new Map(), chains });
  });
  // chains register their hooks in the order of their handles
  const chains: Json[] = [];
  each('chain', (body) => chains.push(body));
  const rank = new Map([...parts.keys()].map((label, at) => [label, at]));
  chains.sort(
    (a, b) =>
      rank.get(`${String(a.family)} ${String(a.table)}`)! -
        rank.get(`${String(b.family)} ${String(b.table)}`)! || Number(a.handle ?? 0) - Number(b.handle ?? 0),
  );
  for (const body of chains) {
    const own = of(body);
    if (own !== undefined) newChain(own.table, String(body.name), baseOf(node, body));
  }
  for (const kind of ['limit', 'quota', 'counter', 'ct helper', 'synproxy']) {
    each(kind, (body) => of(body)?.objects.set(String(body.name), body));
  }
  each('set', (body) => readSet(node, of(body), body));
  each('map', (body) => readMap(node, of(body), body));
  each('rule', (body) => {
    const own = of(body);
    const chain = own?.chains.get(String(body.chain));
    if (own !== undefined && chain !== undefined) readRule(own, chain, body);
  });
  for (const { table } of parts.values()) if (!skipped(table)) node.tables.push(table);
}

function baseOf(node: Node, body: Json): BaseHook | null {
  if (body.hook === undefined) return null;
  return {
    type: String(body.type ?? 'filter'),
    hook: String(body.hook) as Hook,
    priority: Number(body.prio ?? 0),
    policy: body.policy === 'drop' ? 'drop' : 'accept',
    devices: [body.dev ?? []].flat().map(String),
    order: node.nextOrder(),
  };
}

/** `ipv4_addr`, a list of types, `{ typeof: expression }`, or types joined with ` . `. */
function typesOf(json: unknown, own: TableParts): string[] {
  if (Array.isArray(json)) return json.flatMap((each) => typesOf(each, own));
  if (typeof json === 'object' && json !== null && 'typeof' in json) {
    const expression = compileExpression((json as Json).typeof, own);
    return (expression.parts ?? [expression]).map(({ type }) => type);
  }
  return String(json).split(' . ').map(plainType);
}

/** Names of types as sets declare them, under the names that fields have. */
function plainType(name: string): string {
  const trimmed = name.trim();
  return trimmed === 'fib_addr_type' ? 'fib_addrtype' : trimmed;
}

function isDynamic(body: Json): boolean {
  const flags = [body.flags].flat().map(String);
  return flags.includes('dynamic') || flags.includes('timeout');
}

function readSet(node: Node, own: TableParts | undefined, body: Json): void {
  if (own === undefined) return;
  const name = String(body.name);
  try {
    const set = new NftSet<null>(name, typesOf(body.type, own), isDynamic(body));
    for (const element of (body.elem as unknown[] | undefined) ?? []) set.add(element, null);
    own.sets.set(name, set);
  } catch (error) {
    if (!(error instanceof NotModelled)) throw error;
    node.unread.push(`the set ${own.table.label} ${name}: ${error.message} is not modelled`);
  }
}

function readMap(node: Node, own: TableParts | undefined, body: Json): void {
  if (own === undefined) return;
  const name = String(body.name);
  const elements = (body.elem as [unknown, unknown][] | undefined) ?? [];
  try {
    const types = typesOf(body.type, own);
    const map = new NftSet<Datum>(name, types, isDynamic(body));
    own.maps.set(name, map);
    if (body.map === 'verdict') {
      const verdicts = new NftSet<StepResult>(name, types, isDynamic(body));
      fillVerdictMap(verdicts, elements, own);
      VERDICT_MAPS.set(map, verdicts);
      return;
    }
    const dataTypes = typesOf(body.map, own);
    for (const [from, to] of elements) map.add(from, datumOf(to, dataTypes));
  } catch (error) {
    if (!(error instanceof NotModelled)) throw error;
    own.maps.delete(name);
    node.unread.push(`the map ${own.table.label} ${name}: ${error.message} is not modelled`);
  }
}

function readRule(own: TableParts, chain: Chain, body: Json): void {
  const expressions = (body.expr as unknown[] | undefined) ?? [];
  const steps: Step[] = [];
  let packets: number | null = null;
  for (const statement of expressions) {
    const counter = (statement as Json | null)?.counter as Json | undefined;
    if (typeof counter === 'object' && counter !== null) packets = Number(counter.packets ?? 0);
    try {
      const step = compileStatement(statement, own);
      if (step !== null) steps.push(step);
    } catch (error) {
      if (!(error instanceof NotModelled)) throw error;
      steps.push(unknownStatement(statement, error.message));
    }
  }
  chain.rules.push({
    table: own.table,
    chain,
    number: chain.rules.length + 1,
    text: nftRuleText(expressions, body.comment),
    steps,
    guard: guardOf(expressions),
    packets,
  });
}

/** A condition that is not modelled may hold or not; an action that is not modelled may do anything. */
function unknownStatement(statement: unknown, what: string): Step {
  const isCondition = typeof statement === 'object' && statement !== null && 'match' in statement;
  if (isCondition) return (walk) => (walk.unknown(`${what} is not modelled`) ? 0 : 1);
  return (walk) => ({ kind: 'unknown', why: walk.whereWhat(`${what} is not modelled`) });
}

function guardOf(expressions: readonly unknown[]): Guard {
  let guard = NO_GUARD;
  for (const statement of expressions) {
    const match = (statement as Json | null)?.match as Json | undefined;
    if (match === undefined) break;
    const field = (match.left as Json | undefined)?.payload as Json | undefined;
    if (match.op !== '==' || field === undefined || typeof match.right !== 'number') continue;
    if (field.field === 'dport' && (field.protocol === 'tcp' || field.protocol === 'udp')) {
      guard = { ...guard, dstPort: match.right, proto: field.protocol === 'tcp' ? 6 : 17 };
    }
  }
  return guard;
}
