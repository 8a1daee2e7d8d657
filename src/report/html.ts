/**
 * `--html f`: the report as one page that needs nothing else: no outside request (its content security policy
 * forbids any), style, script and data inline. What it says is readable without the script; the table of flows
 * with its filters needs it.
 */

import { FATES, isBroken } from '../verdict/fates.js';
import { inconclusiveBecause } from '../verdict/summarise.js';
import {
  APPLICATION_TROUBLES,
  type ApplicationTrouble,
  type Fate,
  type FlowVerdict,
  REASONS,
  type Reason,
  type ReplayResult,
  type Summary,
  UNJUDGED,
  type Unjudged,
} from '../verdict/verdict.js';
import { adviceFor } from './advice.js';
import { addressPort, bytes, count, counted, duration, moment, percent, utc } from './figures.js';
import { brokeFigures } from './headline.js';
import { escapeHtml, jsonForScript } from './html-escape.js';
import { hitsSection } from './html-hits.js';
import { HTML_SCRIPT } from './html-script.js';
import { HTML_STYLE } from './html-style.js';
import { BreakTimeline } from './html-timeline.js';
import { BufferedSink, type Sink } from './sink.js';
import { applicationSentences, digestSources, lossSentence } from './source-digest.js';
import { printable } from './terminal.js';

/** rows of the table of flows; beyond, a page takes long to load */
const MAX_ROWS = 4000;
const MAX_SHARES = 40;

export function writeHtml(result: ReplayResult, sink: Sink): void {
  const out = new BufferedSink(sink);
  out.write(head(result));
  out.write(verdictSection(result));
  out.write(timelineSection(result));
  out.write(eventsSection(result));
  out.write(causesSection(result));
  out.write(hitsSection(result.summary));
  out.write(loadSection(result));
  out.write(sourceSection(result));
  const { byApplication, assumed, unread, notes } = result.summary;
  const troubles = Object.entries(byApplication).map(
    ([trouble, n]) => `${count(n)} ${trouble}: ${APPLICATION_TROUBLES[trouble as ApplicationTrouble]}`,
  );
  out.write(listSection('At the application, where the network delivered', troubles));
  const settings = assumed.map(({ what, value, because }) => `${what}: ${value} (${because})`);
  out.write(listSection('Assumed, because nobody states it', settings));
  out.write(listSection('Given, but not used', unread));
  out.write(listSection('Notes', notes));
  out.write(listSection('What to try', adviceFor(result, 4)));
  flowsSection(result, out.write);
  out.flush();
}

