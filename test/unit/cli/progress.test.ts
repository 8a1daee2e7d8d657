import { describe, expect, test } from 'vitest';
import { countLine, Progress, progressLine } from '../../../src/cli/progress.js';
import { madeIo } from './made-io.js';

describe('Progress', () => {
  test('says nothing where standard error is no terminal', () => {
    const io = madeIo();
    let now = 0;
    const progress = new Progress(io, 'reading', () => now);
    now = 5000;
    progress.update(1, 2, 3);
    progress.done();
    expect(io.errText()).toBe('');
  });

  test('says nothing in the first half second', () => {
    const io = madeIo({ terminal: true });
    let now = 0;
    const progress = new Progress(io, 'reading', () => now);
    now = 499;
    progress.update(1, 2, 3);
    progress.done();
    expect(io.errText()).toBe('');
  });

  test('writes one line over the other, at most ten a second, and wipes it in the end', () => {
    const io = madeIo({ terminal: true });
    let now = 0;
    const progress = new Progress(io, 'reading', () => now);
    for (now = 600; now < 1600; now += 10) progress.update(now, 2000, now);
    progress.done();
    const writes = io.errText().split('\r\x1b[K').slice(1);
    expect(writes).toHaveLength(11);
    expect(writes.at(-1)).toBe('');
    expect(io.errText()).not.toContain('\n');
  });
});

describe('progressLine()', () => {
  test('has share, rate and time left', () => {
    expect(progressLine('reading', 500, 2000, 3_000_000, 2)).toBe(
      'reading  █████                 25 %  3,000,000 packets, 1.5 M/s, 6.0 s left',
    );
  });

  test('has neither share nor time left where the size is unknown', () => {
    expect(progressLine('reading', 5e6, null, 1_000_000, 1)).toBe(
      'reading  5.00 MB  1,000,000 packets, 1.0 M/s',
    );
  });
});

describe('countLine()', () => {
  test('has pieces, share and time left', () => {
    expect(countLine('comparing', 50, 200, 'runs', 2)).toBe(
      'comparing  █████                 25 %  50 of 200 runs, 6.0 s left',
    );
  });
});
