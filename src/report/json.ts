/**
 * `--format json`: one object `{ schema, capture, events, flows, summary }`, a record a line, so that it can be
 * read with eyes and with `grep` and yet is one JSON text. The same result gives the same bytes.
 */
import type { ReplayResult } from '../verdict/verdict.js';
import { REPORT_SCHEMA, summaryRecord, type Timing } from './records.js';
import { BufferedSink, type Sink } from './sink.js';

export function writeJson(result: ReplayResult, sink: Sink, timing: Timing | null = null): void {
  const out = new BufferedSink(sink);
  out.write(`{"schema":${JSON.stringify(REPORT_SCHEMA)},\n"capture":${JSON.stringify(result.capture)},\n`);
  out.write('"events":[');
  result.events.forEach((event, i) => {
    out.write(`${i === 0 ? '\n' : ',\n'}${JSON.stringify(event)}`);
  });
  out.write('],\n"flows":[');
  for (let row = 0; row < result.flowCount; row++) {
    out.write(`${row === 0 ? '\n' : ',\n'}${JSON.stringify(result.flowVerdict(row))}`);
  }
  out.write(`],\n"summary":${JSON.stringify(summaryRecord(result, timing))}}\n`);
  out.flush();
}
