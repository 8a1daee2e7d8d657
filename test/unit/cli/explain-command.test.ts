import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { closed, healthy, recordsOf } from '../../support/conversation.js';
import { pcapFile } from '../../support/frames.js';
import { hasShared, sharedPath } from '../../support/shared.js';
import { runCommand } from './made-io.js';

const run = (...parts: string[]): string => sharedPath('lab', 'runs', 'cluster-withdraw', ...parts);

const lines = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

async function explain(scripts: readonly string[], ...more: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'flowfate-'));
  try {
    const path = join(folder, 'made.pcap');
    writeFileSync(path, pcapFile(recordsOf(scripts.map((script) => ({ script })))));
    return await runCommand(['explain', path, ...more]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(!hasShared)('flowfate explain on a recorded run of a real kernel', () => {
  test('counts what the clients saw', async () => {
    const { status, out, err } = await runCommand(['explain', run('capture.pcap')]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toContain('175 of 603 connections broke');
    expect(out).toMatch(/159 {2}unknown-connection/);
    expect(out).toMatch(/16 {2}unanswered-fin/);
    expect(out).toContain('What would tell these apart');
  });

  test('finds the re-hash of a scenario, as one burst', async () => {
    const argv = ['explain', run('capture.pcap'), '--scenario', run('scenario.yaml'), '--format', 'ndjson'];
    const records = lines((await runCommand(argv)).out);
    const bursts = records.filter(({ record }) => record === 'burst');
    expect(bursts).toHaveLength(1);
    expect(bursts[0]).toMatchObject({ flows: 175, resets: 159, silent: 16 });
    expect(bursts[0].event).toContain('203.0.113.10/32');
    const flows = records.filter(({ record }) => record === 'flow');
    expect(flows).toHaveLength(603);
    expect(flows.filter(({ finding }) => finding === 'rehash')).toHaveLength(175);
  });
});

describe('flowfate explain', () => {
  test('prints { schema, capture, bursts, flows, summary } as JSON', async () => {
    const { out } = await explain(
      [`${healthy(2)}\n${closed(0.4)}`, `${healthy(1)}\n0.2 c data 80\n0.201 s RSTACK`],
      '--format',
      'json',
    );
    const report = JSON.parse(out);
    expect(Object.keys(report)).toEqual(['schema', 'capture', 'bursts', 'flows', 'summary']);
    expect(report.capture.t0).toBe(1_700_000_000);
    expect(report.flows.map(({ finding }: { finding: string }) => finding)).toEqual([
      'ordinary',
      'application-reset',
    ]);
    expect(report.summary).toMatchObject({ flows: 2, judged: 2, broken: 0, brokenShare: 0 });
  });

  test('does not reassure where nothing could be judged', async () => {
    const { out } = await explain([healthy(3).replace(/ s (SYNACK|ack|data 240)/g, ' s $1 lost=1')]);
    expect(out).toContain('Nothing can be told from this capture');
    expect(out).not.toContain('broke');
  });

  test('refuses standard input where it has to read the capture twice', async () => {
    const { status, err } = await runCommand(['explain', '-', '--bgp-from-capture']);
    expect(status).toBe(2);
    expect(err).toContain('save it to a file first');
  });

  test('refuses two sources of routes, and an event without a scenario', async () => {
    expect((await runCommand(['explain', 'x', '--bgp-from-capture', '--mrt', 'y'])).status).toBe(2);
    expect((await runCommand(['explain', 'x', '--event', '5s withdraw n2'])).err).toContain('--scenario');
  });
});
