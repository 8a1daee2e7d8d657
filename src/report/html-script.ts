/**
 * The script of the report page: the table of flows with its filters. Plain DOM; text goes in as text nodes only,
 * so that no name can become markup.
 */
export const HTML_SCRIPT = `
'use strict';
const flows = JSON.parse(document.getElementById('flows').textContent);
const body = document.getElementById('rows');
const more = document.getElementById('more');
const shownCount = document.getElementById('shown');
const search = document.getElementById('search');
const buttons = [...document.querySelectorAll('button[data-fate]')];
const PAGE = 200;
let fate = '';
let matching = [];
let shown = 0;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function detail(flow) {
  const row = element('tr', undefined, 'detail');
  const cell = element('td');
  cell.colSpan = 7;
  if (flow.chain.length > 0) {
    const list = element('ol');
    for (const sentence of flow.chain) list.append(element('li', sentence));
    cell.append(list);
  }
  if (flow.path.length > 0) cell.append(element('p', 'Path: ' + flow.path.join(' → ')));
  if (flow.source) cell.append(element('p', 'Source: ' + flow.source));
  if (cell.childNodes.length === 0) cell.append(element('p', 'Nothing more is known of this flow.', 'soft'));
  row.append(cell);
  return row;
}

function row(flow) {
  const made = element('tr');
  const toggle = element('button', '#' + flow.id, 'row');
  toggle.type = 'button';
  toggle.setAttribute('aria-expanded', 'false');
  toggle.title = 'show path and causes';
  toggle.addEventListener('click', () => {
    const open = toggle.getAttribute('aria-expanded') === 'true';
    toggle.setAttribute('aria-expanded', String(!open));
    if (open) made.nextSibling.remove();
    else made.after(detail(flow));
  });
  const id = element('td', undefined, 'id');
  id.append(toggle);
  const what = element('td');
  const dot = element('i', undefined, 'dot');
  dot.style.background = 'var(--' + flow.fate + ')';
  what.append(dot, flow.fate + (flow.note ? ' (' + flow.note + ')' : ''));
  made.append(
    id,
    what,
    element('td', flow.brokenAt === null ? '' : flow.brokenAt.toFixed(3) + ' s', 'n'),
    element('td', flow.proto + ' ' + flow.client + ' → ' + flow.server, 'what'),
    element('td', flow.nodes),
    element('td', flow.reason),
    element('td', String(flow.packets), 'n'),
  );
  return made;
}

function showMore() {
  const upTo = Math.min(matching.length, shown + PAGE);
  const fragment = document.createDocumentFragment();
  for (; shown < upTo; shown++) fragment.append(row(matching[shown]));
  body.append(fragment);
  more.hidden = shown === matching.length;
  more.textContent = 'Show ' + Math.min(PAGE, matching.length - shown) + ' more';
  shownCount.textContent = shown + ' of ' + matching.length;
}

function filter() {
  const words = search.value.toLowerCase().split(/\\s+/).filter((word) => word !== '');
  matching = flows.filter((flow) => {
    if (fate !== '' && flow.fate !== fate) return false;
    const text = [flow.proto, flow.client, flow.server, flow.fate, flow.reason, flow.nodes, flow.service].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
  body.replaceChildren();
  shown = 0;
  showMore();
}

for (const button of buttons) {
  button.addEventListener('click', () => {
    fate = button.dataset.fate;
    for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
    filter();
  });
}
search.addEventListener('input', filter);
more.addEventListener('click', showMore);
filter();
`;
