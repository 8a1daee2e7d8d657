/** `flowfate router`: the live ECMP router, until a signal ends it. */
import type { Command } from 'commander';

import type { ListenAddress, ListenTarget } from '../bgp/net/transport.js';
import type { ScenarioInput } from '../cluster/yaml/yaml-source.js';
import { FlowfateError } from '../errors.js';
import { type LiveSide, startLiveSide } from '../live/live-side.js';
import { parseListen, parseListenTarget } from '../live/router/listen-address.js';
import { ownAddresses, ownInterfaces } from '../live/router/own-addresses.js';
import { type RouterConfig, type RouterOverrides, routerConfig } from '../live/router/router-config.js';
import { RouterProgram } from '../live/router/router-program.js';
import { kernelTtl } from '../live/router/socket-security.js';
import { warmUp } from '../live/router/warm-up.js';
import { printable } from '../report/terminal.js';
import type { DeclareCommand } from './declare-command.js';
import { errorSentence } from './error-sentence.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { addLiveOptions, type LiveOptions, liveTraffic } from './live-input.js';
import { parseUint32 } from './option-values.js';
import { readInput } from './read-text.js';
import { signalled } from './signalled.js';
import { packageVersion } from './version.js';

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
SIGHUP reloads the configuration without ending sessions that it does not change; SIGTERM and SIGINT say goodbye.`;

export const repeatable = ['--listen', '--mrt', '--scenario'];

interface Options extends LiveOptions {
  readonly config?: string;
  readonly listen?: readonly string[];
  readonly asn?: number;
  readonly routerId?: string;
  readonly acceptAny?: true;
  readonly restarted?: true;
  readonly mrt?: readonly string[];
  readonly http?: string;
}

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
    .option('--http <[host:]port>', 'serve page, API (/api/v1/summary …) and /metrics; off by default');
  addLiveOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      done(await runRouter(options, io));
    });
};

async function runRouter(options: Options, io: Io): Promise<ExitStatus> {
  const read = (): RouterConfig => readConfig(options, io);
  const config = read();
  const traffic = await liveTraffic(options, config.ecmp, io);
  const ended = signalled(['SIGTERM', 'SIGINT']);
  warmUp();
  const program = await RouterProgram.start(config, (line) => io.err(`${printable(line)}\n`));
  let side: LiveSide | null = null;
  const onReload = (): void => {
    reload(program, read);
    side?.reloaded();
  };
  process.on('SIGHUP', onReload);
  try {
    const print = (line: string): void => program.say(line);
    side = await startLiveSide(program.view, {
      traffic,
      http: config.http,
      version: packageVersion(),
      print,
    });
    program.say(['ready', ...program.addresses, ...(side.url === null ? [] : [side.url])].join(' '));
    for (const file of options.mrt ?? []) await Promise.race([program.load(file), ended]);
    await ended;
  } finally {
    process.off('SIGHUP', onReload);
    await side?.stop();
    await program.stop();
  }
  return ExitStatus.done;
}

/** A configuration that is wrong changes nothing. */
function reload(program: RouterProgram, read: () => RouterConfig): void {
  try {
    program.reload(read());
  } catch (error) {
    if (!(error instanceof FlowfateError)) throw error;
    program.say(`router: ${errorSentence(error)}`);
  }
}

function readConfig(options: Options, io: Io): RouterConfig {
  const { config, listen, asn, routerId, acceptAny, http } = options;
  const input: ScenarioInput | null = config === undefined ? null : readInput(config, io);
  const overrides: RouterOverrides = {
    ...(listen !== undefined && { listen: listen.map(listenTarget) }),
    ...(asn !== undefined && { asn: checkedAsn(asn) }),
    ...(routerId !== undefined && { routerId }),
    ...(acceptAny !== undefined && { acceptAny }),
    ...(http !== undefined && { http: httpAddress(http) }),
    start: options.restarted === true ? 'restarted' : 'fresh',
    ownAddresses: ownAddresses(ownInterfaces()),
    usualTtl: kernelTtl(),
  };
  return routerConfig(input, overrides);
}

function checkedAsn(asn: number): number {
  if (asn > 0) return asn;
  throw new FlowfateError('usage', '--asn 0: AS 0 belongs to nobody; private ones are 64512 to 65534');
}

function httpAddress(text: string): ListenAddress {
  const address = parseListen(text);
  if (address !== null) return address;
  throw new FlowfateError(
    'usage',
    `--http ${text}: expected a port, or an address with a port like 127.0.0.1:8179`,
  );
}

function listenTarget(text: string): ListenTarget {
  const target = parseListenTarget(text);
  if (target !== null) return target;
  throw new FlowfateError(
    'usage',
    `--listen ${text}: expected a port, an address with a port like 127.0.0.1:1790 or [::1]:1790, or fd:3`,
  );
}
