/**
 * `--format json`: one object `{ schema, capture, events, flows, summary }`, a record a line, so that it can be
 * read with eyes and with `grep` and yet is one JSON text. The same result gives the same bytes.
 */
import type { ReplayResult } from '../verdict/verdict.js';
import { VERDICT_FIELDS } from './flow-record.js';
import { type JsonRecordWriter, jsonRecordWriter } from './json-record.js';
import { type OctetSink, OctetWriter } from './octet-writer.js';
import { REPORT_SCHEMA, summaryRecord, type Timing } from './records.js';

export function writeJson(result: ReplayResult, sink: OctetSink, timing: Timing | null = null): void {
  const out = new OctetWriter(sink);
  out.text(`{"schema":${JSON.stringify(REPORT_SCHEMA)},\n"capture":${JSON.stringify(result.capture)},\n`);
  out.text('"events":[');
  result.events.forEach((event, i) => {
    out.text(`${i === 0 ? '\n' : ',\n'}${JSON.stringify(event)}`);
  });
  out.text('],\n"flows":[');
  writeElements(out, jsonRecordWriter(VERDICT_FIELDS), result.flowCount, (row) => result.flowVerdict(row));
  out.text(`],\n"summary":${JSON.stringify(summaryRecord(result, timing))}}\n`);
  out.flush();
}

/** The elements of a list, a line each. */
export function writeElements<R>(
  out: OctetWriter,
  write: JsonRecordWriter<R>,
  length: number,
  element: (row: number) => R,
): void {
  for (let row = 0; row < length; row++) {
    out.text(row === 0 ? '\n' : ',\n');
    write(out, element(row));
    out.pause();
  }
}
