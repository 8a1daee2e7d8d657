/** What `flowfate ctl` does; ctl-command.ts has its options. */
import { FlowfateError } from '../errors.js';
import { usualControlSockets } from '../live/control/control-path.js';
import {
  type ControlRequest,
  type RouterAnswer,
  routerRequest,
  speakerRequest,
} from '../live/control/control-request.js';
import { askControl, type ControlledProgram, isAnswered } from '../live/control/control-socket.js';
import { parseControlWords } from '../live/control/control-words.js';
import { routerControlPath } from '../live/router/router-config.js';
import type { SpeakerStatus } from '../live/speaker/live-speaker.js';
import { controlPathOf } from '../live/speaker/speaker-config.js';
import { answerText, type ListAnswer, listFooter, listHeader, listRows } from './ctl-text.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { readInput } from './read-text.js';
import { speakerStatusText } from './run-speaker.js';

export interface CtlOptions {
  readonly config?: string;
  readonly control?: string;
  readonly json?: true;
}

interface Target {
  readonly path: string;
  readonly program: ControlledProgram;
}

export async function runCtl(words: readonly string[], options: CtlOptions, io: Io): Promise<ExitStatus> {
  const request = parseControlWords(words.flatMap((word, i) => (i === 0 ? word.split(/\s+/) : [word])));
  const target = await targetOf(options, programsFor(request), io);
  const first = await ask(target, request);
  if (isList(first) && 'offset' in request) await printPages(first, request, target, options, io);
  else if (options.json === true) io.out(`${JSON.stringify(first, null, 2)}\n`);
  else io.out(first.kind === 'speaker' ? speakerStatusText(first) : answerText(first));
  return ExitStatus.done;
}

async function ask(
  { path, program }: Target,
  request: ControlRequest,
): Promise<RouterAnswer | SpeakerStatus> {
  const answer = await askControl(path, program, request);
  if (!answer.ok) throw new FlowfateError('usage', answer.error);
  return answer.result as RouterAnswer | SpeakerStatus;
}

function isList(answer: RouterAnswer | SpeakerStatus): answer is ListAnswer {
  return 'rows' in answer;
}

/** The first page and all that follow, printed as they come: a table may be larger than memory. */
async function printPages(
  first: ListAnswer,
  request: Extract<ControlRequest, { offset: number }>,
  target: Target,
  { json }: CtlOptions,
  io: Io,
): Promise<void> {
  const { rows: _rows, offset: _offset, limit: _limit, ...facts } = first;
  let answer = first;
  let shown = 0;
  if (json === true) io.out(`${JSON.stringify(facts, null, 2).slice(0, -2)},\n  "rows": [`);
  else io.out(listHeader(first));
  for (;;) {
    if (json === true) {
      answer.rows.forEach((row: unknown, i) => {
        io.out(`${shown + i === 0 ? '' : ','}\n    ${JSON.stringify(row)}`);
      });
    } else io.out(listRows(answer));
    shown += answer.rows.length;
    if (answer.rows.length === 0 || shown >= answer.total) break;
    const next = await ask(target, { ...request, offset: shown });
    if (!isList(next)) break;
    answer = next;
  }
  io.out(json === true ? '\n  ]\n}\n' : listFooter(answer));
}

/** Whom a request may be for; only `drain` and `undrain` are said to both. */
function programsFor(request: ControlRequest): readonly ControlledProgram[] {
  const both: ControlledProgram[] = ['router', 'speaker'];
  return both.filter(
    (program) => (program === 'router' ? routerRequest : speakerRequest).safeParse(request).success,
  );
}

async function targetOf(
  { control, config }: CtlOptions,
  programs: readonly ControlledProgram[],
  io: Io,
): Promise<Target> {
  if (config !== undefined) {
    const input = readInput(config, io);
    const isSpeaker = /^kind:\s*["']?Speaker\b/m.test(input.text);
    const path = control ?? (isSpeaker ? controlPathOf(input) : routerControlPath(input));
    return { path, program: isSpeaker ? 'speaker' : 'router' };
  }
  if (control !== undefined) return { path: control, program: 'router' };
  const answering: Target[] = [];
  for (const found of usualControlSockets()) {
    if (programs.includes(found.program) && (await isAnswered(found.path))) answering.push(found);
  }
  const [only] = answering;
  if (only === undefined) {
    throw new FlowfateError(
      'network',
      `no ${programs.join(' or ')} answers here; start one, or name its socket with --control`,
    );
  }
  if (answering.length === 1) return only;
  const paths = answering.map(({ path }) => path);
  throw new FlowfateError(
    'usage',
    `${paths.length} of them answer here; choose one with --control: ${paths.join(', ')}`,
  );
}
