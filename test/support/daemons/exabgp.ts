/**
 * ExaBGP as a test partner. It has no RIB: a small process of its own passes commands from one file in and its JSON
 * out to another, from which the table is kept here.
 */
import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, HostProcess } from '../netns.js';
import { sleep, until } from '../wait.js';
import {
  type AnnouncedRoute,
  type Daemon,
  type DaemonConfig,
  type DaemonPeer,
  familiesOf,
  familyOf,
  holdTimeOf,
  type RibEntry,
  sorted,
} from './daemon.js';

interface ExabgpNlri {
  readonly nlri?: string;
  readonly 'path-information'?: string;
}

interface ExabgpAttributes {
  readonly origin?: string;
  readonly 'as-path'?: readonly number[] | Readonly<Record<string, { readonly value: readonly number[] }>>;
  readonly med?: number;
  readonly community?: readonly (readonly number[])[];
  readonly 'large-community'?: readonly (readonly number[])[];
  readonly 'extended-community'?: readonly { readonly string: string }[];
}

interface ExabgpEvent {
  readonly type: string;
  readonly neighbor: {
    readonly address: { readonly peer: string };
    readonly state?: string;
    readonly message?: {
      readonly update?: {
        readonly attribute?: ExabgpAttributes;
        readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly ExabgpNlri[]>>>>;
        readonly withdraw?: Readonly<Record<string, readonly ExabgpNlri[]>>;
      };
    };
  };
}

export class Exabgp implements Daemon {
  readonly name = 'exabgp';
  private readonly files: Readonly<Record<'config' | 'script' | 'commands' | 'json', string>>;
  private readonly routes: Map<string, AnnouncedRoute>;
  private process: HostProcess | null = null;

  constructor(
    readonly host: Host,
    readonly config: DaemonConfig,
  ) {
    const file = (end: string): string => join(host.dir, `${host.name}-exabgp.${end}`);
    this.files = {
      config: file('conf'),
      script: file('sh'),
      commands: file('commands'),
      json: file('json'),
    };
    this.routes = new Map(config.announces?.map((route) => [route.prefix, route]));
  }

