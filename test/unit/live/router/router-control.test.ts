/** What an operator sees and does over the control socket of a router. */
import { describe, expect, test } from 'vitest';
import { makeAttribute } from '../../../../src/bgp/codec/update-message.js';
import { answerText } from '../../../../src/cli/ctl-text.js';
import type { RouterAnswer, RouterRequest } from '../../../../src/live/control/control-request.js';
import { parseControlWords } from '../../../../src/live/control/control-words.js';
import { type FarPeer, RouterWorld, routerYaml } from '../../../support/router-world.js';

const VIP = '203.0.113.10/32';
const PEERS = [1, 2].map(
  (n) => `  - { address: 10.0.0.${n}, asn: 6460${n}, passive: true, import: all, export: all }`,
);

class Desk extends RouterWorld {
  readonly a: FarPeer;
  readonly b: FarPeer;

  constructor() {
    super(routerYaml(['peers:', ...PEERS, '  - { addresses: 10.1.0.0/16, asn: 64700, import: all }']));
    const refresh = { code: 2, kind: 'flag' } as const;
    this.a = this.connect('10.0.0.1', 64601, [refresh]);
    this.b = this.connect('10.0.0.2', 64602);
    this.a.announce([VIP, '203.0.113.0/24'], [makeAttribute({ code: 4 }, 50)]);
    this.b.announce([VIP], [makeAttribute({ code: 4 }, 70)]);
  }

  say(words: string): RouterAnswer {
    return this.ask(parseControlWords(words.split(' ')) as RouterRequest);
  }

  read(words: string): string {
    return answerText(this.say(words));
  }

  hops(): string[] {
    return this.view
      .fib(0, 10)
      .rows.map(({ nextHops }) => nextHops.length)
      .map(String);
  }
}

