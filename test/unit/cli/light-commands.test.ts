/** What a command loads before it knows whether it is only asked for help. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const CLI = join(import.meta.dirname, '..', '..', '..', 'src', 'cli');
/** packages whose set-up takes longer than printing a help text */
const HEAVY = ['zod', 'hono', 'prom-client', 'pino', '@hono/node-server'];
const IMPORT = /^(?:import|export) (?!type\b)[^;]*?from '([^']+)';/gmsu;
const ONLY_TYPES = /\{\s*(?:type [\w$]+(?: as [\w$]+)?,?\s*)+\}/u;

/** Packages that a module imports at once, itself or by others, each with the modules on the way. */
function packagesOf(
  file: string,
  way: readonly string[],
  found: Map<string, readonly string[]>,
  seen: Set<string>,
) {
  if (seen.has(file)) return found;
  seen.add(file);
  for (const [statement, from] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
    if (ONLY_TYPES.test(statement)) continue;
    if (!from!.startsWith('.')) found.set(from!, [...way, file]);
    else packagesOf(resolve(dirname(file), from!.replace(/\.js$/u, '.ts')), [...way, file], found, seen);
  }
  return found;
}

const commands = readdirSync(CLI).filter((name) => name.endsWith('-command.ts'));

test.each(commands)('%s loads nothing heavy before it runs', (name) => {
  const found = packagesOf(join(CLI, name), [], new Map(), new Set());
  for (const heavy of HEAVY) expect(found.get(heavy)).toBeUndefined();
});
