/**
 * `flowfate flows --summary`: how many flows of which protocol and family, what carries the most bytes, and what
 * the decoder did not understand. One pass over the columns; only the rows it shows become objects.
 */
import type { CaptureIndex, FlowColumns } from '../flow/flow-columns.js';
import { tallyServers } from '../flow/server-tally.js';
import type { FlowRow } from '../verdict/verdict.js';
import { addressPort, bytes, counted, duration, utc } from './figures.js';
import type { FlowRowMaker } from './flow-list.js';
import type { Sink } from './sink.js';
import { type Palette, padEnd, padStart, printable } from './terminal.js';

interface FlowTotals {
  readonly proto: string | number;
  readonly family: 4 | 6;
  readonly flows: number;
  readonly packets: number;
  readonly bytes: number;
}

interface TalkerRow {
  readonly flow: FlowRow;
  readonly packets: number;
  readonly bytes: number;
}

interface ServerRow {
  readonly proto: string | number;
  readonly address: string;
  readonly port: number;
  readonly flows: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface FlowSummary {
  readonly flows: number;
  /** packets that belong to a flow */
  readonly packetsInFlows: number;
  readonly byProtocol: readonly FlowTotals[];
  readonly servers: number;
  readonly busiestServers: readonly ServerRow[];
  readonly busiestFlows: readonly TalkerRow[];
}

const SHOWN = 8;

export function summariseFlows(flows: FlowColumns, rowOf: FlowRowMaker): FlowSummary {
  const byProtocol = totals(flows, rowOf);
  const { servers, busiest } = tallyServers(flows, SHOWN);
  return {
    flows: flows.count,
    packetsInFlows: byProtocol.reduce((sum, { packets }) => sum + packets, 0),
    byProtocol,
    servers,
    busiestServers: busiest.map((tally) => {
      const row = rowOf(tally.flow);
      return {
        proto: row.proto,
        address: row.dst,
        port: row.dstPort,
        flows: tally.flows,
        packets: tally.packets,
        bytes: tally.bytes,
      };
    }),
    busiestFlows: busiestFlows(flows).map((f) => ({
      flow: rowOf(f),
      packets: flows.packetsOut[f]! + flows.packetsIn[f]!,
      bytes: flows.bytesOut[f]! + flows.bytesIn[f]!,
    })),
  };
}

/** By protocol and family, most flows first. */
function totals(flows: FlowColumns, rowOf: FlowRowMaker): FlowTotals[] {
  const flowCount = new Float64Array(512);
  const packetCount = new Float64Array(512);
  const byteCount = new Float64Array(512);
  const sample = new Int32Array(512);
  for (let f = 0; f < flows.count; f++) {
    const kind = flows.proto[f]! * 2 + (flows.family[f]! === 6 ? 1 : 0);
    if (flowCount[kind] === 0) sample[kind] = f;
    flowCount[kind]!++;
    packetCount[kind]! += flows.packetsOut[f]! + flows.packetsIn[f]!;
    byteCount[kind]! += flows.bytesOut[f]! + flows.bytesIn[f]!;
  }
  const rows: FlowTotals[] = [];
  for (let kind = 0; kind < 512; kind++) {
    if (flowCount[kind] === 0) continue;
    rows.push({
      proto: rowOf(sample[kind]!).proto,
      family: kind % 2 === 1 ? 6 : 4,
      flows: flowCount[kind]!,
      packets: packetCount[kind]!,
      bytes: byteCount[kind]!,
    });
  }
  return rows.sort((x, y) => y.flows - x.flows);
}

/** Rows with most bytes, busiest first; ties go to the lower row. */
function busiestFlows(flows: FlowColumns): number[] {
  const best: number[] = [];
  const size = (f: number): number => flows.bytesOut[f]! + flows.bytesIn[f]!;
  for (let f = 0; f < flows.count; f++) {
    if (best.length === SHOWN && size(best[SHOWN - 1]!) >= size(f)) continue;
    let place = best.length;
    while (place > 0 && size(best[place - 1]!) < size(f)) place--;
    best.splice(place, 0, f);
    if (best.length > SHOWN) best.pop();
  }
  return best;
}

export function writeFlowSummaryText(
  { summary: capture, flows }: CaptureIndex,
  rowOf: FlowRowMaker,
  sink: Sink,
  palette: Palette,
): void {
  const summary = summariseFlows(flows, rowOf);
  const startS = Number(capture.baseNs) / 1e9;
  const lines = [
    palette.bold(printable(capture.file)),
    palette.dim(
      [
        `${capture.format} ${capture.linkTypes.join(', ')}`.trim(),
        counted(capture.packets, 'packet'),
        bytes(capture.bytes),
        `${duration(capture.duration)} from ${utc(startS)}`,
        ...(capture.truncated ? ['truncated'] : []),
      ].join(' · '),
    ),
    '',
    palette.bold(`${counted(summary.flows, 'flow')}, ${counted(summary.packetsInFlows, 'packet')} in them`),
    ...aligned(
      summary.byProtocol.map((row) => [
        `${row.proto} over IPv${row.family}`,
        counted(row.flows, 'flow'),
        counted(row.packets, 'packet'),
        bytes(row.bytes),
      ]),
    ),
  ];
  if (summary.flows > 0) {
    lines.push(
      '',
      palette.bold(`Busiest of ${counted(summary.servers, 'server')}`),
      ...aligned(
        summary.busiestServers.map((row) => [
          `${row.proto} ${addressPort(row.address, row.port)}`,
          counted(row.flows, 'flow'),
          counted(row.packets, 'packet'),
          bytes(row.bytes),
        ]),
      ),
      '',
      palette.bold('Busiest flows'),
      ...aligned(
        summary.busiestFlows.map(({ flow, packets, bytes: octets }) => [
          `${flow.proto} ${addressPort(flow.src, flow.srcPort)} → ${addressPort(flow.dst, flow.dstPort)}`,
          `#${flow.id}`,
          counted(packets, 'packet'),
          bytes(octets),
        ]),
      ),
    );
  }
  const faults = Object.entries(capture.decodeFaults).sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  if (faults.length > 0) {
    lines.push(
      '',
      palette.bold('Not wholly understood'),
      ...aligned(faults.map(([kind, packets]) => [printable(kind), counted(packets, 'packet')])),
    );
  }
  sink(`${lines.join('\n')}\n`);
}

/** First column to the left, the others to the right. `count` keeps figures comparable by eye. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, [...cell].length);
    });
  }
  return rows.map(
    (row) =>
      `  ${row.map((cell, i) => (i === 0 ? padEnd(cell, widths[i]!) : padStart(cell, widths[i]!))).join('   ')}`,
  );
}