describe('an operator sees', () => {
  test('every session in the columns of vtysh', () => {
    const lines = new Desk().read('show bgp summary').split('\n');
    expect(lines[0]).toMatch(/^BGP router identifier 10\.0\.0\.254, local AS number 65000, up /);
    expect(lines).toContain('ipv4-unicast: 2 prefixes, 3 routes, 2 in the FIB');
    const header = lines.find((line) => line.startsWith('Neighbor'))!;
    expect(header.split(/\s+/)).toEqual(
      'Neighbor V AS MsgRcvd MsgSent OutQ Up/Down State/PfxRcd PfxAcc PfxSnt Desc'.split(' '),
    );
    const row = lines.find((line) => line.startsWith('10.0.0.1'))!;
    expect(row.split(/\s+/).slice(0, 3)).toEqual(['10.0.0.1', '4', '64601']);
    expect(row.split(/\s+/).slice(5)).toEqual(['0', '00:00:00', '2', '2', '0']);
  });

  test('the longest match with every path, and why it is or is not used', () => {
    const desk = new Desk();
    const text = desk.read('show bgp 203.0.113.10');
    expect(text).toContain(`BGP routing table entry for ${VIP}, 2 paths, best #1, 2 share the traffic`);
    expect(text).toContain('best: decided by router-id');
    expect(text).toContain('multipath: as good as the best path');
    expect(text).toContain('FIB: 10.0.0.1 (50.0 %), 10.0.0.2 (50.0 %)');
    expect(desk.read('show bgp 203.0.113.77')).toContain('entry for 203.0.113.0/24, 1 path, best #1');
    expect(desk.read('show bgp 198.51.100.1')).toBe('% Network not in table: 198.51.100.1\n');
  });

  test.each([
    [{ code: 2, value: [{ type: 2, asns: [64602, 3356] }] }, 'not used: longer AS path'],
    [{ code: 1, value: 2 }, 'not used: higher origin'],
    [{ code: 2, value: [{ type: 2, asns: [64602, 65000] }] }, 'not used: our own AS is in its path'],
    [{ code: 3, value: 0x0a0000fe }, 'multipath'],
  ])('why a path with attribute %o loses', ({ code, value }, why) => {
    const desk = new Desk();
    desk.b.announce([VIP], [makeAttribute({ code }, value)]);
    expect(desk.read(`show bgp ${VIP}`)).toContain(why);
  });

  test('what a peer has announced, and what it was told', () => {
    const desk = new Desk();
    const received = desk.say('show bgp neighbors 10.0.0.1 received-routes');
    expect(received).toMatchObject({ total: 2, rows: [{ prefix: VIP, med: 50 }, { med: 50 }] });
    const told = desk.say('show bgp neighbors 10.0.0.2 advertised-routes');
    // its MED goes no further, and our AS is before the path
    expect(told).toMatchObject({
      total: 2,
      rows: [
        { prefix: VIP, asPath: '65000 64601', med: null },
        { prefix: '203.0.113.0/24', asPath: '65000 64601', med: null },
      ],
    });
    expect(desk.say('show bgp neighbors 10.0.0.1 advertised-routes')).toMatchObject({ total: 0 });
    expect(desk.read('show bgp 203.0.113.0/24')).toContain('Advertised to 10.0.0.2');
  });

  test('a table in pages that hold every route once', () => {
    const desk = new Desk();
    desk.a.announce(Array.from({ length: 50 }, (_, i) => `198.51.100.${i}/32`));
    desk.b.announce(Array.from({ length: 20 }, (_, i) => `198.51.100.${i}/32`));
    const seen: string[] = [];
    for (let offset = 0; offset < 73; offset += 7) {
      const request = { ...parseControlWords(['show', 'bgp']), offset, limit: 7 } as RouterRequest;
      const page = desk.ask(request) as Extract<RouterAnswer, { kind: 'routes' }>;
      expect(page.total).toBe(73);
      expect(page.rows).toHaveLength(Math.min(7, 73 - offset));
      seen.push(...page.rows.map(({ prefix, peer }) => `${prefix} ${peer}`));
    }
    expect(new Set(seen).size).toBe(73);
  });

  test('groups of next hops with those that use them, and their buckets', () => {
    const desk = new Desk();
    expect(desk.say('show nexthop-groups')).toMatchObject({
      total: 2,
      rows: [
        { select: 'hash-threshold', prefixes: 1, first: VIP, buckets: null, nextHops: [{ share: 0.5 }, {}] },
        { first: '203.0.113.0/24', nextHops: [{ nextHop: '10.0.0.1', share: 1 }] },
      ],
    });
    desk.written = routerYaml(['ecmp: { select: resilient, buckets: 8 }', 'peers:', ...PEERS]);
    desk.say('reload');
    expect(desk.read(`show nexthop-groups ${VIP}`)).toMatch(/ {2}buckets {4}0: ( 0| 1| ){15}/);
  });

  test('a sentence where there is no such peer, and where the request is none', () => {
    const desk = new Desk();
    expect(() => desk.say('clear 10.0.0.9')).toThrow('no peer "10.0.0.9"; did you mean 10.0.0.1?');
    expect(desk.control.answer({ command: 'reboot' })).toMatchObject({ ok: false });
    expect(desk.control.answer(null)).toMatchObject({ ok: false });
  });
});

