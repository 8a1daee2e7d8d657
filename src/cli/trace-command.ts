/** `flowfate trace`: the walk of packets through a node's real rules. */
import { type Command, Option } from 'commander';
import { formatAddress } from '../addr/address.js';
import { FlowfateError } from '../errors.js';
import type { Node } from '../netfilter/node.js';
import type { PacketFields } from '../netfilter/packet.js';
import { arrivalInterface, type Outcome, type Trace, tracePacket } from '../netfilter/trace.js';
import { BufferedSink } from '../report/sink.js';
import { capturedPacket } from './captured-packet.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { loadNode, parseNodeStates } from './node-state-option.js';
import { parseWhole } from './option-values.js';
import { writeOutput } from './output.js';
import { parsePacketLine } from './packet-lines.js';
import { warn } from './read-input.js';
import { readLines } from './read-lines.js';
import { protocolText, traceText } from './trace-text.js';

interface TraceOptions {
  readonly node?: string;
  readonly nodeState?: readonly string[];
  readonly iif?: string;
  readonly flags?: string;
  readonly length?: string;
  readonly icmpType?: string;
  readonly mark?: string;
  readonly capture?: string;
  readonly packet?: number;
  readonly level: 'outer' | 'inner' | 'auto';
  readonly format: 'text' | 'json' | 'ndjson';
  readonly out?: string;
}

const EXAMPLES = `
A packet is \`proto src sport dst dport\`, then any of iif=, flags=, length= (octets of the IP packet), icmp-type=, ttl=,
tos=, mark=. Lines on \`-\` pass one after the other: a later one finds the connections of those before it. A packet
without an interface came in by the one that leads back to its source; one from the node's own address leaves the node.
Without flags, TCP is a SYN.

What decides by a draw has a probability. What is not understood is \`unknown\` and named.

Examples:
  flowfate trace tcp 198.51.100.7 40000 203.0.113.10 80 --node n1 --node-state n1=iptables.txt --node-state n1=addr.json
  flowfate trace - --node n1 --node-state n1=n1.tgz --format ndjson < packets.txt
  flowfate trace --capture web.pcap.gz --packet 17 --node n1 --node-state n1=ruleset.json --iif eth0`;

export const repeatable = ['--node-state'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .argument('[packet...]', 'proto src sport dst dport, or - for such lines on standard input')
    .option('--node <name>', 'the node; may be left out where only one has state')
    .option(
      '--node-state <node=file...>',
      'iptables-save, nft -j list ruleset, ipset save, ipvsadm -Sn, conntrack -L, ip -j addr, ip -j route, ip -j rule; files, folders, archives',
    )
    .option('--iif <name>', 'the interface it comes in by')
    .option('--flags <names>', 'TCP flags: SYN, SYN,ACK, …')
    .option('--length <octets>', 'octets of the IP packet')
    .option('--icmp-type <n>', 'ICMP type')
    .option('--mark <n>', 'mark that the packet has when it comes in')
    .option('--capture <file>', 'a packet of a capture instead')
    .option('--packet <n>', 'which one, from 1', parseWhole('--packet', 1))
    .addOption(
      new Option(
        '--level <level>',
        'of a packet of a capture: its outermost IP header or its innermost; auto: the innermost of a mirror’s copy',
      )
        .choices(['outer', 'inner', 'auto'])
        .default('auto'),
    )
    .addOption(
      new Option('--format <format>', 'how to print').choices(['text', 'json', 'ndjson']).default('text'),
    )
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (words: string[], options: TraceOptions) => {
      const states = parseNodeStates(options.nodeState ?? []);
      const name = options.node ?? (states.size === 1 ? [...states.keys()][0]! : null);
      if (name === null)
        throw new FlowfateError(
          'usage',
          'trace needs --node, the name of a node that --node-state describes',
        );
      const paths = states.get(name);
      if (paths === undefined) {
        throw new FlowfateError(
          'usage',
          `no --node-state describes ${name}; write --node-state ${name}=file`,
        );
      }
      const node = await loadNode(name, paths, io.stdin);
      writeOutput(options.out, io, paths, ({ write }) => {
        const out = new BufferedSink(write);
        try {
          traceAll(node, words, options, io, out);
        } finally {
          out.flush();
        }
      });
      done(ExitStatus.done);
    });
};