  async start(): Promise<void> {
    const { config, script, commands, json } = this.files;
    writeFileSync(commands, '');
    writeFileSync(json, '');
    writeFileSync(script, `#!/bin/sh\ntail -n +1 -f --pid=$$ ${commands} &\nexec cat >>${json}\n`);
    chmodSync(script, 0o755);
    writeFileSync(config, this.configuration());
    const passive = this.config.peers.filter((peer) => peer.passive === true);
    this.process = this.host.start('exabgp', [config], {
      'exabgp.daemon.user': 'root',
      'exabgp.api.cli': 'false',
      'exabgp.api.ack': 'false',
      'exabgp.cache.attributes': 'false',
      ...(passive.length === 0
        ? {}
        : {
            'exabgp.tcp.bind': [...new Set(passive.map(({ localAddress }) => localAddress))].join(' '),
            'exabgp.tcp.port': '179',
          }),
    });
    const { running } = this.process;
    await until(
      'ExaBGP to start',
      () => running && existsSync(json) && this.log().includes('loaded new config'),
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
    const up = new Set<string>();
    for (const { type, neighbor } of this.events()) {
      if (type !== 'state') continue;
      if (neighbor.state === 'up') up.add(neighbor.address.peer);
      else if (neighbor.state === 'down') up.delete(neighbor.address.peer);
    }
    return up;
  }

  async rib(): Promise<RibEntry[]> {
    const table = new Map<string, RibEntry>();
    const keyOf = (peer: string, { nlri, 'path-information': id }: ExabgpNlri): string =>
      `${peer} ${nlri} ${id}`;
    for (const { type, neighbor } of this.events()) {
      const peer = neighbor.address?.peer;
      if (type === 'state' && neighbor.state === 'down') {
        for (const [key, { from }] of table) if (from === peer) table.delete(key);
      }
      const update = neighbor.message?.update;
      if (type !== 'update' || update === undefined) continue;
      for (const byNextHop of Object.values(update.announce ?? {})) {
        // of a next hop of 32 octets it gives the global half first, then the link-local one
        for (const [nextHop, prefixes] of Object.entries(byNextHop).reverse()) {
          for (const one of prefixes) {
            if (one.nlri === undefined) continue;
            table.set(keyOf(peer, one), entryOf(one.nlri, peer, nextHop, update.attribute ?? {}));
          }
        }
      }
      for (const prefixes of Object.values(update.withdraw ?? {})) {
        for (const one of prefixes) table.delete(keyOf(peer, one));
      }
    }
    return [...table.values()];
  }

  async announce(route: AnnouncedRoute): Promise<void> {
    this.routes.set(route.prefix, route);
    for (const peer of this.peersFor(route.prefix)) {
      await this.command(`neighbor ${peer.address} announce route ${routeText(route)}`);
    }
  }

  async withdraw(prefix: string): Promise<void> {
    this.routes.delete(prefix);
    for (const peer of this.peersFor(prefix)) {
      await this.command(`neighbor ${peer.address} withdraw route ${prefix} next-hop self`);
    }
  }

  async refresh(peer: string): Promise<void> {
    for (const family of this.peer(peer).families ?? [familyOf(peer)]) {
      await this.command(`neighbor ${peer} announce route-refresh ${family} unicast`);
    }
  }

  async reset(peer: string): Promise<void> {
    await this.command(`neighbor ${peer} teardown 4`);
  }

  async shutdown(peer: string): Promise<void> {
    await this.command(`neighbor ${peer} teardown 2`);
  }

  /** A line in ExaBGP's own command language. */
  async command(line: string): Promise<void> {
    appendFileSync(this.files.commands, `${line}\n`);
    await sleep(20);
  }

  private peer(address: string): DaemonPeer {
    return this.config.peers.find((peer) => peer.address === address)!;
  }

  private peersFor(prefix: string): readonly DaemonPeer[] {
    return this.config.peers.filter((peer) => familiesOf(peer).includes(familyOf(prefix)));
  }

  /** Its route-refresh lines are not JSON: a key has its quotes twice. */
  private events(): ExabgpEvent[] {
    const lines = readFileSync(this.files.json, 'utf8').split('\n').slice(0, -1);
    return lines
      .filter((line) => line.startsWith('{'))
      .map(
        (line) => JSON.parse(line.includes('"refresh"') ? line.replaceAll('""', '"') : line) as ExabgpEvent,
      );
  }

  private configuration(): string {
    const { asn, routerId, peers, extra = '' } = this.config;
    return [
      `process ctl { run ${this.files.script}; encoder json; }`,
      ...peers.flatMap((peer) => this.neighbor(peer, asn, routerId)),
      extra,
      '',
    ].join('\n');
  }

  private neighbor(peer: DaemonPeer, asn: number, routerId: string): string[] {
    const families = familiesOf(peer);
    const routes = [...this.routes.values()].filter(({ prefix }) => families.includes(familyOf(prefix)));
    const paths = { send: 'send', receive: 'receive', both: 'send/receive' } as const;
    return [
      `neighbor ${peer.address} {`,
      `  local-address ${peer.localAddress}; local-as ${asn}; peer-as ${peer.asn}; router-id ${routerId};`,
      `  hold-time ${holdTimeOf(peer)};`,
      peer.passive === true ? '  passive;' : '',
      peer.password === undefined ? '' : `  md5-password "${peer.password}";`,
      peer.maxPrefixes === undefined ? '' : '',
      `  family { ${families.map((family) => `${family} unicast;`).join(' ')} }`,
      '  capability {',
      peer.gracefulRestartS === undefined ? '' : `    graceful-restart ${peer.gracefulRestartS};`,
      peer.addPath === undefined ? '' : `    add-path ${paths[peer.addPath]};`,
      `    route-refresh; asn4 ${peer.twoOctetAs === true ? 'disable' : 'enable'};`,
      '  }',
      '  api { processes [ ctl ]; neighbor-changes; receive { parsed; update; open; notification; refresh; } }',
      '  announce {',
      ...routes.map((route) => `    ${familyOf(route.prefix)} { unicast ${routeText(route)}; }`),
      '  }',
      peer.extra ?? '',
      '}',
    ];
  }
}

function routeText(route: AnnouncedRoute): string {
  const list = (name: string, values: readonly string[] = []): string =>
    values.length === 0 ? '' : ` ${name} [${values.join(' ')}]`;
  return [
    `${route.prefix} next-hop ${route.nextHop ?? 'self'}`,
    route.med === undefined ? '' : ` med ${route.med}`,
    list('community', route.communities),
    list('large-community', route.largeCommunities),
    list(
      'extended-community',
      route.routeTargets?.map((target) => `target:${target}`),
    ),
  ].join('');
}

function entryOf(prefix: string, from: string, nextHop: string, attribute: ExabgpAttributes): RibEntry {
  const path = attribute['as-path'] ?? [];
  const joined = (values: readonly (readonly number[])[] = []): string[] => values.map((v) => v.join(':'));
  const extended = (attribute['extended-community'] ?? []).map((c) => c.string);
  return {
    prefix,
    from,
    nextHop,
    origin: (attribute.origin ?? 'igp') as RibEntry['origin'],
    asPath: Array.isArray(path) ? path : Object.values(path).flatMap(({ value }) => value),
    med: attribute.med ?? null,
    communities: sorted(joined(attribute.community)),
    largeCommunities: sorted(joined(attribute['large-community'])),
    routeTargets: sorted(extended.filter((c) => c.startsWith('target:')).map((c) => c.slice(7))),
    stale: false,
  };
}
