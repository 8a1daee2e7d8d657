/** `flowfate hash --hash ipvs-sh|ipvs-mh`: which real server a node's IPVS gives each client. */
import { type Address, formatAddress, parseAddress } from '../addr/address.js';
import { FlowfateError } from '../errors.js';
import { protocolName } from '../flow/flow-rows.js';
import { LAYER_SRC } from '../flow/ip-layer.js';
import { walkPackets } from '../flow/walk-packets.js';
import { BufferedSink } from '../report/sink.js';
import { IpvsSourceTable, ipvsFold } from '../route/ipvs-source-table.js';
import { addressText } from './address-text.js';
import type { Io } from './io.js';
import { writeOutput } from './output.js';
import { readLines } from './read-lines.js';
import { parseTupleLine } from './tuple-lines.js';

export const IPVS_HASHES = ['ipvs-sh', 'ipvs-mh'] as const;
export type IpvsHashName = (typeof IPVS_HASHES)[number];

export function isIpvsHash(name: string): name is IpvsHashName {
  return IPVS_HASHES.includes(name as IpvsHashName);
}

interface IpvsHashOptions {
  readonly hash: IpvsHashName;
  readonly withPort?: true;
  readonly nextHops?: string;
  readonly capture?: string;
  readonly table?: true;
  readonly format: 'text' | 'ndjson';
  readonly out?: string;
}

interface RealServer {
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  readonly weight: number;
}

/** ip_vs keeps a weight in 32 bits; more than this is a slip of the keyboard. */
const MAX_WEIGHT = 65535;

export function printIpvsHashes(options: IpvsHashOptions, tuples: string | undefined, io: Io): void {
  if (options.nextHops === undefined) {
    throw new FlowfateError(
      'usage',
      `--hash ${options.hash} needs --next-hops, the real servers in the order in which they were added`,
    );
  }
  const servers = parseRealServers(options.nextHops);
  const table = new IpvsSourceTable(
    options.hash === 'ipvs-sh' ? 'sh' : 'mh',
    servers.map(({ address, port, weight }) => ({ fold: ipvsFold(address), port, weight })),
  );
  const inputs = [tuples, options.capture].filter((path) => path !== undefined);
  writeOutput(options.out, io, inputs, ({ write }) => {
    const out = new BufferedSink(write);
    const rows = new Rows(options, table, servers, out);
    try {
      if (options.table === true) rows.writeTable();
      else if (options.capture !== undefined) hashCapture(options.capture, rows);
      else hashLines(inputs[0]!, io, rows);
    } finally {
      // what came before a bad line has been worked out and is not lost
      out.flush();
    }
  });
}

/** `10.244.1.11:8080*w,[fd00::1]:8080`: addresses with the port that real servers listen on. */
function parseRealServers(text: string): RealServer[] {
  return text.split(',').map((part) => {
    const [, bracketed, plain, port, weight] =
      /^\s*(?:\[([^\]]+)\]|([^\s:*]+)):(\d{1,5})\s*(?:\*\s*(\d{1,6}))?\s*$/.exec(part) ?? [];
    const address = parseAddress(bracketed ?? plain ?? '');
    if (address === null || Number(port) > 65535 || Number(weight ?? 1) > MAX_WEIGHT) {
      throw new FlowfateError(
        'usage',
        `--next-hops: "${part}" is no real server; write address:port, an IPv6 address in brackets, with weights up to ${MAX_WEIGHT}: 10.244.1.11:8080,10.244.2.12:8080*2`,
      );
    }
    const name = `${address.family === 6 ? `[${formatAddress(address)}]` : formatAddress(address)}:${Number(port)}`;
    return { name, address, port: Number(port), weight: Number(weight ?? 1) };
  });
}

function hashLines(path: string, io: Io, rows: Rows): void {
  let line = 0;
  rows.writeTitles(false);
  for (const text of readLines(path, io)) {
    const tuple = parseTupleLine(text, path, ++line);
    if (tuple === null) continue;
    const { src, dst, proto, srcPort, dstPort } = tuple;
    rows.write(null, proto, formatAddress(src), srcPort, formatAddress(dst), dstPort, ipvsFold(src));
  }
}

function hashCapture(path: string, rows: Rows): void {
  rows.writeTitles(true);
  walkPackets(path, 'outer', ({ number, decoder }) => {
    if (decoder.layers === 0) return;
    const { words, proto, srcPort, dstPort, family } = decoder.outer;
    const fold = (words[0]! ^ words[1]! ^ words[2]! ^ words[3]!) >>> 0;
    const text = (at: number): string => addressText(words, at, family);
    rows.write(number, proto, text(LAYER_SRC), srcPort, text(LAYER_SRC + 4), dstPort, fold);
  });
}

class Rows {
  constructor(
    private readonly options: IpvsHashOptions,
    private readonly table: IpvsSourceTable,
    private readonly servers: readonly RealServer[],
    private readonly out: BufferedSink,
  ) {}

  writeTitles(packets: boolean): void {
    if (this.options.format !== 'text') return;
    const titles = ['proto', 'src', 'srcPort', 'dst', 'dstPort', 'hash', 'bucket', 'nextHop'];
    this.out.write(`${[...(packets ? ['packet'] : []), ...titles].join('\t')}\n`);
  }

  write(
    packet: number | null,
    protocol: number,
    src: string,
    srcPort: number,
    dst: string,
    dstPort: number,
    fold: number,
  ): void {
    const port = this.options.withPort === true ? srcPort : 0;
    const proto = protocolName(protocol);
    const bucket = this.table.bucketOf(fold, port);
    const nextHop = this.servers[this.table.choose(fold, port)]?.name ?? null;
    // the hash is of no use beside its bucket: both schedulers keep nothing else of it
    const fields = { proto, src, srcPort, dst, dstPort, hash: bucket, bucket, nextHop };
    if (this.options.format === 'ndjson') {
      this.out.write(`${JSON.stringify(packet === null ? fields : { packet, ...fields })}\n`);
      return;
    }
    const cells = [proto, src, srcPort, dst, dstPort, bucket, bucket, nextHop ?? '-'];
    this.out.write(`${(packet === null ? cells : [packet, ...cells]).join('\t')}\n`);
  }

  writeTable(): void {
    const text = this.options.format === 'text';
    if (text) this.out.write('bucket\tnextHop\n');
    this.table.buckets.forEach((row, bucket) => {
      const nextHop = this.servers[row]?.name ?? null;
      this.out.write(text ? `${bucket}\t${nextHop ?? '-'}\n` : `${JSON.stringify({ bucket, nextHop })}\n`);
    });
  }
}
