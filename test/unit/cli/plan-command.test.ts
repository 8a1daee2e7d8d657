import { describe, expect, test } from 'vitest';
import { hasShared, sharedPath } from '../../support/shared.js';
import { runCommand } from './made-io.js';

const run = (...parts: string[]): string => sharedPath('lab', 'runs', 'local-add', ...parts);

describe('flowfate plan drain', () => {
  test.skipIf(!hasShared)('prints an order of the announcing nodes and what each drain breaks', async () => {
    const argv = [
      'plan',
      'drain',
      run('capture.pcap'),
      '--scenario',
      run('scenario.yaml'),
      '--format',
      'json',
    ];
    const { status, out, err } = await runCommand(argv);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const plan = JSON.parse(out);
    expect([...plan.order].sort()).toEqual(['n1', 'n2', 'n4']);
    expect(plan.capture.packets).toBeGreaterThan(0);
    expect(plan.total).toBe(plan.summary.broken);
    const text = await runCommand(argv.slice(0, -2));
    expect(text.out).toContain(`Drain ${plan.order.join(', ')}`);
  });

  test('refuses what is no duration', async () => {
    const { status, err } = await runCommand(['plan', 'drain', 'x.pcap', '--every', 'often']);
    expect(status).toBe(2);
    expect(err).toBe('flowfate: --every often: expected a duration like 250ms, 5s or 2m\n');
  });
});
