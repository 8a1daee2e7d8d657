import { copyFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasShared, sharedPath } from '../../support/shared.js';
import { inFolder, runCommand } from './made-io.js';

const run = (...parts: string[]): string => sharedPath('lab', 'runs', 'local-add', ...parts);
const replay = (...more: string[]) => [
  'replay',
  run('capture.pcap'),
  '--scenario',
  run('scenario.yaml'),
  ...more,
];

describe.skipIf(!hasShared)('flowfate replay on a recorded run of a real kernel', () => {
  test('says in text how many flows broke, as the clients saw it', async () => {
    const { status, out, err } = await runCommand(replay());
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toContain('166 of 586 flows broke (28.3 %).');
    expect(out).toContain('152 reset');
    expect(out).toContain('14 timeout');
  });

  test('gives the same bytes each time, in json', async () => {
    const once = await runCommand(replay('--format', 'json'));
    const twice = await runCommand(replay('--format', 'json'));
    expect(twice.out).toBe(once.out);
    const report = JSON.parse(once.out);
    expect(report.schema).toBe('flowfate/report/1');
    expect(report.flows).toHaveLength(586);
    expect(report.summary.byFate.reset).toBe(152);
  });

  test('writes ndjson with the flows between events and summary', async () => {
    const { out } = await runCommand(replay('--format', 'ndjson'));
    const kinds = out
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { record: string }).record);
    expect(kinds[0]).toBe('capture');
    expect(kinds.filter((kind) => kind === 'flow')).toHaveLength(586);
    expect(kinds.at(-1)).toBe('summary');
  });

  test('writes csv with a line a connection under a head', async () => {
    const { out } = await runCommand(replay('--format', 'csv'));
    const lines = out.trimEnd().split('\n');
    const fate = lines[0]!.split(',').indexOf('fate');
    expect(lines).toHaveLength(587);
    expect(lines.slice(1).filter((line) => line.split(',')[fate] === 'reset')).toHaveLength(152);
  });

  test('exits with 1 and a sentence where a budget is exceeded, and with 0 where it is kept', async () => {
    const exceeded = await runCommand(replay('--fail-on', 'broken>0'));
    expect(exceeded.status).toBe(1);
    expect(exceeded.err).toBe('flowfate: the budget "broken>0" is exceeded: broken is 166\n');
    expect(exceeded.out).toContain('166 of 586');
    expect((await runCommand(replay('--fail-on', 'broken>50%', 'refused>0'))).status).toBe(0);
  });

  test('refuses a wrong budget before it reads anything', async () => {
    const { status, out, err } = await runCommand(['replay', '/does/not/exist', '--fail-on', 'brken>0']);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toContain('no figure is called "brken"');
  });

  test('writes page and annotated capture beside the result', () =>
    inFolder(async (folder) => {
      const [page, copy] = [join(folder, 'r.html'), join(folder, 'r.pcapng')];
      const { status, err } = await runCommand(replay('--html', page, '--pcapng', copy));
      expect({ status, err }).toEqual({ status: 0, err: '' });
      expect(readFileSync(page, 'utf8')).toContain('<b>166</b> of 586 flows broke');
      const { out } = await runCommand(['flows', copy, '--summary']);
      expect(out).toContain('586 flows, 23,730 packets in them');
    }));

  test('reads what is there of a capture that ends inside its last record, warns and exits with 0', () =>
    inFolder(async (folder) => {
      const cut = join(folder, 'cut.pcap');
      copyFileSync(run('capture.pcap'), cut);
      truncateSync(cut, readFileSync(cut).length - 10);
      const { status, out, err } = await runCommand([
        'replay',
        cut,
        '--scenario',
        run('scenario.yaml'),
        '--format',
        'json',
      ]);
      expect(status).toBe(0);
      expect(err).toMatch(/^flowfate: .+\n$/);
      expect(JSON.parse(out).capture.truncated).toBe(true);
    }));

  test('prints what came before damage, then exits with 3', () =>
    inFolder(async (folder) => {
      const bad = join(folder, 'bad.pcap');
      const bytes = readFileSync(run('capture.pcap'));
      // A captured length of 4 GB in the middle of the file, at the start of a record.
      let at = 24;
      while (at < bytes.length / 2) at += 16 + bytes.readUInt32LE(at + 8);
      bytes.writeUInt32LE(0xffff_ffff, at + 8);
      writeFileSync(bad, bytes);
      const { status, out, err } = await runCommand(['replay', bad, '--scenario', run('scenario.yaml')]);
      expect(status).toBe(3);
      expect(out).toContain('flows broke');
      expect(err).toContain('the result covers what was read before');
    }));

  test('adds events of the command line to the timeline', async () => {
    const { out } = await runCommand(
      replay('--event', '1s withdraw n1', '2s announce n1', '--format', 'json'),
    );
    const details = JSON.parse(out).events.map(
      (event: { at: number; kind: string }) => `${event.at} ${event.kind}`,
    );
    expect(details).toContain('1 withdraw');
    expect(details).toContain('2 announce');
  });

  test('makes a scenario where none is given, says so, and prints one that gives the same result', () =>
    inFolder(async (folder) => {
      const made = await runCommand(['replay', run('capture.pcap'), '--format', 'json']);
      expect(made.status).toBe(0);
      expect(made.err).toContain('No scenario was given');
      const { summary } = JSON.parse(made.out);
      expect(summary.scenario.madeFromCapture).toBe(true);
      expect(summary.notes.join()).toContain('No scenario was given');

      const file = join(folder, 'from-capture.yaml');
      const printed = await runCommand(['replay', run('capture.pcap'), '--print-scenario', '--out', file]);
      expect(printed.status).toBe(0);
      const again = await runCommand(['replay', run('capture.pcap'), '--scenario', file, '--format', 'json']);
      expect(JSON.parse(again.out).flows).toEqual(JSON.parse(made.out).flows);
    }));

  test("takes --seed instead of the scenario's", async () => {
    const { out } = await runCommand(replay('--format', 'json', '--seed', '7'));
    expect(JSON.parse(out).summary.scenario.seed).toBe(7);
  });

  test('does not overwrite its capture', () =>
    inFolder(async (folder) => {
      const capture = join(folder, 'c.pcap');
      copyFileSync(run('capture.pcap'), capture);
      const argv = ['replay', capture, '--scenario', run('scenario.yaml'), '--out', capture];
      const { status, err } = await runCommand(argv);
      expect(status).toBe(2);
      expect(err).toContain('is an input of this run');
      expect(readFileSync(capture).equals(readFileSync(run('capture.pcap')))).toBe(true);
    }));

  test('puts wall time and rate into the summary only with --timing', async () => {
    const { out } = await runCommand(replay('--format', 'json', '--timing'));
    expect(JSON.parse(out).summary.timing.packetsPerS).toBeGreaterThan(0);
  });
});

describe('flowfate replay', () => {
  test.each([
    [['replay', '/no/such.pcap', '--scenario', '/no/such.yaml'], 2, '/no/such.yaml does not exist'],
    [['flows', '/no/such.pcap'], 3, '/no/such.pcap does not exist'],
    [['flows', '/tmp'], 3, '/tmp is a directory'],
    [['flows', 'package.json'], 3, 'package.json is not a capture'],
  ])('%j exits with %d and one sentence', async (argv, expected, sentence) => {
    const { status, out, err } = await runCommand(argv);
    expect({ status, out }).toEqual({ status: expected, out: '' });
    expect(err).toContain(sentence);
    expect(err.trimEnd()).not.toContain('\n');
    expect(existsSync('/no/such.pcap')).toBe(false);
  });
});
