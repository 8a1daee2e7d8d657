/** `flowfate schema <of>`: the JSON Schema of what flowfate reads and writes. */
import { Argument, type Command } from 'commander';
import type { JsonSchema } from '../cluster/yaml/json-schema.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import { writeOutput } from './output.js';

const EXAMPLES = `
Read by flowfate:    scenario, router, speaker    (documents of kind Scenario, Router and Speaker)
Written by flowfate: report, explain              (replay and explain with --format json)

Examples:
  flowfate schema scenario > scenario.schema.json
  # yaml-language-server: $schema=scenario.schema.json      as the first line of a scenario: the editor checks it
  flowfate schema report | jq '.properties.summary.properties | keys'`;

const SCHEMAS = {
  scenario: async () => (await import('../cluster/scenario/scenario-schema.js')).scenarioJsonSchema(),
  router: async () => (await import('../live/router/router-schema.js')).routerJsonSchema(),
  speaker: async () => (await import('../live/speaker/speaker-config.js')).speakerJsonSchema(),
  report: async () => (await import('../report/replay-schema.js')).replayJsonSchema(),
  explain: async () => (await import('../report/explain-schema.js')).explainJsonSchema(),
} satisfies Record<string, () => Promise<JsonSchema>>;

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .addArgument(new Argument('<of>', 'what it is the schema of').choices(Object.keys(SCHEMAS)))
    .option('--out <file>', 'write to a file instead of standard output')
    .addHelpText('after', EXAMPLES)
    .action(async (of: keyof typeof SCHEMAS, options: { readonly out?: string }) => {
      const schema = await SCHEMAS[of]();
      writeOutput(options.out, io, [], ({ write }) => {
        write(`${JSON.stringify(schema, null, 2)}\n`);
        done(ExitStatus.done);
      });
    });
};
