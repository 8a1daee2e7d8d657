import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/command-table.js';
import { errorSentence } from '../../../src/cli/error-sentence.js';
import { FlowfateError } from '../../../src/errors.js';
import { runCommand } from './made-io.js';

describe('flowfate', () => {
  test('prints the version of package.json', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await runCommand(['--version'])).toEqual({ status: 0, out: `${version}\n`, err: '' });
  });

  test('lists exactly the commands that exist', async () => {
    const { status, out, err } = await runCommand(['--help']);
    expect(status).toBe(0);
    expect(err).toBe('');
    for (const { name } of COMMANDS) expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
  });

  test('without a command shows its help on standard error and fails', async () => {
    const { status, out, err } = await runCommand([]);
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('Usage: flowfate <command>');
  });

  test('names the nearest command for an unknown one', async () => {
    const { status, out, err } = await runCommand(['flwos', 'x.pcap']);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toBe('flowfate: there is no command "flwos"; did you mean flows?\n');
  });

  test('points to the help where no command is near', async () => {
    const { err } = await runCommand(['frobnicate']);
    expect(err).toBe('flowfate: there is no command "frobnicate"; see flowfate --help\n');
  });

  test.each(COMMANDS.map(({ name }) => name))('%s --help has an example', async (name) => {
    const { status, out } = await runCommand([name, '--help']);
    expect(status).toBe(0);
    expect(out).toMatch(/Examples?:\n {2}/);
  });

  test('help <command> is <command> --help', async () => {
    const asked = await runCommand(['help', 'flows']);
    const optioned = await runCommand(['flows', '--help']);
    expect(asked).toEqual(optioned);
  });

  test('names the nearest option for an unknown one', async () => {
    const { status, err } = await runCommand(['flows', 'x.pcap', '--sumary']);
    expect(status).toBe(2);
    expect(err).toBe("flowfate: unknown option '--sumary'; did you mean --summary?\n");
  });

  test('says which values an option has', async () => {
    const { status, err } = await runCommand(['flows', 'x.pcap', '--level', 'middle']);
    expect(status).toBe(2);
    expect(err).toContain('outer, inner');
    expect(err.trimEnd()).not.toContain('\n');
  });

  test('says in one line that the capture is missing from the command', async () => {
    const { status, err } = await runCommand(['flows']);
    expect(status).toBe(2);
    expect(err).toBe("flowfate: missing required argument 'capture'\n");
  });

  test('ends silently with 0 when the reader of standard output has gone', async () => {
    expect(await runCommand(['--help'], { readerLeavesAfter: 0 })).toEqual({ status: 0, out: '', err: '' });
  });
});

describe('errorSentence()', () => {
  test('puts file and position before a message that does not name the file', () => {
    const config = new FlowfateError('config', 'unknown key "nod"', { file: 's.yaml', line: 3, column: 7 });
    expect(errorSentence(config)).toBe('s.yaml:3:7: unknown key "nod"');
    const input = new FlowfateError('input', 'the record is absurd', { file: 'c.pcap', offset: 24 });
    expect(errorSentence(input)).toBe('c.pcap, byte 24: the record is absurd');
  });

  test('leaves a message alone that names the file', () => {
    const error = new FlowfateError('input', 'c.pcap does not exist', { file: 'c.pcap' });
    expect(errorSentence(error)).toBe('c.pcap does not exist');
  });
});
