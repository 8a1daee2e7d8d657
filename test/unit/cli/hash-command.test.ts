import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasShared, sharedPath } from '../../support/shared.js';
import { inFolder, runCommand, withStdin } from './made-io.js';

interface EcmpVector {
  readonly policy: number;
  readonly fields: number;
  readonly seed: number;
  readonly weights: number[];
  readonly frame: string;
  readonly hash31: number;
  readonly nexthop: number;
}

const TUPLES =
  '# a comment\n\ntcp 198.51.100.7 40000 203.0.113.10 80\nudp\t2001:db8::1\t53\t2001:db8:113::10\t53\n';

describe('flowfate hash', () => {
  test('prints a head and a line for each tuple of standard input', () =>
    withStdin(TUPLES, async (stdin) => {
      const argv = ['hash', '--hash', 'linux-l4', '--seed', '0x5eedc0de', '--next-hops', 'n1,n2,n3', '-'];
      const { status, out, err } = await runCommand(argv, { stdin });
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const lines = out.trimEnd().split('\n');
      expect(lines[0]).toBe('proto\tsrc\tsrcPort\tdst\tdstPort\thash\tbucket\tnextHop');
      expect(lines).toHaveLength(3);
      expect(lines[1]).toMatch(/^tcp\t198\.51\.100\.7\t40000\t203\.0\.113\.10\t80\t\d+\t-\tn[123]$/);
      expect(lines[2]).toMatch(/^udp\t2001:db8::1\t53\t2001:db8:113::10\t53\t\d+\t-\tn[123]$/);
    }));

  test('gives both directions of a flow the same hash', () =>
    withStdin(
      'tcp 198.51.100.7 40000 203.0.113.10 80\ntcp 203.0.113.10 80 198.51.100.7 40000\n',
      async (stdin) => {
        const { out } = await runCommand(['hash', '--seed', '7', '--format', 'ndjson', '-'], { stdin });
        const [there, back] = out
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
        expect(there.hash).toBe(back.hash);
        expect(Object.keys(there)).toEqual([
          'proto',
          'src',
          'srcPort',
          'dst',
          'dstPort',
          'hash',
          'bucket',
          'nextHop',
        ]);
      },
    ));

  test('prints what came before a bad line, then names the line', () =>
    withStdin(`${TUPLES}tcp nonsense\n`, async (stdin) => {
      const { status, out, err } = await runCommand(['hash', '-'], { stdin });
      expect(status).toBe(3);
      expect(out.trimEnd().split('\n')).toHaveLength(3);
      expect(err).toContain('-:5: 2 fields');
    }));

  test("prints Linux's table of a fresh resilient group", async () => {
    const argv = ['hash', '--select', 'resilient', '--buckets', '8', '--next-hops', '1,2,3', '--table'];
    const { status, out } = await runCommand(argv);
    expect(status).toBe(0);
    const column = out
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split('\t')[1]);
    // Measured on Linux 6.18: 8 buckets over 1/2/3 are filled in reverse listing order.
    expect(column.join()).toBe('3,3,3,2,2,1,1,1');
  });

  test.each([
    [['hash'], 'takes either a file of tuples'],
    [['hash', '--table'], '--table needs --next-hops'],
    [['hash', '--table', '--next-hops', 'a,b'], 'has no table'],
    [['hash', '--seed', '4294967296', '-'], '--seed 4294967296: expected a number'],
    [['hash', '--next-hops', 'a,,b', '-'], 'is no next hop'],
    [['hash', '--hash', 'linux-l5', '-'], 'linux-l4'],
  ])('refuses %j in one sentence', async (argv, sentence) => {
    const { status, out, err } = await runCommand(argv);
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(err).toContain(sentence);
  });

  test.skipIf(!hasShared)(
    'hashes frames of a capture and chooses as the kernel did, for every vector',
    async () => {
      const vectors = ecmpVectors();
      expect(vectors.length).toBeGreaterThan(700);
      const groups = new Map<string, EcmpVector[]>();
      for (const vector of vectors) {
        const key = JSON.stringify([vector.policy, vector.fields, vector.seed, vector.weights]);
        groups.set(key, [...(groups.get(key) ?? []), vector]);
      }
      await inFolder(async (folder) => {
        for (const same of groups.values()) {
          const file = join(folder, 'frames.pcap');
          writeFileSync(file, pcapOf(same.map(({ frame }) => Buffer.from(frame, 'hex'))));
          const { policy, fields, seed, weights } = same[0]!;
          const hash = ['linux-l3', 'linux-l4', 'linux-inner', 'linux-custom'][policy]!;
          const hops = weights.map((weight, i) => `${i}*${weight}`).join(',');
          const argv = [
            'hash',
            '--hash',
            hash,
            '--seed',
            String(seed),
            '--fields',
            String(fields),
            '--next-hops',
            hops,
          ];
          const { out } = await runCommand([...argv, '--capture', file, '--format', 'ndjson']);
          const rows = out
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line));
          expect(rows.map((row) => [row.packet, row.hash, row.nextHop])).toEqual(
            same.map((vector, i) => [i + 1, vector.hash31, String(vector.nexthop)]),
          );
        }
      });
    },
  );
});

function ecmpVectors(): EcmpVector[] {
  const file = JSON.parse(readFileSync(sharedPath('lab', 'ecmp-vectors.json'), 'utf8'));
  return (Array.isArray(file) ? file : file.vectors) as EcmpVector[];
}

/** A classic pcap, microseconds, Ethernet. */
function pcapOf(frames: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65535, 16);
  head.writeUInt32LE(1, 20);
  const records = frames.flatMap((frame) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  return Buffer.concat([head, ...records]);
}
