/**
 * Two runs over the same connections, held against each other: which of them change their fate, and why.
 *
 * A run is a replay, or the report that one left behind. Only what both runs judged can be fixed or newly broken; what
 * one of them says nothing about is counted apart. Breakdowns count connections that broke, each in the run in which it
 * did: by the reason there, by its service, by the node it first went to, by the minute in which it broke.
 */
import { isBroken, shareOf } from '../verdict/fates.js';
import type { EventRecord, Fate, FlowVerdict, ReplayResult, Summary } from '../verdict/verdict.js';
import type { SettingDifference } from './setting-differences.js';

/** What a run says of a connection, as in its report. */
export type RunFlow = Pick<
  FlowVerdict,
  | 'proto'
  | 'src'
  | 'srcPort'
  | 'dst'
  | 'dstPort'
  | 'connection'
  | 'start'
  | 'service'
  | 'fate'
  | 'judged'
  | 'unjudged'
  | 'drawn'
  | 'latent'
  | 'unanswered'
  | 'cause'
  | 'chain'
  | 'brokenAt'
  | 'path'
>;

/** A run as it is compared. */
export interface Run {
  /** the file or scenario that it stands for */
  readonly name: string;
  /** seconds since 1970 of its t = 0 */
  readonly t0: number;
  readonly events: readonly EventRecord[];
  readonly summary: RunSummary;
  readonly flowCount: number;
  fateOf(row: number): Fate;
  flow(row: number): RunFlow;
}

/** Of a summary, what is compared. */
export type RunSummary = Pick<
  Summary,
  | 'verdict'
  | 'flows'
  | 'judged'
  | 'unjudged'
  | 'broken'
  | 'brokenShare'
  | 'byFate'
  | 'byCause'
  | 'expected'
  | 'scenario'
  | 'assumed'
  | 'unread'
  | 'notes'
>;

/** Rows of the same connection in either run; -1 where a run has none. */
export type RowPairs = Iterable<readonly [before: number, after: number]>;

export const CHANGE_KINDS = {
  fixed: 'broke before, delivered after',
  'newly-broken': 'delivered before, breaks after',
  'broken-otherwise': 'breaks in both, with another fate or for another reason',
  'judged-now': 'not judged before, judged after',
  'unjudged-now': 'judged before, not judged after',
  'only-before': 'in the first run alone',
  'only-after': 'in the second run alone',
} as const;
type ChangeKind = keyof typeof CHANGE_KINDS;

/** What one run says of a connection that changes. */
export interface ChangeSide
  extends Pick<
    RunFlow,
    'fate' | 'judged' | 'unjudged' | 'drawn' | 'latent' | 'unanswered' | 'cause' | 'brokenAt' | 'chain'
  > {
  readonly service: string | null;
  /** the node that it first went to */
  readonly node: string | null;
}

export interface FlowChange {
  readonly kind: ChangeKind;
  readonly proto: RunFlow['proto'];
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
  readonly connection: number;
  /** seconds since t = 0 of the first run that has it */
  readonly start: number;
  readonly before: ChangeSide | null;
  readonly after: ChangeSide | null;
}

/** A row of a breakdown: connections that broke in either run, and what became of them. */
export interface ChangeCount {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly fixed: number;
  readonly newlyBroken: number;
}

export interface ChangeSummary {
  /** `inconclusive`: nothing was judged in both, or nothing changes and one of the runs concludes nothing */
  readonly verdict: 'changed' | 'unchanged' | 'inconclusive';
  /** connections of either run */
  readonly flows: number;
  /** judged in both runs: what can be fixed or newly broken */
  readonly judged: number;
  /** of these, with another fate or broken for another reason */
  readonly changed: number;
  readonly fixed: number;
  readonly newlyBroken: number;
  readonly brokenOtherwise: number;
  /** broken in both, with the same fate and for the same reason */
  readonly stillBroken: number;
  readonly judgedNow: number;
  readonly unjudgedNow: number;
  readonly onlyBefore: number;
  readonly onlyAfter: number;
  /** of all these changes, how many depend on what the real system draws at random */
  readonly drawn: number;
  /** newly broken over judged in both; null where nothing was */
  readonly newlyBrokenShare: number | null;
  readonly transitions: readonly { readonly before: Fate; readonly after: Fate; readonly flows: number }[];
  readonly byCause: readonly ChangeCount[];
  readonly byService: readonly ChangeCount[];
  readonly byNode: readonly ChangeCount[];
  readonly byMinute: readonly (Omit<ChangeCount, 'name'> & { readonly minute: number })[];
  /** at most 50, most changes first */
  readonly byClient: readonly ChangeCount[];
  readonly clientsChanged: number;
  /** settings that are not the same in both scenarios; null where they are not known */
  readonly settings: readonly SettingDifference[] | null;
  readonly notes: readonly string[];
}

export interface Changes {
  readonly before: Run;
  readonly after: Run;
  readonly summary: ChangeSummary;
  readonly flowCount: number;
  /** a changed connection, made when asked for */
  change(row: number): FlowChange;
}

