// Writes docs/performance.md and docs/performance.svg from the figures of one run of the benchmarks.
// Run: node scripts/performance-page.mjs [figures.json]
// Without a file it measures, which takes some minutes and wants a quiet machine. Needs a build.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

function measured() {
  const json = join(tmpdir(), `flowfate-performance-${process.pid}.json`);
  execFileSync(process.execPath, ['dist/bench/run.js', 'ratios', 'growth', 'floors', '--json', json], {
    stdio: 'inherit',
  });
  return json;
}

const { machine, load, size, floors, ratios, growth } = JSON.parse(
  readFileSync(process.argv[2] ?? measured(), 'utf8'),
);

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const short = (n) => (n >= 100 ? n.toFixed(0) : n.toFixed(1));
const count = (n) => (n >= 1e6 ? `${n / 1e6} M` : n >= 1e4 ? `${n / 1e3} k` : String(n));

const START = 'node -e 0';
const start = ratios.find(({ work }) => work === START);
const starts = ratios.filter(({ against, work }) => against === START && work !== START);
const works = ratios.filter(({ against }) => against !== START);

const cores = availableParallelism();
const busy =
  load > cores
    ? `\nThe machine was busy with other work (load ${load.toFixed(0)} on ${cores} cores): read the ratios, and of those the CPU's.\n`
    : '';

const page = `# Performance

Written by \`node scripts/performance-page.mjs\` from one run of \`npm run bench\`: ${machine}; a made capture of
${count(size.packets)} packets in ${count(size.flows)} flows, 96 octets captured of each, a tenth of it IPv6, every flow of it towards a VIP.
${busy}
## Whole runs

Every command once a round, the ratio taken within each round, the median of the rounds. "C, libpcap" is a program that
reads the capture with libpcap and builds a flow table in one thread. Start-up is part of every run.

${table(
  ['work', 'against', 'wall s', 'CPU s', 'wall ratio', 'CPU ratio'],
  works.map(({ work, against, wallS, cpuS, wallRatio, cpuRatio }) => [
    work,
    work === against ? '' : against,
    wallS.toFixed(2),
    cpuS.toFixed(2),
    wallRatio.toFixed(2),
    cpuRatio.toFixed(2),
  ]),
)}

Commands that read no capture, beyond \`${START}\` (${(1000 * start.wallS).toFixed(0)} ms of wall time):

${table(
  ['command', 'wall ms more', 'CPU ms more'],
  starts.map(({ work, wallS, cpuS }) => [
    work,
    (1000 * (wallS - start.wallS)).toFixed(0),
    (1000 * (cpuS - start.cpuS)).toFixed(0),
  ]),
)}

## Growth

CPU time a packet, all threads together, as one thing grows and the rest stays:

![growth](performance.svg)

${growth
  .map(
    ({ axis, measured: what, points }) =>
      `**${axis}** (${what}), ns a packet: ${points.map(({ x, nsPerPacket }) => `${count(x)}: ${short(nsPerPacket)}`).join(', ')}.`,
  )
  .join('\n\n')}

## Floors

What the packets cost if nothing were done with them:

${table(
  ['what', 'figure'],
  floors.map(({ name, value, unit }) => [name, `${short(value)} ${unit}`]),
)}

A packet of a flow that no cache holds costs at least two such accesses: the slot of the hash table and the flow's record.
The index of a packet is 32 octets, which are written once and read once a replay.

## The index file

What reading a large capture (32 MB and more) yields stays beside it as \`<capture>.ffidx\`, at most as large as the capture,
mostly a third. The next command loads it instead. It counts only while the capture has the size, times, inode and, at
18 places, the content that it had, and only for the build of flowfate that wrote it; otherwise the capture is read
again. Where none can be written, nothing changes. \`--no-index\` neither uses nor writes one.
`;
writeFileSync('docs/performance.md', page);

// -- the picture: a panel a curve, both axes logarithmic

const PANEL = { width: 300, height: 200, left: 52, right: 14, top: 34, bottom: 34 };
const COLUMNS = 3;
const rows = Math.ceil(growth.length / COLUMNS);

function panel({ axis, measured: what, points }, i) {
  const x0 = (i % COLUMNS) * PANEL.width;
  const y0 = Math.floor(i / COLUMNS) * PANEL.height;
  const logs = (values) => values.map(Math.log10);
  const xs = logs(points.map(({ x }) => x));
  const ys = points.map(({ nsPerPacket }) => nsPerPacket);
  const lowest = 10 ** Math.floor(Math.min(...logs(ys)));
  const highest = 10 ** Math.ceil(Math.max(...logs(ys)));
  const across = (x) =>
    x0 + PANEL.left + ((x - xs[0]) / (xs.at(-1) - xs[0])) * (PANEL.width - PANEL.left - PANEL.right);
  const up = (y) =>
    y0 +
    PANEL.height -
    PANEL.bottom -
    (Math.log10(y / lowest) / Math.log10(highest / lowest)) * (PANEL.height - PANEL.top - PANEL.bottom);
  const lines = [];
  for (let y = lowest; y <= highest * 1.01; y *= 10) {
    const at = up(y).toFixed(1);
    lines.push(
      `<path class="grid" d="M${x0 + PANEL.left} ${at}H${x0 + PANEL.width - PANEL.right}"/>`,
      `<text class="y" x="${x0 + PANEL.left - 6}" y="${(up(y) + 3.5).toFixed(1)}">${count(y)} ns</text>`,
    );
  }
  const ends = points.map(({ x }, k) => {
    const at = across(xs[k]).toFixed(1);
    return `<text class="x" x="${at}" y="${y0 + PANEL.height - PANEL.bottom + 15}">${count(x)}</text>`;
  });
  const path = points
    .map(({ nsPerPacket }, k) => `${across(xs[k]).toFixed(1)} ${up(nsPerPacket).toFixed(1)}`)
    .join('L');
  const dots = points.map(
    ({ nsPerPacket }, k) =>
      `<circle cx="${across(xs[k]).toFixed(1)}" cy="${up(nsPerPacket).toFixed(1)}" r="2.5"/>`,
  );
  const title = `<text class="title" x="${x0 + PANEL.left}" y="${y0 + 14}">${axis}</text>`;
  const sub = `<text class="sub" x="${x0 + PANEL.left}" y="${y0 + 27}">${what}</text>`;
  return [title, sub, ...lines, ...ends, `<path class="line" d="M${path}"/>`, ...dots].join('\n');
}

const [width, height] = [COLUMNS * PANEL.width, rows * PANEL.height];
writeFileSync(
  'docs/performance.svg',
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="CPU time a packet as packets, flows, next hops, events and draws grow">
<style>
svg { font: 11px sans-serif; background: #fff }
text { fill: #333 }
.title { font-weight: bold }
.sub { fill: #666; font-size: 10px }
.x { text-anchor: middle; font-size: 9px }
.y { text-anchor: end; font-size: 9px }
.grid { stroke: #ddd }
.line { stroke: #1565c0; stroke-width: 1.5; fill: none }
circle { fill: #1565c0 }
</style>
${growth.map(panel).join('\n')}
</svg>
`,
);
