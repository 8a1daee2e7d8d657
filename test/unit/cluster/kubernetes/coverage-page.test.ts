import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { coveragePage } from '../../../../src/cluster/kubernetes/coverage-page.js';
import { KIND_TABLE } from '../../../../src/cluster/kubernetes/kind-table.js';
import { OBJECT_COMMANDS, shellLine } from '../../../../src/collect/commands.js';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');

test('the coverage page is what the table of kinds makes of it: node scripts/coverage.mjs writes it', () => {
  expect(readFileSync(join(ROOT, 'docs', 'coverage.md'), 'utf8')).toBe(coveragePage());
});

test('the page names every kind of the table', () => {
  const page = coveragePage();
  for (const { kind } of KIND_TABLE) expect(page).toMatch(new RegExp(`\\b${kind}\\b`));
});

/** What is configuration in a file, or another name of something that is asked for, is not kubectl's to give. */
const ELSEWHERE = new Set([
  'KubeProxyConfiguration (kubeproxy.config.k8s.io)',
  'Endpoints ()',
  'Ingress (extensions)',
]);

test('flowfate collect asks for every kind that is used', () => {
  const asked = OBJECT_COMMANDS.map(shellLine).join('\n').toLowerCase();
  const missing = KIND_TABLE.filter(({ use, group, kind }) => {
    if (
      use !== 'used' ||
      ELSEWHERE.has(`${kind} (${group})`) ||
      ['projectcalico.org', 'traefik.containo.us'].includes(group)
    )
      return false;
    return !new RegExp(`get ${kind.toLowerCase()}(s|es)?(\\.${group.replaceAll('.', '\\.')})? `).test(
      asked.replaceAll('ies.', 'ys.').replaceAll('ies ', 'ys '),
    );
  });
  expect(missing.map(({ kind, group }) => `${kind} (${group})`)).toEqual([]);
});