/** clients named in a breakdown */
const CLIENTS_NAMED = 50;
const MINUTE_S = 60;

export function compareRuns(
  before: Run,
  after: Run,
  pairs: RowPairs,
  settings: readonly SettingDifference[] | null,
  notes: readonly string[] = [],
): Changes {
  const tally = new ChangeTally(before, after);
  for (const [b, a] of pairs) tally.add(b, a);
  const { changed } = tally;
  return {
    before,
    after,
    summary: tally.summary(settings, [...notes, ...notesOn(before, after)]),
    flowCount: changed.length,
    change: (row) => {
      const { kind, b, a } = changed[row]!;
      return flowChange(kind, b < 0 ? null : before.flow(b), a < 0 ? null : after.flow(a));
    },
  };
}

/** What makes two runs hard to compare. */
function notesOn(before: Run, after: Run): string[] {
  const notes: string[] = [];
  if (before.summary.scenario.seed !== after.summary.scenario.seed) {
    notes.push(
      `The runs have different seeds (${before.summary.scenario.seed} and ${after.summary.scenario.seed}): ` +
        'some of the changes may be other draws of chance',
    );
  }
  if (before.t0 !== after.t0) {
    notes.push(
      `t = 0 differs by ${Math.abs(before.t0 - after.t0)} s between the runs: times of each run count from its own`,
    );
  }
  return notes;
}

interface ChangedRow {
  readonly kind: ChangeKind;
  readonly b: number;
  readonly a: number;
}

interface MutableCount {
  before: number;
  after: number;
  fixed: number;
  newlyBroken: number;
}

/** Sums while the pairs go by; a connection is looked at closely only where it broke in a run. */
class ChangeTally {
  readonly changed: ChangedRow[] = [];
  private flows = 0;
  private judged = 0;
  private stillBroken = 0;
  private drawn = 0;
  private readonly kinds = new Map<ChangeKind, number>();
  private readonly transitions = new Map<string, { before: Fate; after: Fate; flows: number }>();
  private readonly causes = new Map<string, MutableCount>();
  private readonly services = new Map<string, MutableCount>();
  private readonly nodes = new Map<string, MutableCount>();
  private readonly clients = new Map<string, MutableCount>();
  private readonly minutes = new Map<number, MutableCount>();

  constructor(
    private readonly before: Run,
    private readonly after: Run,
  ) {}

  add(b: number, a: number): void {
    this.flows++;
    const fateB = b < 0 ? null : this.before.fateOf(b);
    const fateA = a < 0 ? null : this.after.fateOf(a);
    const brokeB = fateB !== null && isBroken(fateB);
    const brokeA = fateA !== null && isBroken(fateA);
    const inBoth = fateB !== null && fateA !== null && fateB !== 'unknown' && fateA !== 'unknown';
    if (inBoth) this.judged++;
    if (fateB === fateA && !brokeB) return;
    const flowB = b < 0 ? null : this.before.flow(b);
    const flowA = a < 0 ? null : this.after.flow(a);
    const kind = kindOf(flowB, flowA);
    if (kind === null) this.stillBroken++;
    else {
      this.changed.push({ kind, b, a });
      this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
      if (flowB?.drawn === true || flowA?.drawn === true) this.drawn++;
      if (inBoth) this.transition(fateB, fateA);
    }
    if (brokeB) this.count(flowB!, 'before', kind === 'fixed');
    if (brokeA) this.count(flowA!, 'after', kind === 'newly-broken');
  }

  summary(settings: readonly SettingDifference[] | null, notes: readonly string[]): ChangeSummary {
    const of = (kind: ChangeKind): number => this.kinds.get(kind) ?? 0;
    const newlyBroken = of('newly-broken');
    const clients = rows(this.clients);
    const changed = of('fixed') + newlyBroken + of('broken-otherwise');
    const open = [this.before, this.after].some(({ summary }) => summary.verdict === 'inconclusive');
    return {
      verdict: changed > 0 ? 'changed' : this.judged === 0 || open ? 'inconclusive' : 'unchanged',
      flows: this.flows,
      judged: this.judged,
      changed,
      fixed: of('fixed'),
      newlyBroken,
      brokenOtherwise: of('broken-otherwise'),
      stillBroken: this.stillBroken,
      judgedNow: of('judged-now'),
      unjudgedNow: of('unjudged-now'),
      onlyBefore: of('only-before'),
      onlyAfter: of('only-after'),
      drawn: this.drawn,
      newlyBrokenShare: shareOf(newlyBroken, { judged: this.judged }),
      transitions: [...this.transitions.values()].sort((x, y) => y.flows - x.flows),
      byCause: rows(this.causes),
      byService: rows(this.services),
      byNode: rows(this.nodes),
      byMinute: [...this.minutes].sort(([x], [y]) => x - y).map(([minute, n]) => ({ minute, ...n })),
      byClient: clients.slice(0, CLIENTS_NAMED),
      clientsChanged: clients.filter(({ fixed, newlyBroken }) => fixed + newlyBroken > 0).length,
      settings,
      notes,
    };
  }

