import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scenarioPage } from '../../../../src/cluster/scenario/scenario-page.js';
import { VERBS } from '../../../../src/cluster/scenario/timeline-schema.js';

const ROOT = join(import.meta.dirname, '..', '..', '..', '..');

test('the page of the scenario is what its schema makes: node scripts/scenario-page.mjs writes it', () => {
  expect(readFileSync(join(ROOT, 'docs', 'scenario.md'), 'utf8')).toBe(scenarioPage());
});

test('the page has a row for every verb, and the default of a duration', () => {
  const page = scenarioPage();
  for (const verb of VERBS) expect(page).toContain(`\n| \`${verb}\` | `);
  expect(page).toMatch(/`drain\.gracePeriod` \|.*\| `30` \|/);
});
