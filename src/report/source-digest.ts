/**
 * Where client addresses were lost, and what would bring them back: the provenance steps of flows, gathered by
 * what changed the source and in front of what it can be recovered. On large captures every n-th flow is looked
 * at; the counts of preserved and lost flows come from the summary and are exact.
 */
import type { ApplicationVerdict, FlowVerdict, ReplayResult } from '../verdict/verdict.js';

const LOOKED_AT = 2000;
/** hops and addresses called by name */
const NAMES = 4;

export interface SourceLoss {
  /** e.g. "masquerade" */
  readonly mechanism: string;
  /** hops where it happened, the most frequent first */
  readonly hops: readonly string[];
  /** what the endpoints saw instead, the most frequent first */
  readonly seen: readonly string[];
  readonly recoverable: string | null;
  /** among the flows looked at */
  readonly flows: number;
}

/** What the application behind an L7 proxy sees, among the flows looked at. */
export interface ApplicationDigest {
  readonly sees: {
    readonly client: number;
    readonly another: number;
    readonly forged: number;
    readonly nothing: number;
  };
  /** addresses that it sees instead, the most frequent first */
  readonly seen: readonly string[];
  /** clients that claim to be somebody else */
  readonly claims: number;
  readonly faults: readonly string[];
  /** settings that help the most flows first, with how many they help */
  readonly restoredBy: readonly { readonly setting: string; readonly flows: number }[];
}

export interface SourceDigest {
  readonly lookedAt: number;
  readonly losses: readonly SourceLoss[];
  /** null where no flow has an L7 proxy on its way */
  readonly application: ApplicationDigest | null;
}

interface Tally {
  readonly mechanism: string;
  readonly recoverable: string | null;
  readonly hops: Map<string, number>;
  readonly seen: Map<string, number>;
  flows: number;
}

export function digestSources(result: ReplayResult): SourceDigest {
  const tallies = new Map<string, Tally>();
  const applications = new ApplicationTally();
  const stride = Math.max(1, Math.ceil(result.flowCount / LOOKED_AT));
  let lookedAt = 0;
  for (let row = 0; row < result.flowCount; row += stride) {
    const verdict = result.flowVerdict(row);
    lookedAt++;
    tallyFlow(tallies, verdict);
    applications.add(verdict.source?.application);
    // with nothing lost and no proxy on the way of the first flow there is nothing to find
    if (result.summary.sourcePreserved.no === 0 && verdict.source !== null && applications.isEmpty) break;
  }
  const losses = [...tallies.values()]
    .map(({ mechanism, recoverable, hops, seen, flows }) => ({
      mechanism,
      recoverable,
      hops: byFrequency(hops),
      seen: byFrequency(seen),
      flows,
    }))
    .sort((x, y) => y.flows - x.flows || (x.mechanism < y.mechanism ? -1 : 1));
  return { lookedAt, losses, application: applications.digest() };
}

class ApplicationTally {
  private readonly sees = { client: 0, another: 0, forged: 0, nothing: 0 };
  private readonly seen = new Map<string, number>();
  private readonly faults = new Map<string, number>();
  private readonly restoredBy = new Map<string, number>();
  private claims = 0;
  isEmpty = true;

  add(application: ApplicationVerdict | undefined): void {
    if (application === undefined) return;
    this.isEmpty = false;
    const { sees, preserved, forged, forgedWins, fault, restoredBy } = application;
    const what = preserved ? 'client' : forgedWins ? 'forged' : sees === null ? 'nothing' : 'another';
    this.sees[what]++;
    if (forged !== null) this.claims++;
    if (sees !== null && !preserved) bump(this.seen, sees);
    if (fault !== null) bump(this.faults, fault);
    for (const setting of restoredBy) bump(this.restoredBy, setting);
  }

  digest(): ApplicationDigest | null {
    if (this.isEmpty) return null;
    return {
      sees: this.sees,
      seen: byFrequency(this.seen),
      claims: this.claims,
      faults: byFrequency(this.faults),
      restoredBy: byFrequency(this.restoredBy).map((setting) => ({
        setting,
        flows: this.restoredBy.get(setting)!,
      })),
    };
  }
}

