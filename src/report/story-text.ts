/**
 * A story as text: what goes wrong, the failure and every variant side by side in one table, why, and what the
 * facts rest on. Columns in which every run has nothing are left out.
 */

import { MARKS, type Story, type StoryVariant } from '../stories/story.js';
import type { StoryFigures } from '../stories/story-figures.js';
import type { StoryResult, StoryRun } from '../stories/story-result.js';
import type { Fate } from '../verdict/verdict.js';
import type { Spread } from '../what-if/compare.js';
import { count, counted, duration, percent } from './figures.js';
import { BufferedSink, type Sink } from './sink.js';
import { clipStart, type Palette, padEnd, padStart, printable, wrap } from './terminal.js';

export interface StoryView {
  readonly palette: Palette;
  readonly columns: number;
}

interface Column {
  readonly head: string;
  readonly of: (figures: StoryFigures) => string;
  /** whether a run is worth the column */
  readonly shows: (figures: StoryFigures) => boolean;
}

/** From here on uneven load is worth a column. */
const UNEVEN = 1.25;
const SOURCES_NAMED = 3;
const INDENT = 2;
const LEGEND =
  'broken: reset, refused, timeout, endpoint-closed and misdelivered flows together · of judged: their share · at s: first and last break · load: busiest node over mean · source: whether endpoints see the client';

export function writeStoryListText(stories: readonly Story[], sink: Sink, view: StoryView): void {
  const nameColumns = Math.max(...stories.map(({ name }) => name.length));
  for (const story of stories) writeTitle(story, sink, view, nameColumns);
}

function writeTitle(
  { name, summary }: Story,
  write: Sink,
  { palette, columns }: StoryView,
  nameColumns = name.length,
): void {
  const [first = '', ...more] = wrap(summary, columns - nameColumns - INDENT);
  write(`${palette.bold(padEnd(name, nameColumns))}  ${first}\n`);
  for (const line of more) write(`${' '.repeat(nameColumns + INDENT)}${line}\n`);
}

export function writeStoryText(result: StoryResult, sink: Sink, view: StoryView): void {
  const out = new BufferedSink(sink);
  const { palette, columns } = view;
  const { story, capture, runs } = result;
  writeTitle(story, out.write, view);
  out.write(
    `${palette.dim(`${clipStart(printable(capture.file), 48)}, ${counted(result.flows, 'flow')} in ${duration(capture.durationS)}; every row the mean of ${counted(result.seeds, 'seed')}`)}\n\n`,
  );
  for (const line of wrap(story.goesWrong, columns)) out.write(`${line}\n`);
  out.write('\n');
  writeRuns(runs, story, out.write, view);
  for (const line of wrap(LEGEND, columns)) out.write(`${palette.dim(line)}\n`);
  section('Why', result.why, out.write, view);
  section(
    'What this rests on',
    story.facts.map(({ text, mark, source }) => `[${mark}] ${text} (${source})`),
    out.write,
    view,
  );
  const used = [...new Set([...story.facts, ...story.variants].map(({ mark }) => mark ?? 'V'))].sort();
  out.write(`    ${palette.dim(used.map((mark) => `${mark} ${MARKS[mark]}`).join('; '))}\n`);
  section('Notes', result.notes, out.write, view);
  out.write(
    `\n${palette.dim('Change it:')} flowfate stories ${story.name} --print-scenario > mine.yaml\n           flowfate stories ${story.name} --scenario mine.yaml\n`,
  );
  out.flush();
}

function writeRuns(runs: readonly StoryRun[], story: Story, write: Sink, view: StoryView): void {
  const { palette, columns } = view;
  const good = runs.flatMap((run) => (run.figures === null ? [] : [{ ...run, figures: run.figures }]));
  const nameColumns = Math.max(...runs.map(({ name }) => name.length));
  const { heads, cells } = fittingTable(
    good.map(({ figures }) => figures),
    story,
    columns - nameColumns - INDENT,
  );
  write(`${' '.repeat(nameColumns)}  ${palette.dim(heads)}\n`);
  const usual = good[0]?.figures.source.preserved;
  good.forEach((run, r) => {
    write(`${palette.bold(padEnd(run.name, nameColumns))}  ${cells[r]}\n`);
    const words = wordsOn(run.variant);
    if (r === 0 || run.figures.source.preserved !== usual) words.push(sourceSentence(run.figures));
    for (const line of wrap(words.join(' '), columns - INDENT)) {
      write(`${' '.repeat(INDENT)}${palette.dim(line)}\n`);
    }
  });
  section(
    'Not possible here',
    runs.flatMap(({ name, refused }) => (refused === null ? [] : [`${name}: ${refused}`])),
    write,
    view,
  );
}

