/** `flowfate explain <capture>`: the post-mortem of the capture itself. */
import { type Command, Option } from 'commander';
import type { Address } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import { Connection } from '../explain/connection.js';
import { SERVER_ADDRESS } from '../explain/connection-table.js';
import { Explanation } from '../explain/explain.js';
import { type ExplainLevel, type ReadConnections, readConnections } from '../explain/read-connections.js';
import type { RouteEvidence } from '../explain/route-evidence.js';
import { captureRecord } from '../verdict/capture-record.js';
import type { DeclareCommand } from './declare-command.js';
import type { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { writeOutput } from './output.js';
import { Progress } from './progress.js';
import { readWithProgress, statusOfDamage, warn } from './read-input.js';
import { addScenarioOptions, originOf, type ScenarioOptions, statedScenario } from './scenario-input.js';
import { columnsFor, paletteFor } from './view.js';

interface ExplainOptions extends ScenarioOptions {
  readonly format: 'text' | 'json' | 'ndjson';
  readonly level: ExplainLevel;
  readonly bgpFromCapture?: true;
  readonly mrt?: string;
  readonly out?: string;
  readonly utc?: true;
  readonly color?: boolean;
}

const EXAMPLES = `
Unlike replay this looks at answers: resets, silence, ICMP errors, and what neighbours did at that moment. Each
connection gets a finding with its confidence, the alternatives, and the evidence for and against. A re-hash is found
only where something shows it: a change of routes (scenario, BGP, MRT) that moved just the connections that broke, or
another next hop in the capture. Without that, "unknown-connection" has it among its alternatives.

Examples:
  flowfate explain incident.pcap.gz
  flowfate explain incident.pcap.gz --scenario what-was-done.yaml
  flowfate explain both.pcap --bgp-from-capture          route changes from the BGP sessions in the capture
  flowfate explain mirror.pcap --level inner             a copy of a port in ERSPAN or VXLAN (auto finds it, too)
  flowfate explain incident.pcap.gz --format ndjson | jq 'select(.finding=="unknown-connection")'`;

export const repeatable = ['--scenario', '--cluster', '--router-state', '--event'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command.argument('<capture>', 'pcap or pcapng, gzipped or not; - is standard input');
  addScenarioOptions(command)
    .addOption(
      new Option(
        '--level <level>',
        'the IP header that keys a packet; auto: the inside where only that is traffic',
      )
        .choices(['outer', 'inner', 'auto'])
        .default('auto'),
    )
    .option('--bgp-from-capture', 'the BGP sessions inside the capture say when routes changed')
    .option('--mrt <file>', 'an MRT dump (plain, .gz, .bz2) says when routes changed')
    .addOption(
      new Option('--format <format>', 'how to print').choices(['text', 'json', 'ndjson']).default('text'),
    )
    .option('--utc', 'wall-clock time beside seconds since t = 0')
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (capture: string, options: ExplainOptions) => {
      done(await explainCapture(capture, options, io));
    });
};

async function explainCapture(capture: string, options: ExplainOptions, io: Io): Promise<ExitStatus> {
  checkOptions(capture, options);
  const scenario = await statedScenario(options, io);
  for (const note of scenario?.notes ?? []) warn(io, note);
  const read = readAll(capture, options.level, io);
  const { originS, routes } = await routesFor(capture, options, scenario?.model ?? null, read, io);
  const explanation = new Explanation(read, { originNs: originS * 1e9, routes });
  const inputs = [
    capture,
    ...options.scenario,
    ...options.cluster,
    ...(options.mrt === undefined ? [] : [options.mrt]),
  ];
  const t0 = Number((read.summary.baseNs + BigInt(Math.round(originS * 1e9))) / 1000n) / 1e6;
  if (options.format === 'text') {
    const { writeExplainText } = await import('../report/explain-text.js');
    writeOutput(options.out, io, inputs, ({ write }) => {
      const columns = columnsFor(io, options.out);
      writeExplainText(explanation, write, {
        file: capture,
        palette: paletteFor(io, options, options.out),
        columns,
        t0: options.utc === true ? t0 : null,
      });
    });
  } else {
    const { writeExplainJson, writeExplainNdjson } = await import('../report/explain-records.js');
    const writeRecords = options.format === 'json' ? writeExplainJson : writeExplainNdjson;
    writeOutput(options.out, io, inputs, ({ writeBytes }) =>
      writeRecords({ ...captureRecord(read, null, explanation.gaps), t0 }, explanation, writeBytes),
    );
  }
  return statusOfDamage(read, io);
}