function head({ capture, summary }: ReplayResult): string {
  const { name, seed, madeFromCapture } = summary.scenario;
  const scenario = madeFromCapture ? 'scenario made from the capture' : `scenario ${name}`;
  const faults = Object.values(capture.decodeFaults).reduce((sum, n) => sum + n, 0);
  const facts = [
    `${capture.format} ${capture.linkTypes.join(', ')}`,
    counted(capture.packets, 'packet'),
    bytes(capture.bytes),
    `${duration(capture.duration)} from ${utc(capture.startTime)}`,
    ...(capture.truncated ? ['truncated'] : []),
    ...(faults > 0 ? [`${count(faults)} packets not understood`] : []),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escapeHtml(`${capture.file}: the fate of every flow`)}</title>
<style>${HTML_STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(capture.file)} <span class="soft">· ${escapeHtml(scenario)}, seed ${seed}</span></h1>
<p class="soft">${escapeHtml(facts.join(' · '))}</p>
</header>
<main>
`;
}

function verdictSection({ summary }: ReplayResult): string {
  const fates = FATES.filter((fate) => summary.byFate[fate] > 0);
  const sentence = verdictSentence(summary) + judgedSentence(summary);
  const strip = fates.map(
    (fate) => `<i style="flex:${summary.byFate[fate]};background:var(--${fate})" title="${fate}"></i>`,
  );
  const legend = fates.map(
    (fate) =>
      `<li><i class="dot" style="background:var(--${fate})"></i>${count(summary.byFate[fate])} ${fate}</li>`,
  );
  if (summary.latent > 0) {
    legend.push(
      `<li class="soft">${count(summary.latent)} delivered so far would break at the next packet</li>`,
    );
  }
  return `${sentence}
<div class="strip" aria-hidden="true">${strip.join('')}</div>
<ul class="legend">${legend.join('')}</ul>
`;
}

function verdictSentence({ verdict, ...summary }: Summary): string {
  const { judged, flows } = summary;
  const judgedWord = judged === flows ? '' : ' judged';
  if (verdict === 'inconclusive') {
    const because = escapeHtml(inconclusiveBecause(summary, UNJUDGED));
    return `<p class="verdict"><b>Inconclusive</b>: ${because}.</p>`;
  }
  if (verdict === 'none-broken') {
    return `<p class="verdict fine"><b>No flow broke</b>, of ${count(judged)}${judgedWord}.</p>`;
  }
  const broke = brokeFigures({ verdict, ...summary });
  const draws = broke.draws === null ? '' : `<p>${escapeHtml(broke.draws)}</p>`;
  return `<p class="verdict broke"><b>${broke.broken}</b> of ${count(judged)}${judgedWord} flows broke (${broke.share}).</p>${draws}`;
}

/** What was not judged, and why. */
function judgedSentence({ judged, flows, unjudged }: Summary): string {
  if (judged === flows) return '';
  const reasons = Object.entries(unjudged).map(
    ([reason, n]) => `${count(n)} ${reason} (${UNJUDGED[reason as Unjudged]})`,
  );
  return `<p>Judged ${count(judged)} of ${count(flows)}; not judged: ${escapeHtml(reasons.join('; '))}.</p>`;
}

function timelineSection(result: ReplayResult): string {
  if (result.summary.broken === 0) return '';
  const breaks: [Fate, number][] = [];
  let fromS = Number.POSITIVE_INFINITY;
  let toS = Number.NEGATIVE_INFINITY;
  const within = (atS: number): void => {
    fromS = Math.min(fromS, atS);
    toS = Math.max(toS, atS);
  };
  for (let row = 0; row < result.flowCount; row++) {
    if (!isBroken(result.fateOf(row))) continue;
    const { fate, brokenAt, start, end } = result.flowVerdict(row);
    within(start);
    within(end);
    if (brokenAt === null) continue;
    breaks.push([fate, brokenAt]);
    within(brokenAt);
  }
  for (const event of result.events) within(event.at);
  const timeline = new BreakTimeline(Math.min(0, fromS), toS);
  for (const [fate, at] of breaks) timeline.add(fate, at);
  return `<h2>When flows broke</h2>\n<div class="scroll">${timeline.svg(result.events)}</div>\n`;
}

function eventsSection({ events }: ReplayResult): string {
  if (events.length === 0) return '';
  const rows = events.map(
    (event) =>
      `<tr><td class="id">${escapeHtml(event.id)}</td><td class="n">${moment(event.at)}</td><td class="what">${escapeHtml(event.detail)}</td>` +
      `<td class="n">${count(event.flowsActive)}</td><td class="n">${count(event.flowsMoved)}</td>` +
      `<td class="n">${count(event.flowsBroken)}</td><td class="n">${count(event.dropped)}</td></tr>`,
  );
  return `<h2>Events</h2>
<div class="scroll tall"><table>
<thead><tr><th></th><th class="n">when</th><th>what</th><th class="n">open</th><th class="n">moved</th><th class="n">broke</th><th class="n">packets lost</th></tr></thead>
<tbody>${rows.join('\n')}</tbody>
</table></div>
`;
}

function causesSection({ summary }: ReplayResult): string {
  const causes = Object.entries(summary.byCause).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  if (causes.length === 0) return '';
  const rows = causes.map(
    ([reason, flows]) =>
      `<tr><td class="n">${count(flows)}</td><td><b>${escapeHtml(reason)}</b></td><td>${escapeHtml(REASONS[reason as Reason] ?? '')}</td></tr>`,
  );
  return `<h2>Why</h2>\n<table><tbody>${rows.join('\n')}</tbody></table>\n`;
}

function loadSection({ summary }: ReplayResult): string {
  const { nodes, endpoints, maxOverMean } = summary.balance;
  if (nodes.length + endpoints.length === 0) return '';
  return `<h2>Load</h2>\n<div class="columns">${loadBars('Nodes', nodes, maxOverMean.nodes)}${loadBars('Endpoints', endpoints, maxOverMean.endpoints)}</div>\n`;
}

function loadBars(
  title: string,
  shares: ReplayResult['summary']['balance']['nodes'],
  maxOverMean: number | null,
): string {
  if (shares.length === 0) return '';
  const most = Math.max(1, ...shares.map(({ flows }) => flows));
  const whole = shares.reduce((sum, { flows }) => sum + flows, 0);
  const shown =
    shares.length <= MAX_SHARES ? shares : [...shares].sort((x, y) => y.flows - x.flows).slice(0, MAX_SHARES);
  const spread = maxOverMean === null ? '' : `, busiest ${maxOverMean.toFixed(2)} times the mean`;
  const rest = shown.length < shares.length ? `, the busiest ${shown.length} of ${count(shares.length)}` : '';
  const rows = shown.map(
    ({ name, flows, bytes: octets }) =>
      `<span>${escapeHtml(name)}</span><span class="track"><i style="width:${((flows / most) * 100).toFixed(1)}%"></i></span>` +
      `<span class="n">${count(flows)} flows, ${percent(flows, whole)}, ${bytes(octets)}</span>`,
  );
  return `<div><p class="soft">${title}${spread}${rest}</p><div class="load">${rows.join('\n')}</div></div>`;
}

function sourceSection(result: ReplayResult): string {
  const { yes, no, unknown } = result.summary.sourcePreserved;
  if (yes + no === 0) return '';
  const { losses, application } = digestSources(result);
  const sentences = [
    ...losses.slice(0, 6).map(lossSentence),
    ...(application === null ? [] : applicationSentences(application)),
  ];
  const rows = sentences.map((sentence) => `<li>${escapeHtml(sentence)}</li>`);
  return `<h2>Client address at the endpoint</h2>
<p>Preserved for ${counted(yes, 'flow')}, lost for ${counted(no, 'flow')}${unknown > 0 ? `; ${count(unknown)} never reached one` : ''}.</p>
<ul>${rows.join('\n')}</ul>
`;
}

function listSection(title: string, sentences: readonly string[]): string {
  if (sentences.length === 0) return '';
  return `<h2>${title}</h2>\n<ul>${sentences.map((sentence) => `<li>${escapeHtml(sentence)}</li>`).join('\n')}</ul>\n`;
}

function flowsSection(result: ReplayResult, write: Sink): void {
  const rows = rowsToShow(result);
  const cut = rows.length < result.flowCount;
  const fates = FATES.filter((fate) => result.summary.byFate[fate] > 0);
  const buttons = fates.map(
    (fate) =>
      `<button type="button" data-fate="${fate}" aria-pressed="false"><i class="dot" style="background:var(--${fate})"></i>${fate}</button>`,
  );
  write(`<h2>Flows</h2>
${cut ? `<p class="soft">${count(rows.length)} of ${count(result.flowCount)} flows, broken ones first; --format ndjson has all.</p>` : ''}
<noscript><p>The table of flows needs JavaScript; nothing is loaded from anywhere.</p></noscript>
<div class="filters"><button type="button" data-fate="" aria-pressed="true">all</button>${buttons.join('')}
<input id="search" type="search" placeholder="address, port, node, reason" aria-label="filter flows"></div>
<div class="scroll"><table>
<thead><tr><th></th><th>fate</th><th class="n">broke at</th><th>flow</th><th>nodes</th><th>reason</th><th class="n">packets</th></tr></thead>
<tbody id="rows"></tbody>
</table></div>
<p><span id="shown" class="soft" aria-live="polite"></span> <button id="more" type="button" hidden></button></p>
</main>
<script id="flows" type="application/json">[`);
  rows.forEach((row, i) => {
    write(`${i === 0 ? '' : ',\n'}${jsonForScript(tableRow(result.flowVerdict(row)))}`);
  });
  write(`]</script>\n<script>${HTML_SCRIPT}</script>\n</body>\n</html>\n`);
}

/** All rows where they fit; else broken ones first, then the others, each in the order of the capture. */
function rowsToShow(result: ReplayResult): number[] {
  const broken: number[] = [];
  const others: number[] = [];
  for (let row = 0; row < result.flowCount && broken.length < MAX_ROWS; row++) {
    if (isBroken(result.fateOf(row))) broken.push(row);
    else if (others.length < MAX_ROWS) others.push(row);
  }
  return [...broken, ...others].slice(0, MAX_ROWS);
}

/** What the script shows of a flow, as plain text. */
function tableRow(verdict: FlowVerdict): Record<string, unknown> {
  const { source } = verdict;
  const nodes = verdict.path.map((step) => step.node ?? step.nextHop ?? 'nowhere');
  const steps = source?.steps.map(
    (step) => `${step.from} becomes ${step.to} by ${step.mechanism} at ${step.hop}`,
  );
  return {
    id: verdict.id,
    fate: verdict.fate,
    note:
      verdict.unanswered === undefined
        ? verdict.latent === true
          ? 'latent'
          : ''
        : `${verdict.unanswered} unanswered`,
    brokenAt: verdict.brokenAt,
    proto: verdict.proto,
    client: addressPort(verdict.src, verdict.srcPort),
    server: addressPort(verdict.dst, verdict.dstPort),
    service: printable(verdict.service ?? ''),
    nodes: printable(nodes.filter((node, i) => node !== nodes[i - 1]).join(' → ')),
    reason: verdict.cause?.reason ?? '',
    packets: verdict.packets.out + verdict.packets.in,
    chain: verdict.chain.map(printable),
    path: verdict.path.map((step) =>
      printable(
        `${step.node ?? step.nextHop ?? 'nowhere'}${step.endpoint === null ? '' : ` ▸ ${step.endpoint}`} at ${moment(step.at)}`,
      ),
    ),
    source:
      source === null
        ? ''
        : printable(
            steps !== undefined && steps.length > 0
              ? steps.join('; ')
              : source.preserved === true
                ? 'preserved'
                : '',
          ),
  };
}
