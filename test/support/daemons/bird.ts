/** BIRD 2 as a test partner: one protocol a peer, one static protocol a family, commands through birdc. */
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

export class Bird implements Daemon {
  readonly name = 'bird';
  private readonly routes: Map<string, AnnouncedRoute>;
  private readonly files: { readonly config: string; readonly socket: string; readonly pid: string };
  private process: HostProcess | null = null;

  constructor(
    readonly host: Host,
    readonly config: DaemonConfig,
  ) {
    this.routes = new Map(config.announces?.map((route) => [route.prefix, route]));
    const file = (end: string): string => join(host.dir, `${host.name}-bird.${end}`);
    this.files = { config: file('conf'), socket: file('ctl'), pid: file('pid') };
  }

  async start(): Promise<void> {
    this.write();
    const { config, socket, pid } = this.files;
    this.process = this.host.start('bird', ['-f', '-c', config, '-s', socket, '-P', pid]);
    await until('BIRD to take commands', async () => (await this.birdc('show status')).includes('running'));
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
    const lines = (await this.birdc('show protocols')).split('\n');
    const up = lines.filter((line) => / BGP .*Established/.test(line)).map((line) => line.split(/\s/)[0]);
    return new Set(this.config.peers.filter((_, i) => up.includes(`peer${i}`)).map((p) => p.address));
  }

  async rib(): Promise<RibEntry[]> {
    return readRoutes(await this.birdc('show route all'), (protocol) => {
      const peer = /^peer(\d+)$/.exec(protocol);
      return peer === null ? null : this.config.peers[Number(peer[1])]!.address;
    });
  }

  async announce(route: AnnouncedRoute): Promise<void> {
    this.routes.set(route.prefix, route);
    await this.reconfigure();
  }

  async withdraw(prefix: string): Promise<void> {
    this.routes.delete(prefix);
    await this.reconfigure();
  }

  async refresh(peer: string): Promise<void> {
    await this.birdc(`reload in ${this.protocol(peer)}`);
  }

  async reset(peer: string): Promise<void> {
    await this.birdc(`restart ${this.protocol(peer)}`);
  }

  async shutdown(peer: string): Promise<void> {
    await this.birdc(`disable ${this.protocol(peer)}`);
  }

  private protocol(peer: string): string {
    return `peer${this.config.peers.findIndex(({ address }) => address === peer)}`;
  }

  private async reconfigure(): Promise<void> {
    this.write();
    const answer = await this.birdc('configure');
    if (!/Reconfigured|Reconfiguration/.test(answer)) throw new Error(`BIRD refused: ${answer}`);
  }

  private birdc(command: string): Promise<string> {
    return this.host.exec('birdc', '-s', this.files.socket, ...command.split(' '));
  }

  private write(): void {
    const { asn, routerId, peers, extra = '' } = this.config;
    const bfd = peers.find((peer) => peer.bfd !== undefined)?.bfd;
    writeFileSync(
      this.files.config,
      [
        'log stderr all;',
        `router id ${routerId};`,
        'graceful restart wait 10;',
        'protocol device { scan time 10; }',
        ...(['ipv4', 'ipv6'] as const).flatMap((family) => this.static(family)),
        ...(['ipv4', 'ipv6'] as const).map(
          (family) =>
            `protocol kernel { ${family} { import none; export where source = RTS_BGP; }; merge paths on limit 16; }`,
        ),
        ...(bfd === undefined
          ? []
          : [
              `protocol bfd { interface "*" { min rx interval ${bfd.intervalMs} ms; min tx interval ${bfd.intervalMs} ms; multiplier ${bfd.multiplier}; }; }`,
            ]),
        ...this.exportFilter(),
        ...peers.map((peer, i) => birdPeer(peer, i, asn)),
        extra,
        '',
      ].join('\n'),
    );
  }

  /** A MED goes to an external peer only where the export filter itself sets it. */
  private exportFilter(): string[] {
    const meds = [...this.routes.values()].filter(({ med }) => med !== undefined);
    return [
      'function set_med() {',
      ...meds.map(({ prefix, med }) => `  if net = ${prefix} then bgp_med = ${med};`),
      '}',
      'filter own { if source != RTS_STATIC then reject; set_med(); accept; }',
      'filter every { if source = RTS_STATIC then set_med(); accept; }',
    ];
  }

  private static(family: Family): string[] {
    const routes = [...this.routes.values()].filter(({ prefix }) => familyOf(prefix) === family);
    return [
      `protocol static static_${family} { ${family};`,
      ...routes.map((route) => `  route ${route.prefix} blackhole { ${attributes(route)} };`),
      '}',
    ];
  }
}

