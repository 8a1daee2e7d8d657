/** Two compared runs as one page that needs nothing else, and no script. */
import { FATES } from '../verdict/fates.js';
import type { CaptureRecord } from '../verdict/verdict.js';
import type { ChangeCount, Changes, Run } from '../what-if/changes.js';
import { besides, changesVerdict, ends, oneSided, runSentence, sideSentence } from './changes-words.js';
import { count, counted, duration, utc } from './figures.js';
import { escapeHtml } from './html-escape.js';
import { HTML_STYLE } from './html-style.js';
import { BufferedSink, type Sink } from './sink.js';

/** rows of the table of flows; beyond, a page takes long to load */
const MAX_ROWS = 4000;
const MAX_BREAKDOWN = 30;

export function writeChangesHtml(changes: Changes, capture: CaptureRecord, sink: Sink): void {
  const out = new BufferedSink(sink);
  const { summary } = changes;
  const minutes = summary.byMinute.map(({ minute, ...n }) => ({ name: `${minute} min`, ...n }));
  out.write(head(capture));
  out.write(verdictSection(changes));
  out.write(settingsSection(changes));
  out.write(transitionsSection(changes));
  out.write(breakdown('Why they broke', summary.byCause));
  out.write(breakdown('By service', summary.byService));
  out.write(breakdown('By the node they first went to', summary.byNode));
  out.write(breakdown('By the minute in which they broke', minutes));
  out.write(breakdown('By client', summary.byClient));
  out.write(notesSection(changes));
  flowsSection(changes, out.write);
  out.write('</main>\n</body>\n</html>\n');
  out.flush();
}

function head(capture: CaptureRecord): string {
  const facts = [
    counted(capture.packets, 'packet'),
    `${duration(capture.duration)} from ${utc(capture.startTime)}`,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(`${capture.file}: what changes`)}</title>
<style>${HTML_STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(capture.file)} <span class="soft">· before and after</span></h1>
<p class="soft">${escapeHtml(facts.join(' · '))}</p>
</header>
<main>
`;
}

function verdictSection(changes: Changes): string {
  const { verdict, newlyBroken } = changes.summary;
  const tone = verdict === 'inconclusive' ? '' : newlyBroken > 0 ? ' broke' : ' fine';
  const beside = besides(changes).map((sentence) => `<p>${escapeHtml(sentence)}</p>`);
  return `<p class="verdict${tone}"><b>${escapeHtml(changesVerdict(changes))}</b></p>
${beside.join('\n')}
${runBar('Before', changes.before)}
${runBar('After', changes.after)}
`;
}

function runBar(side: string, run: Run): string {
  const fates = FATES.filter((fate) => run.summary.byFate[fate] > 0);
  const strip = fates.map(
    (fate) => `<i style="flex:${run.summary.byFate[fate]};background:var(--${fate})" title="${fate}"></i>`,
  );
  const legend = fates.map(
    (fate) =>
      `<li><i class="dot" style="background:var(--${fate})"></i>${count(run.summary.byFate[fate])} ${fate}</li>`,
  );
  return `<p>${side}: ${escapeHtml(runSentence(run))}</p>
<div class="strip" aria-hidden="true">${strip.join('')}</div>
<ul class="legend">${legend.join('')}</ul>`;
}

function settingsSection({ summary }: Changes): string {
  const settings = summary.settings ?? [];
  if (settings.length === 0) return '';
  const rows = settings.map(
    ({ what, before, after }) =>
      `<tr><td><code>${escapeHtml(what)}</code></td><td>${escapeHtml(before ?? '–')}</td><td>${escapeHtml(after ?? '–')}</td></tr>`,
  );
  return table('What differs between the scenarios', ['setting', 'before', 'after'], rows);
}

function transitionsSection({ summary }: Changes): string {
  if (summary.transitions.length === 0) return '';
  const rows = summary.transitions.map(
    ({ before, after, flows }) =>
      `<tr><td>${before}</td><td>${after}</td><td class="n">${count(flows)}</td></tr>`,
  );
  return table('What changes', ['before', 'after', 'flows'], rows);
}

function breakdown(title: string, all: readonly ChangeCount[]): string {
  if (all.length === 0) return '';
  const rows = all
    .slice(0, MAX_BREAKDOWN)
    .map(
      ({ name, before, after, fixed, newlyBroken }) =>
        `<tr><td>${escapeHtml(name)}</td>${[before, after, fixed, newlyBroken].map((n) => `<td class="n">${count(n)}</td>`).join('')}</tr>`,
    );
  const more = all.length > MAX_BREAKDOWN ? `, ${MAX_BREAKDOWN} of ${count(all.length)}` : '';
  return table(`${title}${more}`, ['', 'before', 'after', 'fixed', 'newly broken'], rows);
}

function notesSection(changes: Changes): string {
  const notes = [...changes.summary.notes, ...oneSided(changes)];
  if (notes.length === 0) return '';
  return `<h2>Notes</h2>\n<ul>${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('\n')}</ul>\n`;
}

function flowsSection(changes: Changes, write: Sink): void {
  if (changes.flowCount === 0) return;
  const shown = Math.min(changes.flowCount, MAX_ROWS);
  write('<h2>Flows that change</h2>\n');
  if (shown < changes.flowCount) {
    write(
      `<p class="soft">${count(shown)} of ${count(changes.flowCount)}; --format csv or ndjson has all.</p>\n`,
    );
  }
  write('<div class="scroll"><table>\n<thead><tr><th>change</th><th>flow</th><th>service</th>');
  write('<th>before</th><th>after</th></tr></thead>\n<tbody>\n');
  for (let row = 0; row < shown; row++) {
    const flow = changes.change(row);
    const service = flow.after?.service ?? flow.before?.service ?? '';
    const cells = [flow.kind, ends(flow), service, sideSentence(flow.before), sideSentence(flow.after)];
    write(`<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>\n`);
  }
  write('</tbody></table></div>\n');
}

function table(title: string, titles: readonly string[], rows: readonly string[]): string {
  const heads = titles.map((word, i) => `<th${i === 0 ? '' : ' class="n"'}>${word}</th>`);
  return `<h2>${escapeHtml(title)}</h2>
<div class="scroll"><table>
<thead><tr>${heads.join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody>
</table></div>
`;
}
