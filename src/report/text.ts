/**
 * `--format text`: what a person wants to know, in the order of asking. How many flows broke; when and because
 * of which event; why; how the load lay; where client addresses were lost; a few flows in full; what to try.
 *
 * Reads the summary and opens only as many flows as it shows (and a sample for the source addresses), so that it
 * costs the same for a thousand flows and for a million.
 */
import { FATES } from '../verdict/fates.js';
import { inconclusiveBecause } from '../verdict/summarise.js';
import {
  APPLICATION_TROUBLES,
  type ApplicationTrouble,
  type EventRecord,
  type Fate,
  type FlowVerdict,
  type LoadShare,
  REASONS,
  type Reason,
  type ReplayResult,
  type Summary,
  UNJUDGED,
  type Unjudged,
} from '../verdict/verdict.js';
import { adviceFor } from './advice.js';
import { chooseExamples } from './examples.js';
import { addressPort, bytes, count, counted, duration, moment, percent, utc, when } from './figures.js';
import { brokeFigures } from './headline.js';
import type { Timing } from './records.js';
import { BufferedSink, type Sink } from './sink.js';
import { applicationSentences, digestSources, lossSentence } from './source-digest.js';
import {
  apportion,
  bar,
  type Colour,
  clip,
  clipStart,
  type Palette,
  padEnd,
  padStart,
  printable,
  widthOf,
  wrap,
} from './terminal.js';

export interface TextView {
  readonly palette: Palette;
  /** columns of the terminal */
  readonly columns: number;
  readonly timing?: Timing | null;
  /** wall-clock time beside seconds since t = 0 */
  readonly utc?: boolean;
}

const FATE_COLOURS: Record<Fate, Colour> = {
  delivered: 'green',
  reset: 'red',
  refused: 'magenta',
  timeout: 'yellow',
  'endpoint-closed': 'cyan',
  misdelivered: 'blue',
  unknown: 'grey',
};

/** Told apart without colours, too. */
const FATE_GLYPHS: Record<Fate, string> = {
  delivered: '█',
  reset: '▓',
  refused: '▚',
  timeout: '▒',
  'endpoint-closed': '▞',
  misdelivered: '▟',
  unknown: '░',
};

const EXAMPLES = 4;
const LOAD_ROWS = 12;
const NAME_COLUMNS = 24;
const EVENT_ROWS = 10;

export function writeText(result: ReplayResult, sink: Sink, view: TextView): void {
  const out = new BufferedSink(sink);
  const sections = [
    headline(result, view),
    eventsSection(result, view),
    causesSection(result, view),
    applicationSection(result, view),
    hitsSection(result, view),
    loadSection(result, view),
    sourceSection(result, view),
    examplesSection(result, view),
    notesSection(result, view),
    adviceSection(result, view),
    timingSection(view),
  ];
  out.write(
    `${sections
      .filter((lines) => lines.length > 0)
      .map((lines) => lines.join('\n'))
      .join('\n\n')}\n`,
  );
  out.flush();
}

function headline(result: ReplayResult, { palette, columns }: TextView): string[] {
  const { capture, summary } = result;
  const { name, seed, madeFromCapture } = summary.scenario;
  const scenario = madeFromCapture ? 'scenario made from the capture' : `scenario ${printable(name)}`;
  const tail = `  ${scenario}, seed ${seed}`;
  const file = clipStart(printable(capture.file), Math.max(16, columns - tail.length));
  const verdict = palette.bold(verdictSentence(summary, palette));
  const lines = [palette.bold(file) + palette.dim(tail), palette.dim(captureFacts(result)), ''];
  lines.push(...wrapStyled(verdict, columns), ...judgedLines(summary, columns).map(palette.dim));
  const { draws } = brokeFigures(summary);
  if (draws !== null) lines.push(...wrap(draws, columns).map(palette.dim));
  if (summary.flows > 0) lines.push(...fateBar(result, { palette, columns }));
  return lines;
}

