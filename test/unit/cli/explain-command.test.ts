import { describe, expect, it } from 'vitest';
import { hasShared, sharedPath } from '../../support/shared.js';
import { runCommand } from './made-io.js';

const run = (...parts: string[]): string => sharedPath('lab', 'runs', 'cluster-withdraw', ...parts);

describe.skipIf(!hasShared)('flowfate explain on a recorded run of a real kernel', () => {
  it('counts the resets and hangs that the clients saw', async () => {
    const { status, out, err } = await runCommand(['explain', run('capture.pcap')]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toContain('175 of 603 TCP flows came to grief');
    expect(out).toMatch(/159 {2}looks-rehashed/);
    expect(out).toMatch(/16 {2}no-answer-to-fin/);
  });

  it("sets the burst against the scenario's timeline", async () => {
    const argv = ['explain', run('capture.pcap'), '--scenario', run('scenario.yaml'), '--format', 'ndjson'];
    const lines = (await runCommand(argv)).out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const bursts = lines.filter(({ record }) => record === 'burst');
    expect(bursts).toHaveLength(1);
    expect(bursts[0].event).toContain('203.0.113.10/32');
    expect(lines.filter(({ record }) => record === 'flow')).toHaveLength(603);
  });

  it('refuses standard input, for it reads the capture twice', async () => {
    const { status, err } = await runCommand(['explain', '-']);
    expect(status).toBe(2);
    expect(err).toContain('save it to a file first');
  });
});
