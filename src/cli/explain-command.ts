/** `flowfate explain <capture>`: the post-mortem of the capture itself. */
import { type Command, Option } from 'commander';
import type { ClusterModel } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import type { Explanation, TimedEvent } from '../explain/explain.js';
import { explainCapture } from '../explain/explain-capture.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { flowRow } from '../flow/flow-rows.js';
import { writeExplainText } from '../report/explain-text.js';
import { recordLine } from '../report/ndjson.js';
import { REPORT_SCHEMA } from '../report/records.js';
import { BufferedSink, type Sink } from '../report/sink.js';
import { captureRecord } from '../verdict/capture-record.js';
import { replay } from '../verdict/replay.js';
import type { CaptureRecord, FlowRow } from '../verdict/verdict.js';
import type { DeclareCommand } from './declare-command.js';
import { writeOutput } from './output.js';
import { readWithProgress, statusOfDamage } from './read-input.js';
import { addScenarioOptions, originOf, type ScenarioOptions, statedScenario } from './scenario-input.js';
import { columnsFor, paletteFor } from './view.js';

interface ExplainOptions extends ScenarioOptions {
  readonly format: 'text' | 'ndjson';
  readonly out?: string;
  readonly color?: boolean;
}

const EXAMPLES = `
Unlike replay this looks at answers: resets, silence, ICMP errors in the capture, with the signs that tell a reset
by a node that does not know the connection from one by the server itself. With a scenario, its timeline is set
against the bursts of resets.

Examples:
  flowfate explain incident.pcap.gz
  flowfate explain incident.pcap.gz --scenario what-was-done.yaml
  flowfate explain incident.pcap.gz --format ndjson | jq 'select(.finding=="looks-rehashed")'`;

export const repeatable = ['--scenario', '--cluster', '--router-state', '--event'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  command.argument('<capture>', 'pcap or pcapng, gzipped or not');
  addScenarioOptions(command)
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'ndjson']).default('text'))
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (capture: string, options: ExplainOptions) => {
      if (capture === '-') {
        throw new FlowfateError('usage', 'explain reads the capture twice; save it to a file first');
      }
      const model = (await statedScenario(options, io))?.model ?? null;
      const index = readWithProgress(capture, io, {});
      const originS = model === null ? 0 : originOf(model, index);
      const events = model === null ? [] : timelineOf(model, index);
      const explanation = explainCapture(capture, index, { originS, events });
      const rowOf = (f: number): FlowRow => flowRow(index.flows, f, null, originS * 1e9);
      writeOutput(options.out, io, [capture, ...options.scenario, ...options.cluster], ({ write }) => {
        if (options.format === 'ndjson') writeExplainNdjson(captureRecord(index), explanation, rowOf, write);
        else {
          writeExplainText(explanation, rowOf, write, {
            file: capture,
            palette: paletteFor(io, options, options.out),
            columns: columnsFor(io, options.out),
          });
        }
      });
      done(statusOfDamage(index, io));
    });
};

/** The timeline in words: what a replay of it says of its events. */
function timelineOf(model: ClusterModel, index: CaptureIndex): TimedEvent[] {
  return replay(index, model).events.map(({ at, detail }) => ({ at, detail }));
}

function writeExplainNdjson(
  capture: CaptureRecord,
  explanation: Explanation,
  rowOf: (f: number) => FlowRow,
  sink: Sink,
): void {
  const out = new BufferedSink(sink);
  out.write(recordLine('capture', { schema: REPORT_SCHEMA, ...capture }));
  for (const burst of explanation.bursts) out.write(`${JSON.stringify({ record: 'burst', ...burst })}\n`);
  for (let f = 0; f < explanation.summary.flows; f++) {
    const finding = explanation.findingOf(f);
    const { kind = null, at = null, evidence = [] } = finding ?? {};
    out.write(recordLine('flow', { ...rowOf(f), finding: kind, at, evidence }));
  }
  out.write(recordLine('summary', explanation.summary));
  out.flush();
}
