/** FRR as a test partner: zebra, bgpd and where asked bfdd, all their files in the host's directory; vtysh for the rest. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, HostProcess } from '../netns.js';
import { Hopeless, until } from '../wait.js';
import {
  type AnnouncedRoute,
  type Daemon,
  type DaemonConfig,
  type DaemonPeer,
  type Family,
  familiesOf,
  familyOf,
  holdTimeOf,
  type RibEntry,
  sorted,
} from './daemon.js';

const PROGRAMS = '/usr/lib/frr';

interface FrrPath {
  readonly peer: { readonly peerId: string };
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
  readonly aspath: { readonly segments?: readonly { readonly list: readonly number[] }[] };
  readonly origin: string;
  readonly metric?: number;
  readonly community?: { readonly list: readonly string[] };
  readonly largeCommunity?: { readonly list: readonly string[] };
  readonly extendedCommunity?: { readonly string: string };
  readonly stale?: boolean;
}

export class Frr implements Daemon {
  readonly name = 'frr';
  private readonly dir: string;
  private readonly routes: Map<string, AnnouncedRoute>;
  private processes: HostProcess[] = [];

  constructor(
    readonly host: Host,
    readonly config: DaemonConfig,
  ) {
    this.routes = new Map(config.announces?.map((route) => [route.prefix, route]));
    this.dir = join(host.dir, `${host.name}-frr`);
  }

  async start(): Promise<void> {
    mkdirSync(this.dir, { recursive: true });
    this.write();
    spawnSync('chown', ['-R', 'frr:frr', this.dir]);
    const bfd = this.config.peers.some((peer) => peer.bfd !== undefined);
    this.processes = [];
    await this.startOne('zebra', ['-K', '30']);
    if (bfd) await this.startOne('bfdd', ['--bfdctl', join(this.dir, 'bfdd.sock')]);
    await this.startOne('bgpd', []);
  }

  async stop(): Promise<void> {
    for (const p of [...this.processes].reverse()) await p.stop();
  }

  async kill(): Promise<void> {
    await Promise.all(this.processes.map((p) => p.kill()));
  }

  /** bgpd is the last one started */
  signal(signal: NodeJS.Signals): void {
    this.processes.at(-1)?.signal(signal);
  }

  log(): string {
    return this.processes.map((p) => p.log()).join('\n');
  }

  async established(): Promise<Set<string>> {
    const up = new Set<string>();
    for (const family of ['ipv4', 'ipv6'] as const) {
      const { peers = {} } = await this.show<{ peers?: Record<string, { state: string }> }>(
        `bgp ${family} unicast summary`,
      );
      for (const [address, { state }] of Object.entries(peers)) if (state === 'Established') up.add(address);
    }
    return up;
  }

  async rib(): Promise<RibEntry[]> {
    const entries: RibEntry[] = [];
    for (const family of ['ipv4', 'ipv6'] as const) {
      const { routes = {} } = await this.show<{ routes?: Record<string, unknown> }>(`bgp ${family} unicast`);
      for (const prefix of Object.keys(routes)) {
        const { paths = [] } = await this.show<{ paths?: FrrPath[] }>(`bgp ${family} unicast ${prefix}`);
        entries.push(...paths.filter(isReceived).map((path) => entryOf(prefix, path)));
      }
    }
    return entries;
  }

  async announce(route: AnnouncedRoute): Promise<void> {
    const index = this.indexOf(route.prefix);
    this.routes.set(route.prefix, route);
    await this.vtysh(
      'configure terminal',
      // set anew in place: bgpd 8.4 now and then dies of a route-map that is taken away while a network uses it
      ...routeMap(route, index),
      'exit',
      `router bgp ${this.config.asn}`,
      `address-family ${familyOf(route.prefix)} unicast`,
      `network ${route.prefix} route-map VIP${index}`,
    );
  }

  async withdraw(prefix: string): Promise<void> {
    await this.vtysh(
      'configure terminal',
      `router bgp ${this.config.asn}`,
      `address-family ${familyOf(prefix)} unicast`,
      `no network ${prefix}`,
    );
  }

  async refresh(peer: string): Promise<void> {
    await this.vtysh(`clear bgp ${familyOf(peer)} unicast ${peer} in`);
  }

  async reset(peer: string): Promise<void> {
    await this.vtysh(`clear bgp ${peer}`);
  }

  async shutdown(peer: string): Promise<void> {
    await this.vtysh('configure terminal', `router bgp ${this.config.asn}`, `neighbor ${peer} shutdown`);
  }

  private indexOf(prefix: string): number {
    const known = [...this.routes.keys()].indexOf(prefix);
    return known === -1 ? this.routes.size : known;
  }

  /** the next one connects to zebra, and vtysh to all: each is waited for */
  private async startOne(program: string, args: readonly string[]): Promise<void> {
    const dir = this.dir;
    const files = [
      '-f',
      join(dir, 'frr.conf'),
      '-i',
      join(dir, `${program}.pid`),
      '-z',
      join(dir, 'zserv.api'),
    ];
    const started = this.host.start(join(PROGRAMS, program), [
      ...files,
      ...['--vty_socket', dir, '-A', '127.0.0.1', '--log', 'stdout'],
      ...args,
    ]);
    this.processes.push(started);
    await until(
      `FRR's ${program} to take commands`,
      async () => {
        if (!started.running) throw new Hopeless(`it ended: ${started.log().slice(-500)}`);
        return (await this.run(program, ['show version'])).includes('FRR');
      },
      { timeoutMs: 20_000 },
    );
  }

  private async show<T>(what: string): Promise<T> {
    return JSON.parse((await this.vtysh(`show ${what} json`)) || '{}') as T;
  }

  private vtysh(...commands: string[]): Promise<string> {
    return this.run('bgpd', commands);
  }

  private run(program: string, commands: readonly string[]): Promise<string> {
    const places = ['--vty_socket', this.dir, '--config_dir', this.dir, '-d', program];
    return this.host.exec('vtysh', ...places, ...commands.flatMap((command) => ['-c', command]));
  }

  private write(): void {
    const { asn, routerId, peers, extra = '' } = this.config;
    const routes = [...this.routes.values()];
    const bfd = peers.find((peer) => peer.bfd !== undefined)?.bfd;
    const lines = [
      'frr defaults datacenter',
      `hostname ${this.host.name}`,
      'ip nht resolve-via-default',
      'ipv6 nht resolve-via-default',
      ...routes.flatMap((route, i) => [...routeMap(route, i), 'exit']),
      'bgp as-path access-list OWN seq 5 permit ^$',
      ...['route-map OWN permit 10', ' match as-path OWN', 'exit'],
      ...['route-map GLOBAL permit 10', ' set ipv6 next-hop prefer-global', 'exit'],
      `router bgp ${asn}`,
      ` bgp router-id ${routerId}`,
      ...[' no bgp ebgp-requires-policy', ' no bgp network import-check', ' no bgp default ipv4-unicast'],
      ' bgp bestpath as-path multipath-relax',
      ...peers.flatMap(frrPeer),
      ...(['ipv4', 'ipv6'] as const).flatMap((family) => this.family(family)),
      'exit',
      ...(bfd === undefined ? [] : frrBfd(bfd)),
      extra,
      '',
    ];
    writeFileSync(join(this.dir, 'frr.conf'), lines.join('\n'));
    writeFileSync(join(this.dir, 'vtysh.conf'), '');
  }

  private family(family: Family): string[] {
    const peers = this.config.peers.filter((peer) => familiesOf(peer).includes(family));
    const networks = [...this.routes.values()].flatMap(({ prefix }, i) =>
      familyOf(prefix) === family ? [`  network ${prefix} route-map VIP${i}`] : [],
    );
    return [
      ` address-family ${family} unicast`,
      '  maximum-paths 16',
      ...networks,
      ...peers.flatMap((peer) =>
        [
          'activate',
          'next-hop-self',
          peer.forwards === true ? '' : 'route-map OWN out',
          family === 'ipv6' ? 'route-map GLOBAL in' : '',
          peer.addPath === 'send' || peer.addPath === 'both' ? 'addpath-tx-all-paths' : '',
          peer.maxPrefixes === undefined ? '' : `maximum-prefix ${peer.maxPrefixes}`,
        ].flatMap((text) => (text === '' ? [] : [`  neighbor ${peer.address} ${text}`])),
      ),
      ' exit-address-family',
    ];
  }
}

