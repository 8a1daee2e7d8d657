/** An audit as text, as JSON, or as SARIF 2.1.0 (OASIS), which code hosts show beside the file. */
import { placeText } from '../cluster/yaml/problems.js';
import type { Audit } from './audit.js';
import { type Finding, RULES, type RuleName, type Severity } from './finding.js';

type Write = (text: string) => void;

export function writeAuditText({ findings, looked, missing }: Audit, columns: number, write: Write): void {
  const count = (severity: Severity): number => findings.filter((one) => one.severity === severity).length;
  const objects = Object.values(looked).reduce((sum, n) => sum + n, 0);
  const kinds = Object.entries(looked).sort((a, b) => b[1] - a[1]);
  const head =
    findings.length === 0
      ? `No finding in ${objects} objects.`
      : `${findings.length} finding${findings.length === 1 ? '' : 's'} in ${objects} objects: ${count('high')} high, ${count('medium')} medium, ${count('low')} low.`;
  write(`${head}\n`);
  write(wrapped(`Looked at ${kinds.map(([kind, n]) => `${n} ${kind}`).join(', ')}.`, '', columns));
  for (const line of missing) write(wrapped(`Not looked at: ${line}.`.replace('..', '.'), '', columns));
  for (const [i, finding] of findings.entries()) {
    write(`\n${i + 1}  ${finding.severity.toUpperCase()}  ${finding.rule}\n`);
    write(wrapped(finding.finding, '   ', columns));
    write(wrapped(`Why: ${finding.mechanism}`, '   ', columns));
    write(wrapped(`Breaks: ${finding.breaks}`, '   ', columns));
    write(wrapped(`Remedy: ${finding.remedy}`, '   ', columns));
    for (const { object, says, position } of finding.evidence) {
      write(wrapped(`· ${object}: ${says} [${placeText(position).replace(/: $/, '')}]`, '   ', columns));
    }
  }
}

function wrapped(text: string, indent: string, columns: number): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > columns && line.trim() !== '') {
      lines.push(line);
      line = `${indent}  ${word}`;
    } else line = line.trim() === '' ? `${line}${word}` : `${line} ${word}`;
  }
  return `${[...lines, line].join('\n')}\n`;
}

export function writeAuditJson({ findings, looked, missing }: Audit, write: Write): void {
  write(`${JSON.stringify({ schema: 'flowfate/audit/1', findings, looked, missing }, null, 2)}\n`);
}

const LEVELS: Readonly<Record<Severity, string>> = { high: 'error', medium: 'warning', low: 'note' };

export function writeAuditSarif({ findings }: Audit, version: string, write: Write): void {
  const names = Object.keys(RULES) as RuleName[];
  const sarif = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'flowfate',
            version,
            rules: names.map((id) => ({ id, shortDescription: { text: RULES[id] } })),
          },
        },
        results: findings.map((finding) => ({
          ruleId: finding.rule,
          ruleIndex: names.indexOf(finding.rule),
          level: LEVELS[finding.severity],
          message: {
            text: [
              finding.finding,
              finding.mechanism,
              `Breaks: ${finding.breaks}`,
              `Remedy: ${finding.remedy}`,
            ].join(' '),
          },
          locations: finding.evidence.slice(0, 1).map(locationOf),
          relatedLocations: finding.evidence.slice(1).map(locationOf),
        })),
      },
    ],
  };
  write(`${JSON.stringify(sarif, null, 2)}\n`);
}

function locationOf({ object, says, position }: Finding['evidence'][number]): object {
  const { file, line, column } = position;
  return {
    ...(file === undefined
      ? {}
      : {
          physicalLocation: {
            artifactLocation: { uri: encodeURI(file.replaceAll('\\', '/')) },
            ...(line === undefined
              ? {}
              : { region: { startLine: line, ...(column === undefined ? {} : { startColumn: column }) } }),
          },
        }),
    logicalLocations: [{ fullyQualifiedName: object }],
    message: { text: `${object}: ${says}` },
  };
}
