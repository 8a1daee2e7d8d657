// Writes what holds figures: parts of README.md (the picture, what is verified, speed) and docs/stories.md.
// Run: node scripts/readme.mjs
// Needs a build; the speed part takes a minute and wants a quiet machine.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);
const flowfate = (...args) =>
  execFileSync(process.execPath, ['dist/src/bin/flowfate.js', ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });

const RUNS = ['cluster-withdraw', 'local-add', 'cluster-resilient-withdraw-readd', 'local-rolling-frr'];
let readme = readFileSync('README.md', 'utf8');

function fill(name, text) {
  const part = new RegExp(`(<!-- ${name}: [^\n]*-->\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!part.test(readme)) throw new Error(`README.md has no part "${name}"`);
  readme = readme.replace(part, (_, open, close) => `${open}${text.trimEnd()}\n${close}`);
}

function picture() {
  const text = flowfate(
    'replay',
    'captures/cluster-withdraw.pcap.gz',
    '--scenario',
    'captures/cluster-withdraw.yaml',
  );
  const end = text.indexOf('\n\n', text.indexOf('Examples') + 400);
  return `\`\`\`\n$ npm start\n${text.slice(0, end)}\n…\n\`\`\``;
}

function matrix() {
  const text = flowfate(
    ...['compare', 'captures/cluster-withdraw.pcap.gz', '--scenario', 'captures/cluster-withdraw.yaml'],
    ...[
      '--vary',
      'select=modulo,hash-threshold,resilient,rendezvous,maglev',
      '--vary',
      'policy=Cluster,Local',
    ],
    ...['--seeds', '20'],
  );
  return `\`\`\`\n${text.trimEnd()}\n\`\`\``;
}

function tsv(file) {
  const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const names = head.split('\t');
  return lines.map((line) => Object.fromEntries(line.split('\t').map((value, i) => [names[i], value])));
}

const OUTCOMES = {
  delivered: ['ok', 'closed'],
  reset: ['rst'],
  timeout: ['timeout', 'fin-unacked', 'connect-timeout'],
  'endpoint-closed': ['eof'],
};

function verified() {
  const rows = RUNS.map((run) => {
    const report = JSON.parse(
      flowfate('replay', `captures/${run}.pcap.gz`, '--scenario', `captures/${run}.yaml`, '--format', 'json'),
    );
    const fates = new Map(report.flows.map((f) => [`${f.src} ${f.srcPort}`, f.fate]));
    const truth = tsv(`test/golden/lab/${run}/truth.tsv`);
    const right = truth.filter((t) => OUTCOMES[fates.get(`${t.src} ${t.sport}`)]?.includes(t.outcome)).length;
    const broke = truth.filter((t) => !OUTCOMES.delivered.includes(t.outcome)).length;
    return `| ${run} | ${truth.length} | ${broke} | ${right} |`;
  });
  return [
    'A real Linux 6.18 kernel as router and nodes, real BGP daemons, real TCP clients; for each connection, what its client saw',
    'against the fate that flowfate gives it from the client’s packets and the scenario alone:',
    '',
    '| recorded run | connections | broke | fate right |',
    '|---|---|---|---|',
    ...rows,
    '',
    'The few that differ are connections whose packets crossed a route change within milliseconds. `npm test` checks path,',
    'moment (50 ms) and source address as well, for every connection that is not within 30 ms of a route change: all are right.',
    'The ECMP choice is checked on frames that a kernel forwarded, the resilient table bucket by bucket, the decoder against',
    'tshark’s conversations, and the fast engine against a packet-by-packet data plane on random clusters.',
  ].join('\n');
}

function speed() {
  const json = join(tmpdir(), `flowfate-bench-${process.pid}.json`);
  const names = [
    'read',
    'pcap-parser',
    'hash linux-l4',
    'next hop by hash-threshold',
    'conntrack',
    'NAT',
    'replay, second',
  ];
  execFileSync(process.execPath, ['dist/bench/run.js', ...names, '--json', json], { stdio: 'inherit' });
  const { machine, figures } = JSON.parse(readFileSync(json, 'utf8'));
  const baseline = figures.find((f) => f.name.includes('pcap-parser'));
  const flows = figures.find((f) => f.name === 'read, decode, flow table');
  const rows = figures.map(
    (f) =>
      `| ${f.name} | ${f.nsPerUnit.toFixed(f.nsPerUnit < 100 ? 1 : 0)} ns/${f.unit} | ${(f.perSecond / 1e6).toFixed(1)} M/s | ±${f.spreadPercent.toFixed(0)} % |`,
  );
  return [
    `${machine}; medians of one run of \`npm run bench\`.`,
    '',
    '| what | cost | rate | spread |',
    '|---|---|---|---|',
    ...rows,
    '',
    `npm pcap-parser, only counting packets, takes ${(baseline.nsPerUnit / flows.nsPerUnit).toFixed(1)} times as long as flowfate takes to read, decode and build the flow table.`,
  ].join('\n');
}

const MARKS = { V: 'verified', P: 'from a paper', I: 'inferred', U: 'not verified' };
const number = (n) => (n === 0 ? '0' : n >= 10 ? n.toFixed(0) : n.toFixed(1));
const percent = (n) => `${(100 * n).toFixed(0)} %`;

/** One story: what goes wrong, failure and remedies side by side, why, what it rests on. */
function story(name) {
  const told = JSON.parse(flowfate('stories', name, '--format', 'json'));
  const own = told.measures.map(({ key, says }) => ({ key, says }));
  const head = [
    '',
    'broken',
    'reset',
    'refused',
    'timeout',
    'endpoint-closed',
    'misdelivered',
    'application sees the client',
  ];
  const rows = told.runs.map((run) => {
    if (run.refused !== null)
      return [run.name, run.refused, ...head.slice(2).map(() => ''), ...own.map(() => '')];
    const { byFate, broken, source, measures } = run;
    const fates = ['reset', 'refused', 'timeout', 'endpoint-closed', 'misdelivered'].map((fate) =>
      number(byFate[fate]),
    );
    const values = own.map(({ key }) => (measures[key] === null ? '' : number(measures[key])));
    return [run.name, number(broken.mean), ...fates, percent(source.preserved), ...values];
  });
  const table = [[...head, ...own.map(({ key }) => key)], [...head, ...own].map(() => '---'), ...rows];
  return [
    `## ${told.name}`,
    '',
    `${told.summary}.`,
    '',
    told.goesWrong,
    '',
    `${told.capture.file}: ${told.flows} flows; means of ${told.seeds} seeds.`,
    '',
    ...table.map((row) => `| ${row.join(' | ')} |`),
    '',
    ...own.map(({ key, says }) => `- \`${key}\`: ${says}`),
    ...told.runs.flatMap(({ name: run, kind, does, cost }) =>
      does === null ? [] : [`- **${run}**${kind === 'trap' ? ' (a trap)' : ''}: ${does} ${cost}`],
    ),
    '',
    ...told.why.map((sentence) => `${sentence}\n`),
    ...told.facts.map(({ text, mark, source }) => `- ${text} (${source}; ${MARKS[mark]})`),
    '',
  ].join('\n');
}

function stories() {
  const names = JSON.parse(flowfate('stories', '--format', 'json')).stories.map(({ name }) => name);
  const intro = [
    '# Stories',
    '',
    'Failures of real clusters, run by the program: `flowfate stories <name>` shows each, with its scenario to change.',
    'Every figure on this page is written by `node scripts/readme.mjs`.',
    '',
  ].join('\n');
  mkdirSync('docs', { recursive: true });
  writeFileSync('docs/stories.md', `${[intro, ...names.map(story)].join('\n').trimEnd()}\n`);
}

fill('picture', picture());
stories();
fill('matrix', matrix());
fill('verified', verified());
if (!process.argv.includes('--no-speed')) fill('speed', speed());
writeFileSync('README.md', readme);
