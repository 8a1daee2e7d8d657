/**
 * The survival matrix as text, json and csv: combinations ranked by the flows they break, each with a sentence on
 * what it costs.
 */
import { BROKEN_FATES } from '../verdict/fates.js';
import type { CaptureRecord, Fate } from '../verdict/verdict.js';
import type { Matrix, MatrixRow, Spread } from '../what-if/compare.js';
import { csvLine } from './csv.js';
import { count, counted, percent } from './figures.js';
import { REPORT_SCHEMA } from './records.js';
import { BufferedSink, type Sink } from './sink.js';
import { bar, clipStart, type Palette, padEnd, padStart, printable, wrap } from './terminal.js';

export interface MatrixView {
  readonly file: string;
  readonly scenario: string;
  readonly palette: Palette;
  readonly columns: number;
}

const LEGEND =
  'broke: reset, refused, timeout, endpoint-closed and misdelivered flows together, with the 95 % interval of the mean';
const BAR_COLUMNS = 14;
/** From here on the busiest node's load is worth a word. */
const UNEVEN = 1.25;

export function writeMatrixText(matrix: Matrix, sink: Sink, view: MatrixView): void {
  const out = new BufferedSink(sink);
  const { palette, columns } = view;
  const combinations = counted(matrix.rows.length, 'combination');
  out.write(
    `${palette.bold(clipStart(printable(view.file), 48))}${palette.dim(`  scenario ${printable(view.scenario)}`)}\n` +
      `${palette.dim(`${combinations}, ${counted(matrix.seeds, 'seed')} each, ${counted(matrix.flows, 'flow')} towards VIPs`)}\n\n`,
  );
  const good = matrix.rows.filter((row) => row.refused === null);
  const most = Math.max(1, ...good.map((row) => row.broken.mean));
  const nameColumns = Math.max(0, ...matrix.rows.map((row) => nameOf(row).length));
  const figures = good.map((row) => spreadText(row.broken));
  const figureColumns = Math.max(0, ...figures.map((figure) => figure.length));
  good.forEach((row, i) => {
    const strip = padEnd(bar(row.broken.mean / most, BAR_COLUMNS), BAR_COLUMNS);
    const name = palette.bold(padEnd(nameOf(row), nameColumns));
    const broke = `${padStart(figures[i]!, figureColumns)} broke ${padStart(percent(row.broken.mean, row.judged), 7)}`;
    const said = row.judged === matrix.flows ? '' : `  of ${figure(row.judged)} judged`;
    out.write(`${padStart(String(i + 1), 4)}  ${name}  ${palette.paint('red', strip)}  ${broke}${said}\n`);
    for (const line of wrap(costOf(row), columns - 6)) out.write(`      ${palette.dim(line)}\n`);
  });
  const refused = matrix.rows.filter((row) => row.refused !== null);
  if (refused.length > 0) {
    out.write(`\n${palette.bold('Not possible')}\n`);
    for (const row of refused) {
      const [first = '', ...more] = wrap(`${nameOf(row)}: ${printable(row.refused!)}`, columns - 4);
      out.write(`  ${palette.dim('·')} ${first}\n${more.map((line) => `    ${line}\n`).join('')}`);
    }
  }
  out.write(`\n${wrap(LEGEND, columns).map(palette.dim).join('\n')}\n`);
  out.flush();
}

export function writeMatrixJson(matrix: Matrix, capture: CaptureRecord, sink: Sink): void {
  const out = new BufferedSink(sink);
  const { rows, ...head } = matrix;
  out.write(
    `${JSON.stringify({ schema: REPORT_SCHEMA, kind: 'matrix', capture, ...head }).slice(0, -1)},\n"rows":[`,
  );
  rows.forEach((row, i) => {
    out.write(`${i === 0 ? '\n' : ',\n'}${JSON.stringify(rowRecord(row, i))}`);
  });
  out.write(']}\n');
  out.flush();
}