/** Whom the application sees, and which settings would show it the client, a sentence each. */
export function applicationSentences({
  sees,
  seen,
  claims,
  faults,
  restoredBy,
}: ApplicationDigest): string[] {
  const all = sees.client + sees.another + sees.forged + sees.nothing;
  const instead = seen.length === 0 ? '' : ` (${firstOf(seen, NAMES)})`;
  const parts = [
    `the client for ${sees.client} of ${all} flows`,
    ...(sees.another > 0 ? [`another address for ${sees.another}${instead}`] : []),
    ...(sees.forged > 0 ? [`an address that the client made up for ${sees.forged}`] : []),
    ...(sees.nothing > 0 ? [`nothing for ${sees.nothing}`] : []),
  ];
  const best = restoredBy.filter(({ flows }) => flows === restoredBy[0]!.flows);
  return [
    `the application sees ${parts.join(', ')}`,
    ...(claims > 0 ? [`${claims} clients send a header that names somebody else`] : []),
    ...faults.map((fault) => FAULT_SENTENCES[fault] ?? fault),
    ...(best.length > 0 ? [`restored by ${best.map(({ setting }) => setting).join(', or by ')}`] : []),
  ];
}

const FAULT_SENTENCES: Readonly<Record<string, string>> = {
  'proxy-header-missing': 'the proxy waits for a PROXY header that nobody sends, and closes the connection',
  'proxy-header-unexpected': 'the proxy takes the PROXY header for a request and answers 400',
};

function tallyFlow(tallies: Map<string, Tally>, { source }: FlowVerdict): void {
  if (source === null || source.preserved !== false) return;
  const mechanism = [...new Set(source.steps.map((step) => step.mechanism))].join(', then ') || 'masquerade';
  const key = `${mechanism}\n${source.recoverable ?? ''}`;
  let tally = tallies.get(key);
  if (tally === undefined) {
    tally = { mechanism, recoverable: source.recoverable, hops: new Map(), seen: new Map(), flows: 0 };
    tallies.set(key, tally);
  }
  tally.flows++;
  for (const hop of new Set(source.steps.map((step) => step.hop))) bump(tally.hops, hop);
  if (source.atEndpoint !== null) bump(tally.seen, withoutPort(source.atEndpoint));
}

function bump(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function byFrequency(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([key]) => key);
}

/** What changed the source, where, what endpoints see instead, and what brings the address back. */
export function lossSentence(loss: SourceLoss): string {
  const where = loss.hops.length === 0 ? '' : ` at ${hopsText(loss.hops, NAMES)}`;
  const seen =
    loss.seen.length === 0
      ? 'what endpoints see instead is not known'
      : `endpoints see ${firstOf(loss.seen, NAMES)}`;
  const remedy =
    loss.recoverable === null ? 'nothing on this path carries it on' : `recoverable by ${loss.recoverable}`;
  return `by ${loss.mechanism}${where}; ${seen}; ${remedy}`;
}

/** "nodes n1, n2 and 4 more", "node n1", "node n1, endpoint p": at most `limit` hops by name. */
function hopsText(hops: readonly string[], limit: number): string {
  const nodes = hops.filter((hop) => hop.startsWith('node ')).map((hop) => hop.slice('node '.length));
  const others = hops.filter((hop) => !hop.startsWith('node '));
  if (nodes.length < 2) return firstOf(hops, limit);
  return [`nodes ${firstOf(nodes, limit)}`, ...others.slice(0, limit)].join(', ');
}

/** "a, b and 4 more". */
function firstOf(names: readonly string[], limit: number): string {
  const rest = names.length - limit;
  return rest > 0 ? `${names.slice(0, limit).join(', ')} and ${rest} more` : names.join(', ');
}

/** `10.0.0.1:40123` and `[fd00::1]:40123` without the port; bare addresses as they are. */
function withoutPort(text: string): string {
  const bracketed = /^\[(.*)\](?::\d+)?$/.exec(text);
  if (bracketed !== null) return bracketed[1]!;
  return text.indexOf(':') === text.lastIndexOf(':') ? text.replace(/:\d+$/, '') : text;
}