function frrPeer(peer: DaemonPeer): string[] {
  const hold = holdTimeOf(peer);
  return [
    `remote-as ${peer.asn}`,
    `update-source ${peer.localAddress}`,
    'timers connect 1',
    'advertisement-interval 0',
    `timers ${Math.max(1, Math.floor(hold / 3))} ${hold}`,
    peer.passive === true ? 'passive' : '',
    peer.bfd === undefined ? '' : 'bfd profile fast',
    peer.password === undefined ? '' : `password ${peer.password}`,
    peer.ttlSecurity === true ? 'ttl-security hops 1' : '',
    peer.gracefulRestartS === undefined ? 'graceful-restart-disable' : 'graceful-restart',
    peer.extra ?? '',
  ]
    .flatMap((text) => (text === '' ? [] : [` neighbor ${peer.address} ${text}`]))
    .concat(
      peer.gracefulRestartS === undefined
        ? []
        : [
            ` bgp graceful-restart restart-time ${peer.gracefulRestartS}`,
            // the N bit of RFC 8538
            ' bgp graceful-restart notification',
          ],
    );
}

function frrBfd({ intervalMs, multiplier }: NonNullable<DaemonPeer['bfd']>): string[] {
  return [
    ...['bfd', ' profile fast', `  receive-interval ${intervalMs}`, `  transmit-interval ${intervalMs}`],
    ...[`  detect-multiplier ${multiplier}`, ' exit', 'exit'],
  ];
}