function attributes(route: AnnouncedRoute): string {
  const added = (name: string, values: readonly string[] = []): string[] =>
    values.map((value) => `${name}.add((${value.replaceAll(':', ',')}));`);
  return [
    ...(route.nextHop === undefined ? [] : [`bgp_next_hop = ${route.nextHop};`]),
    ...added('bgp_community', route.communities),
    ...added('bgp_large_community', route.largeCommunities),
    ...added(
      'bgp_ext_community',
      route.routeTargets?.map((target) => `rt:${target}`),
    ),
  ].join(' ');
}

function birdPeer(peer: DaemonPeer, index: number, asn: number): string {
  const graceful = peer.gracefulRestartS;
  const paths = { send: 'tx', receive: 'rx', both: 'on' } as const;
  const addPath = peer.addPath === undefined ? '' : `add paths ${paths[peer.addPath]};`;
  const limit = peer.maxPrefixes === undefined ? '' : `import limit ${peer.maxPrefixes} action disable;`;
  const exports = peer.forwards === true ? 'export filter every;' : 'export filter own;';
  return [
    `protocol bgp peer${index} {`,
    `  local ${peer.localAddress} as ${asn}; neighbor ${peer.address} as ${peer.asn}; direct;`,
    `  hold time ${holdTimeOf(peer)}; connect delay time 1; connect retry time 1; error wait time 1,2;`,
    peer.passive === true ? '  passive on;' : '',
    graceful === undefined
      ? '  graceful restart off;'
      : `  graceful restart on; graceful restart time ${graceful};`,
    peer.bfd === undefined ? '' : '  bfd on;',
    peer.password === undefined ? '' : `  password "${peer.password}";`,
    peer.ttlSecurity === true ? '  ttl security on;' : '',
    peer.twoOctetAs === true ? '  enable as4 off;' : '',
    ...familiesOf(peer).map(
      (family) => `  ${family} { import all; ${limit} ${exports} next hop self ebgp; ${addPath} };`,
    ),
    peer.extra ?? '',
    '}',
  ].join('\n');
}

const ATTRIBUTE = /^\s+BGP\.(\w+): (.*)$/;
/** `198.51.100.10/32  unicast [peer0 06:01:02.345] * (100) [AS64512i]`; a further path has no prefix */
const PATH = /^(\S+\/\d+)?\s+(?:unicast|blackhole|unreachable|prohibit) \[(\S+)[^\]]*\].*\((\d+)(s?)/;

function readRoutes(text: string, peerOf: (protocol: string) => string | null): RibEntry[] {
  const entries: RibEntry[] = [];
  let prefix = '';
  let head: { from: string | null; stale: boolean } | null = null;
  let seen = new Map<string, string>();
  const flush = (): void => {
    if (head?.from != null && seen.has('next_hop'))
      entries.push(entryOf(prefix, head.from, head.stale, seen));
    seen = new Map();
  };
  for (const line of text.split('\n')) {
    const path = PATH.exec(line);
    if (path !== null) {
      flush();
      prefix = path[1] ?? prefix;
      head = { from: peerOf(path[2]!), stale: path[4] === 's' };
      continue;
    }
    const attribute = ATTRIBUTE.exec(line);
    if (attribute !== null) seen.set(attribute[1]!, attribute[2]!);
  }
  flush();
  return entries;
}

function entryOf(prefix: string, from: string, stale: boolean, seen: Map<string, string>): RibEntry {
  const tuples = (name: string): string[] =>
    (seen.get(name)?.match(/\(.*?\)/g) ?? []).map((t) =>
      t.slice(1, -1).replace(/\s/g, '').replaceAll(',', ':'),
    );
  const origin = seen.get('origin');
  return {
    prefix,
    from,
    nextHop: seen.get('next_hop')!.split(' ')[0]!,
    origin: origin === 'IGP' ? 'igp' : origin === 'EGP' ? 'egp' : 'incomplete',
    asPath: (seen.get('as_path') ?? '').split(' ').filter(Boolean).map(Number),
    med: seen.has('med') ? Number(seen.get('med')) : null,
    communities: sorted(tuples('community')),
    largeCommunities: sorted(tuples('large_community')),
    routeTargets: sorted(
      tuples('ext_community')
        .filter((c) => c.startsWith('rt:'))
        .map((c) => c.slice(3)),
    ),
    stale,
  };
}
