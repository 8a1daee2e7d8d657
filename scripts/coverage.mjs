// Writes docs/coverage.md from the reader's own table of kinds. Needs a build; a unit test holds the page against it.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { coveragePage } from '../dist/src/cluster/kubernetes/coverage-page.js';

writeFileSync(fileURLToPath(new URL('../docs/coverage.md', import.meta.url)), coveragePage());
