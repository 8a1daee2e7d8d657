// Builds dist/: JavaScript and declarations of src/, bench/ and lab/.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

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
  'src/dataplane/kernel/forward-kernel.as.ts',
  ...['--outFile', 'dist/forward-kernel.wasm', '--optimizeLevel', '3', '--runtime', 'stub', '--noAssert'],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '128', '--maximumMemory', '65536'],
  ...['--enable', 'threads'],
]);
run('node_modules/assemblyscript/bin/asc.js', [
  'src/recover-seed/recover-seed.as.ts',
  ...['--outFile', 'dist/seed-kernel.wasm', '--optimizeLevel', '3', '--runtime', 'stub', '--noAssert'],
]);
run('node_modules/typescript/bin/tsc', ['-p', 'tsconfig.build.json']);
// The program in few files: loading 300 modules one by one takes longer than reading a small capture. The workers
// stand beside it under the names by which the modules call them; the kernels are two folders up, as for dist/src/*.
await build({
  entryPoints: {
    flowfate: 'dist/src/cli/main.js',
    'account-worker': 'dist/src/flow/account-worker.js',
    'compare-worker': 'dist/src/what-if/compare-worker.js',
    'recover-seed-worker': 'dist/src/recover-seed/recover-seed-worker.js',
  },
  outdir: 'dist/src/bin',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
  banner: {
    js: "import{createRequire as requireFrom}from'node:module';const require=requireFrom(import.meta.url);",
  },
});
// The router's page: script and style go into its one document, which asks nobody for anything.
const [script, style] = await Promise.all(
  ['main.tsx', 'page.css'].map(async (entry) => {
    const { outputFiles } = await build({
      entryPoints: [`src/live/page/${entry}`],
      bundle: true,
      write: false,
      minify: true,
      format: 'iife',
      target: ['chrome111', 'firefox115', 'safari16.4'],
      jsx: 'automatic',
      jsxImportSource: 'preact',
      legalComments: 'none',
      logLevel: 'warning',
    });
    return outputFiles[0].text.trim();
  }),
);
writeFileSync(
  'dist/live-page.html',
  readFileSync('src/live/page/page.html', 'utf8')
    .replace('/*style*/', () => style)
    .replace('/*script*/', () => script.replaceAll('</script', '<\\/script')),
);
writeFileSync('dist/.built', '');
