/**
 * BFD with BIRD and FRR, for `flowfate router` and `flowfate speaker`: both intervals agreed on, a cut cable noticed
 * long before the hold time, back again, a restart of the daemon; and an operator who switches BFD off at the daemon.
 */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Daemon } from '../support/daemons/daemon.js';
import { lacks, makeDaemon } from '../support/daemons.js';
import { lacksBuild, startFlowfate } from '../support/flowfate-process.js';
import { type HostProcess, Lan } from '../support/netns.js';
import { until } from '../support/wait.js';

/** so long that nothing but BFD can have ended a session in a test */
const HOLD_S = 90;
const INTERVAL_MS = { ours: 250, theirs: 300 } as const;
/** quick enough to see a cut cable */
const QUICK = 5;
/** where nothing is to be lost: a busy machine lets nobody run for a second now and then */
const PATIENT = 20;

const ENDS = {
  ipv4: { ours: '10.88.0.1', theirs: '10.88.0.2', listen: '10.88.0.1:179', announces: '198.51.100.10/32' },
  ipv6: { ours: 'fd88::1', theirs: 'fd88::2', listen: '[fd88::1]:179', announces: '2001:db8:100::10/128' },
} as const;
type Family = keyof typeof ENDS;

let lan: Lan | null = null;
afterEach(async () => {
  await lan?.close();
  lan = null;
});

function configuration(command: 'router' | 'speaker', family: Family, multiplier: number): string {
  const { ours, theirs, listen } = ENDS[family];
  const session = `address: "${theirs}", asn: 64512, localAddress: "${ours}", passive: true, families: ${family}-unicast`;
  const bfd = `holdTime: ${HOLD_S}s, bfd: { interval: ${INTERVAL_MS.ours}ms, multiplier: ${multiplier} }`;
  const head = (kind: string): string =>
    `apiVersion: flowfate.dev/v1\nkind: ${kind}\nspec:\n  asn: 65000\n  routerId: 10.88.0.1\n  listen: "${listen}"\n`;
  return command === 'router'
    ? `${head('Router')}  peers: [{ ${session}, ${bfd}, import: all, export: none }]\n`
    : `${head('Speaker')}  peers: [{ ${session}, ${bfd} }]\n  vips: [{ prefix: 203.0.113.10/32 }]\n`;
}

async function start(
  name: 'bird' | 'frr',
  command: 'router' | 'speaker',
  family: Family,
  multiplier: number,
) {
  lan = await Lan.create([
    { name: 'left', addresses: ['10.88.0.1/24', 'fd88::1/64'] },
    { name: 'right', addresses: ['10.88.0.2/24', 'fd88::2/64'] },
  ]);
  const own = await startFlowfate(lan.host('left'), command, configuration(command, family, multiplier));
  const { ours, theirs, announces } = ENDS[family];
  const bfd = { intervalMs: INTERVAL_MS.theirs, multiplier };
  const daemon = makeDaemon(name, lan.host('right'), {
    ...{ asn: 64512, routerId: '10.88.0.2', announces: [{ prefix: announces }] },
    peers: [{ address: ours, localAddress: theirs, asn: 65000, holdTimeS: HOLD_S, bfd }],
  });
  await daemon.start();
  return { own, daemon };
}

/** a line of our log about the peer */
const said = (what: string): RegExp => new RegExp(`(?:10\\.88\\.0\\.|fd88::)2: ${what}`, 'g');
const UP = said('bfd up');
const LOST = said('down, BFD says that the peer is gone; sent cease: BFD down');
const ADMIN_DOWN = said('bfd down, administratively down');
const ESTABLISHED = said('established');
const ENDED = said('down');

const times = (own: HostProcess, what: RegExp): number => own.log().match(what)?.length ?? 0;
const untilTimes = (own: HostProcess, what: RegExp, count: number): Promise<unknown> =>
  until(`${what.source} for the ${count}. time`, () => times(own, what) >= count, {
    timeoutMs: 40_000,
    seen: () => own.log(),
  });

const lastWord = (own: HostProcess): string | undefined =>
  [...own.log().matchAll(said('(established|down)'))].at(-1)?.[1];

function birdc(daemon: Daemon, ...command: string[]): Promise<string> {
  return daemon.host.exec('birdc', '-s', join(daemon.host.dir, 'right-bird.ctl'), ...command);
}

function bfdd(daemon: Daemon, ...commands: string[]): Promise<string> {
  const dir = join(daemon.host.dir, 'right-frr');
  const places = ['--vty_socket', dir, '--config_dir', dir, '-d', 'bfdd'];
  return daemon.host.exec('vtysh', ...places, ...commands.flatMap((command) => ['-c', command]));
}

