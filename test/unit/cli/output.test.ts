import { existsSync, linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeOutput } from '../../../src/cli/output.js';
import { inFolder, madeIo } from './made-io.js';

describe('writeOutput()', () => {
  test('writes to standard output for - and for no name', () => {
    const io = madeIo();
    writeOutput('-', io, [], ({ write }) => write('one '));
    writeOutput(undefined, io, [], ({ writeBytes }) => writeBytes(Uint8Array.of(50)));
    expect(io.outText()).toBe('one 2');
  });

  test('leaves exactly the named file, whole', () =>
    inFolder((folder) => {
      const file = join(folder, 'report.json');
      writeOutput(file, madeIo(), [], ({ write }) => {
        write('a');
        expect(existsSync(file)).toBe(false);
        write('b');
      });
      expect(readFileSync(file, 'utf8')).toBe('ab');
      expect(readdirSync(folder)).toEqual(['report.json']);
    }));

  test('keeps what was there when writing fails half-way', () =>
    inFolder((folder) => {
      const file = join(folder, 'report.json');
      writeFileSync(file, 'before');
      expect(() =>
        writeOutput(file, madeIo(), [], ({ write }) => {
          write('a');
          throw new Error('half-way');
        }),
      ).toThrow('half-way');
      expect(readFileSync(file, 'utf8')).toBe('before');
      expect(readdirSync(folder)).toEqual(['report.json']);
    }));

  test('refuses to overwrite an input, under whatever name', () =>
    inFolder((folder) => {
      const capture = join(folder, 'c.pcap');
      const alias = join(folder, 'alias');
      writeFileSync(capture, 'packets');
      linkSync(capture, alias);
      expect(() => writeOutput(alias, madeIo(), [capture], ({ write }) => write('a'))).toThrow(/is an input/);
      expect(readFileSync(capture, 'utf8')).toBe('packets');
    }));

  test('says in a sentence why a file cannot be written', () =>
    inFolder((folder) => {
      expect(() => writeOutput(folder, madeIo(), [], () => {})).toThrow(/is a directory/);
      const nowhere = join(folder, 'none', 'x');
      expect(() => writeOutput(nowhere, madeIo(), [], () => {})).toThrow(/its directory does not exist/);
    }));

  test('writes to a device in place', () => {
    expect(() => writeOutput('/dev/null', madeIo(), [], ({ write }) => write('a'))).not.toThrow();
  });
});
