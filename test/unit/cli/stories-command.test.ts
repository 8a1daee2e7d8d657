import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { STORIES } from '../../../src/stories/registry.js';
import { inFolder, runCommand } from './made-io.js';

const yours = fileURLToPath(new URL('../../../captures/cluster-withdraw.pcap.gz', import.meta.url));

describe('flowfate stories', () => {
  test('lists every story with a line of its own', async () => {
    const { status, out, err } = await runCommand(['stories']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    for (const { name } of STORIES) expect(out).toMatch(new RegExp(`^${name} `, 'm'));
    const json = JSON.parse((await runCommand(['stories', '--format', 'json'])).out);
    expect(json.stories.map(({ name }: { name: string }) => name)).toEqual(STORIES.map(({ name }) => name));
  });

  test('puts the failure and every variant into one table, with what each does and costs', async () => {
    const { status, out, err } = await runCommand(['stories', 'uneven-load', '--seeds', '1']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const story = STORIES.find(({ name }) => name === 'uneven-load')!;
    for (const name of ['failure', ...story.variants.map((v) => v.name)]) {
      expect(out).toMatch(new RegExp(`^${name} +\\d`, 'm'));
    }
    expect(out).toContain('Cost: ');
    expect(out).toContain('--print-scenario');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('tells a story on a capture of yours, its busiest servers being the VIPs', async () => {
    const argv = ['stories', 'rehash-on-scale', '--capture', yours, '--seeds', '1', '--format', 'ndjson'];
    const { status, out } = await runCommand(argv);
    expect(status).toBe(0);
    const records = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records[0]).toMatchObject({ record: 'story', name: 'rehash-on-scale', capture: { file: yours } });
    const failure = records.find(({ name, record }) => record === 'run' && name === 'failure');
    expect(failure.broken.mean).toBeGreaterThan(0);
    expect(records.at(-1).record).toBe('why');
  });

  test('prints a scenario that may be changed and told again', async () => {
    await inFolder(async (folder) => {
      const file = join(folder, 'mine.yaml');
      const printed = await runCommand(['stories', 'uneven-load', '--print-scenario', 'weights']);
      expect(printed.status).toBe(0);
      writeFileSync(file, printed.out);
      const argv = ['stories', 'uneven-load', '--scenario', file, '--seeds', '1', '--format', 'json'];
      const { status, out } = await runCommand(argv);
      expect(status).toBe(0);
      const failure = JSON.parse(out).runs[0];
      expect(failure.measures.podLoadRatio).toBeLessThan(1.6);
    });
  });

  test.each([
    [['stories', 'rehash'], 'there is no story "rehash"'],
    [['stories', 'uneven-load', '--print-scenario', 'weight'], 'did you mean weights?'],
    [['stories', '--print-scenario'], 'stories needs the name of a story to run'],
    [['stories', 'uneven-load', '--event', '5s withdraw n1'], '--event adds to a scenario'],
    [['stories', 'uneven-load', '--seeds', '0'], 'expected a whole number of at least 1'],
  ])('refuses %j with a sentence', async (argv, sentence) => {
    const { status, err } = await runCommand(argv);
    expect(status).toBe(2);
    expect(err).toContain(sentence);
  });
});
