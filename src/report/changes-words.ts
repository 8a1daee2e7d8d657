/** What two compared runs come to, in sentences; text and page say the same. */
import { inconclusiveBecause } from '../verdict/summarise.js';
import { UNJUDGED } from '../verdict/verdict.js';
import { CHANGE_KINDS, type ChangeSide, type Changes, type Run } from '../what-if/changes.js';
import { addressPort, count, counted, percent, when } from './figures.js';

/** The result in one sentence. */
export function changesVerdict({ summary, before, after }: Changes): string {
  const { verdict, flows, judged } = summary;
  if (verdict === 'inconclusive') {
    if (judged === 0) return 'Inconclusive: no connection was judged in both runs.';
    const open = [before, after].find((run) => run.summary.verdict === 'inconclusive')!;
    return `Inconclusive: nothing changes, and of ${open.name} ${inconclusiveBecause(open.summary, UNJUDGED)}.`;
  }
  const of = judged === flows ? `of ${count(flows)}` : `of ${count(judged)} judged in both`;
  if (verdict === 'unchanged') return `No flow changes its fate, ${of}.`;
  const { fixed, newlyBroken, brokenOtherwise } = summary;
  const parts = [
    `${counted(newlyBroken, 'flow')} newly broken`,
    `${count(fixed)} fixed`,
    ...(brokenOtherwise > 0 ? [`${count(brokenOtherwise)} broken otherwise`] : []),
  ];
  return `${parts.join(', ')}, ${of}.`;
}

/** What lies beside the verdict: how many stay broken, how many cannot be compared, what is a matter of chance. */
export function besides({ summary }: Changes): string[] {
  const { flows, judged, stillBroken, judgedNow, unjudgedNow, onlyBefore, onlyAfter, drawn } = summary;
  const sentences: string[] = [];
  if (stillBroken > 0) {
    sentences.push(
      `${counted(stillBroken, 'flow')} broken in both, with the same fate and for the same reason.`,
    );
  }
  if (judged < flows) {
    const neither = flows - judged - judgedNow - unjudgedNow - onlyBefore - onlyAfter;
    const parts = [
      [neither, 'judged in neither'],
      [judgedNow, CHANGE_KINDS['judged-now']],
      [unjudgedNow, CHANGE_KINDS['unjudged-now']],
      [onlyBefore, CHANGE_KINDS['only-before']],
      [onlyAfter, CHANGE_KINDS['only-after']],
    ] as const;
    const told = parts.filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`);
    sentences.push(`Judged in both ${count(judged)} of ${count(flows)}; ${told.join('; ')}.`);
  }
  if (drawn > 0) {
    sentences.push(`${count(drawn)} of the changes depend on what the real system draws at random.`);
  }
  return sentences;
}

/** A run in one line: `withdraw-one, seed 1: 175 of 990 judged flows broke (17.7 %)`. */
export function runSentence({ name, summary }: Run): string {
  const { flows, judged, broken, verdict, scenario } = summary;
  const word = judged === flows ? '' : 'judged ';
  const broke =
    verdict === 'inconclusive'
      ? `inconclusive: ${inconclusiveBecause(summary, UNJUDGED)}`
      : `${count(broken)} of ${count(judged)} ${word}flows broke (${percent(broken, judged)})`;
  return `${name}, seed ${scenario.seed}: ${broke}`;
}

/** One side of a changed connection: `reset at 5.005 s (ecmp-rehash; e1, router)`; `t0`: with wall-clock time. */
export function sideSentence(side: ChangeSide | null, t0: number | null = null): string {
  if (side === null) return 'not in this run';
  const { fate, unanswered, brokenAt, cause, unjudged, drawn } = side;
  const what = unanswered === undefined ? fate : `${fate} (${unanswered} unanswered)`;
  const at = brokenAt === null ? '' : ` at ${when(brokenAt, t0)}`;
  const by = cause?.event === null ? '' : `${cause?.event}, `;
  const why =
    cause === null ? (unjudged === null ? '' : ` (${unjudged})`) : ` (${cause.reason}; ${by}${cause.hop})`;
  return `${what}${at}${why}${drawn === true ? ', likeliest of several draws' : ''}`;
}

export function ends(of: {
  readonly proto: string | number;
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
}): string {
  return `${of.proto} ${addressPort(of.src, of.srcPort)} → ${addressPort(of.dst, of.dstPort)}`;
}

/** What only one of the runs assumes, leaves unread or notes. */
export function oneSided(changes: Changes): string[] {
  const told = ({ summary }: Run): string[] => [
    ...summary.assumed.map(({ what, value, because }) => `assumed ${what}: ${String(value)} (${because})`),
    ...summary.unread.map((text) => `given, but not used: ${text}`),
    ...summary.notes,
  ];
  const before = told(changes.before);
  const after = told(changes.after);
  return [
    ...before.filter((text) => after.includes(text)).map((text) => `Both: ${text}`),
    ...before.filter((text) => !after.includes(text)).map((text) => `Before: ${text}`),
    ...after.filter((text) => !before.includes(text)).map((text) => `After: ${text}`),
  ];
}