function checkOptions(
  capture: string,
  { scenario, cluster, event, bgpFromCapture, mrt }: ExplainOptions,
): void {
  if (bgpFromCapture === true && mrt !== undefined) {
    throw new FlowfateError('usage', '--bgp-from-capture and --mrt both say what the routes are; give one');
  }
  const again =
    scenario.length + cluster.length > 0
      ? '--scenario'
      : bgpFromCapture === true
        ? '--bgp-from-capture'
        : null;
  if (capture === '-' && again !== null) {
    throw new FlowfateError('usage', `${again} reads the capture twice; save it to a file first`);
  }
  if (event.length > 0 && scenario.length + cluster.length === 0) {
    throw new FlowfateError('usage', '--event belongs to a scenario: give one with --scenario or --cluster');
  }
}

function readAll(capture: string, level: ExplainLevel, io: Io): ReadConnections {
  const progress = new Progress(io, 'reading');
  try {
    const read = readConnections(capture, {
      level,
      onProgress: ({ doneBytes, totalBytes, packets }) => progress.update(doneBytes, totalBytes, packets),
    });
    progress.done();
    for (const warning of read.summary.warnings) warn(io, warning);
    return read;
  } finally {
    progress.done();
  }
}

/** What is known of route changes, and where t = 0 is. */
async function routesFor(
  capture: string,
  { bgpFromCapture, mrt }: ExplainOptions,
  model: ClusterModel | null,
  read: ReadConnections,
  io: Io,
): Promise<{ originS: number; routes: RouteEvidence | null }> {
  const fromBgp = bgpFromCapture === true || mrt !== undefined;
  if (model === null && !fromBgp) return { originS: 0, routes: null };
  const { changesFromCapture, changesFromMrt, routesOfScenario } = await import('./explain-routes.js');
  if (model === null) {
    const servers = serversOf(read);
    const baseS = Number(read.summary.baseNs) / 1e9;
    const routes =
      mrt === undefined ? changesFromCapture(capture, servers) : changesFromMrt(mrt, baseS, servers);
    return { originS: 0, routes };
  }
  const { LAYER_INSIDE } = await import('../explain/connection-table.js');
  const index = readWithProgress(capture, io, { level: read.layer === LAYER_INSIDE ? 'inner' : 'outer' });
  let whole = model;
  if (fromBgp) {
    const { routesFromCapture, routesFromMrt } = await import('./bgp-routes.js');
    const found =
      mrt === undefined ? routesFromCapture(capture, index, model) : routesFromMrt(mrt, index, model);
    for (const note of found.notes) warn(io, note);
    whole = found.model;
  }
  const originS = originOf(whole, index);
  return { originS, routes: routesOfScenario(index, whole, originS) };
}

/** A prefix that covers none of so many servers is another network's. */
const MOST_SERVERS = 1000;

function serversOf({ table }: ReadConnections): Address[] {
  const connection = new Connection(table);
  const servers = new Map<number | string, Address>();
  for (let row = 0; row < table.count && servers.size < MOST_SERVERS; row++) {
    connection.moveTo(row);
    if (!servers.has(connection.serverKey))
      servers.set(connection.serverKey, connection.address(SERVER_ADDRESS));
  }
  return [...servers.values()];
}
