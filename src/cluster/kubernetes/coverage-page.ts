/** The page of the documentation that says what becomes of each kind of object: the kind table as Markdown. */
import { IRRELEVANT_GROUPS, KIND_TABLE, type KindEntry } from './kind-table.js';

export function coveragePage(): string {
  return `# What is read of a cluster

Written by \`scripts/coverage.mjs\` from the table that the reader itself goes by (\`src/cluster/kubernetes/kind-table.ts\`); a test
holds the two together. Every object that is given belongs to one of four:

- **used**: the fields named here decide something; other fields are passed over.
- **not read**: it may change a packet's path, and does not here. Whoever gives it reads so in \`unread\`.
- **irrelevant**: no packet's path depends on it.
- **unknown**: it stands nowhere on this page. In a group that is known it is probably a slip of the pen, and \`unread\` says so.

Secrets are dropped before anything looks at them.

## Used

${table('fields', groupedBy('used'))}
## Not read

${table('what that means', groupedBy('not-read'))}
## Irrelevant

${irrelevantLines().join('\n')}

And every kind of these groups, or of groups that end in one of them: ${IRRELEVANT_GROUPS.map((group) => `\`${group}\``).join(', ')}.
`;
}

interface Row {
  readonly kind: string;
  readonly groups: string[];
  readonly what: string;
}

/** One row where several groups have the same kind with the same fields. */
function groupedBy(use: KindEntry['use']): Row[] {
  const rows = new Map<string, Row>();
  for (const { kind, group, what } of KIND_TABLE.filter((entry) => entry.use === use)) {
    const key = `${kind} ${what}`;
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { kind, groups: [groupName(group)], what });
    else row.groups.push(groupName(group));
  }
  return [...rows.values()];
}

function groupName(group: string): string {
  return group === '' ? 'core' : group;
}

function table(last: string, rows: readonly Row[]): string {
  const lines = rows.map(
    ({ kind, groups, what }) => `| ${kind} | ${groups.join(', ')} | ${what.replaceAll('|', '\\|')} |`,
  );
  return `| kind | group | ${last} |\n|---|---|---|\n${lines.join('\n')}\n`;
}

function irrelevantLines(): string[] {
  const kinds = new Map<string, string[]>();
  for (const { group, kind } of KIND_TABLE.filter((entry) => entry.use === 'irrelevant')) {
    kinds.set(groupName(group), [...(kinds.get(groupName(group)) ?? []), kind]);
  }
  return [...kinds].map(([group, names]) => `- ${group}: ${names.join(', ')}`);
}
