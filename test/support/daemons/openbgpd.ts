/** OpenBGPD (portable) as a test partner: its own configuration language, bgpctl for the rest. No FIB on Linux. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, HostProcess } from '../netns.js';
import { until } from '../wait.js';
import {
  type AnnouncedRoute,
  type Daemon,
  type DaemonConfig,
  type DaemonPeer,
  familiesOf,
  holdTimeOf,
  type RibEntry,
  sorted,
} from './daemon.js';

interface OpenbgpdPath {
  readonly prefix: string;
  readonly aspath?: string;
  readonly origin?: string;
  readonly metric?: number;
  readonly exit_nexthop?: string;
  readonly true_nexthop?: string;
  readonly communities?: readonly string[];
  readonly large_communities?: readonly string[];
  readonly extended_communities?: readonly string[];
  readonly stale?: boolean;
  readonly neighbor?: { readonly remote_addr?: string };
}

export class Openbgpd implements Daemon {
  readonly name = 'openbgpd';
  private readonly configuration: string;
  private readonly socket: string;
  private readonly routes: Map<string, AnnouncedRoute>;
  private process: HostProcess | null = null;

  constructor(
    readonly host: Host,
    readonly config: DaemonConfig,
  ) {
    this.configuration = join(host.dir, `${host.name}-openbgpd.conf`);
    this.socket = join(host.dir, `${host.name}-openbgpd.sock`);
    this.routes = new Map(config.announces?.map((route) => [route.prefix, route]));
  }

  async start(): Promise<void> {
    this.write();
    // its unprivileged parts change their root to this directory
    mkdirSync('/run/openbgpd', { recursive: true });
    spawnSync('chown', ['_openbgpd', '/run/openbgpd']);
    this.process = this.host.start('/usr/sbin/bgpd', ['-d', '-v', '-f', this.configuration]);
    await until(
      'OpenBGPD to take commands',
      async () => (await this.bgpctl('-j', 'show', 'neighbor')) !== '',
    );
  }

  async stop(): Promise<void> {
    await this.process?.stop();
  }

  async kill(): Promise<void> {
    await this.process?.kill();
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.signal(signal);
  }

  log(): string {
    return this.process?.log() ?? '';
  }

  async established(): Promise<Set<string>> {
    const { neighbors } = JSON.parse(await this.bgpctl('-j', 'show', 'neighbor')) as {
      neighbors: { remote_addr: string; state: string }[];
    };
    return new Set(neighbors.filter(({ state }) => state === 'Established').map((n) => n.remote_addr));
  }

  async rib(): Promise<RibEntry[]> {
    const text = await this.bgpctl('-j', 'show', 'rib', 'in', 'detail');
    const { rib = [] } = JSON.parse(text || '{}') as { rib?: OpenbgpdPath[] };
    return rib.flatMap((path) => {
      const from = path.neighbor?.remote_addr;
      const known = this.config.peers.some(({ address }) => address === from);
      return known ? [entryOf(from!, path)] : [];
    });
  }

  async announce(route: AnnouncedRoute): Promise<void> {
    this.routes.set(route.prefix, route);
    await this.bgpctl('network', 'add', route.prefix, ...attributes(route));
  }

  async withdraw(prefix: string): Promise<void> {
    this.routes.delete(prefix);
    await this.bgpctl('network', 'delete', prefix);
  }

  async refresh(peer: string): Promise<void> {
    await this.bgpctl('neighbor', peer, 'refresh');
  }

  async reset(peer: string): Promise<void> {
    await this.bgpctl('neighbor', peer, 'clear');
  }

  async shutdown(peer: string): Promise<void> {
    await this.bgpctl('neighbor', peer, 'down');
  }

  private bgpctl(...args: string[]): Promise<string> {
    return this.host.exec('bgpctl', '-s', this.socket, ...args);
  }

  private write(): void {
    const { asn, routerId, peers, extra = '' } = this.config;
    const listen = [...new Set(peers.map(({ localAddress }) => localAddress))];
    const lines = [
      `AS ${asn}`,
      `router-id ${routerId}`,
      ...listen.map((address) => `listen on ${address}`),
      `socket "${this.socket}"`,
      'fib-update no',
      'connect-retry 1',
      'nexthop qualify via bgp',
      ...[...this.routes.values()].map((route) =>
        `network ${route.prefix} set { ${attributes(route).join(' ')} }`.replace(' set {  }', ''),
      ),
      ...peers.flatMap(openbgpdPeer),
      'allow from any',
      'allow to any',
      extra,
      '',
    ];
    writeFileSync(this.configuration, lines.join('\n'));
    // it refuses a file that others may read
    chmodSync(this.configuration, 0o600);
  }
}

function openbgpdPeer(peer: DaemonPeer): string[] {
  const addPath = peer.addPath;
  return [
    `neighbor ${peer.address} {`,
    `  remote-as ${peer.asn}`,
    `  local-address ${peer.localAddress}`,
    `  holdtime ${holdTimeOf(peer)}`,
    ...(['ipv4', 'ipv6'] as const).map(
      (family) =>
        `  announce ${family === 'ipv4' ? 'IPv4' : 'IPv6'} ${familiesOf(peer).includes(family) ? 'unicast' : 'none'}`,
    ),
    '  announce refresh yes',
    '  announce enhanced refresh yes',
    ...(peer.passive === true ? ['  passive'] : []),
    ...(addPath === 'receive' || addPath === 'both' ? ['  announce add-path recv yes'] : []),
    ...(addPath === 'send' || addPath === 'both' ? ['  announce add-path send all'] : []),
    ...(peer.password === undefined ? [] : [`  tcp md5sig password "${peer.password}"`]),
    ...(peer.ttlSecurity === true ? ['  ttl-security yes'] : []),
    ...(peer.maxPrefixes === undefined ? [] : [`  max-prefix ${peer.maxPrefixes}`]),
    ...(peer.twoOctetAs === true ? ['  announce as-4byte no'] : []),
    ...(peer.forwards === true ? [] : ['  export none'].slice(1)),
    peer.extra ?? '',
    '}',
  ];
}

function attributes(route: AnnouncedRoute): string[] {
  return [
    ...(route.med === undefined ? [] : ['med', String(route.med)]),
    ...(route.nextHop === undefined ? [] : ['nexthop', route.nextHop]),
    ...(route.communities ?? []).flatMap((c) => ['community', c]),
    ...(route.largeCommunities ?? []).flatMap((c) => ['large-community', c]),
    ...(route.routeTargets ?? []).flatMap((c) => ['ext-community', 'rt', c]),
  ];
}

function entryOf(from: string, path: OpenbgpdPath): RibEntry {
  const targets = (path.extended_communities ?? []).filter((c) => c.startsWith('rt '));
  return {
    prefix: path.prefix,
    from,
    nextHop: path.exit_nexthop ?? path.true_nexthop ?? '',
    origin: path.origin === 'IGP' ? 'igp' : path.origin === 'EGP' ? 'egp' : 'incomplete',
    asPath: (path.aspath ?? '').split(' ').filter(Boolean).map(Number),
    med: path.metric ?? null,
    communities: sorted(path.communities ?? []),
    largeCommunities: sorted(path.large_communities ?? []),
    routeTargets: sorted(targets.map((c) => c.slice(3))),
    stale: path.stale === true,
  };
}
