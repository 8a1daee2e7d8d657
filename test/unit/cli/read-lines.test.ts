import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readLines } from '../../../src/cli/read-lines.js';
import { inFolder, madeIo, withStdin } from './made-io.js';

const linesOf = (text: string): Promise<string[]> =>
  withStdin(text, (stdin) => [...readLines('-', madeIo({ stdin }))]);

describe('readLines()', () => {
  test('yields lines without their ends, LF or CRLF', async () => {
    expect(await linesOf('a\r\n\nb\n')).toEqual(['a', '', 'b']);
  });

  test('yields a last line without end', async () => expect(await linesOf('a\nb')).toEqual(['a', 'b']));

  test('yields nothing of nothing', async () => expect(await linesOf('')).toEqual([]));

  test('keeps lines whole across its chunks, characters of several octets among them', async () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `ü${i}€`);
    expect(await linesOf(lines.join('\n'))).toEqual(lines);
  });

  test('refuses what has no lines', async () => {
    await expect(linesOf('\0'.repeat(3 << 20))).rejects.toThrow(/is no text/);
  });

  test('reads a file by name, and says what is wrong with one', () =>
    inFolder((folder) => {
      writeFileSync(join(folder, 'f'), 'x\n');
      expect([...readLines(join(folder, 'f'), madeIo())]).toEqual(['x']);
      expect(() => [...readLines(join(folder, 'g'), madeIo())]).toThrow(/does not exist/);
      expect(() => [...readLines(folder, madeIo())]).toThrow(/is a directory/);
    }));
});
