/**
 * The usual world of the interop tests: our router at the top of a rack, and daemons that announce VIPs to it, each over
 * an IPv4 and an IPv6 session.
 *
 *     tor 10.88.0.1, fd88::1 (flowfate)     s1 …11     s2 …12     col …13
 */
import type { AnnouncedRoute, Daemon, DaemonConfig, DaemonName, DaemonPeer } from './daemons/daemon.js';
import { makeDaemon } from './daemons.js';
import { FlowfateRouter, type RouterPeer, type RouterSpec } from './flowfate-router.js';
import { Lan } from './netns.js';
import { until } from './wait.js';

export const TOR = { asn: 4_200_000_001, addresses: ['10.88.0.1', 'fd88::1'] } as const;
export const SPEAKER_ASN = 4_200_000_064;
export const COLLECTOR_ASN = 64_999;
export const VIP4 = '198.51.100.10/32';
export const VIP6 = '2001:db8:100::10/128';

export const ATTRIBUTES = {
  med: 50,
  communities: ['64512:100', '64512:200'],
  largeCommunities: ['4200000064:1:2'],
  routeTargets: ['64512:100'],
} as const;
export const ROUTES: readonly AnnouncedRoute[] = [
  { prefix: VIP4, ...ATTRIBUTES },
  { prefix: VIP6, ...ATTRIBUTES },
];

const HOSTS = { tor: 1, s1: 11, s2: 12, col: 13 } as const;
export type HostName = keyof typeof HOSTS;

export const addressesOf = (name: HostName): readonly [string, string] => [
  `10.88.0.${HOSTS[name]}`,
  `fd88::${HOSTS[name]}`,
];

export interface RackOptions {
  /** whether our router waits or connects */
  readonly ours: 'passive' | 'active';
  /** over what every peer of the router has */
  readonly routerPeer?: Readonly<Record<string, unknown>>;
  readonly routerSpec?: Partial<RouterSpec>;
  /** over what every speaker's peer has */
  readonly speakerPeer?: Partial<DaemonPeer>;
  readonly routes?: readonly AnnouncedRoute[];
  readonly speakerAsn?: number;
  /** a collector beside the speakers: gets everything */
  readonly collector?: { readonly daemon: DaemonName; readonly peer?: Partial<DaemonPeer> };
  readonly collectorPeer?: Readonly<Record<string, unknown>>;
}

export class Rack {
  readonly router: FlowfateRouter;
  private readonly daemons = new Map<HostName, Daemon>();

  private constructor(
    readonly lan: Lan,
    readonly options: RackOptions,
    speakers: ReadonlyMap<HostName, DaemonName>,
  ) {
    const { collector } = options;
    for (const [name, daemon] of speakers) {
      this.daemons.set(name, makeDaemon(daemon, lan.host(name), speakerConfig(name, options)));
    }
    if (collector !== undefined) {
      const config = daemonConfig('col', COLLECTOR_ASN, collector.peer ?? {}, []);
      this.daemons.set('col', makeDaemon(collector.daemon, lan.host('col'), config));
    }
    this.router = new FlowfateRouter(lan.host('tor'), routerSpec([...speakers.keys()], options));
  }

  /** Starts all of it; sessions come up later ({@link Rack.sessionsUp}). */
  static async create(speakers: readonly DaemonName[], options: RackOptions): Promise<Rack> {
    const names = (['s1', 's2'] as const).slice(0, speakers.length);
    const hosts: HostName[] = ['tor', ...names, ...(options.collector === undefined ? [] : ['col' as const])];
    const lan = await Lan.create(
      hosts.map((name) => {
        const [ipv4, ipv6] = addressesOf(name);
        return { name, addresses: [`${ipv4}/24`, `${ipv6}/64`] };
      }),
    );
    try {
      const rack = new Rack(lan, options, new Map(names.map((name, i) => [name, speakers[i]!])));
      await rack.router.start();
      for (const daemon of rack.daemons.values()) await daemon.start();
      return rack;
    } catch (error) {
      await lan.close();
      throw error;
    }
  }

  daemon(name: HostName): Daemon {
    return this.daemons.get(name)!;
  }

  /** All sessions, as the router sees them. */
  async sessionsUp(timeoutMs = 40_000): Promise<void> {
    const wanted = this.router.spec.peers.map(({ address }) => address);
    await until(
      'all sessions',
      async () => {
        const up = await this.router.established();
        return wanted.every((address) => up.has(address));
      },
      { timeoutMs, seen: () => this.router.peers() },
    );
  }

  /** Until the router's FIB has exactly these speakers as next hops of both VIPs. */
  async fibIs(speakers: readonly HostName[], timeoutMs = 15_000): Promise<void> {
    await until(
      `next hops ${speakers.join(', ') || '(none)'} of both VIPs`,
      async () => {
        const fib = await this.router.fib();
        return [VIP4, VIP6].every((prefix, family) => {
          const wanted = speakers.map((name) => addressesOf(name)[family]!);
          return (fib.get(prefix) ?? []).join() === wanted.join();
        });
      },
      { timeoutMs, seen: async () => [...(await this.router.fib())] },
    );
  }

  async close(): Promise<void> {
    this.router.close();
    await this.lan.close();
  }
}

function routerSpec(speakers: readonly HostName[], options: RackOptions): RouterSpec {
  const passive = options.ours === 'passive';
  const peerOf = (name: HostName, asn: number, more: object): RouterPeer[] =>
    addressesOf(name).map((address, i) => ({
      ...{ address, asn, passive, localAddress: TOR.addresses[i], holdTime: '9s', connectRetry: '1s' },
      ...{ families: [i === 0 ? 'ipv4-unicast' : 'ipv6-unicast'], import: 'all', export: 'none' },
      ...options.routerPeer,
      ...more,
    }));
  return {
    asn: TOR.asn,
    routerId: TOR.addresses[0],
    listen: ['10.88.0.1:179', '[fd88::1]:179'],
    peers: [
      ...speakers.flatMap((name) => peerOf(name, options.speakerAsn ?? SPEAKER_ASN, {})),
      ...(options.collector === undefined
        ? []
        : peerOf('col', COLLECTOR_ASN, { export: 'all', ...options.collectorPeer })),
    ],
    ...options.routerSpec,
  };
}

function speakerConfig(name: HostName, options: RackOptions): DaemonConfig {
  const passive = options.ours === 'active';
  return daemonConfig(
    name,
    options.speakerAsn ?? SPEAKER_ASN,
    { passive, ...options.speakerPeer },
    options.routes ?? ROUTES,
  );
}

function daemonConfig(
  name: HostName,
  asn: number,
  peer: Partial<DaemonPeer>,
  announces: readonly AnnouncedRoute[],
): DaemonConfig {
  const own = addressesOf(name);
  const peers = own.map((localAddress, i) => ({
    ...{ localAddress, address: TOR.addresses[i]!, asn: TOR.asn },
    ...peer,
  }));
  return { asn, routerId: own[0], peers, announces };
}
