/** What `flowfate speaker` does; speaker-command.ts has its options. */
import type { ListenTarget } from '../bgp/net/transport.js';
import { nearest } from '../cluster/yaml/nearest.js';
import { FlowfateError } from '../errors.js';
import type { SpeakerRequest } from '../live/control/control-request.js';
import { askControl } from '../live/control/control-socket.js';
import type { LogFormat, Say } from '../live/program-log.js';
import { parseListenTarget } from '../live/router/listen-address.js';
import { ownAddresses, ownInterfaces } from '../live/router/own-addresses.js';
import { kernelTtl } from '../live/router/socket-security.js';
import { type SpeakerStatus, VIP_COMMANDS } from '../live/speaker/live-speaker.js';
import { controlPathOf, type SpeakerConfig, speakerConfig } from '../live/speaker/speaker-config.js';
import { SpeakerProgram } from '../live/speaker/speaker-program.js';
import { printable } from '../report/terminal.js';
import { errorSentence } from './error-sentence.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { logTo } from './log-to.js';
import { readInput } from './read-text.js';
import { signalled } from './signalled.js';

const ACTIONS = [...VIP_COMMANDS, 'status'] as const;

export interface SpeakerOptions {
  readonly config?: string;
  readonly control?: string;
  readonly listen?: readonly string[];
  readonly restarted?: true;
  readonly format: 'text' | 'json';
  readonly logFormat: LogFormat;
}

export async function runSpeaker(options: SpeakerOptions, io: Io): Promise<ExitStatus> {
  if (options.config === undefined) {
    throw new FlowfateError(
      'usage',
      'speaker needs --config with a file of kind Speaker, or an action like status',
    );
  }
  const { config: file } = options;
  const read = (): SpeakerConfig => readConfig(file, options, io);
  const print = logTo(options.logFormat, io);
  const ended = signalled(['SIGTERM', 'SIGINT']);
  const program = await SpeakerProgram.start(read(), print);
  const onReload = (): void => reload(program, read, print);
  process.on('SIGHUP', onReload);
  print(program.readyLine);
  await ended;
  process.off('SIGHUP', onReload);
  await program.stop();
  return ExitStatus.done;
}

/** A configuration that is wrong changes nothing. */
function reload(program: SpeakerProgram, read: () => SpeakerConfig, print: Say): void {
  try {
    program.reload(read());
  } catch (error) {
    if (!(error instanceof FlowfateError)) throw error;
    print(`speaker: ${errorSentence(error)}`, 'error');
  }
}

function readConfig(file: string, options: SpeakerOptions, io: Io): SpeakerConfig {
  return speakerConfig(readInput(file, io), {
    ...(options.listen !== undefined && { listen: options.listen.map(listenTarget) }),
    ...(options.control !== undefined && { control: options.control }),
    start: options.restarted === true ? 'restarted' : 'fresh',
    ownAddresses: ownAddresses(ownInterfaces()),
    usualTtl: kernelTtl(),
  });
}

export async function tellSpeaker(
  action: string,
  vip: string | undefined,
  options: SpeakerOptions,
  io: Io,
): Promise<ExitStatus> {
  const answer = await askControl(controlPath(options, io), 'speaker', requestOf(action, vip));
  if (!answer.ok) throw new FlowfateError('usage', answer.error);
  const status = answer.result as SpeakerStatus;
  if (options.format === 'json') io.out(`${JSON.stringify(status, null, 2)}\n`);
  else if (action === 'status') io.out(speakerStatusText(status));
  else io.out(vipLines(status, vip!));
  return ExitStatus.done;
}

function requestOf(action: string, vip: string | undefined): SpeakerRequest {
  const known = ACTIONS.find((one) => one === action);
  if (known === undefined) {
    const meant = nearest(action, ACTIONS);
    const hint = meant === null ? `known are ${ACTIONS.join(', ')}` : `did you mean ${meant}?`;
    throw new FlowfateError('usage', `speaker knows no action "${action}"; ${hint}`);
  }
  if (known === 'status') return { command: known };
  if (vip === undefined) throw new FlowfateError('usage', `speaker ${known} needs a VIP, or all`);
  return { command: known, name: vip };
}

function controlPath(options: SpeakerOptions, io: Io): string {
  if (options.control !== undefined) return options.control;
  if (options.config === undefined) {
    throw new FlowfateError(
      'usage',
      'name the running speaker by its --config, or by its socket with --control',
    );
  }
  return controlPathOf(readInput(options.config, io));
}

export function speakerStatusText({ asn, routerId, peers, vips }: SpeakerStatus): string {
  const peerLines = peers.map(({ peer, asn: remote, state, announced, bfd, lastError }) => {
    const watch = bfd === null ? '' : `, BFD ${bfd}`;
    const trouble = state !== 'Established' && lastError !== null ? ` (${lastError})` : '';
    return `peer ${peer}  AS ${remote ?? '?'}  ${state}${watch}  ${announced} announced${trouble}`;
  });
  const vipTexts = vips.map(vipText);
  return printableLines([`speaker AS ${asn}, router id ${routerId}`, ...peerLines, ...vipTexts]);
}

function vipLines({ vips }: SpeakerStatus, which: string): string {
  const told =
    which === 'all' ? vips : vips.filter(({ vip }) => vip === which || vip.split('/')[0] === which);
  return printableLines((told.length === 0 ? vips : told).map(vipText));
}

function vipText({ vip, state }: SpeakerStatus['vips'][number]): string {
  return `vip ${vip}  ${state}`;
}

function printableLines(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function listenTarget(text: string): ListenTarget {
  const target = parseListenTarget(text);
  if (target !== null) return target;
  throw new FlowfateError(
    'usage',
    `--listen ${text}: expected a port, an address with a port like 10.0.0.1:179 or [::1]:179, or fd:3`,
  );
}
