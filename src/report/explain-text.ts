/** `flowfate explain` as text: what broke, what broke together, a few connections with their signs, and what to fetch. */
import type { Burst } from '../explain/bursts.js';
import type { Explanation } from '../explain/explain.js';
import { FINDING_NAMES, FINDINGS, type FindingName, isBroken } from '../explain/finding.js';
import { explainedFlow } from './explain-records.js';
import type { ExplainedFlow } from './explained-record.js';
import { addressPort, count, counted, percent, when } from './figures.js';
import { BufferedSink, type Sink } from './sink.js';
import { type Palette, padEnd, padStart, printable, wrap } from './terminal.js';

const EXAMPLES_PER_FINDING = 2;

export interface ExplainView {
  readonly file: string;
  readonly palette: Palette;
  readonly columns: number;
  /** seconds since 1970 of t = 0: wall-clock time stands beside seconds; null: seconds alone */
  readonly t0?: number | null;
}

export function writeExplainText(explanation: Explanation, sink: Sink, view: ExplainView): void {
  const out = new BufferedSink(sink);
  out.write(`${view.palette.bold(printable(view.file))}\n\n${headline(explanation, view)}\n`);
  const lines = [
    ...findingLines(explanation, view),
    ...burstLines(explanation.bursts, view),
    ...exampleLines(explanation, view),
    ...listed('Notes', explanation.summary.notes, view),
    ...nextLines(explanation, view),
  ];
  for (const line of lines) out.write(`${line}\n`);
  out.flush();
}

/** Nothing judged is no good news. */
function headline({ summary }: Explanation, { palette }: ExplainView): string {
  const { flows, judged, broken } = summary;
  if (judged === 0) {
    return palette.bold(
      palette.paint(
        'yellow',
        `Nothing can be told from this capture: none of ${counted(flows, 'connection')} could be judged.`,
      ),
    );
  }
  const of = judged < flows ? `Judged ${count(judged)} of ${counted(flows, 'connection')}: ` : '';
  const whole = of === '' ? counted(judged, 'connection') : `${count(judged)}`;
  if (broken === 0)
    return palette.bold(palette.paint('green', `${of}none of ${whole} broke.`.replace(/^n/, 'N')));
  return palette.bold(
    `${of}${palette.paint('red', count(broken))} of ${whole} broke (${percent(broken, judged)}).`,
  );
}

function findingLines({ summary }: Explanation, { palette }: ExplainView): string[] {
  const names = FINDING_NAMES.filter((name) => (summary.byFinding[name] ?? 0) > 0);
  const width = Math.max(0, ...names.map((name) => count(summary.byFinding[name]!).length));
  const nameWidth = Math.max(0, ...names.map((name) => name.length));
  return names.map((name) => {
    const padded = padEnd(name, nameWidth);
    const colour = isBroken(name) ? 'red' : name === 'cannot-tell' ? 'yellow' : 'green';
    return `  ${padStart(count(summary.byFinding[name]!), width)}  ${palette.paint(colour, padded)}  ${FINDINGS[name]}`;
  });
}

function burstLines(bursts: readonly Burst[], { palette, columns, t0 = null }: ExplainView): string[] {
  if (bursts.length === 0) return [];
  return [
    '',
    palette.bold('What broke together'),
    ...bursts.flatMap((burst) => {
      const { id, from, to, flows, resets, silent, active, common, differ, event, reading } = burst;
      const how = [
        resets > 0 ? `${count(resets)} reset` : '',
        silent > 0 ? `${count(silent)} went unanswered` : '',
      ];
      const head = `${id}  ${when(from, t0)} to ${when(to, t0)}: ${count(flows)} of ${counted(active, 'active connection')} (${how.filter(Boolean).join(', ')})`;
      const paragraphs = [
        ...(common.length > 0 ? [`In common: ${common.join('; ')}.`] : []),
        ...(differ.length > 0 ? [`Not in common: ${differ.join('; ')}.`] : []),
        ...(event === null ? [] : [`Shortly before: ${event}.`]),
        `Reading: ${reading}.`,
      ];
      return [
        `  ${head}`,
        ...paragraphs.flatMap((text) => wrap(printable(text), columns - 6).map((line) => `      ${line}`)),
      ];
    }),
  ];
}

function exampleLines(explanation: Explanation, view: ExplainView): string[] {
  const chosen = new Map<FindingName, ExplainedFlow[]>();
  const wanted = FINDING_NAMES.filter(
    (name) => isBroken(name) && (explanation.summary.byFinding[name] ?? 0) > 0,
  );
  let missing = wanted.reduce(
    (sum, name) => sum + Math.min(EXAMPLES_PER_FINDING, explanation.summary.byFinding[name]!),
    0,
  );
  for (let id = 0; id < explanation.rows.length && missing > 0; id++) {
    const flow = explainedFlow(explanation, id);
    if (!isBroken(flow.finding)) continue;
    const examples = chosen.get(flow.finding) ?? [];
    if (examples.length === EXAMPLES_PER_FINDING) continue;
    chosen.set(flow.finding, [...examples, flow]);
    missing--;
  }
  if (chosen.size === 0) return [];
  const lines = ['', view.palette.bold('Examples, with the signs')];
  for (const name of wanted) for (const flow of chosen.get(name) ?? []) lines.push(...oneExample(flow, view));
  return lines;
}

function oneExample(flow: ExplainedFlow, { palette, columns, t0 = null }: ExplainView): string[] {
  const ends = `${flow.proto} ${addressPort(flow.src, flow.srcPort)} → ${addressPort(flow.dst, flow.dstPort)}`;
  const title = palette.bold(
    palette.paint('red', `${flow.finding}, ${flow.confidence}, at ${when(flow.at, t0)}`),
  );
  const point = (mark: string, sign: string): string[] => {
    const [first = '', ...more] = wrap(printable(sign), columns - 8);
    return [`      ${palette.dim(mark)} ${first}`, ...more.map((line) => `        ${line}`)];
  };
  return [
    `  ${palette.dim(`#${flow.id}`)} ${title}  ${ends}`,
    ...flow.evidence.flatMap((sign) => point('+', sign)),
    ...flow.against.flatMap((sign) => point('−', sign)),
    ...(flow.alternatives.length > 0 ? point('?', `or: ${flow.alternatives.join(', ')}`) : []),
  ];
}

function nextLines({ summary }: Explanation, view: ExplainView): string[] {
  return listed(
    'What would tell these apart',
    summary.nextSteps.map(({ between, fetch }) => `${between.join(' / ')}: ${fetch}`),
    view,
  );
}

function listed(title: string, entries: readonly string[], { palette, columns }: ExplainView): string[] {
  if (entries.length === 0) return [];
  return [
    '',
    palette.bold(title),
    ...entries.flatMap((entry) => {
      const [first = '', ...more] = wrap(entry, columns - 4);
      return [`  ${palette.dim('·')} ${first}`, ...more.map((line) => `    ${line}`)];
    }),
  ];
}
