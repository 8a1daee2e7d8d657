// Builds dist/: JavaScript and declarations of src/ and bench/.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

function run(script, args) {
  const done = spawnSync(process.execPath, [script, ...args], { stdio: ['ignore', 2, 2] });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist', { recursive: true });
// Shared memory only so that views stay valid when it grows; no threads are involved.
run('node_modules/assemblyscript/bin/asc.js', [
  'src/flow/kernel/flow-kernel.as.ts',
  ...['--outFile', 'dist/flow-kernel.wasm', '--optimizeLevel', '3', '--runtime', 'stub', '--noAssert'],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '64', '--maximumMemory', '65536'],
  ...['--enable', 'threads'],
]);
run('node_modules/assemblyscript/bin/asc.js', [
  'src/replay/recover-seed.as.ts',
  ...['--outFile', 'dist/seed-kernel.wasm', '--optimizeLevel', '3', '--runtime', 'stub', '--noAssert'],
]);
run('node_modules/typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
writeFileSync('dist/.built', '');
