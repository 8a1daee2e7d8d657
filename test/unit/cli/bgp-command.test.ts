import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasShared, sharedPath } from '../../support/shared.js';
import { hasTshark } from '../../support/tshark.js';
import { runCommand } from './made-io.js';

const KEEPALIVE = `${'ff'.repeat(16)}001304`;
const UPDATE = `${'ff'.repeat(16)}0037020000001c4001010040020e02030000fc590000fc590000fde74003040a4d000218cb0071`;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flowfate-bgp-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const lines = (out: string) =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

describe('flowfate bgp decode', () => {
  test('tells octets and hexadecimal text apart, and prints the same of both', async () => {
    const text = await runCommand(['bgp', 'decode', file('updates.txt', `${UPDATE}\n${KEEPALIVE}\n`)]);
    const binary = await runCommand([
      'bgp',
      'decode',
      file('updates', Buffer.from(UPDATE + KEEPALIVE, 'hex')),
    ]);
    expect(binary).toEqual(text);
    expect(text).toMatchObject({ status: 0, err: '' });
    expect(lines(text.out)).toMatchObject([
      { type: 'UPDATE', nlri: ['203.0.113.0/24'] },
      { type: 'KEEPALIVE' },
    ]);
  });

  test('prints what came before the damage, and ends with status 3', async () => {
    const cut = Buffer.from(KEEPALIVE + UPDATE, 'hex').subarray(0, 50);
    const { status, out } = await runCommand(['bgp', 'decode', file('cut', cut)]);
    expect(status).toBe(3);
    expect(lines(out)).toMatchObject([
      { type: 'KEEPALIVE' },
      { fault: { reason: expect.stringContaining('ends') } },
    ]);
  });

  test('says what is wrong with a file that is not there', async () => {
    const { status, err } = await runCommand(['bgp', 'decode', join(folder, 'nothing')]);
    expect(status).toBe(3);
    expect(err).toContain('nothing');
  });

  const captures = hasShared ? readdirSync(sharedPath('bgp', 'data', 'own-captures')).slice(0, 6) : [];

  test.skipIf(!hasTshark || captures.length === 0).each(captures.length > 0 ? captures : ['none'])(
    'finds the messages that tshark finds in %s (skipped without tshark or the shared captures)',
    async (name) => {
      const path = sharedPath('bgp', 'data', 'own-captures', name);
      const { status, out } = await runCommand(['bgp', 'decode', path]);
      expect(status).toBe(0);
      const types = ['', 'OPEN', 'UPDATE', 'NOTIFICATION', 'KEEPALIVE', 'ROUTE-REFRESH'];
      const seen = execFileSync('tshark', ['-r', path, '-Y', 'bgp', '-T', 'fields', '-e', 'bgp.type'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const expected = seen
        .split(/[\n,]/)
        .filter(Boolean)
        .map((type) => types[Number(type)]);
      expect(
        lines(out)
          .map((record) => record.type)
          .sort(),
      ).toEqual(expected.sort());
    },
  );
});

describe('flowfate mrt', () => {
  const body = Buffer.from(`0000fc590000fde8000000010a4d00020a4d0001${UPDATE}`, 'hex');
  const head = Buffer.alloc(12);
  head.writeUInt32BE(1_700_000_000, 0);
  head.writeUInt16BE(16, 4);
  head.writeUInt16BE(4, 6);
  head.writeUInt32BE(body.length, 8);
  const dump = Buffer.concat([head, body]);

  test('prints a record a line, from a plain dump and a gzipped one', async () => {
    const plain = await runCommand(['mrt', file('updates.mrt', dump)]);
    const zipped = await runCommand(['mrt', file('updates.gz', gzipSync(dump))]);
    expect(plain).toEqual(zipped);
    expect(plain).toMatchObject({ status: 0, err: '' });
    expect(lines(plain.out)).toMatchObject([
      { record: 'message', peer: { asn: 64601 }, nlri: ['203.0.113.0/24'] },
    ]);
  });

  test('reads a dump that ends in its last record to there, with a warning', async () => {
    const { status, out, err } = await runCommand([
      'mrt',
      file('cut.mrt', Buffer.concat([dump, dump.subarray(0, 30)])),
    ]);
    expect(status).toBe(0);
    expect(lines(out)).toHaveLength(1);
    expect(err).toContain('ends inside a record');
  });

  test('refuses what is no dump with status 3', async () => {
    const { status, err } = await runCommand(['mrt', file('no.mrt', 'this is text and no dump at all')]);
    expect(status).toBe(3);
    expect(err).toContain('no MRT record');
  });
});
