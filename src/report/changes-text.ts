/** Two compared runs as text: what changes, because of what, for whom, and a few connections in full. */
import type { ChangeCount, Changes, FlowChange } from '../what-if/changes.js';
import { besides, changesVerdict, ends, oneSided, runSentence, sideSentence } from './changes-words.js';
import { count } from './figures.js';
import { BufferedSink, type Sink } from './sink.js';
import { clip, type Palette, padEnd, padStart, printable, wrap } from './terminal.js';

export interface ChangesView {
  readonly palette: Palette;
  readonly columns: number;
  /** wall-clock time beside seconds since t = 0 */
  readonly utc?: boolean;
}

const ROWS = 12;
const NAME_COLUMNS = 32;
const EXAMPLES = 4;
const SETTINGS = 12;

export function writeChangesText(changes: Changes, sink: Sink, view: ChangesView): void {
  const out = new BufferedSink(sink);
  const { summary } = changes;
  const minutes = summary.byMinute.map(({ minute, ...n }) => ({ name: `${minute} min`, ...n }));
  const sections = [
    headline(changes, view),
    settingsSection(changes, view),
    transitionsSection(changes, view),
    breakdown('Why they broke', summary.byCause, view),
    breakdown('By service', summary.byService, view),
    breakdown('By the node they first went to', summary.byNode, view),
    breakdown('By the minute in which they broke', minutes, view),
    breakdown('By client', summary.byClient, view),
    examplesSection(changes, view),
    bulleted('Notes', [...summary.notes, ...oneSided(changes)].map(printable), view),
  ];
  const said = sections.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  out.write(`${said.join('\n\n')}\n`);
  out.flush();
}

function headline(changes: Changes, { palette, columns }: ChangesView): string[] {
  const colour = { changed: 'red', unchanged: 'green', inconclusive: 'yellow' } as const;
  const { verdict, newlyBroken } = changes.summary;
  const paint = verdict === 'changed' && newlyBroken === 0 ? 'green' : colour[verdict];
  return [
    ...wrap(printable(`before: ${runSentence(changes.before)}`), columns),
    ...wrap(printable(`after:  ${runSentence(changes.after)}`), columns),
    '',
    ...wrap(printable(changesVerdict(changes)), columns).map((line) =>
      palette.bold(palette.paint(paint, line)),
    ),
    ...besides(changes)
      .flatMap((sentence) => wrap(sentence, columns))
      .map(palette.dim),
  ];
}

function settingsSection({ summary }: Changes, view: ChangesView): string[] {
  const settings = summary.settings ?? [];
  const lines = settings
    .slice(0, SETTINGS)
    .map(({ what, before, after }) =>
      before === null
        ? `${what}: only after, ${after}`
        : after === null
          ? `${what}: only before, ${before}`
          : `${what}: ${before} → ${after}`,
    );
  if (settings.length > SETTINGS)
    lines.push(`and ${settings.length - SETTINGS} more (--format json has them)`);
  return bulleted('What differs between the scenarios', lines.map(printable), view);
}

function transitionsSection({ summary }: Changes, { palette }: ChangesView): string[] {
  if (summary.transitions.length === 0) return [];
  const width = Math.max(...summary.transitions.map(({ flows }) => count(flows).length));
  return [
    palette.bold('What changes'),
    ...summary.transitions.map(
      ({ before, after, flows }) => `  ${padStart(count(flows), width)}  ${before} → ${after}`,
    ),
  ];
}

function breakdown(title: string, all: readonly ChangeCount[], { palette }: ChangesView): string[] {
  if (all.length === 0) return [];
  const shown = all.slice(0, ROWS);
  const titles = ['before', 'after', 'fixed', 'newly broken'];
  const cells = (row: ChangeCount): string[] =>
    [row.before, row.after, row.fixed, row.newlyBroken].map(count);
  const widths = titles.map((word, i) => Math.max(word.length, ...shown.map((row) => cells(row)[i]!.length)));
  const names = shown.map(({ name }) => clip(printable(name), NAME_COLUMNS));
  const nameColumns = Math.max(...names.map((name) => name.length));
  const line = (name: string, figures: readonly string[]): string =>
    `  ${padEnd(name, nameColumns)}  ${figures.map((figure, i) => padStart(figure, widths[i]!)).join('  ')}`;
  return [
    palette.bold(title),
    palette.dim(line('', titles)),
    ...shown.map((row, i) => line(names[i]!, cells(row))),
    ...(all.length > shown.length ? [palette.dim(`  and ${count(all.length - shown.length)} more`)] : []),
  ];
}

function examplesSection(changes: Changes, { palette, columns, utc }: ChangesView): string[] {
  const lines = chosen(changes).flatMap((flow) => {
    const { kind, before, after } = flow;
    const chain = kind === 'fixed' ? before!.chain : (after?.chain ?? []);
    return [
      `  ${palette.bold(kind)}  ${ends(flow)}`,
      ...wrap(
        printable(`before: ${sideSentence(before, utc === true ? changes.before.t0 : null)}`),
        columns - 6,
      ).map((line) => `      ${line}`),
      ...wrap(
        printable(`after:  ${sideSentence(after, utc === true ? changes.after.t0 : null)}`),
        columns - 6,
      ).map((line) => `      ${line}`),
      ...chain.flatMap((sentence) => {
        const [first = '', ...more] = wrap(printable(sentence), columns - 8);
        return [`      ${palette.dim('·')} ${first}`, ...more.map((line) => `        ${line}`)];
      }),
    ];
  });
  return lines.length === 0 ? [] : [palette.bold('Examples'), ...lines];
}

/** A few, one of each pair of kind and reason, newly broken ones first. */
function chosen(changes: Changes): FlowChange[] {
  const found = new Map<string, FlowChange>();
  const looked = Math.min(changes.flowCount, 5000);
  for (let row = 0; row < looked; row++) {
    const flow = changes.change(row);
    const { kind, before, after } = flow;
    const key = [kind, before?.fate, before?.cause?.reason, after?.fate, after?.cause?.reason].join(' ');
    if (!found.has(key)) found.set(key, flow);
  }
  const order = ['newly-broken', 'broken-otherwise', 'fixed', 'judged-now', 'unjudged-now'];
  return [...found.values()]
    .filter(({ kind }) => order.includes(kind))
    .sort((x, y) => order.indexOf(x.kind) - order.indexOf(y.kind))
    .slice(0, EXAMPLES);
}

function bulleted(title: string, sentences: readonly string[], { palette, columns }: ChangesView): string[] {
  if (sentences.length === 0) return [];
  return [
    palette.bold(title),
    ...sentences.flatMap((sentence) => {
      const [first = '', ...more] = wrap(sentence, columns - 4);
      return [`  ${palette.dim('·')} ${first}`, ...more.map((line) => `    ${line}`)];
    }),
  ];
}
