/** `flowfate hash`: the router's hash, bucket and next hop of five-tuples or of every packet of a capture. */
import { type Command, Option } from 'commander';
import { formatAddress } from '../addr/address.js';
import { FlowfateError } from '../errors.js';
import { protocolName } from '../flow/flow-rows.js';
import { type IpLayer, LAYER_DST, LAYER_SRC } from '../flow/ip-layer.js';
import { walkPackets } from '../flow/walk-packets.js';
import {
  createFlowHash,
  DEFAULT_FIELDS,
  FLOW_HASHES,
  type FlowHash,
  type FlowHashName,
  type FlowHashSettings,
} from '../hash/flow-hash.js';
import { isLinuxHash, linuxPacketHash } from '../hash/linux-dissect.js';
import { BufferedSink, type Sink } from '../report/sink.js';
import { createNextHopGroup, defaultBuckets } from '../route/create-group.js';
import { documentedRemark } from '../route/documented-resilient.js';
import { tableSizeOf } from '../route/maglev.js';
import { type NextHopGroup, SELECTS, type SelectName } from '../route/next-hop-group.js';
import { addressText } from './address-text.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { IPVS_HASHES, type IpvsHashName, isIpvsHash, printIpvsHashes } from './ipvs-hash.js';
import { type NamedNextHops, parseNextHops } from './next-hop-list.js';
import { parseUint32, parseWhole } from './option-values.js';
import { writeOutput } from './output.js';
import { readLines } from './read-lines.js';
import { parseTupleLine } from './tuple-lines.js';

interface HashOptions {
  readonly hash: FlowHashName | IpvsHashName;
  readonly withPort?: true;
  readonly seed: number;
  readonly fields: number;
  readonly select: SelectName;
  readonly buckets?: number;
  readonly nextHops?: string;
  readonly capture?: string;
  readonly table?: true;
  readonly format: 'text' | 'ndjson';
  readonly out?: string;
}

type RouterHashOptions = HashOptions & { readonly hash: FlowHashName };

const EXAMPLES = `
A line of tuples is \`proto src sport dst dport\`, with tabs or spaces between; # begins a comment. The hash is the
one that the selection uses: for Linux after its >> 1.

Examples:
  echo tcp 198.51.100.7 40000 203.0.113.10 80 | flowfate hash --hash linux-l4 --seed 1592639710 --next-hops n1,n2,n3 -
  flowfate hash --hash linux-custom --fields 0x37 --seed 0x5eedc0de --next-hops a,b,c*2 tuples.tsv
  flowfate hash --hash linux-l4 --seed 1 --next-hops n1,n2 --capture web.pcap.gz --format ndjson
  flowfate hash --hash ipvs-sh --next-hops 10.244.1.11:8080,10.244.2.12:8080*2 tuples.tsv
  flowfate hash --select resilient --buckets 12 --next-hops n1,n2,n3,n4 --table`;

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .argument('[tuples]', 'file of five-tuples; - is standard input')
    .addOption(
      new Option('--hash <name>', 'how the router hashes')
        .choices([...FLOW_HASHES, ...IPVS_HASHES])
        .default('linux-l4'),
    )
    .option('--seed <n>', 'seed of the hash, decimal or 0x hexadecimal', parseUint32('--seed'), 0)
    .option(
      '--fields <bits>',
      'fib_multipath_hash_fields, for linux-custom',
      parseUint32('--fields'),
      DEFAULT_FIELDS,
    )
    .addOption(
      new Option('--select <name>', 'how a next hop is chosen for a hash')
        .choices(SELECTS)
        .default('hash-threshold'),
    )
    .option(
      '--buckets <n>',
      'buckets of resilient (64), table size of maglev (16381; or cilium, katran), points of ring (160)',
      (text: string) => tableSizeOf(text) ?? parseWhole('--buckets', 1)(text),
    )
    .option('--next-hops <list>', 'in the order of the router’s table, with weights: a,b,c*2')
    .option('--with-port', 'ipvs-sh and ipvs-mh: hash the client’s port too (flags sh-port, mh-port)')
    .option('--capture <file>', 'hash every packet of a capture instead')
    .option('--table', 'print which next hop each bucket has, instead')
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'ndjson']).default('text'))
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action((tuples: string | undefined, options: HashOptions) => {
      const inputs = [tuples, options.capture].filter((path) => path !== undefined);
      if (options.table !== true && inputs.length !== 1) {
        throw new FlowfateError(
          'usage',
          'hash takes either a file of tuples (- is standard input) or --capture',
        );
      }
      const { hash: name } = options;
      if (isIpvsHash(name)) {
        printIpvsHashes({ ...options, hash: name }, tuples, io);
        done(ExitStatus.done);
        return;
      }
      if (options.withPort === true) {
        throw new FlowfateError('usage', '--with-port is for --hash ipvs-sh and ipvs-mh');
      }
      const settings: RouterHashOptions = { ...options, hash: name };
      const hash = createFlowHash(settings);
      const hops = options.nextHops === undefined ? null : hopsOf(options.nextHops, hash, settings);
      writeOutput(options.out, io, inputs, ({ write }) => {
        const out = new BufferedSink(write);
        if (options.table === true) writeTable(hops, settings, out.write);
        else if (options.capture !== undefined) hashCapture(options.capture, settings, hash, hops, out.write);
        else hashTuples(inputs[0]!, settings, hash, hops, io, out);
        out.flush();
      });
      done(ExitStatus.done);
    });
};

