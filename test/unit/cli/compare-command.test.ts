import { describe, expect, test } from 'vitest';
import { KNOB_NAMES } from '../../../src/what-if/variation.js';
import { hasShared, sharedPath } from '../../support/shared.js';
import { runCommand } from './made-io.js';

const run = (...parts: string[]): string => sharedPath('lab', 'runs', 'local-add', ...parts);
const compare = (...more: string[]) => [
  'compare',
  run('capture.pcap'),
  '--scenario',
  run('scenario.yaml'),
  ...more,
];

describe.skipIf(!hasShared)('flowfate compare', () => {
  test('ranks the combinations by what they break', async () => {
    const argv = compare('--vary', 'select=hash-threshold,resilient', 'policy=Local,Cluster', '--seeds', '2');
    const { status, out, err } = await runCommand([...argv, '--format', 'json']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const { rows } = JSON.parse(out);
    expect(rows).toHaveLength(4);
    const broken = rows.map((row: { broken: { mean: number } }) => row.broken.mean);
    expect(broken).toEqual([...broken].sort((a, b) => a - b));
    expect(rows[0].settings.select).toBe('resilient');
  });

  test('names in its help every setting that can be varied', async () => {
    const { status, out } = await runCommand(['compare', '--help']);
    expect(status).toBe(0);
    const [, settings = ''] = /Settings that vary:(.*)Examples:/s.exec(out) ?? [];
    expect(KNOB_NAMES.filter((name) => !new RegExp(`\\b${name}\\b`).test(settings))).toEqual([]);
  });

  test('refuses a setting that there is not, before it reads anything', async () => {
    const { status, err } = await runCommand(['compare', '/no/such', '--vary', 'colour=red']);
    expect(status).toBe(2);
    expect(err).toContain('--vary knows no "colour"');
  });
});