function traceAll(
  node: Node,
  words: readonly string[],
  options: TraceOptions,
  io: Io,
  out: BufferedSink,
): void {
  let first = true;
  for (const given of packetsOf(node, words, options, io)) {
    const fields = given.iif === null ? { ...given, iif: arrivalInterface(node, given) } : given;
    const trace = tracePacket(node, fields, true);
    if (options.format === 'text') out.write(`${first ? '' : '\n'}${traceText(node, fields, trace)}`);
    else {
      const indent = options.format === 'json' ? 2 : undefined;
      out.write(`${JSON.stringify(traceJson(node, fields, trace), null, indent)}\n`);
    }
    first = false;
  }
}

/** Auto: a packet in a tunnel that does not end at the node is the copy that a mirror made of another. */
function packetAtLevel(
  node: Node,
  capture: string,
  number: number,
  { level, iif }: Pick<TraceOptions, 'level' | 'iif'>,
  io: Io,
): PacketFields {
  const { fields, isTunnel } = capturedPacket(
    capture,
    number,
    iif ?? null,
    level === 'inner' ? 'inner' : 'outer',
  );
  const isCopy = isTunnel && node.hasAddresses && !node.routes.isLocalAddress(fields.dst);
  if (level !== 'auto' || !isCopy) return fields;
  warn(io, `packet ${number} is a copy in a tunnel: the packet inside is traced (--level outer: the tunnel)`);
  return capturedPacket(capture, number, iif ?? null, 'inner').fields;
}

function* packetsOf(
  node: Node,
  words: readonly string[],
  options: TraceOptions,
  io: Io,
): Iterable<PacketFields> {
  const defaults = {
    ...(options.iif === undefined ? {} : { iif: options.iif }),
    ...(options.flags === undefined ? {} : { flags: options.flags }),
    ...(options.length === undefined ? {} : { length: options.length }),
    ...(options.icmpType === undefined ? {} : { 'icmp-type': options.icmpType }),
    ...(options.mark === undefined ? {} : { mark: options.mark }),
  };
  if (options.capture !== undefined) {
    if (words.length > 0)
      throw new FlowfateError('usage', 'trace takes either a packet or --capture with --packet');
    if (options.packet === undefined)
      throw new FlowfateError('usage', '--capture needs --packet, the number of a packet in it');
    yield packetAtLevel(node, options.capture, options.packet, options, io);
    return;
  }
  if (words.length === 0) {
    throw new FlowfateError(
      'usage',
      'trace needs a packet: proto src sport dst dport, or - for lines on standard input, or --capture with --packet',
    );
  }
  if (words.length === 1 && words[0] === '-') {
    let line = 0;
    for (const text of readLines('-', io)) {
      const packet = parsePacketLine(text, 'standard input', ++line, defaults);
      if (packet !== null) yield packet;
    }
    return;
  }
  const packet = parsePacketLine(words.join(' '), 'the packet', 1, defaults);
  if (packet === null) throw new FlowfateError('usage', 'the packet is empty');
  yield packet;
}

/** The shape that the contract fixes, and what the answer rests on. */
function traceJson(node: Node, fields: PacketFields, trace: Trace): object {
  return {
    node: node.name,
    in: {
      iif: fields.iif,
      proto: protocolText(fields.proto),
      src: formatAddress(fields.src),
      srcPort: fields.srcPort,
      dst: formatAddress(fields.dst),
      dstPort: fields.dstPort,
    },
    outcomes: trace.outcomes.map(outcomeJson),
    steps: trace.steps,
    assumed: trace.assumed,
    unread: node.unread,
  };
}

function outcomeJson({ out, ...outcome }: Outcome): object {
  if (out === null) return { ...outcome, out: null };
  const { oif, proto, ...tuple } = out;
  return { ...outcome, out: { oif, proto: protocolText(proto), ...tuple } };
}
