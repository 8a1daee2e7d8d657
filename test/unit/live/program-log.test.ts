/** Lines of a running program, for people and for machines. */
import { expect, test } from 'vitest';
import { type LogFormat, programLog, type Say } from '../../../src/live/program-log.js';

const AT_MS = Date.UTC(2026, 10, 28, 9, 0, 0, 123);

function logged(format: LogFormat, act: (say: Say) => void): string {
  let text = '';
  act(
    programLog(
      format,
      (more) => {
        text += more;
      },
      () => AT_MS,
    ),
  );
  return text;
}

const speak = (say: Say): void => {
  say('ready 127.0.0.1:1790');
  say('fd00::1: established, AS 64601');
  say('10.0.0.1: down, the peer reset the connection', 'warn');
};

test('text has time and level before each line, and ready alone', () => {
  expect(logged('text', speak).split('\n')).toEqual([
    'ready 127.0.0.1:1790',
    '2026-11-28T09:00:00.123Z info  fd00::1: established, AS 64601',
    '2026-11-28T09:00:00.123Z warn  10.0.0.1: down, the peer reset the connection',
    '',
  ]);
});

test('JSON has an object a line, with what it is about', () => {
  const time = '2026-11-28T09:00:00.123Z';
  const lines = logged('json', speak).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 'info', time, msg: 'ready 127.0.0.1:1790' },
    { level: 'info', time, about: 'fd00::1', msg: 'established, AS 64601' },
    { level: 'warn', time, about: '10.0.0.1', msg: 'down, the peer reset the connection' },
  ]);
});
