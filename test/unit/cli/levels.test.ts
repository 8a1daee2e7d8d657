import { describe, expect, test } from 'vitest';
import { hasShared, sharedPath } from '../../support/shared.js';
import { runCommand } from './made-io.js';

const mirror = sharedPath('cases', 'explain', 'withdraw-erspan.pcap.gz');
const scenario = 'captures/cluster-withdraw.yaml';

describe.skipIf(!hasShared)('a capture in which every client sits inside a mirror’s tunnel', () => {
  test.each([
    ['replay', ['replay', mirror, '--scenario', scenario, '--format', 'json']],
    ['plan', ['plan', 'drain', mirror, '--scenario', scenario, '--format', 'json']],
    ['compare', ['compare', mirror, '--before', scenario, '--after', scenario, '--format', 'json']],
    ['stories', ['stories', 'uneven-load', '--capture', mirror, '--seeds', '1', '--format', 'json']],
  ])('%s reads the inside by itself, and says so', async (_, argv) => {
    const { status, out, err } = await runCommand(argv);
    expect({ status, err }).toEqual({ status: 0, err: expect.stringContaining('--level inner') });
    const { capture } = JSON.parse(out);
    expect(capture.level ?? 'inner').toBe('inner');
  });

  test('flows reads the inside where auto is asked for', async () => {
    const { out, err } = await runCommand(['flows', mirror, '--level', 'auto', '--format', 'ndjson']);
    expect(err).toContain('--level inner');
    const protocols = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).proto);
    expect(protocols).toContain('tcp');
  });

  test('forward says that it does not look inside', async () => {
    const { err } = await runCommand(['forward', mirror, '--scenario', scenario]);
    expect(err).toContain('forward does not look into tunnels');
  });
});

describe('plan drain', () => {
  test('prints a record a line', async () => {
    const argv = ['plan', 'drain', 'captures/cluster-withdraw.pcap.gz', '--scenario', scenario];
    const { status, out } = await runCommand([...argv, '--format', 'ndjson']);
    expect(status).toBe(0);
    const records = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records[0]).toMatchObject({ record: 'capture', kind: 'drain-plan' });
    expect(records.filter(({ record }) => record === 'step')).toHaveLength(4);
    expect(records.at(-1)).toMatchObject({ record: 'summary', total: expect.any(Number) });
  });
});

describe('--utc', () => {
  test('stands beside seconds in explain and in a comparison', async () => {
    const capture = 'captures/cluster-withdraw.pcap.gz';
    for (const argv of [
      ['explain', capture, '--scenario', scenario, '--utc'],
      [
        'compare',
        capture,
        '--before',
        scenario,
        '--after',
        'captures/cluster-resilient-withdraw-readd.yaml',
        '--utc',
      ],
    ]) {
      const { status, out } = await runCommand(argv);
      expect(status).toBe(0);
      expect(out).toMatch(/at \d\d:\d\d:\d\d\.\d{3} UTC, \d+\.\d{3} s/);
    }
  });
});