/** between our packets, and the silence that means Down, in seconds, as the daemon has them */
async function agreed(daemon: Daemon): Promise<readonly [intervalS: number, detectionS: number] | null> {
  if (daemon.name === 'bird') {
    const text = await birdc(daemon, 'show', 'bfd', 'sessions');
    const row = /(?:10\.88\.0\.|fd88::)1\s+\S+\s+Up\s+\S+\s+([\d.]+)\s+([\d.]+)/.exec(text);
    return row === null ? null : [Number(row[1]), Number(row[2])];
  }
  const text = await bfdd(daemon, 'show bfd peers json');
  const [peer] = JSON.parse(text) as Record<string, number | string>[];
  if (peer?.status !== 'up') return null;
  const remoteTx = Number(peer['remote-transmit-interval']);
  const remoteRx = Number(peer['remote-receive-interval']);
  const interval = Math.max(INTERVAL_MS.theirs, remoteRx);
  return [
    interval / 1000,
    (Number(peer['remote-detect-multiplier']) * Math.max(INTERVAL_MS.theirs, remoteTx)) / 1000,
  ];
}

/** The daemon's operator switches BFD off, or on again; BGP is not touched. */
async function switchBfd(daemon: Daemon, family: Family, to: 'off' | 'on'): Promise<void> {
  if (daemon.name === 'bird') {
    await birdc(daemon, to === 'off' ? 'disable' : 'enable', 'bfd1');
    return;
  }
  const { ours, theirs } = ENDS[family];
  await bfdd(
    daemon,
    ...['configure terminal', 'bfd', `peer ${ours} local-address ${theirs} interface eth0`],
    to === 'off' ? 'shutdown' : 'no shutdown',
  );
}

describe.each([
  ['bird', 'ipv4'],
  ['frr', 'ipv4'],
  ['bird', 'ipv6'],
  ['frr', 'ipv6'],
] as const)('with %s over %s', (name, family) => {
  test.for(['router', 'speaker'] as const)(
    'BFD of our %s comes up, ends the session when the cable is cut, and comes back',
    async (command, ctx) => {
      const lack = lacks(name) ?? lacksBuild;
      if (lack !== null) ctx.skip(lack);
      const { own, daemon } = await start(name, command, family, QUICK);
      await untilTimes(own, UP, 1);
      // 300 ms is the slower of both; the peer counts five of our packets
      await until('the agreed intervals', async () => {
        const pair = await agreed(daemon);
        return pair !== null && pair[0] === 0.3 && Math.abs(pair[1] - 1.5) < 1e-6;
      });
      const ups = times(own, UP);
      const losses = times(own, LOST);
      await lan!.cable('right', 'down');
      // five of their packets missing are 1.5 s; the hold time would take 90 s
      await untilTimes(own, LOST, losses + 1);
      await lan!.cable('right', 'up');
      await untilTimes(own, UP, ups + 1);
      // FRR may say Cease once more when it hears of the cut late: the last word counts
      await until('the session again', async () => (await daemon.established()).has(ENDS[family].ours));
      await daemon.stop();
      await until('its end', () => lastWord(own) === 'down');
      const before = times(own, UP);
      await daemon.start();
      await untilTimes(own, UP, before + 1);
      await until('the session', () => lastWord(own) === 'established');
    },
  );
});

describe.each(['ipv4', 'ipv6'] as const)(
  'an operator who switches BFD off at the daemon, over %s',
  (family) => {
    test('FRR says so (AdminDown): the session stays (RFC 5882 section 4.2), and is guarded again when BFD is on', async (ctx) => {
      const lack = lacks('frr') ?? lacksBuild;
      if (lack !== null) ctx.skip(lack);
      const { own, daemon } = await start('frr', 'router', family, PATIENT);
      await untilTimes(own, UP, 1);
      await switchBfd(daemon, family, 'off');
      await untilTimes(own, ADMIN_DOWN, 1);
      await switchBfd(daemon, family, 'on');
      await untilTimes(own, UP, 2);
      // all that time it was one session
      expect([times(own, ESTABLISHED), times(own, ENDED)]).toEqual([1, 0]);
      await lan!.cable('right', 'down');
      await untilTimes(own, LOST, 1);
    });

    test('BIRD 2.0 says nothing, which is all that a dead peer says: the session begins anew, without BFD until it is on', async (ctx) => {
      const lack = lacks('bird') ?? lacksBuild;
      if (lack !== null) ctx.skip(lack);
      const { own, daemon } = await start('bird', 'router', family, PATIENT);
      await untilTimes(own, UP, 1);
      await switchBfd(daemon, family, 'off');
      await untilTimes(own, LOST, 1);
      await untilTimes(own, ESTABLISHED, 2);
      await switchBfd(daemon, family, 'on');
      await untilTimes(own, UP, 2);
      expect([times(own, ESTABLISHED), times(own, ADMIN_DOWN)]).toEqual([2, 0]);
    });
  },
);
