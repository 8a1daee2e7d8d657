/** Events by the clock: `--event "2026-11-23T06:00:15Z withdraw n4"`, a time of RFC 3339 in place of seconds since t = 0. */
import { parseEventText } from '../cluster/scenario/event-text.js';
import { FlowfateError } from '../errors.js';

/** date-time of RFC 3339, section 5.6, and what follows it */
const FORM =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})\s+(\S.*)$/;

export interface ClockEvent {
  /** nanoseconds since 1970 */
  readonly atNs: bigint;
  /** verb and what it acts on */
  readonly words: string;
}

export interface SplitEvents {
  /** as `--event` takes them, seconds since t = 0 */
  readonly relative: readonly string[];
  readonly byClock: readonly ClockEvent[];
}

/** Throws a usage error for an event by the clock that is none, before any capture is read. */
export function splitEvents(texts: readonly string[]): SplitEvents {
  const relative: string[] = [];
  const byClock: ClockEvent[] = [];
  for (const text of texts) {
    const event = clockEvent(text.trim());
    if (event === null) relative.push(text);
    else byClock.push(event);
  }
  return { relative, byClock };
}

/** The event with its time counted from t = 0 (nanoseconds since 1970). */
export function sinceT0({ atNs, words }: ClockEvent, t0Ns: bigint): string {
  const ns = atNs - t0Ns;
  if (ns < 0n) {
    throw new FlowfateError(
      'usage',
      `--event "… ${words}" lies ${Number(-ns) / 1e9} s before t = 0, where the report begins; give a later time, or spec.epoch`,
    );
  }
  return `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}s ${words}`;
}

function clockEvent(text: string): ClockEvent | null {
  const parts = FORM.exec(text);
  if (parts === null) return null;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z', words = ''] = parts;
  const stamp = `${year}-${month}-${day}T${hour}:${minute}:${second}`;
  const ms = Date.parse(`${stamp}${zone.toUpperCase()}`);
  if (Number.isNaN(ms)) {
    throw new FlowfateError('usage', `--event "${text}": ${stamp}${zone} is no time that a calendar has`);
  }
  parseEventText(`0s ${words}`);
  return { atNs: BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0')), words };
}