describe('an operator', () => {
  test('shuts a session down with a reason, and it stays down until it is enabled', () => {
    const desk = new Desk();
    expect(desk.read('shutdown 10.0.0.1 new firmware')).toContain('10.0.0.1: shut down');
    expect(Buffer.from(desk.a.wire.received).toString('latin1')).toContain('new firmware');
    expect(desk.read('show bgp summary')).toContain('Idle (Admin)');
    desk.connect('10.0.0.1', 64601);
    expect(desk.speaker.session('10.0.0.1')).toBeNull();
    expect(desk.read('shutdown 10.0.0.1')).toContain('is shut down already');
    desk.say('enable 10.0.0.1');
    desk.connect('10.0.0.1', 64601);
    expect(desk.speaker.session('10.0.0.1')).not.toBeNull();
  });

  test('shuts down a peer of a range, which is not let in again as another one', () => {
    const desk = new Desk();
    desk.connect('10.1.0.7', 64700);
    desk.say('shutdown 10.1.0.7');
    desk.connect('10.1.0.7', 64700);
    expect(desk.speaker.session('10.1.0.7')).toBeNull();
    expect(desk.read('show bgp summary')).toContain('Idle (Admin)');
  });

  test('drains a peer: its routes are the last choice, ours go to it with GRACEFUL_SHUTDOWN, also in a new session', () => {
    const desk = new Desk();
    expect(desk.hops()).toEqual(['2', '1']);
    desk.say('drain 10.0.0.1');
    expect(desk.hops()).toEqual(['1', '1']);
    expect(desk.say(`show bgp ${VIP}`)).toMatchObject({
      routes: [
        { peer: '10.0.0.2', decidedBy: 'local-pref' },
        { peer: '10.0.0.1', localPref: 0, why: 'not used: lower local preference' },
      ],
    });
    expect(desk.say('show bgp neighbors 10.0.0.1 advertised-routes')).toMatchObject({
      rows: [{ prefix: VIP, communities: ['graceful-shutdown'] }],
    });
    desk.say('clear 10.0.0.1 hard');
    desk.connect('10.0.0.1', 64601).announce([VIP]);
    expect(desk.hops()[0]).toBe('1');
    desk.say('undrain 10.0.0.1');
    expect(desk.hops()[0]).toBe('2');
  });

  test('clears softly: routes are asked for and told again, and the session goes on', () => {
    const desk = new Desk();
    expect(desk.read('clear 10.0.0.1 soft')).toContain('asked for all its routes again, is told all of ours');
    expect(desk.read('clear 10.0.0.2 soft in')).toContain('does not take ROUTE-REFRESH');
    expect(desk.speaker.peers().map(({ flaps }) => flaps)).toEqual([0, 0]);
    expect(desk.read('clear * hard')).toContain('10.0.0.2: session ended');
    expect(desk.view.peers()[0]!.lastReset).toMatchObject({ notification: '6/4', sentBy: 'us' });
    expect(desk.view.peers()[0]!.notificationsOut).toEqual({ '6/4': 1 });
  });

  test('is told what a reload changes before and when it does', () => {
    const desk = new Desk();
    desk.written = routerYaml([
      'ecmp: { seed: 7 }',
      'peers:',
      PEERS[0]!.replace('export: all', 'export: none'),
      '  - { address: 10.0.0.3, asn: 64603, passive: true }',
    ]);
    const changes = [
      { of: 'router', change: 'changed', keys: [{ key: 'ecmp.seed', after: 7 }] },
      { of: 'peer 10.0.0.2', change: 'removed' },
      {
        of: 'peer 10.0.0.1',
        change: 'changed',
        keys: [{ key: 'export', before: 'all', after: 'none' }],
        effect: 'at once, without ending its session',
      },
      { of: 'peer 10.0.0.3', change: 'added' },
      { of: 'range 10.1.0.0/16', change: 'removed' },
    ];
    expect(desk.say('reload check')).toMatchObject({ applied: false, changes });
    expect(desk.speaker.peer('10.0.0.2')).not.toBeNull();
    expect(desk.say('reload')).toMatchObject({ applied: true, changes });
    expect(desk.speaker.peer('10.0.0.2')).toBeNull();
    expect(desk.say('reload check')).toMatchObject({ changes: [] });
  });
});

describe('silent connections', () => {
  test('from the address of a configured peer do not keep that peer out', () => {
    const desk = new RouterWorld(routerYaml(['peers:', ...PEERS]));
    for (let i = 0; i < 3000; i++) desk.silent('10.0.0.1');
    desk.connect('10.0.0.1', 64601).announce([VIP]);
    expect(desk.speaker.session('10.0.0.1')).not.toBeNull();
    for (let i = 0; i < 3000; i++) desk.silent('10.0.0.1');
    expect(desk.view.peers()[0]).toMatchObject({ state: 'Established', flaps: 0 });
    expect(desk.view.fib(0, 10).total).toBe(1);
  });

  test('do not take the room of a range from those that speak', () => {
    const desk = new RouterWorld(routerYaml(['acceptAny: true']));
    for (let i = 0; i < 5000; i++) desk.silent('10.0.0.1');
    desk.connect('10.0.0.1', 64601);
    desk.connect('10.0.0.2', 64602);
    const up = desk.view.peers().filter(({ state }) => state === 'Established');
    expect(up.map(({ address }) => address).sort()).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(desk.view.peers().length).toBeLessThanOrEqual(4096);
  });
});
