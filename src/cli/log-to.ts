/** The log of a running program on standard error, with nothing in it that a terminal would act on. */
import { type LogFormat, programLog, type Say } from '../live/program-log.js';
import { printable } from '../report/terminal.js';
import type { Io } from './io.js';

export function logTo(format: LogFormat, io: Io): Say {
  const say = programLog(format, io.err);
  return (line, level) => say(printable(line), level);
}