/** A record a line, each with `"record": "capture" | "row"`, best first. */
export function writeMatrixNdjson(matrix: Matrix, capture: CaptureRecord, sink: Sink): void {
  const out = new BufferedSink(sink);
  const { rows, ...head } = matrix;
  const line = (record: string, fields: object): void =>
    out.write(`${JSON.stringify({ record, ...fields })}\n`);
  line('capture', { schema: REPORT_SCHEMA, kind: 'matrix', ...capture, ...head });
  rows.forEach((row, i) => {
    line('row', rowRecord(row, i));
  });
  out.flush();
}

function rowRecord(row: MatrixRow, i: number): object {
  const { combination, byFate, ...figures } = row;
  const settings = Object.fromEntries(combination.map(({ knob, value }) => [knob, value]));
  return { rank: i + 1, settings, ...figures, ...byFate, cost: costOf(row) };
}

const CSV_FIGURES = [
  'broken',
  ...BROKEN_FATES,
  'latent',
  'maxOverMeanNodes',
  'maxOverMeanEndpoints',
  'sourcePreserved',
] as const;

export function writeMatrixCsv(matrix: Matrix, sink: Sink): void {
  const out = new BufferedSink(sink);
  const knobs = (matrix.rows[0]?.combination ?? []).map(({ knob }) => knob);
  const titles = CSV_FIGURES.flatMap((figure) => [figure, `${figure}Interval`]);
  out.write(csvLine(['rank', ...knobs, 'flows', 'judged', ...titles, 'refused', 'remark']));
  matrix.rows.forEach((row, i) => {
    const figures = CSV_FIGURES.flatMap((figure) =>
      row.refused === null
        ? [String(spreadOf(row, figure).mean), String(spreadOf(row, figure).interval)]
        : ['', ''],
    );
    const cells = [
      String(i + 1),
      ...row.combination.map(({ value }) => value),
      String(matrix.flows),
      row.refused === null ? String(row.judged) : '',
      ...figures,
      row.refused ?? '',
      row.doubts.join(' '),
    ];
    out.write(csvLine(cells));
  });
  out.flush();
}

function spreadOf(row: MatrixRow, figure: (typeof CSV_FIGURES)[number]): Spread {
  return figure in row.byFate ? row.byFate[figure as Fate] : row[figure as 'broken' | 'latent'];
}

function nameOf({ combination }: MatrixRow): string {
  if (combination.length === 0) return 'as the scenario says';
  return printable(combination.map(({ knob, value }) => `${knob}=${value}`).join(' '));
}

function spreadText({ mean, interval }: Spread): string {
  return interval === 0 ? figure(mean) : `${figure(mean)} ± ${figure(interval)}`;
}

function figure(n: number): string {
  return Number.isInteger(n) ? count(n) : n >= 100 ? count(Math.round(n)) : n.toFixed(1);
}

/** What a user of this combination pays: kinds of breaks, uneven load, lost addresses. */
export function costOf(row: MatrixRow): string {
  if (row.refused !== null) return row.refused;
  const parts: string[] = [];
  const kinds = BROKEN_FATES.filter((fate) => row.byFate[fate].mean > 0).map(
    (fate) => `${figure(row.byFate[fate].mean)} ${fate}`,
  );
  parts.push(kinds.length === 0 ? 'nothing breaks' : kinds.join(', '));
  if (row.latent.mean > 0) parts.push(`${figure(row.latent.mean)} more would break at their next packet`);
  if (row.maxOverMeanNodes.mean >= UNEVEN) {
    parts.push(`the busiest node carries ${row.maxOverMeanNodes.mean.toFixed(2)} times the mean`);
  }
  const { mean } = row.sourcePreserved;
  parts.push(
    mean === 1
      ? 'endpoints see the client address'
      : mean === 0
        ? 'endpoints do not see the client address'
        : `endpoints see the client address of ${percent(mean, 1)} of flows`,
  );
  return [parts.join('; '), ...row.doubts].join('. ').replaceAll('..', '.');
}
