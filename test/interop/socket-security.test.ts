/** TCP-MD5 and GTSM with BIRD and FRR: on a socket that the launcher has opened, over IPv4 and IPv6. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { DaemonPeer } from '../support/daemons/daemon.js';
import { hasProgram, lacks, makeDaemon } from '../support/daemons.js';
import { flowfateProgram, lacksBuild } from '../support/flowfate-process.js';
import { type HostProcess, Lan } from '../support/netns.js';
import { sleep, until } from '../support/wait.js';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'scripts', 'launch-listener.py');
const lacksPython = hasProgram('python3') ? null : 'needs python3: the launcher is written in it';

let lan: Lan | null = null;
afterEach(async () => {
  await lan?.close();
  lan = null;
});

function routerYaml(peerKeys: string): string {
  const peer = (address: string): string =>
    `    - { address: "${address}", asn: 64512, passive: true, import: all, export: none${peerKeys} }`;
  return [
    'apiVersion: flowfate.dev/v1',
    'kind: Router',
    'spec:',
    '  asn: 65000',
    '  routerId: 10.88.0.1',
    '  peers:',
    peer('10.88.0.2'),
    peer('fd88::2'),
    '',
  ].join('\n');
}

async function startLaunched(peerKeys: string, launcherArgs: readonly string[]): Promise<HostProcess> {
  const host = lan!.host('left');
  const config = join(host.dir, 'router.yaml');
  writeFileSync(config, routerYaml(peerKeys));
  const router = host.start('python3', [
    LAUNCHER,
    ...launcherArgs,
    ...['10.88.0.1:179', '[fd88::1]:179', '--', process.execPath, flowfateProgram],
    ...['router', '--config', config, '--listen', 'fd:3', '--listen', 'fd:4'],
  ]);
  await until('the router to be ready', () => router.log().includes('ready'), {
    timeoutMs: 20_000,
    seen: () => router.log(),
  });
  return router;
}

async function startDaemon(name: 'bird' | 'frr', keys: Partial<DaemonPeer>) {
  const addresses = [
    ['10.88.0.1', '10.88.0.2'],
    ['fd88::1', 'fd88::2'],
  ] as const;
  const daemon = makeDaemon(name, lan!.host('right'), {
    ...{ asn: 64512, routerId: '10.88.0.2' },
    peers: addresses.map(([address, localAddress]) => ({ address, localAddress, asn: 65000, ...keys })),
    announces: [{ prefix: '198.51.100.10/32' }, { prefix: '2001:db8:100::10/128' }],
  });
  await daemon.start();
  return daemon;
}

async function newLan(): Promise<void> {
  lan = await Lan.create([
    { name: 'left', addresses: ['10.88.0.1/24', 'fd88::1/64'] },
    { name: 'right', addresses: ['10.88.0.2/24', 'fd88::2/64'] },
  ]);
}

function passwordFile(password: string): string {
  const file = join(lan!.dir, 'peers.keys');
  writeFileSync(file, `# all of the segment\n10.88.0.0/24 ${password}\nfd88::2 ${password}\n`);
  chmodSync(file, 0o600);
  return file;
}

describe.each(['bird', 'frr'] as const)('with %s', (name) => {
  test.for([
    ['a password', ', password: s3cret', { password: 's3cret' }],
    ['TTL security', ', ttlSecurity: true', { ttlSecurity: true }],
  ] as const)('sessions with %s come up on a launched socket', async ([what, keys, daemonKeys], ctx) => {
    const lack = lacks(name) ?? lacksBuild ?? lacksPython;
    if (lack !== null) ctx.skip(lack);
    await newLan();
    const options = what === 'a password' ? ['--password-file', passwordFile('s3cret')] : ['--gtsm'];
    const router = await startLaunched(keys, options);
    const daemon = await startDaemon(name, daemonKeys);
    await until('both sessions', async () => (await daemon.established()).size === 2, {
      timeoutMs: 40_000,
      seen: () => router.log(),
    });
    await until('both routes', () =>
      /198\.51\.100\.10\/32 via[\s\S]*2001:db8:100::10\/128 via|2001:db8:100::10\/128 via[\s\S]*198\.51\.100\.10\/32 via/.test(
        router.log(),
      ),
    );
  });

  test('another password, and a peer that sends with a TTL of its own, get no session', async (ctx) => {
    const lack = lacks(name) ?? lacksBuild ?? lacksPython;
    if (lack !== null) ctx.skip(lack);
    await newLan();
    const file = passwordFile('s3cret');
    const router = await startLaunched('', ['--gtsm', '--password-file', file]);
    // right password, but no TTL of 255: the kernel lets neither of the two through
    const daemon = await startDaemon(name, { password: 's3cret' });
    await sleep(4000);
    expect(await daemon.established()).toEqual(new Set());
    expect(router.log()).not.toContain('established');
    await daemon.stop();
    const other = await startDaemon(name, { password: 'other', ttlSecurity: true });
    await sleep(4000);
    expect(await other.established()).toEqual(new Set());
    expect(router.log()).not.toContain('established');
  });
});

test('a router that connects itself passes GTSM at BIRD where the kernel sends with TTL 255', async (ctx) => {
  const lack = lacks('bird') ?? lacksBuild;
  if (lack !== null) ctx.skip(lack);
  await newLan();
  const host = lan!.host('left');
  await host.exec('sysctl', '-qw', 'net.ipv4.ip_default_ttl=255');
  const config = join(host.dir, 'router.yaml');
  writeFileSync(
    config,
    'apiVersion: flowfate.dev/v1\nkind: Router\nspec:\n  asn: 65000\n  listen: "10.88.0.1:179"\n  peers: [{ address: 10.88.0.2, asn: 64512, ttlSecurity: true, connectRetry: 1s, import: all, export: none }]\n',
  );
  const daemon = makeDaemon('bird', lan!.host('right'), {
    ...{ asn: 64512, routerId: '10.88.0.2' },
    peers: [
      { address: '10.88.0.1', localAddress: '10.88.0.2', asn: 65000, ttlSecurity: true, passive: true },
    ],
  });
  await daemon.start();
  const router = host.start(process.execPath, [flowfateProgram, 'router', '--config', config]);
  await until('the session', async () => (await daemon.established()).size === 1, {
    timeoutMs: 30_000,
    seen: () => router.log(),
  });
});
