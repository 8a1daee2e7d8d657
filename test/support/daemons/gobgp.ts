/** GoBGP as a test partner: TOML configuration, routes and commands through the gobgp client. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, HostProcess } from '../netns.js';
import { until } from '../wait.js';
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

/** `session_state` of an established session */
const ESTABLISHED = 6;
const ORIGIN = 1;
const AS_PATH = 2;
const NEXT_HOP = 3;
const MED = 4;
const COMMUNITIES = 8;
const MP_REACH = 14;
const EXTENDED_COMMUNITIES = 16;
const LARGE_COMMUNITIES = 32;

interface GobgpAttribute {
  readonly type: number;
  readonly value?: unknown;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly communities?: readonly number[];
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
}

interface GobgpPath {
  readonly attrs: readonly GobgpAttribute[];
  readonly stale?: boolean;
  readonly 'source-id'?: string;
  readonly 'neighbor-ip'?: string;
}

export class Gobgp implements Daemon {
  readonly name = 'gobgp';
  private readonly file: string;
  private readonly routes: Map<string, AnnouncedRoute>;
  private process: HostProcess | null = null;
  private starts = 0;

  constructor(
    readonly host: Host,
    readonly config: DaemonConfig,
  ) {
    this.file = join(host.dir, `${host.name}-gobgp.toml`);
    this.routes = new Map(config.announces?.map((route) => [route.prefix, route]));
  }

  async start(): Promise<void> {
    writeFileSync(this.file, gobgpConfig(this.config));
    const restarted = this.starts++ > 0 && this.config.peers.some((p) => p.gracefulRestartS !== undefined);
    this.process = this.host.start('gobgpd', [
      ...['-f', this.file, '-l', 'debug', '--api-hosts', '127.0.0.1:50051'],
      ...(restarted ? ['-r'] : []),
    ]);
    await until('GoBGP to take commands', async () => (await this.gobgp('neighbor', '-j')) !== '');
    for (const route of this.routes.values()) await this.add(route);
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
    const neighbors = JSON.parse(await this.gobgp('neighbor', '-j')) as {
      state: { neighbor_address: string; session_state?: number };
    }[];
    const up = neighbors.filter(({ state }) => state.session_state === ESTABLISHED);
    return new Set(up.map(({ state }) => state.neighbor_address));
  }

  async rib(): Promise<RibEntry[]> {
    const entries: RibEntry[] = [];
    for (const family of ['ipv4', 'ipv6']) {
      const text = await this.gobgp('global', 'rib', '-a', family, '-j');
      const routes = JSON.parse(text.trim() || '{}') as Record<string, GobgpPath[]>;
      for (const [prefix, paths] of Object.entries(routes)) {
        entries.push(...paths.filter(isReceived).map((path) => entryOf(prefix, path)));
      }
    }
    return entries;
  }

  async announce(route: AnnouncedRoute): Promise<void> {
    this.routes.set(route.prefix, route);
    await this.add(route);
  }

  async withdraw(prefix: string): Promise<void> {
    this.routes.delete(prefix);
    await this.gobgp('global', 'rib', 'del', '-a', familyOf(prefix), prefix);
  }

  /** This version re-evaluates what it holds and sends nothing (facts: softresetin is local). */
  async refresh(peer: string): Promise<void> {
    await this.gobgp('neighbor', peer, 'softresetin');
  }

  async reset(peer: string): Promise<void> {
    await this.gobgp('neighbor', peer, 'reset');
  }

  async shutdown(peer: string): Promise<void> {
    await this.gobgp('neighbor', peer, 'shutdown');
  }

  private gobgp(...args: string[]): Promise<string> {
    return this.host.exec('gobgp', ...args);
  }

  private async add(route: AnnouncedRoute): Promise<void> {
    const family = familyOf(route.prefix);
    const nextHop = route.nextHop ?? this.ownAddress(family);
    const option = (name: string, value?: string | number): string[] =>
      value === undefined || value === '' ? [] : [name, String(value)];
    await this.gobgp(
      ...['global', 'rib', 'add', '-a', family, route.prefix, 'origin', 'igp', 'nexthop', nextHop],
      ...option('med', route.med),
      ...option('community', route.communities?.join(',')),
      ...option('large-community', route.largeCommunities?.join(',')),
      ...(route.routeTargets?.length ? ['rt', ...route.routeTargets] : []),
    );
  }

  private ownAddress(family: Family): string {
    const peer = this.config.peers.find(({ localAddress }) => familyOf(localAddress) === family);
    if (peer === undefined) throw new RangeError(`GoBGP: a route of ${family} needs its next hop said`);
    return peer.localAddress;
  }
}

function gobgpConfig({ asn, routerId, peers, extra = '' }: DaemonConfig): string {
  return [
    '[global.config]',
    `  as = ${asn}`,
    `  router-id = "${routerId}"`,
    '[global.use-multiple-paths.config]',
    '  enabled = true',
    ...peers.flatMap(gobgpPeer),
    ...exportPolicy(peers),
    extra,
    '',
  ].join('\n');
}

