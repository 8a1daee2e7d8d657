/** The records of an explanation, as `--format json` and `ndjson` write them: `{ capture, bursts, flows, summary }`. */

import { SAW_SYN } from '../explain/connection-table.js';
import type { Explanation } from '../explain/explain.js';
import { protocolName } from '../flow/flow-rows.js';
import type { CaptureRecord } from '../verdict/verdict.js';
import { EXPLAINED_FIELDS, type ExplainedFlow } from './explained-record.js';
import { writeElements } from './json.js';
import { jsonRecordWriter } from './json-record.js';
import { recordLine, recordLines } from './ndjson.js';
import { type OctetSink, OctetWriter } from './octet-writer.js';
import { REPORT_SCHEMA } from './records.js';

export function explainedFlow(explanation: Explanation, id: number): ExplainedFlow {
  const row = explanation.rows[id]!;
  const { finding, confidence, alternatives, evidence, against, atNs } = explanation.diagnosisOf(row);
  const connection = explanation.connectionAt(row);
  const { client, server } = connection;
  const seconds = (ns: number): number => Math.round(ns - explanation.originNs) / 1e9;
  return {
    id,
    connection: connection.connection,
    proto: protocolName(connection.proto),
    src: connection.clientText,
    srcPort: connection.clientPort,
    dst: connection.serverText,
    dstPort: connection.serverPort,
    family: connection.family,
    start: seconds(connection.firstNs),
    end: seconds(connection.endNs),
    packets: { out: client.packets, in: server.packets },
    bytes: { out: client.bytes, in: server.bytes },
    sawSyn: connection.has(SAW_SYN),
    finding,
    confidence,
    alternatives,
    evidence,
    against,
    at: seconds(atNs),
  };
}

/** The capture's record, with t = 0 in seconds since 1970. */
export interface ExplainedCapture extends CaptureRecord {
  readonly t0: number;
}

/** A record a line, each with `"record": "capture" | "burst" | "flow" | "summary"`. */
export function writeExplainNdjson(
  capture: ExplainedCapture,
  explanation: Explanation,
  sink: OctetSink,
): void {
  const out = new OctetWriter(sink);
  const writeFlow = recordLines('flow', EXPLAINED_FIELDS);
  out.text(recordLine('capture', { schema: REPORT_SCHEMA, ...capture }));
  for (const burst of explanation.bursts) out.text(recordLine('burst', burst));
  for (let id = 0; id < explanation.rows.length; id++) writeFlow(out, explainedFlow(explanation, id));
  out.text(recordLine('summary', explanation.summary));
  out.flush();
}

/** One object, a record a line. */
export function writeExplainJson(capture: ExplainedCapture, explanation: Explanation, sink: OctetSink): void {
  const out = new OctetWriter(sink);
  out.text(`{"schema":${JSON.stringify(REPORT_SCHEMA)},\n"capture":${JSON.stringify(capture)},\n"bursts":[`);
  explanation.bursts.forEach((burst, i) => {
    out.text(`${i === 0 ? '\n' : ',\n'}${JSON.stringify(burst)}`);
  });
  out.text('],\n"flows":[');
  const { rows, summary } = explanation;
  writeElements(out, jsonRecordWriter(EXPLAINED_FIELDS), rows.length, (id) => explainedFlow(explanation, id));
  out.text(`],\n"summary":${JSON.stringify(summary)}}\n`);
  out.flush();
}