/** The group with the names of its next hops. */
interface Hops {
  readonly group: NextHopGroup;
  readonly names: NamedNextHops['names'];
}

function hopsOf(text: string, hash: FlowHash, options: RouterHashOptions): Hops {
  const { names, nextHops } = parseNextHops(text);
  const settings = {
    select: options.select,
    hashBits: hash.bits,
    buckets: options.buckets ?? defaultBuckets(options.select),
    idleTimerS: 120,
    unbalancedTimerS: 0,
    replace: 'in-place',
  } as const;
  try {
    return { group: createNextHopGroup(settings, nextHops, 0), names };
  } catch (error) {
    if (error instanceof RangeError)
      throw new FlowfateError('usage', `--select ${options.select}: ${error.message}`);
    throw error;
  }
}

function writeTable(hops: Hops | null, { select, format }: RouterHashOptions, write: Sink): void {
  if (hops === null) throw new FlowfateError('usage', '--table needs --next-hops');
  const table = hops.group.table();
  if (table === null) {
    throw new FlowfateError('usage', `--select ${select} has no table; resilient and maglev have one`);
  }
  const remark = documentedRemark(select);
  if (format === 'text') {
    if (remark !== null) write(`# ${select}: ${remark}\n`);
    write('bucket\tnextHop\n');
  }
  table.forEach((id, bucket) => {
    const nextHop = hops.names[id] ?? null;
    write(
      format === 'text'
        ? `${bucket}\t${nextHop ?? '-'}\n`
        : `${JSON.stringify({ bucket, nextHop, ...(remark === null ? {} : { asDocumented: true }) })}\n`,
    );
  });
}

function hashTuples(
  path: string,
  options: RouterHashOptions,
  hash: FlowHash,
  hops: Hops | null,
  io: Io,
  out: BufferedSink,
): void {
  const rows = new HashRows(options, hops, 'tuples', out.write);
  const words = new Uint32Array(8);
  let line = 0;
  try {
    for (const text of readLines(path, io)) {
      const tuple = parseTupleLine(text, path, ++line);
      if (tuple === null) continue;
      const { src, dst, proto, srcPort, dstPort } = tuple;
      words.set([src.w0, src.w1, src.w2, src.w3, dst.w0, dst.w1, dst.w2, dst.w3]);
      const value = hash.hashTuple(src.family, words, 0, 4, proto, srcPort, dstPort, 0);
      rows.write(null, proto, formatAddress(src), srcPort, formatAddress(dst), dstPort, value);
    }
  } catch (error) {
    // What came before the bad line has been worked out and is not lost.
    out.flush();
    throw error;
  }
}

function hashCapture(
  path: string,
  options: RouterHashOptions,
  hash: FlowHash,
  hops: Hops | null,
  write: Sink,
): void {
  const rows = new HashRows(options, hops, 'packets', write);
  walkPackets(path, 'outer', ({ number, view, decoder }) => {
    if (decoder.layers === 0) return;
    const { outer } = decoder;
    const value = packetHash(options, hash, view, outer);
    if (value < 0) return;
    const { words, proto, srcPort, dstPort } = outer;
    rows.write(
      number,
      proto,
      addressText(words, LAYER_SRC, outer.family),
      srcPort,
      addressText(words, LAYER_DST, outer.family),
      dstPort,
      value,
    );
  });
}

/** Linux's from the bytes as its flow dissector sees them; the others from the five-tuple, fragments without ports. */
function packetHash(settings: FlowHashSettings, hash: FlowHash, view: DataView, layer: IpLayer): number {
  if (isLinuxHash(settings.hash)) return linuxPacketHash(settings, view, layer.l3, layer.end);
  const { family, words, proto, srcPort, dstPort, isFragment, flowLabel } = layer;
  const ports = isFragment ? 0 : 1;
  return hash.hashTuple(
    family === 6 ? 6 : 4,
    words,
    LAYER_SRC,
    LAYER_DST,
    proto,
    srcPort * ports,
    dstPort * ports,
    flowLabel,
  );
}

/** Writes a row a hash, in either format. */
class HashRows {
  private readonly packets: boolean;

  constructor(
    private readonly options: RouterHashOptions,
    private readonly hops: Hops | null,
    of: 'tuples' | 'packets',
    private readonly sink: Sink,
  ) {
    this.packets = of === 'packets';
    if (options.format !== 'text') return;
    const titles = ['proto', 'src', 'srcPort', 'dst', 'dstPort', 'hash', 'bucket', 'nextHop'];
    sink(`${[...(this.packets ? ['packet'] : []), ...titles].join('\t')}\n`);
  }

  write(
    packet: number | null,
    protocol: number,
    src: string,
    srcPort: number,
    dst: string,
    dstPort: number,
    hash: number,
  ): void {
    const { hops } = this;
    const proto = protocolName(protocol);
    const at = hops === null ? -1 : hops.group.bucketOf(hash);
    const bucket = at < 0 ? null : at;
    const nextHop = hops === null ? null : (hops.names[hops.group.peek(hash)] ?? null);
    if (this.options.format === 'ndjson') {
      const fields = { proto, src, srcPort, dst, dstPort, hash, bucket, nextHop };
      this.sink(`${JSON.stringify(packet === null ? fields : { packet, ...fields })}\n`);
      return;
    }
    const cells = [proto, src, srcPort, dst, dstPort, hash, bucket ?? '-', nextHop ?? '-'];
    this.sink(`${(packet === null ? cells : [packet, ...cells]).join('\t')}\n`);
  }
}
