// Makes a checkout ready to run: installs what package-lock.json says if it is not there, then builds if a
// source is newer than the build. Runs before `npm start`, `npm test` and `npm run bench`; quick when nothing is due.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function run(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (done.status !== 0) {
    console.error(`flowfate: "${command} ${args.join(' ')}" failed; see above.`);
    process.exit(done.status ?? 1);
  }
}

function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

const installed = newest(join(root, 'node_modules/.package-lock.json'));
if (
  installed < newest(join(root, 'package-lock.json')) ||
  !existsSync(join(root, 'node_modules/typescript'))
) {
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
}

const built = newest(join(root, 'dist/.built'));
const sources = ['src', 'bench', 'lab', 'scripts/build.mjs', 'tsconfig.json', 'tsconfig.build.json'];
if (sources.some((path) => newest(join(root, path)) > built)) run(process.execPath, ['scripts/build.mjs']);
