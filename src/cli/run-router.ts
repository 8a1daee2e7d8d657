/** What `flowfate router` does; router-command.ts has its options. */

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
import { errorSentence } from './error-sentence.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { liveTraffic } from './live-input.js';
import type { LiveOptions } from './live-options.js';
import { readInput } from './read-text.js';
import { signalled } from './signalled.js';
import { packageVersion } from './version.js';

export interface RouterOptions extends LiveOptions {
  readonly config?: string;
  readonly listen?: readonly string[];
  readonly asn?: number;
  readonly routerId?: string;
  readonly acceptAny?: true;
  readonly restarted?: true;
  readonly mrt?: readonly string[];
  readonly http?: string;
}

export async function runRouter(options: RouterOptions, io: Io): Promise<ExitStatus> {
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

function readConfig(options: RouterOptions, io: Io): RouterConfig {
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
