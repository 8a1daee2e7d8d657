/** docs/scenario.md: every key of a Scenario, every verb of its timeline and the defaults, from the schema. */
import { ipv4 } from '../../addr/address.js';
import type { JsonSchema } from '../yaml/json-schema.js';
import { scenarioFromCapture } from './scenario-from-capture.js';
import { scenarioJsonSchema } from './scenario-schema.js';

const HEAD = `# The scenario

A YAML document of \`kind: Scenario\`: the router, the nodes, the services, and what happens to them. This page is
made from the schema that reads it (\`node scripts/scenario-page.mjs\`); \`flowfate schema scenario\` prints the same
as JSON Schema for an editor. \`[]\` stands for each element of a list. What Kubernetes objects given beside the
scenario say may be left out of it.
`;

export function scenarioPage(): string {
  const spec = child(scenarioJsonSchema(), 'spec');
  const timeline = child(spec, 'timeline').items as JsonSchema;
  const { timeline: _, ...keys } = spec.properties as Record<string, JsonSchema>;
  return [
    HEAD,
    '## Keys under `spec`\n',
    table(rowsOf({ ...spec, properties: keys }, '')),
    '\n## Entries of `spec.timeline`\n',
    'An entry has `at`, counted from t = 0, and one verb; `mode` belongs to `speakerDown`.\n',
    table(rowsOf(timeline, '')),
    '\n## What is taken where nothing is stated\n',
    'A replay lists under `summary.assumed` those that it rests on; for a scenario that states nothing they are:\n',
    '| setting | value | why |\n|---|---|---|',
    ...usualAssumptions().map(
      ({ what, value, because }) => `| \`${what}\` | \`${cell(value)}\` | ${cell(because)} |`,
    ),
    '',
  ].join('\n');
}

function usualAssumptions() {
  const server = { address: ipv4(0xcb00710a), ports: [{ proto: 6, port: 80 }], flows: 1 };
  const { model } = scenarioFromCapture({ servers: [server], durationS: 10 });
  return (model.assumed ?? []).filter(({ what }) => what !== 'nodes, services');
}

function child(schema: JsonSchema, key: string): JsonSchema {
  return (schema.properties as Record<string, JsonSchema>)[key]!;
}

interface Row {
  readonly key: string;
  readonly value: string;
  readonly initial: string;
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ key, value, initial }) => `| \`${key}\` | ${cell(value)} | ${initial} |`);
  return ['| key | value | default |', '|---|---|---|', ...lines].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('*', '\\*');
}

/** A row for each key, and below it those of the mapping, of its elements, and of the alternatives that it has. */
function rowsOf(schema: JsonSchema, prefix: string): Row[] {
  const required = new Set(schema.required as readonly string[] | undefined);
  const rows = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>).flatMap(
    ([name, value]): Row[] => {
      const key = `${prefix}${name}`;
      const initial = required.has(name) ? 'required' : defaultOf(value);
      return [{ key, value: kindOf(value), initial }, ...rowsOf(value, `${key}.`)];
    },
  );
  const items = schema.items as JsonSchema | undefined;
  if (items !== undefined) rows.push(...rowsOf(items, `${prefix.slice(0, -1)}[].`));
  for (const one of (schema.anyOf ?? []) as JsonSchema[]) rows.push(...rowsOf(one, prefix));
  return rows;
}

function kindOf({ description, type, anyOf }: JsonSchema): string {
  if (typeof description === 'string') return description;
  if (type === 'object') return 'a mapping';
  if (type === 'array') return 'a list';
  return anyOf === undefined ? String(type) : (anyOf as JsonSchema[]).map(kindOf).join(', or ');
}

function defaultOf({ default: initial }: JsonSchema): string {
  if (initial === undefined) return '';
  return `\`${typeof initial === 'string' ? initial : JSON.stringify(initial)}\``;
}
