/** Two compared runs as JSON, as a record a line, and as CSV with a line for each connection that changes. */
import type { CaptureRecord, EventRecord } from '../verdict/verdict.js';
import type { ChangeSide, ChangeSummary, Changes, Run, RunSummary } from '../what-if/changes.js';
import { csvLine } from './csv.js';
import { REPORT_SCHEMA } from './records.js';
import { BufferedSink, type Sink } from './sink.js';

/** What is told of each run. */
interface RunRecord {
  readonly name: string;
  readonly t0: number;
  readonly events: readonly EventRecord[];
  readonly summary: RunSummary;
}

type ChangesSummaryRecord = ChangeSummary & { readonly before: RunRecord; readonly after: RunRecord };

/** One object, a record a line. */
export function writeChangesJson(changes: Changes, capture: CaptureRecord, sink: Sink): void {
  const out = new BufferedSink(sink);
  out.write(`{"schema":${JSON.stringify(REPORT_SCHEMA)},"kind":"changes",\n`);
  out.write(`"capture":${JSON.stringify(capture)},\n"flows":[`);
  for (let row = 0; row < changes.flowCount; row++) {
    out.write(`${row === 0 ? '\n' : ',\n'}${JSON.stringify(changes.change(row))}`);
  }
  out.write(`],\n"summary":${JSON.stringify(summaryOf(changes))}}\n`);
  out.flush();
}

/** A record a line, each with `"record": "capture" | "flow" | "summary"`. */
export function writeChangesNdjson(changes: Changes, capture: CaptureRecord, sink: Sink): void {
  const out = new BufferedSink(sink);
  const line = (record: string, fields: object): void =>
    out.write(`${JSON.stringify({ record, ...fields })}\n`);
  line('capture', { schema: REPORT_SCHEMA, kind: 'changes', ...capture });
  for (let row = 0; row < changes.flowCount; row++) line('flow', changes.change(row));
  line('summary', summaryOf(changes));
  out.flush();
}

const SIDE_TITLES = ['Fate', 'Service', 'Node', 'Event', 'Hop', 'Reason', 'BrokenAt', 'Unjudged'];

export function writeChangesCsv(changes: Changes, sink: Sink): void {
  const out = new BufferedSink(sink);
  const titles = (side: string): string[] => SIDE_TITLES.map((title) => `${side}${title}`);
  const flow = ['kind', 'proto', 'src', 'srcPort', 'dst', 'dstPort', 'connection', 'start'];
  out.write(csvLine([...flow, ...titles('before'), ...titles('after')]));
  for (let row = 0; row < changes.flowCount; row++) {
    const { before, after, ...of } = changes.change(row);
    const { kind, proto, src, srcPort, dst, dstPort, connection, start } = of;
    const cells = [kind, proto, src, srcPort, dst, dstPort, connection, start].map(String);
    out.write(csvLine([...cells, ...sideCells(before), ...sideCells(after)]));
  }
  out.flush();
}

function summaryOf(changes: Changes): ChangesSummaryRecord {
  return { before: runRecord(changes.before), after: runRecord(changes.after), ...changes.summary };
}

function runRecord({ name, t0, events, summary }: Run): RunRecord {
  const { verdict, flows, judged, unjudged, broken, brokenShare, byFate, byCause, expected } = summary;
  const { scenario, assumed, unread, notes } = summary;
  const told = { verdict, flows, judged, unjudged, broken, brokenShare, byFate, byCause, expected };
  return { name, t0, events, summary: { ...told, scenario, assumed, unread, notes } };
}

function sideCells(side: ChangeSide | null): string[] {
  if (side === null) return SIDE_TITLES.map(() => '');
  const { fate, service, node, cause, brokenAt, unjudged } = side;
  const cells = [fate, service, node, cause?.event, cause?.hop, cause?.reason, brokenAt, unjudged];
  return cells.map((cell) => String(cell ?? ''));
}
