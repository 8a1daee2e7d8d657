// Writes docs/scenario.md from the schema of a scenario. Needs a build; a unit test holds the page against it.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { scenarioPage } from '../dist/src/cluster/scenario/scenario-page.js';

writeFileSync(fileURLToPath(new URL('../docs/scenario.md', import.meta.url)), scenarioPage());