/** The whole result in one sentence. "Judged N of M" stands beside it where they differ. */
function verdictSentence(summary: Summary, palette: Palette): string {
  const { verdict, judged, flows } = summary;
  if (verdict === 'inconclusive') {
    return palette.paint('yellow', `Inconclusive: ${inconclusiveBecause(summary, UNJUDGED)}.`);
  }
  if (verdict === 'none-broken') {
    const of = judged === flows ? `, of ${count(flows)}` : `: judged ${count(judged)} of ${count(flows)}`;
    return palette.paint('green', `No flow broke${of}.`);
  }
  const { broken, share } = brokeFigures(summary);
  const broke = `${broken} of ${count(judged)} ${judged === flows ? '' : 'judged '}flows broke`;
  return `${palette.paint('red', broke)} (${share}).`;
}

/** What was not judged, and why. */
function judgedLines({ verdict, flows, judged, unjudged }: Summary, columns: number): string[] {
  if (judged === flows) return [];
  const reasons = Object.entries(unjudged).map(
    ([reason, n]) => `${count(n)} ${reason} (${UNJUDGED[reason as Unjudged]})`,
  );
  const said =
    verdict === 'none-broken' ? 'Not judged' : `Judged ${count(judged)} of ${count(flows)}; not judged`;
  return wrap(`${said}: ${reasons.join('; ')}.`, columns);
}

/** One line, or plain words where it is too long to keep its colours. */
function wrapStyled(line: string, columns: number): string[] {
  return widthOf(line) <= columns ? [line] : wrap(line, columns);
}

function captureFacts({ capture }: ReplayResult): string {
  const faults = Object.values(capture.decodeFaults).reduce((sum, n) => sum + n, 0);
  return [
    `${capture.format} ${capture.linkTypes.join(', ')}`.trim(),
    counted(capture.packets, 'packet'),
    bytes(capture.bytes),
    `${duration(capture.duration)} from ${utc(capture.startTime)}`,
    ...(capture.truncated ? ['truncated'] : []),
    ...(faults > 0 ? [`${count(faults)} not understood`] : []),
  ].join(' · ');
}

function fateBar({ summary }: ReplayResult, { palette, columns }: TextView): string[] {
  const fates = FATES.filter((fate) => (summary.byFate[fate] ?? 0) > 0);
  const widths = apportion(
    fates.map((fate) => summary.byFate[fate]),
    Math.min(columns, 78),
  );
  const strip = fates
    .map((fate, i) => palette.paint(FATE_COLOURS[fate], FATE_GLYPHS[fate].repeat(widths[i]!)))
    .join('');
  const legend = fates.map(
    (fate) =>
      `${palette.paint(FATE_COLOURS[fate], FATE_GLYPHS[fate])} ${count(summary.byFate[fate])} ${fate}`,
  );
  if (summary.latent > 0) legend.push(palette.dim(`(${count(summary.latent)} delivered so far, but latent)`));
  return [strip, ...wrapCells(legend, columns)];
}

/** Cells joined by three spaces, as many a line as fit. */
function wrapCells(cells: readonly string[], columns: number): string[] {
  // A no-break space keeps the words of a cell together while wrap() chooses the line ends.
  return wrap(
    cells.map((cell) => `${cell.replaceAll(' ', '\u00a0')}\u00a0\u00a0`).join(' '),
    columns + 2,
  ).map((line) => line.replaceAll('\u00a0', ' ').trimEnd());
}

