/** The ground truth beside the shared captures (their README says what is counted), as comparable lines. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { formatAddress, parseAddress } from '../../src/addr/address.js';
import {
  type CaptureIndex,
  FLOW_FIN_IN,
  FLOW_FIN_OUT,
  FLOW_RST_IN,
  FLOW_RST_OUT,
  FLOW_SYN_IN,
  FLOW_SYN_OUT,
  FLOW_SYNACK_IN,
  FLOW_SYNACK_OUT,
} from '../../src/flow/flow-columns.js';
import { flowAddress } from '../../src/flow/flow-rows.js';
import { hasShared, sharedPath } from './shared.js';

export interface SharedCapture {
  readonly name: string;
  readonly path: string;
  readonly truth: string;
}

export function sharedCaptures(): SharedCapture[] {
  if (!hasShared) return [];
  return ['ours', 'third-party'].flatMap((set) => {
    const folder = sharedPath('captures', set);
    return readdirSync(folder)
      .filter((name) => existsSync(`${folder}/truth/${name}.flows.tsv`))
      .map((name) => ({ name, path: `${folder}/${name}`, truth: `${folder}/truth/${name}` }));
  });
}

/** Files whose times cannot be compared, with the reason. Everything else in them is. */
export const TIMES_NOT_COMPARED: Readonly<Record<string, string>> = {
  'pcapng-be-advanced-102.pcapng': 'tshark leaves the time of Simple Packet Blocks empty',
  'pcapng-le-spb-010.pcapng': 'tshark leaves the time of Simple Packet Blocks empty',
  'pcapng-comments-cut.pcapng':
    'half of the packets lie 584,542 years after 1970; their distance has 22 bits less',
  'vlan-mpls-mixed.pcap': 'its packets are years apart: a double of nanoseconds then steps by 8 and 16',
  'tcp-download-750flows.pcap':
    'its microseconds run beyond a second; tshark overflows and prints negative times, libpcap and we carry',
};

/**
 * Flows on which tshark is wrong, by the beginning of their line, with what is right.
 *
 * ipv6-mobility-dstopts, packet 1: an option in a destination options header claims 144 octets of the header's 24.
 * tshark gives up; but the header's own length is sound, and Linux (flow dissector) goes by it to the UDP header,
 * which is whole and the same as in packet 3.
 */
const CORRECTED: Readonly<Record<string, readonly [from: string, to: string]>> = {
  'ipv6-mobility-dstopts.pcap': ['1/90 0/0 1621287728000000000', '2/180 0/0 1621287726000000000'],
};

const nanoseconds = (ts: string): string => ts.replace('.', '').replace(/^0+(?=\d)/, '');
const present = (count: string | undefined): number => (Number(count) > 0 ? 1 : 0);
const address = (text: string): string => formatAddress(parseAddress(text)!);

/**
 * The flows of the truth, a line each, in order of appearance. Files without a tunnel state one level, which is
 * both.
 */
export function truthFlows(capture: SharedCapture, level: 'outer' | 'inner'): string[] {
  const [head, ...lines] = readFileSync(`${capture.truth}.flows.tsv`, 'utf8').trimEnd().split('\n');
  const names = head!.split('\t');
  const rows = lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(names.map((name, i) => [name, cells[i]!]));
  });
  const [wrong, right] = CORRECTED[capture.name] ?? ['', ''];
  const stated = hasTunnels(capture) ? level : 'outer';
  return rows
    .filter((row) => row.level === stated)
    .map((row) =>
      [
        row.proto,
        `${address(row.a_addr!)} ${row.a_port} > ${address(row.b_addr!)} ${row.b_port}`,
        `${row.pkts_ab}/${row.bytes_ab} ${row.pkts_ba}/${row.bytes_ba}`,
        `${nanoseconds(row.first_ts!)}..${nanoseconds(row.last_ts!)}`,
        `syn${present(row.syn)} synack${present(row.synack)} fin${present(row.fin)} rst${present(row.rst)}`,
      ]
        .join(' ')
        .replace(wrong, right),
    );
}

/** The lines without their times. */
export function withoutTimes(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/-?\d*\.\.-?\d*/, '-'));
}

export function hasTunnels(capture: SharedCapture): boolean {
  return (truthTotals(capture).counts.packets_with_tunnel ?? 0) > 0;
}

export interface TruthTotals {
  readonly packets: number;
  readonly wire_bytes: number;
  readonly duration_s: string;
  readonly well_formed: boolean;
  readonly counts: Record<string, number>;
  readonly by_outer_ip_proto: Record<string, [number, number]>;
}

export function truthTotals(capture: SharedCapture): TruthTotals {
  return JSON.parse(readFileSync(`${capture.truth}.json`, 'utf8')) as TruthTotals;
}

/** The same lines from an index. */
export function indexFlows({ summary, flows }: CaptureIndex): string[] {
  return Array.from({ length: flows.count }, (_, f) => {
    const mark = (bits: number): number => ((flows.marks[f]! & bits) !== 0 ? 1 : 0);
    const at = (ns: number): string => String(summary.baseNs + BigInt(ns));
    const a = `${formatAddress(flowAddress(flows, f, 'a'))} ${flows.aPort[f]}`;
    const b = `${formatAddress(flowAddress(flows, f, 'b'))} ${flows.bPort[f]}`;
    return [
      flows.proto[f],
      `${a} > ${b}`,
      `${flows.packetsOut[f]}/${flows.bytesOut[f]} ${flows.packetsIn[f]}/${flows.bytesIn[f]}`,
      `${at(flows.firstNs[f]!)}..${at(flows.lastNs[f]!)}`,
      `syn${mark(FLOW_SYN_OUT | FLOW_SYN_IN)} synack${mark(FLOW_SYNACK_OUT | FLOW_SYNACK_IN)} ` +
        `fin${mark(FLOW_FIN_OUT | FLOW_FIN_IN)} rst${mark(FLOW_RST_OUT | FLOW_RST_IN)}`,
    ].join(' ');
  });
}
