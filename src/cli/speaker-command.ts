/** `flowfate speaker`: announces VIPs until a signal ends it; and, with an action, tells a running one what to do. */
import { type Command, Option } from 'commander';
import type { DeclareCommand } from './declare-command.js';
import type { SpeakerOptions } from './run-speaker.js';

const EXAMPLES = `
Without an action it runs: it connects to its peers and announces its VIPs, a line on standard error for each session
and route. SIGHUP reloads the configuration and announces the difference; SIGTERM and SIGINT withdraw everything, then
end the sessions. With an action it talks to the one that runs, over a Unix socket.

Actions:
  announce <vip>     withdraw <vip>     drain <vip>     undrain <vip>     status
  "all" stands for every VIP. Draining adds the community GRACEFUL_SHUTDOWN (RFC 8326), on iBGP with LOCAL_PREF 0.

Examples:
  flowfate speaker --config speaker.yaml
  flowfate speaker withdraw 203.0.113.10 --config speaker.yaml
  flowfate speaker drain all --control /run/flowfate/speaker.sock
  flowfate speaker status --config speaker.yaml --format json`;

export const repeatable = ['--listen'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];
  command
    .argument('[action]', 'what to tell the running speaker; none: run')
    .argument('[vip]', 'a prefix or an address of its VIPs, or all')
    .option('--config <file>', 'a YAML file with a document of kind Speaker')
    .option(
      '--control <path>',
      'the control socket; by default it goes by the name of the configuration file',
    )
    .option('--listen <[host:]port>', 'where passive peers connect to; fd:3 is an inherited socket', collect)
    .option('--restarted', 'tell peers that this is a restart (RFC 4724)')
    .addOption(
      new Option('--format <format>', 'how to print the status').choices(['text', 'json']).default('text'),
    )
    .addOption(
      new Option('--log-format <format>', 'how to write the log on standard error')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (action: string | undefined, vip: string | undefined, options: SpeakerOptions) => {
      const { runSpeaker, tellSpeaker } = await import('./run-speaker.js');
      done(
        action === undefined ? await runSpeaker(options, io) : await tellSpeaker(action, vip, options, io),
      );
    });
};
