/** `flowfate forward <capture>`: the data plane itself, packets in and packets out. */
import { type Command, Option } from 'commander';
import { openByteSource } from '../capture/byte-source.js';
import { openCapture } from '../capture/capture-reader.js';
import { DataPlane, type PlaneCounters } from '../dataplane/data-plane.js';
import { type ForwardOutput, forwardCapture } from '../dataplane/forward-capture.js';
import { CLASS_NAMES, type ClassName } from '../dataplane/verdict-codes.js';
import { FlowfateError } from '../errors.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { type Output, openOutput } from './output.js';
import { Progress } from './progress.js';
import { warn } from './read-input.js';
import { hasRealRules } from './real-rules.js';
import { addScenarioOptions, type ScenarioOptions, statedScenario } from './scenario-input.js';

interface ForwardOptions extends ScenarioOptions {
  readonly out?: string;
  readonly format: 'pcapng' | 'pcap';
  readonly only?: string;
  readonly conntrack?: true;
  readonly summary: 'text' | 'json';
  readonly timing?: true;
}

const ALL_CLASSES = 7;

const EXAMPLES = `
Packets from clients are routed (TTL, flow hash, next hop) and translated to their endpoint; answers of the services
in the capture are shown as the endpoint sent them, so that the output is the same traffic as seen behind the nodes.
Answers that were captured behind the nodes are translated back. Everything else goes on unchanged. In pcapng every
hop is an interface, addresses have names, and a dropped packet has a comment that says where and why (Wireshark:
frame.comment). Not looked into: fragments, ICMP and other protocols than TCP and UDP, tunnels. Packets stand as the
endpoint's node sees them, outside of any overlay; MAC addresses stay.

Examples:
  flowfate forward web.pcap.gz --scenario withdraw-one.yaml --out behind.pcapng
  flowfate forward web.pcap --scenario s.yaml --out dropped.pcapng --only dropped
  flowfate forward web.pcap --scenario s.yaml --out - --format pcap --only n2 | tcpdump -nr -
  flowfate forward web.pcap --scenario s.yaml --conntrack            the tables as conntrack -L prints them
  flowfate forward web.pcap --scenario s.yaml --timing               packets a second, nothing written`;

export const repeatable = ['--scenario', '--cluster', '--event'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command.argument('<capture>', 'pcap or pcapng, gzipped or not; - is standard input');
  addScenarioOptions(command)
    .option('--out <file>', 'where the packets go; - is standard output; without it they are counted only')
    .addOption(
      new Option('--format <format>', 'what is written').choices(['pcapng', 'pcap']).default('pcapng'),
    )
    .option('--only <what>', 'write only: translated, dropped, unchanged, router, or the name of a node')
    .option('--conntrack', "print the nodes' connection tracking tables at the end")
    .addOption(
      new Option('--summary <format>', 'how the counters are printed')
        .choices(['text', 'json'])
        .default('text'),
    )
    .option('--timing', 'packets a second, on standard error')
    .addHelpText('after', EXAMPLES)
    .action(async (capture: string, options: ForwardOptions) => {
      done(await forward(capture, options, io));
    });
};

async function forward(capture: string, options: ForwardOptions, io: Io): Promise<ExitStatus> {
  const scenario = await statedScenario(options, io);
  if (scenario === null) {
    throw new FlowfateError(
      'usage',
      'forward needs to know the cluster: give --scenario or --cluster (replay --print-scenario makes one to start from)',
    );
  }
  if (hasRealRules(scenario.model)) {
    throw new FlowfateError(
      'usage',
      'forward sends packets through modelled nodes; leave out --node-state and rulesBecome (replay takes both)',
    );
  }
  for (const note of scenario.notes) warn(io, note);
  const plane = new DataPlane(scenario.model);
  const filter = filterOf(options.only, plane.hops);
  const source = openByteSource(capture);
  const reader = openCapture(source, { buffer: plane.batch.bytes });
  const progress = new Progress(io, 'forwarding');
  const startMs = performance.now();
  let output: Output | null = null;
  try {
    output = options.out === undefined ? null : openOutput(options.out, io, inputsOf(capture, options));
    const file: ForwardOutput | null = output && {
      format: options.format,
      write: output.writeBytes,
      ...filter,
      comment: `scenario ${scenario.model.name}, seed ${scenario.model.seed}`,
    };
    forwardCapture(reader, plane, file, (packets) => {
      progress.update(source.positionBytes, source.sizeBytes, packets);
    });
  } catch (error) {
    output?.abandon();
    throw error;
  } finally {
    progress.done();
    reader.close();
  }
  output?.finish();
  const wallS = (performance.now() - startMs) / 1000;
  for (const warning of reader.warnings) warn(io, warning);
  const counters = plane.counters();
  if (counters.packets > 0 && counters.packets === counters.unchanged) {
    warn(
      io,
      'no packet is for a service of the scenario; forward does not look into tunnels and mirrors, replay --level inner does',
    );
  }
  if (options.timing === true) io.err(`${timingSentence(counters, wallS)}\n`);
  const toStdout = options.out === '-';
  const write = toStdout ? (text: string): void => io.err(text) : (text: string): void => io.out(text);
  write(options.summary === 'json' ? `${JSON.stringify(counters)}\n` : textOf(counters));
  if (options.conntrack === true) for (const line of plane.dump()) write(`${line}\n`);
  if (reader.damage === null) return ExitStatus.done;
  warn(io, `${reader.damage.message}; what came before it was forwarded`);
  return ExitStatus.input;
}

/** What --only names: a class of packets, or a hop. */
function filterOf(only: string | undefined, hops: readonly string[]): { classes: number; hop: number } {
  if (only === undefined) return { classes: ALL_CLASSES, hop: -1 };
  const kind = CLASS_NAMES.indexOf(only as ClassName);
  if (kind >= 0) return { classes: 1 << kind, hop: -1 };
  const hop = hops.indexOf(only);
  if (hop >= 0) return { classes: ALL_CLASSES, hop };
  throw new FlowfateError(
    'usage',
    `--only ${only}: it takes ${CLASS_NAMES.join(', ')}, or a hop: ${hops.slice(0, 8).join(', ')}${hops.length > 8 ? ', …' : ''}`,
  );
}

function inputsOf(capture: string, options: ForwardOptions): string[] {
  return [capture, ...options.scenario, ...options.cluster];
}

function timingSentence({ packets }: PlaneCounters, wallS: number): string {
  const rate = Math.round(packets / wallS).toLocaleString('en');
  return `flowfate: ${packets.toLocaleString('en')} packets in ${wallS.toFixed(3)} s, ${rate} packets/s`;
}

function textOf({ packets, unchanged, translated, dropped, perNode, byReason }: PlaneCounters): string {
  const count = (n: number): string => n.toLocaleString('en').padStart(13);
  const lines = [
    `${count(packets)} packets`,
    `${count(translated)} translated`,
    ...perNode.map(
      ({ node, packets: n, bytes }) => `${count(n)}   by ${node} (${bytes.toLocaleString('en')} octets)`,
    ),
    `${count(unchanged)} not for a service, or not looked into: unchanged`,
    `${count(dropped)} dropped`,
    ...Object.entries(byReason).map(([reason, n]) => `${count(n)}   ${reason}`),
  ];
  return `${lines.join('\n')}\n`;
}
