/** What `flowfate router` does; router-command.ts has its options. */

import type { ListenAddress, ListenTarget } from '../bgp/net/transport.js';
import type { ScenarioInput } from '../cluster/yaml/yaml-source.js';
import { FlowfateError } from '../errors.js';
import { controlPathOfFile, controlPathOfListener } from '../live/control/control-path.js';
import type { ConfigChange } from '../live/control/control-request.js';
import { ControlSocket } from '../live/control/control-socket.js';
import type { LiveService } from '../live/live-service.js';
import { type LiveSide, startLiveSide } from '../live/live-side.js';
import type { LogFormat } from '../live/program-log.js';
import { parseListen, parseListenTarget } from '../live/router/listen-address.js';
import { ownAddresses, ownInterfaces } from '../live/router/own-addresses.js';
import { type RouterConfig, type RouterOverrides, routerConfig } from '../live/router/router-config.js';
import { RouterControl } from '../live/router/router-control.js';
import { RouterProgram } from '../live/router/router-program.js';
import { kernelTtl } from '../live/router/socket-security.js';
import { warmUp } from '../live/router/warm-up.js';
import { errorSentence } from './error-sentence.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { liveTraffic } from './live-input.js';
import type { LiveOptions } from './live-options.js';
import { logTo } from './log-to.js';
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
  readonly control?: string;
  readonly logFormat: LogFormat;
}

export async function runRouter(options: RouterOptions, io: Io): Promise<ExitStatus> {
  const read = (): RouterConfig => readConfig(options, io);
  const config = read();
  const traffic = await liveTraffic(options, config.ecmp, io);
  const ended = signalled(['SIGTERM', 'SIGINT']);
  warmUp();
  const program = await RouterProgram.start(config, logTo(options.logFormat, io));
  let side: LiveSide | null = null;
  let control: ControlSocket | null = null;
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
    control = await openControl(program, side.service, config, options, () => {
      const fresh = read();
      return {
        compare: () => program.compare(fresh),
        apply: () => {
          const changes = program.reload(fresh);
          side?.reloaded();
          return changes;
        },
      };
    });
    program.say(['ready', ...program.addresses, ...(side.url === null ? [] : [side.url])].join(' '));
    for (const file of options.mrt ?? []) await Promise.race([program.load(file), ended]);
    await ended;
  } finally {
    process.off('SIGHUP', onReload);
    control?.close();
    await side?.stop();
    await program.stop();
  }
  return ExitStatus.done;
}

/** A configuration that was read, to be compared with the one that runs, or to take its place. */
interface FreshConfig {
  compare(): readonly ConfigChange[];
  apply(): readonly ConfigChange[];
}

/** Without a socket of its own, a router that shares its usual one with another goes on without. */
async function openControl(
  program: RouterProgram,
  service: LiveService,
  config: RouterConfig,
  { config: file }: RouterOptions,
  read: () => FreshConfig,
): Promise<ControlSocket | null> {
  const usual =
    file === undefined || file === '-'
      ? controlPathOfListener('router', program.addresses[0] ?? '')
      : controlPathOfFile('router', file);
  const { operator } = program;
  const control = new RouterControl({
    operator,
    service,
    reload: (apply) => {
      try {
        const fresh = read();
        return apply ? fresh.apply() : fresh.compare();
      } catch (error) {
        if (!(error instanceof FlowfateError)) throw error;
        throw new FlowfateError(error.code, errorSentence(error));
      }
    },
  });
  try {
    return await ControlSocket.open(config.control ?? usual, 'router', (request) => control.answer(request));
  } catch (error) {
    if (!(error instanceof FlowfateError) || config.control !== null) throw error;
    program.say(`router: ${errorSentence(error)}`, 'warn');
    return null;
  }
}

/** A configuration that is wrong changes nothing. */
function reload(program: RouterProgram, read: () => RouterConfig): void {
  try {
    program.reload(read());
  } catch (error) {
    if (!(error instanceof FlowfateError)) throw error;
    program.say(`router: ${errorSentence(error)}`, 'error');
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
    ...(options.control !== undefined && { control: options.control }),
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
