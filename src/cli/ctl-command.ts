/** `flowfate ctl`: asks a running router or speaker, and tells it what to do, in the words of vtysh and birdc. */
import type { Command } from 'commander';
import { CONTROL_SYNTAX } from '../live/control/control-syntax.js';
import type { DeclareCommand } from './declare-command.js';
import type { CtlOptions } from './run-ctl.js';

const SYNTAX = CONTROL_SYNTAX.map(([words, what]) => `  ${words}\n      ${what}`).join('\n');

const EXAMPLES = `
Commands:
${SYNTAX}

A word may be shortened as long as it means one thing (sh bgp sum). birdc's words are understood as well: show protocols,
show route for <prefix>, restart, disable, enable, configure check.

Examples:
  flowfate ctl show bgp summary                          where one router or speaker runs here
  flowfate ctl --config router.yaml show bgp 203.0.113.10
  flowfate ctl --control /run/flowfate.sock shutdown 10.0.0.1 "new firmware"
  flowfate ctl --json show nexthop-groups | jq '.rows[].nextHops'`;

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .argument('<words...>', 'a command, see below')
    .option('--control <path>', 'the control socket of the running program')
    .option('--config <file>', 'the configuration file that it runs with')
    .option('--json', 'print the whole answer as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (words: readonly string[], options: CtlOptions) => {
      const { runCtl } = await import('./run-ctl.js');
      done(await runCtl(words, options, io));
    });
};
