/**
 * BFD with BIRD and FRR, for `flowfate router` and `flowfate speaker`: both intervals agreed on, a cut cable noticed
 * long before the hold time, back again, and a restart of the daemon.
 */
import { join } from 'node:path';
import { afterEach, describe, test } from 'vitest';
import type { Daemon } from '../support/daemons/daemon.js';
import { lacks, makeDaemon } from '../support/daemons.js';
import { lacksBuild, startFlowfate } from '../support/flowfate-process.js';
import { type HostProcess, Lan } from '../support/netns.js';
import { until } from '../support/wait.js';

/** so long that nothing but BFD can have ended a session in a test */
const HOLD_S = 90;
const OURS = { interval: '250ms', multiplier: 5 } as const;
const THEIRS = { intervalMs: 300, multiplier: 5 } as const;

const PEER = `{ address: 10.88.0.2, asn: 64512, localAddress: 10.88.0.1, passive: true, holdTime: ${HOLD_S}s, bfd: { interval: ${OURS.interval}, multiplier: ${OURS.multiplier} }`;
const CONFIG = {
  router: `spec:\n  asn: 65000\n  listen: "10.88.0.1:179"\n  peers: [${PEER}, import: all, export: none }]\n`,
  speaker: `spec:\n  asn: 65000\n  listen: "10.88.0.1:179"\n  peers: [${PEER} }]\n  vips: [{ prefix: 203.0.113.10/32 }]\n`,
} as const;

let lan: Lan | null = null;
afterEach(async () => {
  await lan?.close();
  lan = null;
});

async function start(name: 'bird' | 'frr', command: 'router' | 'speaker') {
  lan = await Lan.create([
    { name: 'left', addresses: ['10.88.0.1/24'] },
    { name: 'right', addresses: ['10.88.0.2/24'] },
  ]);
  const kind = command === 'router' ? 'Router' : 'Speaker';
  const text = `apiVersion: flowfate.dev/v1\nkind: ${kind}\n${CONFIG[command]}`;
  const own = await startFlowfate(lan.host('left'), command, text);
  const daemon = makeDaemon(name, lan.host('right'), {
    ...{ asn: 64512, routerId: '10.88.0.2', announces: [{ prefix: '198.51.100.10/32' }] },
    peers: [{ address: '10.88.0.1', localAddress: '10.88.0.2', asn: 65000, holdTimeS: HOLD_S, bfd: THEIRS }],
  });
  await daemon.start();
  return { own, daemon };
}

const times = (own: HostProcess, what: RegExp): number => own.log().match(new RegExp(what, 'g'))?.length ?? 0;
const untilTimes = (own: HostProcess, what: RegExp, count: number): Promise<unknown> =>
  until(`${what} for the ${count}. time`, () => times(own, what) >= count, {
    timeoutMs: 40_000,
    seen: () => own.log(),
  });

const lastWord = (own: HostProcess): string | undefined =>
  [...own.log().matchAll(/10\.88\.0\.2: (established|down)/g)].at(-1)?.[1];

/** between our packets, and the silence that means Down, in seconds, as the daemon has them */
async function agreed(daemon: Daemon): Promise<readonly [intervalS: number, detectionS: number] | null> {
  if (daemon.name === 'bird') {
    const socket = join(daemon.host.dir, 'right-bird.ctl');
    const text = await daemon.host.exec('birdc', '-s', socket, 'show', 'bfd', 'sessions');
    const row = /10\.88\.0\.1\s+\S+\s+Up\s+\S+\s+([\d.]+)\s+([\d.]+)/.exec(text);
    return row === null ? null : [Number(row[1]), Number(row[2])];
  }
  const dir = join(daemon.host.dir, 'right-frr');
  const places = ['--vty_socket', dir, '--config_dir', dir, '-d', 'bfdd'];
  const text = await daemon.host.exec('vtysh', ...places, '-c', 'show bfd peers json');
  const [peer] = JSON.parse(text) as Record<string, number | string>[];
  if (peer?.status !== 'up') return null;
  const remoteTx = Number(peer['remote-transmit-interval']);
  const remoteRx = Number(peer['remote-receive-interval']);
  const interval = Math.max(THEIRS.intervalMs, remoteRx);
  return [
    interval / 1000,
    (Number(peer['remote-detect-multiplier']) * Math.max(THEIRS.intervalMs, remoteTx)) / 1000,
  ];
}

describe.each(['bird', 'frr'] as const)('with %s', (name) => {
  test.for(['router', 'speaker'] as const)(
    'BFD of our %s comes up, ends the session when the cable is cut, and comes back',
    async (command, ctx) => {
      const lack = lacks(name) ?? lacksBuild;
      if (lack !== null) ctx.skip(lack);
      const { own, daemon } = await start(name, command);
      const up = /10\.88\.0\.2: bfd up/;
      const lost = /10\.88\.0\.2: down, BFD says that the peer is gone; sent cease: BFD down/;
      await untilTimes(own, up, 1);
      // 300 ms is the slower of both; the peer counts five of our packets
      await until('the agreed intervals', async () => {
        const pair = await agreed(daemon);
        return pair !== null && pair[0] === 0.3 && Math.abs(pair[1] - 1.5) < 1e-6;
      });
      const ups = times(own, up);
      const losses = times(own, lost);
      await lan!.cable('right', 'down');
      // five of their packets missing are 1.5 s; the hold time would take 90 s
      await untilTimes(own, lost, losses + 1);
      await lan!.cable('right', 'up');
      await untilTimes(own, up, ups + 1);
      // FRR may say Cease once more when it hears of the cut late: the last word counts
      await until('the session again', async () => (await daemon.established()).has('10.88.0.1'));
      await daemon.stop();
      await until('its end', () => lastWord(own) === 'down');
      const before = times(own, up);
      await daemon.start();
      await untilTimes(own, up, before + 1);
      await until('the session', () => lastWord(own) === 'established');
    },
  );
});
