/** `flowfate flows`: the rows of the flow table, as aligned text or as ndjson, in the order of the capture. */
import type { FlowRow } from '../verdict/verdict.js';
import { addressPort, bytes, count, duration, moment } from './figures.js';
import { FLOW_FIELDS } from './flow-record.js';
import { recordLine, recordLines } from './ndjson.js';
import { type OctetSink, OctetWriter } from './octet-writer.js';
import { REPORT_SCHEMA } from './records.js';
import { BufferedSink, type Sink } from './sink.js';
import { type Palette, padEnd, padStart } from './terminal.js';

/** Makes row `f` when somebody asks; 10^6 rows at once would be expensive. */
export type FlowRowMaker = (f: number) => FlowRow;

export function writeFlowsNdjson(capture: object, flows: number, rowOf: FlowRowMaker, sink: OctetSink): void {
  const out = new OctetWriter(sink);
  const writeFlow = recordLines('flow', FLOW_FIELDS);
  out.text(recordLine('capture', { schema: REPORT_SCHEMA, ...capture }));
  for (let f = 0; f < flows; f++) writeFlow(out, rowOf(f));
  out.flush();
}

interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
  readonly cell: (row: FlowRow) => string;
}

const COLUMNS: readonly Column[] = [
  { title: '#', align: 'right', cell: (row) => String(row.id) },
  { title: 'proto', align: 'left', cell: (row) => String(row.proto) },
  { title: 'client', align: 'left', cell: (row) => addressPort(row.src, row.srcPort) },
  { title: 'server', align: 'left', cell: (row) => addressPort(row.dst, row.dstPort) },
  { title: 'start', align: 'right', cell: (row) => moment(row.start) },
  { title: 'lasts', align: 'right', cell: (row) => duration(Math.max(0, row.end - row.start)) },
  { title: 'pkts out', align: 'right', cell: (row) => count(row.packets.out) },
  { title: 'pkts in', align: 'right', cell: (row) => count(row.packets.in) },
  { title: 'bytes out', align: 'right', cell: (row) => bytes(row.bytes.out) },
  { title: 'bytes in', align: 'right', cell: (row) => bytes(row.bytes.in) },
  { title: 'SYN', align: 'left', cell: (row) => (row.proto === 'tcp' ? (row.sawSyn ? 'yes' : 'no') : '') },
];

/** rows whose cells decide how wide the columns are; a later, wider cell pushes its line */
const MEASURED_ROWS = 500;

export function writeFlowsText(flows: number, rowOf: FlowRowMaker, sink: Sink, palette: Palette): void {
  const out = new BufferedSink(sink);
  if (flows === 0) {
    out.write('The capture holds no flow.\n');
    out.flush();
    return;
  }
  const widths = COLUMNS.map(({ title }) => title.length);
  for (let f = 0; f < Math.min(flows, MEASURED_ROWS); f++) {
    const row = rowOf(f);
    COLUMNS.forEach(({ cell }, i) => {
      widths[i] = Math.max(widths[i]!, cell(row).length);
    });
  }
  widths[0] = Math.max(widths[0]!, String(flows - 1).length);
  const line = (cells: (column: Column) => string): string =>
    COLUMNS.map((column, i) =>
      column.align === 'left' ? padEnd(cells(column), widths[i]!) : padStart(cells(column), widths[i]!),
    )
      .join('  ')
      .trimEnd();
  out.write(`${palette.bold(line(({ title }) => title))}\n`);
  for (let f = 0; f < flows; f++) {
    const row = rowOf(f);
    out.write(`${line(({ cell }) => cell(row))}\n`);
  }
  out.flush();
}
