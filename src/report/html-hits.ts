/** Who is hit, as tables of the page: services where there are several, clients, first nodes, minutes. */
import type { Hit, Summary } from '../verdict/verdict.js';
import { count, percent } from './figures.js';
import { escapeHtml } from './html-escape.js';

const ROWS = 10;

export function hitsSection({ broken, byService, hits }: Summary): string {
  if (broken === 0) return '';
  const services = byService.map(({ service, ...of }): Hit => ({ name: service, ...of }));
  const minutes = hits.minutes.map(({ minute, ...of }): Hit => ({ name: `${minute} min`, ...of }));
  const tables = [
    services.length > 1 ? table('Services', services) : '',
    table(`Clients, ${count(hits.clientsBroken)} of ${count(hits.clientsJudged)}`, hits.clients),
    table('By the node they first went to', hits.nodes),
    minutes.length > 1 ? minuteTable(minutes) : '',
  ];
  return `<h2>Who is hit</h2>\n<div class="columns">${tables.join('\n')}</div>\n`;
}

function table(title: string, all: readonly Hit[]): string {
  const hit = all.filter(({ broken }) => broken > 0);
  if (hit.length === 0) return '';
  const rows = hit
    .slice(0, ROWS)
    .map(
      ({ name, judged, broken }) =>
        `<tr><td>${escapeHtml(name)}</td><td class="n">${count(broken)} of ${count(judged)}</td><td class="n">${percent(broken, judged)}</td></tr>`,
    );
  return framed(title, hit.length, rows);
}

/** What broke in a minute may have begun in an earlier one: there is no share. */
function minuteTable(all: readonly Hit[]): string {
  const hit = all.filter(({ broken }) => broken > 0);
  const rows = hit
    .slice(0, ROWS)
    .map(({ name, broken }) => `<tr><td>${name}</td><td class="n">${count(broken)}</td></tr>`);
  return framed('By the minute in which they broke', hit.length, rows);
}

function framed(title: string, all: number, rows: readonly string[]): string {
  const more = all > rows.length ? `, ${rows.length} of ${count(all)} shown` : '';
  return `<div><p class="soft">${title}${more}</p><table><tbody>${rows.join('\n')}</tbody></table></div>`;
}