function routeMap(route: AnnouncedRoute, index: number): string[] {
  return [
    `route-map VIP${index} permit 10`,
    ...(route.med === undefined ? [] : [` set metric ${route.med}`]),
    ...(route.communities?.length ? [` set community ${route.communities.join(' ')}`] : []),
    ...(route.largeCommunities?.length ? [` set large-community ${route.largeCommunities.join(' ')}`] : []),
    ...(route.routeTargets?.length ? [` set extcommunity rt ${route.routeTargets.join(' ')}`] : []),
    ...(route.nextHop === undefined
      ? []
      : [
          familyOf(route.nextHop) === 'ipv4'
            ? ` set ip next-hop ${route.nextHop}`
            : ` set ipv6 next-hop global ${route.nextHop}`,
        ]),
  ];
}

const isReceived = ({ peer }: FrrPath): boolean => !['', '::', '0.0.0.0'].includes(peer?.peerId ?? '');

function entryOf(prefix: string, path: FrrPath): RibEntry {
  const globals = path.nexthops.filter(({ ip, scope }) => scope !== 'link-local' && !ip.startsWith('fe80'));
  const targets = (path.extendedCommunity?.string ?? '').split(' ').filter((c) => c.startsWith('RT:'));
  return {
    prefix,
    from: path.peer.peerId,
    nextHop: globals[0]?.ip ?? path.nexthops[0]?.ip ?? '',
    origin: path.origin === 'IGP' ? 'igp' : path.origin === 'EGP' ? 'egp' : 'incomplete',
    asPath: (path.aspath.segments ?? []).flatMap(({ list }) => list),
    med: path.metric ?? null,
    communities: sorted(path.community?.list ?? []),
    largeCommunities: sorted(path.largeCommunity?.list ?? []),
    routeTargets: sorted(targets.map((c) => c.slice(3))),
    stale: path.stale === true,
  };
}