  private transition(before: Fate, after: Fate): void {
    const key = `${before} ${after}`;
    const known = this.transitions.get(key) ?? { before, after, flows: 0 };
    known.flows++;
    this.transitions.set(key, known);
  }

  /** A connection that broke in one of the runs. */
  private count(flow: RunFlow, side: 'before' | 'after', turned: boolean): void {
    const add = <K>(counts: Map<K, MutableCount>, key: K): void => {
      const known = counts.get(key) ?? { before: 0, after: 0, fixed: 0, newlyBroken: 0 };
      counts.set(key, known);
      known[side]++;
      if (turned) known[side === 'before' ? 'fixed' : 'newlyBroken']++;
    };
    add(this.causes, flow.cause?.reason ?? 'no cause known');
    add(this.services, flow.service ?? 'no service');
    const node = firstNode(flow);
    if (node !== null) add(this.nodes, node);
    add(this.clients, flow.src);
    if (flow.brokenAt !== null) add(this.minutes, Math.floor(flow.brokenAt / MINUTE_S));
  }
}

/** What kind of change it is; null: none. */
function kindOf(before: RunFlow | null, after: RunFlow | null): ChangeKind | null {
  if (before === null) return 'only-after';
  if (after === null) return 'only-before';
  if (!before.judged || !after.judged) {
    if (before.judged === after.judged) return null;
    return after.judged ? 'judged-now' : 'unjudged-now';
  }
  const broke = isBroken(before.fate);
  const breaks = isBroken(after.fate);
  if (broke !== breaks) return broke ? 'fixed' : 'newly-broken';
  const same = before.fate === after.fate && before.cause?.reason === after.cause?.reason;
  return same ? null : 'broken-otherwise';
}

function flowChange(kind: ChangeKind, before: RunFlow | null, after: RunFlow | null): FlowChange {
  const { proto, src, srcPort, dst, dstPort, connection, start } = (before ?? after)!;
  return {
    kind,
    proto,
    src,
    srcPort,
    dst,
    dstPort,
    connection,
    start,
    before: before === null ? null : sideOf(before),
    after: after === null ? null : sideOf(after),
  };
}

function sideOf(flow: RunFlow): ChangeSide {
  const { fate, judged, unjudged, drawn, latent, unanswered, cause, brokenAt, chain, service } = flow;
  return {
    service,
    fate,
    judged,
    unjudged,
    ...(drawn === undefined ? {} : { drawn }),
    ...(latent === undefined ? {} : { latent }),
    ...(unanswered === undefined ? {} : { unanswered }),
    cause,
    brokenAt,
    node: firstNode(flow),
    chain,
  };
}

function firstNode({ path }: RunFlow): string | null {
  return path[0]?.node ?? path[0]?.nextHop ?? null;
}

/** Most changes first, then what broke most. */
function rows(counts: ReadonlyMap<string, MutableCount>): ChangeCount[] {
  return [...counts]
    .map(([name, n]) => ({ name, ...n }))
    .sort(
      (x, y) =>
        y.fixed + y.newlyBroken - (x.fixed + x.newlyBroken) ||
        y.before + y.after - (x.before + x.after) ||
        (x.name < y.name ? -1 : 1),
    );
}

/** A replay as a run. */
export function runOf(name: string, result: ReplayResult): Run {
  const { capture, events, summary, flowCount } = result;
  return {
    name,
    t0: capture.t0,
    events,
    summary,
    flowCount,
    fateOf: (row) => result.fateOf(row),
    flow: (row) => result.flowVerdict(row),
  };
}

/**
 * Rows of two replays of one index. Both stand in the order of the flow table, and the connections of a five-tuple in
 * order of time, so that they are merged.
 */
export function* pairsOfReplays(
  before: ReplayResult,
  after: ReplayResult,
): RowPairs & Generator<[number, number]> {
  let b = 0;
  let a = 0;
  let tuple = -1;
  while (b < before.flowCount || a < after.flowCount) {
    const hasB = b < before.flowCount && before.flowTableRow(b) === tuple;
    const hasA = a < after.flowCount && after.flowTableRow(a) === tuple;
    if (!hasB && !hasA) {
      tuple++;
      continue;
    }
    yield [hasB ? b++ : -1, hasA ? a++ : -1];
  }
}

/** Rows of any two runs, by five-tuple and connection; which side is the client may differ between them. */
export function* pairsByName(before: Run, after: Run): RowPairs & Generator<[number, number]> {
  const rowsAfter = new Map<string, number>();
  for (let a = 0; a < after.flowCount; a++) rowsAfter.set(nameOf(after.flow(a)), a);
  for (let b = 0; b < before.flowCount; b++) {
    const name = nameOf(before.flow(b));
    const a = rowsAfter.get(name);
    rowsAfter.delete(name);
    yield [b, a ?? -1];
  }
  for (const a of rowsAfter.values()) yield [-1, a];
}

function nameOf({ proto, src, srcPort, dst, dstPort, connection }: RunFlow): string {
  const ends = [`${src} ${srcPort}`, `${dst} ${dstPort}`].sort();
  return `${proto} ${ends.join(' ')} ${connection}`;
}
