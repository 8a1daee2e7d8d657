/** `flowfate router --mrt`: the program itself on loopback, with dumps in place of peers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { FibRecord, Listing, RouteRecord } from '../../src/live/web/api-records.js';
import { flowfateProgram, lacksBuild } from '../support/flowfate-process.js';
import { type DumpedPeer, tableDump, updateRecord } from '../support/made-mrt.js';
import { Hopeless, until } from '../support/wait.js';

const A: DumpedPeer = { address: '10.0.0.1', asn: 64601 };
const B: DumpedPeer = { address: '10.0.0.2', asn: 64602 };
const P = '203.0.113.0/24';
const Q = '198.51.100.0/24';
const V6 = '2001:db8:113::/48';
const viaA = { nextHop: A.address, path: [A.asn] };
const viaB = { nextHop: B.address, path: [B.asn] };
const TABLE = tableDump(
  [A, B],
  [
    { peer: 0, prefix: P, ...viaA, med: 5 },
    { peer: 1, prefix: P, ...viaB },
    { peer: 1, prefix: Q, ...viaB },
    { peer: 0, prefix: V6, nextHop: '2001:db8::1', path: [A.asn] },
  ],
);
const UPDATES = Buffer.concat([
  updateRecord(B, { withdrawn: [Q] }),
  updateRecord(A, { route: { prefix: Q, ...viaA } }),
]);

let folder: string;
let program: ChildProcess | null = null;
let written = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flowfate-dump-'));
});
afterEach(() => {
  program?.kill('SIGKILL');
  program = null;
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Starts the router with these dumps, on ports that are free. */
function start(...dumps: readonly Uint8Array[]): void {
  const files = dumps.flatMap((dump, i) => {
    const file = join(folder, `dump-${i}.mrt`);
    writeFileSync(file, dump);
    return ['--mrt', file];
  });
  const where = ['--listen', '127.0.0.1:0', '--http', '127.0.0.1:0', '--asn', '65000', '--accept-any'];
  program = spawn(process.execPath, [flowfateProgram, 'router', ...where, ...files], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  written = '';
  program.stderr!.on('data', (chunk: Buffer) => {
    written += chunk.toString();
  });
}

function ended(): Promise<number | null> {
  return until(
    'the program to end',
    () => (program!.exitCode === null ? false : { status: program!.exitCode }),
    {
      timeoutMs: 30_000,
      seen: () => written,
    },
  ).then(({ status }) => status);
}

async function says(what: RegExp): Promise<void> {
  await until(
    `the line ${what}`,
    () => {
      if (what.test(written)) return true;
      if (program!.exitCode !== null) throw new Hopeless(`it ended: ${written}`);
      return false;
    },
    { timeoutMs: 30_000, seen: () => written },
  );
}

async function ask<Row>(path: string): Promise<readonly Row[]> {
  const url = /ready .*(http:\/\/\S+?)\/?$/m.exec(written)![1];
  const response = await fetch(`${url}${path}`);
  return ((await response.json()) as Listing<Row>).rows;
}

const rib = (prefix: string): Promise<readonly RouteRecord[]> => ask(`/api/v1/rib?prefix=${prefix}`);

async function fib(): Promise<Record<string, string>> {
  const rows = await ask<FibRecord>('/api/v1/fib');
  return Object.fromEntries(
    rows.map(({ prefix, nextHops }) => [prefix, nextHops.map((h) => h.nextHop).join()]),
  );
}

describe('the router with a dump', () => {
  test('has the routes of a table, and what the updates after it changed', async (ctx) => {
    if (lacksBuild !== null) ctx.skip(lacksBuild);
    start(TABLE, gzipSync(UPDATES));
    await says(/dump-1\.mrt: 2 updates of 2 peers loaded$/m);
    expect(written).toMatch(/dump-0\.mrt: 4 routes of 2 peers loaded$/m);
    expect(await fib()).toEqual({ [P]: '10.0.0.1,10.0.0.2', [Q]: '10.0.0.1', [V6]: '2001:db8::1' });
    const routes = await rib(P);
    expect(
      routes.map(({ peer, nextHop, asPath, med }) => [peer.split(' ').at(-1), nextHop, asPath, med]),
    ).toEqual([
      ['10.0.0.1', '10.0.0.1', '64601', 5],
      ['10.0.0.2', '10.0.0.2', '64602', null],
    ]);
    program!.kill('SIGTERM');
    expect(await ended()).toBe(0);
  });

  test('tells of damage, and keeps what was before it', async (ctx) => {
    if (lacksBuild !== null) ctx.skip(lacksBuild);
    start(gzipSync(TABLE.subarray(0, TABLE.length - 5)));
    await says(/dump-0\.mrt: 3 routes of 2 peers loaded; it is damaged: \S.*$/m);
    expect(await fib()).toEqual({ [P]: '10.0.0.1,10.0.0.2', [Q]: '10.0.0.2' });
  });

  test.for([
    ['a letter', Buffer.from('this is no dump at all'), /dump-0\.mrt holds no IPv4 or IPv6 unicast route: /],
    ['nothing', Buffer.alloc(0), /dump-0\.mrt is empty/],
    ['the beginning of a gzip file', gzipSync(TABLE).subarray(0, 20), /dump-0\.mrt holds no .*: /],
  ] as const)(
    'ends with status 3 and one sentence where the dump is %s',
    async ([_, dump, sentence], ctx) => {
      if (lacksBuild !== null) ctx.skip(lacksBuild);
      start(dump);
      expect(await ended()).toBe(3);
      const said = written.split('\n').filter((line) => line !== '' && !/ready/.test(line));
      expect(said).toEqual([expect.stringMatching(sentence)]);
    },
  );
});
