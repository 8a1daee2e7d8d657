/**
 * `--format ndjson`: a line a record, each with `"record": "capture" | "event" | "flow" | "summary"`, in that
 * order; the first line names the schema.
 */
import type { ReplayResult } from '../verdict/verdict.js';
import { VERDICT_FIELDS } from './flow-record.js';
import { type JsonRecordWriter, jsonRecordWriter } from './json-record.js';
import { type OctetSink, OctetWriter } from './octet-writer.js';
import type { Fields } from './record-type.js';
import { REPORT_SCHEMA, summaryRecord, type Timing } from './records.js';

/** One line, its kind first. */
export function recordLine(record: string, fields: object): string {
  return `${JSON.stringify({ record, ...fields })}\n`;
}

/** Writes lines of kind `record` from the definition of what they have. */
export function recordLines<R>(record: string, fields: Fields<R>): JsonRecordWriter<R> {
  const write = jsonRecordWriter(fields, `{"record":${JSON.stringify(record)}`);
  return (out, row) => {
    write(out, row);
    out.octet(NEWLINE);
    out.pause();
  };
}

const NEWLINE = 0x0a;

export function writeNdjson(result: ReplayResult, sink: OctetSink, timing: Timing | null = null): void {
  const out = new OctetWriter(sink);
  const writeFlow = recordLines('flow', VERDICT_FIELDS);
  out.text(recordLine('capture', { schema: REPORT_SCHEMA, ...result.capture }));
  for (const event of result.events) out.text(recordLine('event', event));
  for (let row = 0; row < result.flowCount; row++) writeFlow(out, result.flowVerdict(row));
  out.text(recordLine('summary', summaryRecord(result, timing)));
  out.flush();
}
