import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parsePrefix } from '../../../../src/addr/prefix.js';
import { Speaker } from '../../../../src/bgp/session/speaker.js';
import { LiveRouter } from '../../../../src/live/router/live-router.js';
import { DumpLoader, dumpSentence } from '../../../../src/live/router/load-dump.js';
import { routerConfig } from '../../../../src/live/router/router-config.js';
import { RouterLog } from '../../../../src/live/router/router-log.js';
import { RouterReader } from '../../../../src/live/router/router-reader.js';
import { routeRecord } from '../../../../src/live/web/live-status.js';
import {
  type DumpedPeer,
  type DumpedRoute,
  lostRecord,
  tableDump,
  updateRecord,
} from '../../../support/made-mrt.js';
import { FakeClock } from '../../bgp/session/fake-world.js';

const A: DumpedPeer = { address: '10.0.0.1', asn: 64601 };
const B: DumpedPeer = { address: '10.0.0.2', asn: 4_200_000_001 };
const P = '203.0.113.0/24';
const Q = '198.51.100.0/24';
const V6 = '2001:db8:113::/48';

const of = (peer: number, prefix: string, more: Partial<DumpedRoute> = {}): DumpedRoute => ({
  ...{ peer, prefix, nextHop: [A, B][peer]!.address, path: [[A, B][peer]!.asn, 3356] },
  ...more,
});
const TABLE = tableDump([A, B], [of(0, P), of(1, P), of(1, Q), of(0, V6, { nextHop: '2001:db8::1' })]);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flowfate-dump-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A router after these dumps, one after the other: what it says of each, and its routes. */
async function loaded(...dumps: readonly Uint8Array[]) {
  const clock = new FakeClock();
  const text = 'apiVersion: flowfate.dev/v1\nkind: Router\nspec: { asn: 65000, routerId: 10.0.0.254 }\n';
  const config = routerConfig({ name: 'r.yaml', text }, { start: 'fresh', ownAddresses: [], usualTtl: null });
  const router = new LiveRouter(config, [], clock, new RouterLog(() => {}, clock));
  const reader = new RouterReader(router, new Speaker(config.local, clock, () => () => {}, router), []);
  const loader = new DumpLoader(router);
  const said: string[] = [];
  for (const [i, dump] of dumps.entries()) {
    const file = join(folder, `${i}.mrt`);
    writeFileSync(file, dump);
    const counts = await loader.load(file, () => true);
    said.push(dumpSentence(`${i}.mrt`, counts));
  }
  const routes = (all: string): string[] =>
    reader
      .routes({ prefix: parsePrefix(all)!, match: 'longer', peer: null, offset: 0, limit: 100 })
      .rows.map(routeRecord)
      .map(
        ({ prefix, nextHop, asPath, med }) =>
          `${prefix} ${nextHop} ${asPath}${med === null ? '' : ` ${med}`}`,
      )
      .sort();
  return { said, routes: [...routes('0.0.0.0/0'), ...routes('::/0')] };
}

const FROM_A = `${P} 10.0.0.1 64601 3356`;
const FROM_B = [`${Q} 10.0.0.2 4200000001 3356`, `${P} 10.0.0.2 4200000001 3356`];
const FROM_A6 = `${V6} 2001:db8::1 64601 3356`;

describe('a dump that is loaded', () => {
  test('gives a router the routes of each of its peers, in both families, compressed or not', async () => {
    const wanted = {
      said: ['0.mrt: 4 routes of 2 peers loaded'],
      routes: [FROM_B[0], FROM_A, FROM_B[1], FROM_A6],
    };
    expect(await loaded(TABLE)).toEqual(wanted);
    expect(await loaded(gzipSync(TABLE))).toEqual(wanted);
  });

  test('gives what its updates leave behind', async () => {
    const updates = Buffer.concat([
      updateRecord(A, { route: of(0, P, { med: 5 }) }),
      updateRecord(A, { route: of(0, Q) }),
      updateRecord(A, { route: of(0, P, { med: 7 }), withdrawn: [Q] }),
    ]);
    expect(await loaded(updates)).toEqual({
      said: ['0.mrt: 3 updates of 1 peer loaded'],
      routes: [`${FROM_A} 7`],
    });
  });

  test('changes what a table before it has said of the same peers', async () => {
    const updates = Buffer.concat([
      updateRecord(B, { withdrawn: [Q] }),
      updateRecord(A, { route: of(0, P, { med: 9 }) }),
    ]);
    const { said, routes } = await loaded(TABLE, gzipSync(updates));
    expect(said[1]).toBe('1.mrt: 2 updates of 2 peers loaded');
    expect(routes).toEqual([`${FROM_A} 9`, FROM_B[1], FROM_A6]);
  });

  test('takes away all that a peer has announced when its session is lost', async () => {
    const { routes } = await loaded(
      Buffer.concat([TABLE, lostRecord(A), updateRecord(A, { route: of(0, Q) })]),
    );
    expect(routes).toEqual([`${Q} 10.0.0.1 64601 3356`, FROM_B[0], FROM_B[1]].sort());
  });

  test('may have AS numbers of two octets', async () => {
    const { routes } = await loaded(updateRecord(A, { route: of(0, P) }, 2));
    expect(routes).toEqual([FROM_A]);
  });

  test('is read up to where it is damaged, which is told; with nothing before that it is refused', async () => {
    const cut = await loaded(TABLE.subarray(0, TABLE.length - 7));
    expect(cut.said[0]).toMatch(/^0\.mrt: 3 routes of 2 peers loaded; it is damaged: .+$/);
    expect(cut.routes).toEqual([FROM_B[0], FROM_A, FROM_B[1]]);
    await expect(loaded(Buffer.from('this is a letter, not a dump'))).rejects.toMatchObject({
      code: 'input',
      message: expect.stringMatching(/^0\.mrt holds no IPv4 or IPv6 unicast route: .+/),
    });
    await expect(loaded(Buffer.alloc(0))).rejects.toMatchObject({ code: 'input' });
    await expect(loaded(gzipSync(TABLE).subarray(0, 30))).rejects.toMatchObject({ code: 'input' });
  });
});