function eventsSection(
  { events, capture }: ReplayResult,
  { palette, columns, utc: byClock }: TextView,
): string[] {
  if (events.length === 0) return [];
  const shown = events.length <= EVENT_ROWS ? events : mostHarmful(events, EVENT_ROWS);
  const figure = (event: EventRecord): string[] => [
    when(event.at, byClock === true ? capture.t0 : null),
    count(event.flowsActive),
    count(event.flowsMoved),
    count(event.flowsBroken),
    count(event.dropped),
  ];
  const titles = ['when', 'open', 'moved', 'broke', 'lost pkts'];
  const widths = titles.map((title, i) =>
    Math.max(title.length, ...shown.map((event) => figure(event)[i]!.length)),
  );
  const indent = 2 + widths[0]! + 2;
  const figuresWidth = widths.slice(1).reduce((sum, width) => sum + width + 2, 0);
  const textWidth = Math.max(20, columns - indent - figuresWidth);
  const row = (cells: readonly string[], text: string, paint: (cells: string[]) => string[]): string => {
    const padded = paint(cells.map((cell, i) => padStart(cell, widths[i]!)));
    return `  ${padded[0]}  ${padEnd(text, textWidth)}  ${padded.slice(1).join('  ')}`;
  };
  const lines = [
    palette.bold('Events'),
    palette.dim(row(titles, 'what', (cells) => cells)),
    ...shown.flatMap((event) => {
      const [first = '', ...more] = wrap(printable(event.detail), textWidth);
      return [
        row(figure(event), first, ([when = '', open = '', moved = '', broke = '', lost = '']) => [
          when,
          palette.dim(open),
          event.flowsMoved > 0 ? palette.paint('yellow', moved) : palette.dim(moved),
          event.flowsBroken > 0 ? palette.paint('red', broke) : palette.dim(broke),
          palette.dim(lost),
        ]),
        ...more.map((line) => `${' '.repeat(indent)}${line}`),
      ];
    }),
  ];
  if (shown.length < events.length) {
    lines.push(
      palette.dim(`  ${count(events.length - shown.length)} more that broke no more flows than these`),
    );
  }
  return lines;
}

/** The events that broke most flows, in order of time. */
function mostHarmful(events: readonly EventRecord[], limit: number): EventRecord[] {
  const order = events.map((_, i) => i);
  order.sort((a, b) => events[b]!.flowsBroken - events[a]!.flowsBroken || a - b);
  return order
    .slice(0, limit)
    .sort((a, b) => a - b)
    .map((i) => events[i]!);
}

function causesSection({ summary }: ReplayResult, { palette, columns }: TextView): string[] {
  const causes = Object.entries(summary.byCause)
    .filter(([, flows]) => flows > 0)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  if (causes.length === 0) return [];
  const figureWidth = Math.max(...causes.map(([, flows]) => count(flows).length));
  const nameWidth = Math.max(...causes.map(([reason]) => reason.length));
  const indent = 2 + figureWidth + 2 + nameWidth + 2;
  return [
    palette.bold('Why'),
    ...causes.flatMap(([reason, flows]) => {
      const [first = '', ...more] = wrap(REASONS[reason as Reason] ?? '', Math.max(24, columns - indent));
      return [
        `  ${padStart(count(flows), figureWidth)}  ${palette.bold(padEnd(reason, nameWidth))}  ${first}`,
        ...more.map((line) => ' '.repeat(indent) + line),
      ];
    }),
  ];
}

/** What applications got where the network delivered. */
function applicationSection({ summary }: ReplayResult, view: TextView): string[] {
  const troubles = Object.entries(summary.byApplication);
  return bulleted(
    'At the application, where the network delivered',
    troubles.map(
      ([trouble, n]) => `${count(n)} ${trouble}: ${APPLICATION_TROUBLES[trouble as ApplicationTrouble]}`,
    ),
    view,
  );
}

/** Whom it hits: services where there are several, clients, nodes and minutes. */
function hitsSection({ summary }: ReplayResult, view: TextView): string[] {
  if (summary.broken === 0) return [];
  const { clients, clientsJudged, clientsBroken, nodes, minutes } = summary.hits;
  const part = (name: string, broken: number, judged: number): string =>
    `${printable(name)} ${count(broken)} of ${count(judged)}`;
  const lines: string[] = [];
  if (summary.byService.length > 1) {
    const services = summary.byService.map(({ service, broken, judged }) => part(service, broken, judged));
    lines.push(`services: ${listed(services)}`);
  }
  lines.push(
    `clients: ${count(clientsBroken)} of ${count(clientsJudged)}, most of all ${listed(clients.slice(0, 3).map(({ name, broken, judged }) => part(name, broken, judged)))}`,
  );
  const hitNodes = nodes.filter(({ broken }) => broken > 0);
  if (hitNodes.length > 0) {
    lines.push(
      `by the node they first went to: ${listed(hitNodes.slice(0, LOAD_ROWS).map(({ name, broken, judged }) => part(name, broken, judged)))}`,
    );
  }
  const hitMinutes = minutes.filter(({ broken }) => broken > 0);
  if (minutes.length > 1) {
    const shown = hitMinutes
      .slice(0, LOAD_ROWS)
      .map(({ minute, broken }) => `${minute} min ${count(broken)}`);
    lines.push(`by the minute in which they broke: ${listed(shown)}`);
  }
  return bulleted('Who is hit', lines, view);
}

