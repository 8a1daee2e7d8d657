/**
 * `npm run bench [-- name…] [--json file]`: every case in turn through benny, with median, spread and rate; then whole
 * runs against a native program (`ratios`), how costs grow (`growth`), and where the floor is (`floors`). The machine is
 * on the first line. A name picks the cases that contain it, or one of these three.
 */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import benny from 'benny';
import type { BenchCase } from './bench-case.js';
import { bgpCases } from './bgp.bench.js';
import { captureCases } from './capture.bench.js';
import { conntrackCases } from './conntrack.bench.js';
import { measureFloors, printFloors } from './floors.js';
import { measureGrowth, printGrowth } from './growth.js';
import { hashCases } from './hash.bench.js';
import { measureRatios, printRatios } from './ratios.js';
import { replayCases } from './replay.bench.js';
import { ribCases } from './rib.bench.js';
import { routeCases } from './route.bench.js';

interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly nsPerUnit: number;
  readonly minNs: number;
  readonly spreadPercent: number;
  readonly perSecond: number;
}

const { values, positionals } = parseArgs({
  options: { json: { type: 'string' }, packets: { type: 'string', default: '1000000' } },
  allowPositionals: true,
});

const machine = `node ${process.version} ${process.arch}, ${cpus().length} x ${cpus()[0]?.model ?? 'cpu'}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
const all: readonly BenchCase[] = [
  ...hashCases,
  ...routeCases,
  ...conntrackCases,
  ...captureCases,
  ...bgpCases,
  ...ribCases,
  ...replayCases,
];
const chosen = all.filter(
  ({ name }) => positionals.length === 0 || positionals.some((p) => name.includes(p)),
);
const wants = (part: string): boolean => positionals.length === 0 || positionals.includes(part);
const [wantsRatios, wantsGrowth, wantsFloors] = ['ratios', 'growth', 'floors'].map(wants);
if (chosen.length === 0 && wantsRatios !== true && wantsGrowth !== true && wantsFloors !== true) {
  console.error(
    `flowfate bench: no case is named like ${positionals.join(', ')}; there are ${all.map((c) => c.name).join(', ')}, ratios, growth, floors`,
  );
  process.exit(2);
}

console.log(machine);
if (chosen.length > 0) {
  console.log(
    `${'case'.padEnd(34)}${'ns/unit'.padStart(10)}${'min'.padStart(10)}${'spread'.padStart(9)}${'M/s'.padStart(10)}  unit`,
  );
}
const figures: Figure[] = [];
for (const one of chosen) {
  const figure = await measure(one);
  figures.push(figure);
  const { name, nsPerUnit, minNs, spreadPercent, perSecond, unit } = figure;
  console.log(
    `${name.padEnd(34)}${nsPerUnit.toFixed(1).padStart(10)}${minNs.toFixed(1).padStart(10)}${`±${spreadPercent.toFixed(1)}%`.padStart(9)}${(perSecond / 1e6).toFixed(2).padStart(10)}  ${unit}`,
  );
}
const packets = Number(values.packets);
const size = { packets, flows: Math.ceil(packets / 25) };
const floors = wantsFloors === true ? measureFloors(size) : [];
printFloors(floors);
const ratios = wantsRatios === true ? measureRatios(size) : [];
if (ratios.length > 0) printRatios(ratios);
const growth = wantsGrowth === true ? measureGrowth() : [];
printGrowth(growth);
if (values.json !== undefined)
  writeFileSync(
    values.json,
    `${JSON.stringify({ machine, load: loadavg()[1], figures, size, floors, ratios, growth }, null, 2)}\n`,
  );

async function measure(one: BenchCase): Promise<Figure> {
  const { name, unit } = one;
  const body = one.setup();
  const { batch } = one;
  let sink: unknown;
  // benny announces its suites; the table here is what is wanted
  const { log } = console;
  console.log = () => {};
  const summary = await benny.suite(
    name,
    body() instanceof Promise
      ? benny.add(name, async () => {
          sink = await body();
        })
      : benny.add(name, () => {
          sink = body();
        }),
    benny.configure({ cases: { minSamples: 10, maxTime: 2 } }),
  );
  console.log = log;
  if (sink === summary) throw new Error('unreachable: keeps the body from being optimised away');
  const { median, min, relativeMarginOfError } = summary.results[0]!.details;
  return {
    name,
    unit: unit ?? 'packet',
    nsPerUnit: (median * 1e9) / batch,
    minNs: (min * 1e9) / batch,
    spreadPercent: relativeMarginOfError,
    perSecond: batch / median,
  };
}
