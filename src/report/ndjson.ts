/**
 * `--format ndjson`: a line a record, each with `"record": "capture" | "event" | "flow" | "summary"`, in that
 * order; the first line names the schema.
 */
import type { ReplayResult } from '../verdict/verdict.js';
import { REPORT_SCHEMA, summaryRecord, type Timing } from './records.js';
import { BufferedSink, type Sink } from './sink.js';

export type RecordKind = 'capture' | 'event' | 'flow' | 'summary';

/** One line, its kind first. */
export function recordLine(record: RecordKind, fields: object): string {
  return `${JSON.stringify({ record, ...fields })}\n`;
}

export function writeNdjson(result: ReplayResult, sink: Sink, timing: Timing | null = null): void {
  const out = new BufferedSink(sink);
  out.write(recordLine('capture', { schema: REPORT_SCHEMA, ...result.capture }));
  for (const event of result.events) out.write(recordLine('event', event));
  for (let row = 0; row < result.flowCount; row++) out.write(recordLine('flow', result.flowVerdict(row)));
  out.write(recordLine('summary', summaryRecord(result, timing)));
  out.flush();
}