function listed(parts: readonly string[]): string {
  return parts.join(', ');
}

function loadSection({ summary }: ReplayResult, view: TextView): string[] {
  const { nodes, endpoints, maxOverMean } = summary.balance;
  const shownNodes = busiest(nodes);
  const shownEndpoints = busiest(endpoints);
  const all = [...shownNodes, ...shownEndpoints];
  if (all.length === 0) return [];
  const layout: LoadLayout = {
    nameColumns: Math.max(...all.map(({ name }) => clip(printable(name), NAME_COLUMNS).length)),
    flowsColumns: Math.max(...all.map(({ flows }) => count(flows).length)),
  };
  return [
    view.palette.bold('Load'),
    ...loadRows('nodes', nodes, shownNodes, maxOverMean.nodes, layout, view),
    ...loadRows('endpoints', endpoints, shownEndpoints, maxOverMean.endpoints, layout, view),
  ];
}

interface LoadLayout {
  readonly nameColumns: number;
  readonly flowsColumns: number;
}

function busiest(shares: readonly LoadShare[]): readonly LoadShare[] {
  return shares.length <= LOAD_ROWS
    ? shares
    : [...shares].sort((x, y) => y.flows - x.flows).slice(0, LOAD_ROWS);
}

function loadRows(
  title: string,
  shares: readonly LoadShare[],
  shown: readonly LoadShare[],
  maxOverMean: number | null,
  { nameColumns, flowsColumns }: LoadLayout,
  { palette, columns }: TextView,
): string[] {
  if (shares.length === 0) return [];
  const whole = shares.reduce((sum, { flows }) => sum + flows, 0);
  const most = Math.max(...shown.map(({ flows }) => flows), 1);
  const barColumns = Math.max(8, Math.min(40, columns - nameColumns - flowsColumns - 31));
  const spread = maxOverMean === null ? '' : `, busiest ${maxOverMean.toFixed(2)} times the mean`;
  const rest = shares.length > shown.length ? `, the busiest ${shown.length} of ${count(shares.length)}` : '';
  return [
    palette.dim(`  ${title}${spread}${rest}`),
    ...shown.map(({ name, flows, bytes: octets }) => {
      const strip = palette.paint('blue', padEnd(bar(flows / most, barColumns), barColumns));
      const figures = `${padStart(count(flows), flowsColumns)} ${flows === 1 ? 'flow ' : 'flows'} ${padStart(percent(flows, whole), 8)}`;
      return `  ${padEnd(clip(printable(name), NAME_COLUMNS), nameColumns)}  ${strip}  ${figures}  ${palette.dim(padStart(bytes(octets), 8))}`;
    }),
  ];
}

function sourceSection(result: ReplayResult, { palette, columns }: TextView): string[] {
  const { yes, no, unknown } = result.summary.sourcePreserved;
  if (yes + no === 0) return [];
  const lines = [palette.bold('Client address at the endpoint')];
  const cells = [
    ...(yes > 0 ? [`${palette.paint('green', '✓')} preserved for ${counted(yes, 'flow')}`] : []),
    ...(no > 0 ? [`${palette.paint('red', '✗')} lost for ${counted(no, 'flow')}`] : []),
    ...(unknown > 0 ? [palette.dim(`${count(unknown)} never reached one`)] : []),
  ];
  lines.push(...wrapCells(cells, columns - 2).map((line) => `  ${line}`));
  const { lookedAt, losses, application } = digestSources(result);
  for (const loss of losses.slice(0, 3)) {
    const sentence = printable(lossSentence(loss));
    lines.push(...wrap(sentence, columns - 4).map((line) => `    ${line}`));
  }
  for (const sentence of application === null ? [] : applicationSentences(application)) {
    lines.push(...wrap(printable(sentence), columns - 4).map((line) => `    ${line}`));
  }
  if ((no > 0 || application !== null) && lookedAt < result.flowCount) {
    lines.push(palette.dim(`    (where and how: every ${Math.ceil(result.flowCount / lookedAt)}th flow)`));
  }
  return lines;
}

