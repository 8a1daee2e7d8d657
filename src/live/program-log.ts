/**
 * The log of a running router or speaker: a line an event on standard error, with time and level, or an object a line
 * for machines (pino). `ready` stands alone in text, so that whoever started the program finds it.
 */
import { pino } from 'pino';

const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export type LogLevel = 'info' | 'warn' | 'error';
/** Lines may begin with what they are about, a peer or the program: `10.0.0.1: established`. */
export type Say = (line: string, level?: LogLevel) => void;

/** `write` gets whole lines. */
export function programLog(format: LogFormat, write: (text: string) => void, nowMs = Date.now): Say {
  const isoTime = (): string => new Date(nowMs()).toISOString();
  if (format === 'text') {
    return (line, level = 'info') => {
      write(line.startsWith('ready') ? `${line}\n` : `${isoTime()} ${level.padEnd(5)} ${line}\n`);
    };
  }
  const log = pino(
    {
      base: null,
      timestamp: () => `,"time":"${isoTime()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return (line, level = 'info') => {
    const found = /^(.{1,200}?): (.*)$/s.exec(line);
    if (found === null) log[level](line);
    else log[level]({ about: found[1] }, found[2]);
  };
}
