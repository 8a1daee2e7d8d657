/** `flowfate flows <capture>`: the flow table of a capture. */
import { type Command, Option } from 'commander';
import { FlowfateError } from '../errors.js';
import { flowRow } from '../flow/flow-rows.js';
import { writeCsv } from '../report/csv-record.js';
import { writeFlowsNdjson, writeFlowsText } from '../report/flow-list.js';
import { FLOW_FIELDS } from '../report/flow-record.js';
import { summariseFlows, writeFlowSummaryText } from '../report/flow-summary.js';
import { recordLine } from '../report/ndjson.js';
import { REPORT_SCHEMA } from '../report/records.js';
import { captureRecord } from '../verdict/capture-record.js';
import type { DeclareCommand } from './declare-command.js';
import { writeOutput } from './output.js';
import { addIndexOption, statusOfDamage } from './read-input.js';
import { type LevelOptions, readWithoutScenario } from './read-level.js';
import { paletteFor } from './view.js';

interface FlowsOptions extends LevelOptions {
  readonly format: 'text' | 'ndjson' | 'csv';
  readonly summary?: true;
  readonly out?: string;
  readonly color?: boolean;
}

const EXAMPLES = `
Examples:
  flowfate flows web.pcap.gz                         every flow, a line each
  flowfate flows --summary web.pcap.gz               protocols, busiest servers and flows
  flowfate flows --format csv web.pcap.gz > flows.csv
  flowfate flows --level inner --format ndjson vxlan.pcapng | jq .src
  tcpdump -w - | flowfate flows --summary -`;

export const declare: DeclareCommand = (command: Command, io, done) => {
  addIndexOption(command)
    .argument('<capture>', 'pcap or pcapng, gzipped or not; - is standard input')
    .addOption(
      new Option(
        '--level <level>',
        'the IP header that keys a packet: its outermost or its innermost; auto: the innermost where the outside holds no TCP',
      )
        .choices(['outer', 'inner', 'auto'])
        .default('outer'),
    )
    .addOption(
      new Option('--format <format>', 'how to print').choices(['text', 'ndjson', 'csv']).default('text'),
    )
    .option('--summary', 'totals and the busiest instead of every flow')
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action((capture: string, options: FlowsOptions) => {
      if (options.summary === true && options.format === 'csv') {
        throw new FlowfateError('usage', '--summary is no table; print it as text or ndjson');
      }
      const index = readWithoutScenario(capture, options, io, { index: 'flows' });
      const rowOf = (f: number) => flowRow(index.flows, f, null);
      writeOutput(options.out, io, [capture], ({ write, writeBytes }) => {
        const palette = paletteFor(io, options, options.out);
        if (options.summary === true && options.format === 'text') {
          writeFlowSummaryText(index, rowOf, write, palette);
        } else if (options.summary === true) {
          write(recordLine('capture', { schema: REPORT_SCHEMA, ...captureRecord(index) }));
          write(recordLine('summary', summariseFlows(index.flows, rowOf)));
        } else if (options.format === 'text') {
          writeFlowsText(index.flows.count, rowOf, write, palette);
        } else if (options.format === 'csv') {
          writeCsv(FLOW_FIELDS, index.flows.count, rowOf, writeBytes);
        } else {
          writeFlowsNdjson(captureRecord(index), index.flows.count, rowOf, writeBytes);
        }
      });
      done(statusOfDamage(index, io));
    });
};