function gobgpPeer(peer: DaemonPeer): string[] {
  const hold = holdTimeOf(peer);
  const graceful = peer.gracefulRestartS;
  return [
    '[[neighbors]]',
    '  [neighbors.config]',
    `    neighbor-address = "${peer.address}"`,
    `    peer-as = ${peer.asn}`,
    ...(peer.password === undefined ? [] : [`    auth-password = "${peer.password}"`]),
    '  [neighbors.transport.config]',
    `    local-address = "${peer.localAddress}"`,
    `    passive-mode = ${peer.passive === true}`,
    '  [neighbors.timers.config]',
    `    hold-time = ${hold}`,
    `    keepalive-interval = ${Math.max(1, Math.floor(hold / 3))}`,
    '    connect-retry = 1',
    '    idle-hold-time-after-reset = 1',
    ...(peer.ttlSecurity === true
      ? ['  [neighbors.ttl-security.config]', '    enabled = true', '    ttl-min = 255']
      : []),
    ...(graceful === undefined
      ? []
      : [
          '  [neighbors.graceful-restart.config]',
          ...['    enabled = true', `    restart-time = ${graceful}`, '    deferral-time = 5'],
          '    notification-enabled = true',
        ]),
    ...familiesOf(peer).flatMap((family) => [
      '  [[neighbors.afi-safis]]',
      '    [neighbors.afi-safis.config]',
      `      afi-safi-name = "${family}-unicast"`,
      ...(graceful === undefined
        ? []
        : ['    [neighbors.afi-safis.mp-graceful-restart.config]', '      enabled = true']),
      ...(peer.addPath === undefined
        ? []
        : [
            '    [neighbors.afi-safis.add-paths.config]',
            ...(peer.addPath === 'send' ? [] : ['      receive = true']),
            ...(peer.addPath === 'receive' ? [] : ['      send-max = 8']),
          ]),
      ...(peer.maxPrefixes === undefined
        ? []
        : ['    [neighbors.afi-safis.prefix-limit.config]', `      max-prefixes = ${peer.maxPrefixes}`]),
    ]),
    peer.extra ?? '',
  ];
}

/** peers that get only what originates here */
function exportPolicy(peers: readonly DaemonPeer[]): string[] {
  const quiet = peers.filter((peer) => peer.forwards !== true);
  if (quiet.length === 0) return [];
  return [
    '[[defined-sets.neighbor-sets]]',
    '  neighbor-set-name = "quiet"',
    `  neighbor-info-list = [${quiet.map(({ address }) => `"${address}"`).join(', ')}]`,
    '[[policy-definitions]]',
    '  name = "own-only"',
    '  [[policy-definitions.statements]]',
    '    [policy-definitions.statements.conditions.match-neighbor-set]',
    '      neighbor-set = "quiet"',
    '      match-set-options = "any"',
    '    [policy-definitions.statements.conditions.bgp-conditions]',
    '      route-type = "external"',
    '    [policy-definitions.statements.actions]',
    '      route-disposition = "reject-route"',
    '[global.apply-policy.config]',
    '  export-policy-list = ["own-only"]',
    '  default-export-policy = "accept-route"',
  ];
}

const isReceived = (path: GobgpPath): boolean => !['', '<nil>', undefined].includes(path['source-id']);

function entryOf(prefix: string, path: GobgpPath): RibEntry {
  const by = new Map(path.attrs.map((attribute) => [attribute.type, attribute]));
  const dotted = (c: number): string => `${c >>> 16}:${c & 0xffff}`;
  const large = (by.get(LARGE_COMMUNITIES)?.value ?? []) as {
    ASN: number;
    LocalData1: number;
    LocalData2: number;
  }[];
  const extended = (by.get(EXTENDED_COMMUNITIES)?.value ?? []) as {
    type: number;
    subtype: number;
    value: string;
  }[];
  return {
    prefix,
    from: path['neighbor-ip'] ?? path['source-id'] ?? '',
    nextHop: by.get(NEXT_HOP)?.nexthop ?? by.get(MP_REACH)?.nexthop ?? '',
    origin: (['igp', 'egp', 'incomplete'] as const)[Number(by.get(ORIGIN)?.value ?? 0)]!,
    asPath: (by.get(AS_PATH)?.as_paths ?? []).flatMap(({ asns }) => asns),
    med: by.get(MED)?.metric ?? null,
    communities: sorted((by.get(COMMUNITIES)?.communities ?? []).map(dotted)),
    largeCommunities: sorted(large.map((c) => `${c.ASN}:${c.LocalData1}:${c.LocalData2}`)),
    routeTargets: sorted(extended.filter(({ subtype }) => subtype === 2).map(({ value }) => value)),
    stale: path.stale === true,
  };
}
