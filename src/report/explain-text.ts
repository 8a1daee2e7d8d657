/** `flowfate explain` as text: what came to grief, what belongs together, and a few flows with their signs. */
import type { ExplainedBurst, Explanation } from '../explain/explain.js';
import { FINDINGS, type Finding, type FindingKind, isBadFinding } from '../explain/flow-autopsy.js';
import type { FlowRow } from '../verdict/verdict.js';
import { addressPort, count, counted, moment, percent } from './figures.js';
import { BufferedSink, type Sink } from './sink.js';
import { type Palette, padEnd, padStart, printable, wrap } from './terminal.js';

const ORDER = Object.keys(FINDINGS) as FindingKind[];
const EXAMPLES_PER_FINDING = 2;

export interface ExplainView {
  readonly file: string;
  readonly palette: Palette;
  readonly columns: number;
}

export function writeExplainText(
  explanation: Explanation,
  rowOf: (f: number) => FlowRow,
  sink: Sink,
  view: ExplainView,
): void {
  const out = new BufferedSink(sink);
  const { summary } = explanation;
  const bad = ORDER.filter(isBadFinding).reduce((sum, kind) => sum + (summary.byFinding[kind] ?? 0), 0);
  const { palette } = view;
  out.write(`${palette.bold(printable(view.file))}\n\n`);
  out.write(
    bad === 0
      ? `${palette.bold(palette.paint('green', `None of ${counted(summary.judged, 'TCP flow')} came to grief.`))}\n`
      : `${palette.bold(`${palette.paint('red', count(bad))} of ${counted(summary.judged, 'TCP flow')} came to grief (${percent(bad, summary.judged)}).`)}\n`,
  );
  const lines = [
    ...findingLines(explanation, view),
    ...burstLines(explanation.bursts, view),
    ...exampleLines(explanation, rowOf, view),
    ...noteLines(summary.notes, view),
  ];
  for (const line of lines) out.write(`${line}\n`);
  out.flush();
}

function findingLines({ summary }: Explanation, { palette }: ExplainView): string[] {
  const kinds = ORDER.filter((kind) => (summary.byFinding[kind] ?? 0) > 0);
  const width = Math.max(0, ...kinds.map((kind) => count(summary.byFinding[kind]!).length));
  const nameWidth = Math.max(0, ...kinds.map((kind) => kind.length));
  return kinds.map((kind) => {
    const name = padEnd(kind, nameWidth);
    const painted = isBadFinding(kind) ? palette.paint('red', name) : palette.paint('green', name);
    return `  ${padStart(count(summary.byFinding[kind]!), width)}  ${painted}  ${FINDINGS[kind]}`;
  });
}

function burstLines(bursts: readonly ExplainedBurst[], { palette, columns }: ExplainView): string[] {
  if (bursts.length === 0) return [];
  return [
    '',
    palette.bold('What belongs together'),
    ...bursts.flatMap((burst) => {
      const hangs = burst.hangs > 0 ? `, ${count(burst.hangs)} fell silent` : '';
      const head = `${burst.id}  ${moment(burst.from)} to ${moment(burst.to)}: ${count(burst.flows)} of ${counted(burst.active, 'active flow')} reset${hangs}`;
      const event = burst.event === null ? '' : ` The scenario has ${printable(burst.event)}.`;
      return [`  ${head}`, ...wrap(`${burst.reading}.${event}`, columns - 6).map((line) => `      ${line}`)];
    }),
  ];
}

function exampleLines(explanation: Explanation, rowOf: (f: number) => FlowRow, view: ExplainView): string[] {
  const chosen = new Map<FindingKind, [number, Finding][]>();
  for (let f = 0; f < explanation.summary.flows; f++) {
    const finding = explanation.findingOf(f);
    if (finding === null || !isBadFinding(finding.kind)) continue;
    const examples = chosen.get(finding.kind) ?? [];
    if (examples.length < EXAMPLES_PER_FINDING) chosen.set(finding.kind, [...examples, [f, finding]]);
  }
  if (chosen.size === 0) return [];
  const lines = ['', view.palette.bold('Examples, with the signs')];
  for (const kind of ORDER) {
    for (const [f, finding] of chosen.get(kind) ?? []) lines.push(...oneExample(rowOf(f), finding, view));
  }
  return lines;
}

function oneExample(
  row: FlowRow,
  { kind, at, evidence }: Finding,
  { palette, columns }: ExplainView,
): string[] {
  const ends = `${row.proto} ${addressPort(row.src, row.srcPort)} → ${addressPort(row.dst, row.dstPort)}`;
  return [
    `  ${palette.dim(`#${row.id}`)} ${palette.bold(palette.paint('red', `${kind} at ${moment(at)}`))}  ${ends}`,
    ...evidence.flatMap((sign) => {
      const [first = '', ...more] = wrap(printable(sign), columns - 8);
      return [`      ${palette.dim('·')} ${first}`, ...more.map((line) => `        ${line}`)];
    }),
  ];
}

function noteLines(notes: readonly string[], { palette, columns }: ExplainView): string[] {
  if (notes.length === 0) return [];
  return [
    '',
    palette.bold('Notes'),
    ...notes.flatMap((note) => {
      const [first = '', ...more] = wrap(note, columns - 4);
      return [`  ${palette.dim('·')} ${first}`, ...more.map((line) => `    ${line}`)];
    }),
  ];
}