/** Heads and rows; where they are too wide, the intervals go first. */
function fittingTable(
  rows: readonly StoryFigures[],
  story: Story,
  columns: number,
): { heads: string; cells: string[] } {
  const full = table(
    rows,
    columnsOf(story, (spread) => withInterval(spread)),
  );
  if (full.heads.length <= columns) return full;
  return table(
    rows,
    columnsOf(story, ({ mean }) => figureOf(mean)),
  );
}

function table(rows: readonly StoryFigures[], all: readonly Column[]): { heads: string; cells: string[] } {
  const shown = all.filter((column) => rows.some(column.shows));
  const texts = rows.map((figures) => shown.map((column) => column.of(figures)));
  const widths = shown.map(({ head }, c) => Math.max(head.length, ...texts.map((row) => row[c]!.length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, c) => padStart(cell, widths[c]!)).join('  ');
  return { heads: line(shown.map(({ head }) => head)), cells: texts.map(line) };
}

/** What the row does and costs. */
function wordsOn(variant: StoryVariant | null): string[] {
  if (variant === null) return [];
  const mark = variant.mark === undefined ? [] : [`[${variant.mark}]`];
  return [variant.does, `Cost: ${variant.cost}`, ...mark];
}

/** What the application sees as source. */
function sourceSentence({ source, judged }: StoryFigures): string {
  if (judged === 0) return '';
  if (source.preserved >= 1) return 'The application sees the client’s address.';
  const named = source.seenInstead.slice(0, SOURCES_NAMED).join(', ');
  const more = source.seenInstead.length - SOURCES_NAMED;
  const instead = `${named}${more > 0 ? ` and ${more} more` : ''}`;
  if (source.preserved === 0) return `The application does not see the client’s address but ${instead}.`;
  return `The application sees the client’s address of ${percent(source.preserved, 1)} of flows, otherwise ${instead}.`;
}

function columnsOf(story: Story, brokenText: (broken: Spread) => string): Column[] {
  const kind = (head: string, ...fates: readonly Fate[]): Column => {
    const sum = (figures: StoryFigures): number =>
      fates.reduce((flows, fate) => flows + (figures.byFate[fate] ?? 0), 0);
    return { head, of: (figures) => figureOf(sum(figures)), shows: (figures) => sum(figures) > 0 };
  };
  return [
    {
      head: 'broken',
      of: ({ broken }) => brokenText(broken),
      shows: () => true,
    },
    { head: 'of judged', of: ({ broken, judged }) => percent(broken.mean, judged), shows: () => true },
    kind('reset', 'reset'),
    kind('refused', 'refused'),
    kind('timeout', 'timeout'),
    kind('endpoint-closed', 'endpoint-closed'),
    kind('misdelivered', 'misdelivered'),
    {
      head: 'latent',
      of: ({ latent }) => figureOf(latent),
      shows: ({ latent }) => latent > 0,
    },
    {
      head: 'at s',
      of: ({ brokeFromS, brokeToS }) =>
        brokeFromS === null ? '–' : `${brokeFromS.toFixed(0)}–${brokeToS!.toFixed(0)}`,
      shows: ({ brokeFromS }) => brokeFromS !== null,
    },
    {
      head: 'load',
      of: ({ maxOverMean }) => (maxOverMean.nodes === null ? '–' : `×${maxOverMean.nodes.toFixed(2)}`),
      shows: ({ maxOverMean }) => (maxOverMean.nodes ?? 0) >= UNEVEN,
    },
    {
      head: 'source',
      of: ({ source: { preserved }, judged }) =>
        judged === 0 ? '–' : preserved >= 1 ? 'seen' : preserved === 0 ? 'lost' : percent(preserved, 1),
      shows: () => true,
    },
    ...(story.measures ?? []).map(
      ({ key, head }): Column => ({
        head,
        of: ({ measures }) => textOf(measures[key]),
        shows: ({ measures }) => (measures[key] ?? null) !== null,
      }),
    ),
  ];
}

function textOf(n: number | null | undefined): string {
  return n === null || n === undefined ? '–' : figureOf(n);
}

function withInterval({ mean, interval }: Spread): string {
  return interval === 0 ? figureOf(mean) : `${figureOf(mean)} ± ${figureOf(interval)}`;
}

function figureOf(n: number): string {
  return Number.isInteger(n) ? count(n) : n >= 100 ? count(Math.round(n)) : n.toFixed(1);
}

function section(
  title: string,
  sentences: readonly string[],
  write: Sink,
  { palette, columns }: StoryView,
): void {
  if (sentences.length === 0) return;
  write(`\n${palette.bold(title)}\n`);
  for (const sentence of sentences) {
    const [first = '', ...more] = wrap(printable(sentence), columns - 4);
    write(`  ${palette.dim('·')} ${first}\n${more.map((line) => `    ${line}\n`).join('')}`);
  }
}
