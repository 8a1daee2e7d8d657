/** `flowfate bench`: the benchmarks, in a process of their own so that nothing of the command line weighs on them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { FlowfateError } from '../errors.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import { packageFolder } from './version.js';

const EXAMPLES = `
Examples:
  flowfate bench
  flowfate bench hash conntrack
  flowfate bench replay --json figures.json`;

export const declare: DeclareCommand = (command: Command, _io, done) => {
  command
    .argument('[name...]', 'only cases whose name contains one of these')
    .option('--json <file>', 'write the figures to a file, too')
    .addHelpText('after', EXAMPLES)
    .action((names: string[], options: { readonly json?: string }) => {
      const program = join(packageFolder(), 'dist', 'bench', 'run.js');
      if (!existsSync(program)) {
        throw new FlowfateError(
          'usage',
          'the benchmarks are not built here; run npm run build in a checkout',
        );
      }
      const json = options.json === undefined ? [] : ['--json', options.json];
      const { status } = spawnSync(process.execPath, [program, ...names, ...json], { stdio: 'inherit' });
      done(status === 0 ? ExitStatus.done : ExitStatus.usage);
    });
};
