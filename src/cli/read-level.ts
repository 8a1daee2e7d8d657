/**
 * `--level outer|inner|auto`: which IP header keys a packet. Routers are often captured through a mirror (ERSPAN, VXLAN,
 * GRE), where every client sits inside a tunnel: `auto` reads the outside, and the inside where only that reaches a VIP.
 */
import { type Command, Option } from 'commander';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import type { ReadCaptureOptions } from '../flow/read-capture.js';
import { TCP } from '../wire/ip-protocol.js';
import type { Io } from './io.js';
import { addIndexOption, type IndexOptions, indexFileOf, readWithProgress, warn } from './read-input.js';
import type { ChosenScenario, ScenarioOptions } from './scenario-input.js';

type LevelChoice = 'outer' | 'inner' | 'auto';

export interface LevelOptions extends IndexOptions {
  readonly level: LevelChoice;
}

export function addLevelOption(command: Command): Command {
  return addIndexOption(command).addOption(
    new Option(
      '--level <level>',
      'the IP header that keys a packet: its outermost, its innermost, or whichever reaches a VIP',
    )
      .choices(['outer', 'inner', 'auto'])
      .default('auto'),
  );
}

export interface ReadScenario {
  readonly index: CaptureIndex;
  readonly chosen: ChosenScenario;
}

type ScenarioOf = (index: CaptureIndex) => Promise<ChosenScenario>;

/** Reads the capture at the level that is asked for, and what runs over it. */
export async function readForScenario(
  capture: string,
  options: ScenarioOptions & LevelOptions,
  scenario: ScenarioOf,
  io: Io,
): Promise<ReadScenario> {
  const { index, chosen } = await readForScenarios(capture, options, [scenario], io);
  return { index, chosen: chosen[0]! };
}

/** The same for several scenarios, stated ones, over one capture: the inside where only that reaches a VIP of any. */
export async function readForScenarios(
  capture: string,
  options: ScenarioOptions & LevelOptions,
  scenarios: readonly ScenarioOf[],
  io: Io,
): Promise<{ readonly index: CaptureIndex; readonly chosen: readonly ChosenScenario[] }> {
  const all = (index: CaptureIndex): Promise<ChosenScenario[]> =>
    Promise.all(scenarios.map((scenario) => scenario(index)));
  const indexFile = indexFileOf(options);
  const readAt = (level: 'outer' | 'inner'): CaptureIndex =>
    readWithProgress(capture, io, { level, indexFile });
  // standard input is gone once it was read
  const readInside = (): CaptureIndex | null => (capture === '-' ? null : readAt('inner'));
  const first = readAt(options.level === 'inner' ? 'inner' : 'outer');
  if (options.level !== 'auto') return { index: first, chosen: await all(first) };
  if (scenarios.length === 1 && options.scenario.length + options.cluster.length === 0) {
    // a scenario made from the capture finds its VIPs at either level: tunnels alone are no clients
    const inside = holdsTcp(first) ? null : readInside();
    const index = inside !== null && holdsTcp(inside) ? inside : first;
    return noted(index, first, await all(index), io);
  }
  const chosen = await all(first);
  const { planOf } = await import('../outcome/flow-plan.js');
  const reaches = (index: CaptureIndex): boolean =>
    chosen.some(({ model }) => planOf(index, model).count > 0);
  if (reaches(first)) return { index: first, chosen };
  const inside = readInside();
  const index = inside !== null && reaches(inside) ? inside : first;
  return noted(index, first, chosen, io);
}

function noted(
  index: CaptureIndex,
  outer: CaptureIndex,
  chosen: readonly ChosenScenario[],
  io: Io,
): { readonly index: CaptureIndex; readonly chosen: readonly ChosenScenario[] } {
  if (index === outer) return { index, chosen };
  const note =
    'Packets are read by their innermost IP header (--level inner): only the inside of a tunnel or mirror reaches a VIP';
  warn(io, note);
  return { index, chosen: chosen.map((one) => ({ ...one, notes: [...one.notes, note] })) };
}

/** Reads a capture for which no scenario is stated: the inside where the outside holds no TCP, and says so. */
export function readWithoutScenario(
  capture: string,
  { level, ...options }: LevelOptions,
  io: Io,
  reading: Omit<ReadCaptureOptions, 'level' | 'indexFile'> = {},
  wanted: (index: CaptureIndex) => boolean = holdsTcp,
): CaptureIndex {
  const readAt = (at: 'outer' | 'inner'): CaptureIndex =>
    readWithProgress(capture, io, { ...reading, level: at, indexFile: indexFileOf(options) });
  const first = readAt(level === 'inner' ? 'inner' : 'outer');
  if (level !== 'auto' || capture === '-' || wanted(first)) return first;
  const inside = readAt('inner');
  if (!wanted(inside)) return first;
  warn(
    io,
    'Packets are read by their innermost IP header (--level inner): the outside is tunnels or a mirror',
  );
  return inside;
}

function holdsTcp({ flows }: CaptureIndex): boolean {
  for (let f = 0; f < flows.count; f++) if (flows.proto[f] === TCP) return true;
  return false;
}

/** Where a second pass over the capture is needed, which standard input has not. */
export function refuseStdin(capture: string, option: string): void {
  if (capture !== '-') return;
  throw new FlowfateError('usage', `${option} reads the capture twice; save it to a file first`);
}
