/** `flowfate router`: the live ECMP router, until a signal ends it. */
import { type Command, Option } from 'commander';
import type { DeclareCommand } from './declare-command.js';
import { addLiveOptions } from './live-options.js';
import { parseUint32 } from './option-values.js';
import type { RouterOptions } from './run-router.js';

const EXAMPLES = `
Examples:
  flowfate router --listen 127.0.0.1:1790 --asn 64512 --accept-any     any speaker of this machine may connect
  flowfate router --config router.yaml                                 peers, policies, graceful restart, BFD
  flowfate router --asn 64512 --accept-any --mrt rib.20261123.bz2      with the routes of a table dump in it
  flowfate router --asn 64512 --accept-any --http 8179 --capture web.pcap.gz --loop
                                                                       which flows does a withdrawal kill right now?

--capture plays real traffic through the routes as they are at each moment: as soon as a daemon withdraws or announces,
a line here and the page at --http say which flows that broke, and why.

Peers of the configuration come up by themselves; a line on standard error tells each session and route.
flowfate ctl asks and tells it: show bgp summary, clear 10.0.0.1 soft, reload check. SIGHUP reloads the configuration without ending sessions that it does not change; SIGTERM and SIGINT say goodbye.`;

export const repeatable = ['--listen', '--mrt', '--scenario'];

export const declare: DeclareCommand = (command: Command, io, done) => {
  const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];
  command
    .option('--config <file>', 'a YAML file with a document of kind Router')
    .option(
      '--listen <[host:]port>',
      'where to listen, several times for several; fd:3 is an inherited socket',
      collect,
    )
    .option('--asn <n>', 'the AS number of the router', parseUint32('--asn'))
    .option('--router-id <address>', 'its BGP identifier; the first IPv4 address it listens on')
    .option('--accept-any', 'let in any peer with any AS: import all, export none')
    .option('--restarted', 'tell peers that this is a restart (RFC 4724): announce nothing before they have')
    .option(
      '--mrt <file>',
      'load a dump of tables or updates (MRT), several times for several, in that order',
      collect,
    )
    .option('--http <[host:]port>', 'serve page, API (/api/v1/summary …) and /metrics; off by default')
    .option(
      '--control <path>',
      'the socket that flowfate ctl talks to; by default it goes by the name of the configuration file',
    );
  addLiveOptions(command)
    .addOption(
      new Option('--log-format <format>', 'how to write the log on standard error')
        .choices(['text', 'json'])
        .default('text'),
    )
    .addHelpText('after', EXAMPLES)
    .action(async (options: RouterOptions) => {
      const { runRouter } = await import('./run-router.js');
      done(await runRouter(options, io));
    });
};
