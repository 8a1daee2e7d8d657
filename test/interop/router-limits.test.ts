/**
 * Where `flowfate router` has to say no, or to notice that nobody listens: too many prefixes, two-octet speakers, a
 * speaker that stops reading, hard resets, a peer with the wrong AS; with each daemon that can do it.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { AnnouncedRoute, DaemonName } from '../support/daemons/daemon.js';
import { DAEMONS, lacks } from '../support/daemons.js';
import { lacksBuild } from '../support/flowfate-process.js';
import { addressesOf, Rack, type RackOptions, SPEAKER_ASN, TOR, VIP4, VIP6 } from '../support/top-of-rack.js';
import { until } from '../support/wait.js';

let rack: Rack | null = null;
afterEach(async () => {
  await rack?.close();
  rack = null;
});

async function oneSpeaker(daemon: DaemonName, options: Partial<RackOptions> = {}): Promise<Rack> {
  rack = await Rack.create([daemon], { ours: 'passive', ...options });
  return rack;
}

const lackOf = (daemon: DaemonName): string | null => lacksBuild ?? lacks('bird', daemon);

const peerOf = async (from: Rack, family: 0 | 1) =>
  (await from.router.peers()).find(({ address }) => address === addressesOf('s1')[family])!;

describe.each(DAEMONS)('with %s', (daemon) => {
  test('too many prefixes end the session with Cease/1 before they are used, and the peer is refused for a while', async (ctx) => {
    const lack = lackOf(daemon);
    if (lack !== null) ctx.skip(lack);
    const routes: AnnouncedRoute[] = Array.from({ length: 6 }, (_, i) => ({ prefix: `198.51.100.${i}/32` }));
    const { router } = await oneSpeaker(daemon, {
      routes,
      routerPeer: { maxPrefixes: 5, maxPrefixesPause: '30s' },
    });
    await until('the session to end', async () => /prefix/i.test((await peerOf(rack!, 0)).lastError ?? ''), {
      timeoutMs: 30_000,
      seen: () => router.peers(),
    });
    await until('an empty FIB', async () => (await router.fib()).size === 0);
    // not for a moment was there one more
    const changes = (await router.summary()).events.flatMap((event) => event.changes);
    const used = new Set(changes.flatMap(({ prefix, after }) => (after.length > 0 ? [prefix] : [])));
    expect(used.size).toBeLessThanOrEqual(5);
    expect((await peerOf(rack!, 0)).state).not.toBe('Established');
  });

  test('a speaker of the wrong AS never comes up, and both sides can see why', async (ctx) => {
    const lack = lackOf(daemon);
    if (lack !== null) ctx.skip(lack);
    const { router } = await oneSpeaker(daemon, { routerPeer: { asn: SPEAKER_ASN + 1 } });
    await until(
      'a complaint about the AS',
      async () => /\bAS\b/.test((await peerOf(rack!, 0)).lastError ?? ''),
      {
        timeoutMs: 30_000,
        seen: () => router.peers(),
      },
    );
    expect([...(await router.established())]).toEqual([]);
  });
});

describe.each(['bird', 'exabgp', 'openbgpd'] as const)(
  'with %s as a two-octet speaker (RFC 6793)',
  (daemon) => {
    test('the session comes up, and its AS path is read in two octets', async (ctx) => {
      const lack = lackOf(daemon);
      if (lack !== null) ctx.skip(lack);
      // ExaBGP compares AS_TRANS in our OPEN; OpenBGPD reads our capability though it sends none; to BIRD a router
      // of a four-octet AS cannot even be configured then
      const routerAsn = { bird: 64_900, exabgp: 23_456, openbgpd: TOR.asn }[daemon];
      const asn = 64_512;
      rack = await Rack.create([daemon], {
        ours: 'passive',
        speakerAsn: asn,
        routerPeer: { asn },
        ...(daemon === 'bird' ? { routerSpec: { asn: routerAsn } } : {}),
        speakerPeer: { twoOctetAs: true, asn: routerAsn },
      });
      await rack.sessionsUp();
      await rack.fibIs(['s1']);
      for (const prefix of [VIP4, VIP6]) {
        expect((await rack.router.rib(prefix)).map(({ asPath }) => asPath)).toEqual([`${asn}`]);
      }
    });
  },
);

describe('a collector that stops reading (RFC 9687)', () => {
  test('is given up when the send hold time has passed, though its own hold time has not', async (ctx) => {
    const lack = lackOf('bird');
    if (lack !== null) ctx.skip(lack);
    const many = Array.from({ length: 20_000 }, (_, i) => ({
      prefix: `100.${64 + (i >> 14)}.${(i >> 6) & 255}.${(i & 63) << 2}/30`,
    }));
    rack = await Rack.create(['bird'], {
      ours: 'passive',
      routes: many,
      collector: { daemon: 'bird', peer: { holdTimeS: 240 } },
      collectorPeer: { holdTime: '240s', sendHoldTime: '4s' },
    });
    const [speaker, collector] = [rack.daemon('s1'), rack.daemon('col')];
    await speaker.stop();
    await collector.stop();
    // what is not read fills small buffers soon
    for (const name of ['tor', 'col'] as const) {
      const small = ['net.ipv4.tcp_wmem=4096 4096 8192', 'net.ipv4.tcp_rmem=4096 4096 8192'];
      await rack.lan.host(name).exec('sysctl', '-qw', ...small);
    }
    await collector.start();
    const [address] = addressesOf('col');
    const record = async () => (await rack!.router.peers()).find((peer) => peer.address === address)!;
    await until('the collector', async () => (await record()).state === 'Established');
    collector.signal('SIGSTOP');
    await speaker.start();
    await until('the end of the session', async () => (await record()).state !== 'Established', {
      timeoutMs: 25_000,
      seen: record,
    });
    expect((await record()).lastError).toBe('the peer takes nothing from us any more');
    collector.signal('SIGCONT');
  });
});