function examplesSection(result: ReplayResult, view: TextView): string[] {
  const examples = chooseExamples(result, EXAMPLES);
  if (examples.length === 0) return [];
  return [
    view.palette.bold('Examples'),
    ...examples.flatMap((verdict, i) => [
      ...(i === 0 ? [] : ['']),
      ...exampleLines(verdict, view, result.capture.t0),
    ]),
  ];
}

/** One flow in full: who, its fate, its way through the network, and why, a sentence a line. */
function exampleLines(verdict: FlowVerdict, { palette, columns, utc: byClock }: TextView, t0 = 0): string[] {
  const { proto, src, srcPort, dst, dstPort, fate, brokenAt, service } = verdict;
  const what = verdict.unanswered === undefined ? fate : `${fate} (${verdict.unanswered} unanswered)`;
  const at = brokenAt === null ? '' : ` at ${when(brokenAt, byClock === true ? t0 : null)}`;
  const ends = `${proto} ${addressPort(src, srcPort)} → ${addressPort(dst, dstPort)}`;
  const head = `  ${palette.dim(`#${verdict.id}`)} ${palette.bold(palette.paint(FATE_COLOURS[fate], `${what}${at}`))}`;
  const served = service === null ? '' : `  ${palette.dim(printable(service))}`;
  const lines =
    widthOf(head) + 2 + widthOf(ends + served) <= columns
      ? [`${head}  ${ends}${served}`]
      : [head, `      ${ends}${served}`];
  const path = verdict.path.map((step, i) => {
    const where = [step.node ?? step.nextHop ?? 'nowhere', step.endpoint].filter((name) => name !== null);
    return `${where.map((name) => printable(name ?? '')).join(' ▸ ')}${i === 0 ? '' : ` from ${moment(step.at)}`}`;
  });
  if (path.length > 0) {
    lines.push(
      ...wrap(path.join('  →  '), columns - 6).map((line) => `      ${palette.paint('cyan', line)}`),
    );
  }
  for (const sentence of verdict.chain) {
    const [first = '', ...more] = wrap(printable(sentence), columns - 8);
    lines.push(`      ${palette.dim('·')} ${first}`, ...more.map((line) => `        ${line}`));
  }
  return lines;
}

function notesSection({ summary }: ReplayResult, view: TextView): string[] {
  const assumed = summary.assumed.map(({ what, value, because }) => `${what}: ${String(value)} (${because})`);
  const sections = [
    bulleted('Assumed, because nobody states it', assumed.map(printable), view),
    bulleted('Given, but not used', summary.unread.map(printable), view),
    bulleted('Notes', summary.notes.map(printable), view),
  ].filter((lines) => lines.length > 0);
  return sections.flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]));
}

function adviceSection(result: ReplayResult, view: TextView): string[] {
  return bulleted('What to try', adviceFor(result, 3), view);
}

function bulleted(title: string, sentences: readonly string[], { palette, columns }: TextView): string[] {
  if (sentences.length === 0) return [];
  return [
    palette.bold(title),
    ...sentences.flatMap((sentence) => {
      const [first = '', ...more] = wrap(sentence, columns - 4);
      return [`  ${palette.dim('·')} ${first}`, ...more.map((line) => `    ${line}`)];
    }),
  ];
}

function timingSection({ palette, timing }: TextView): string[] {
  if (timing === undefined || timing === null) return [];
  return [palette.dim(`${timing.wallS.toFixed(2)} s, ${count(Math.round(timing.packetsPerS))} packets/s`)];
}
