/**
 * FRR as router: zebra and bgpd with kernel next-hop groups, as it comes. IPv6 gateways are link-local unless the route
 * map prefers global ones; the lab wants to recognise nodes by their addresses.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES, type Family, NODE_ASN, ROUTER, ROUTER_ASN } from './layout.js';
import type { LabNetwork } from './network.js';
import type { LabRouter } from './router.js';
import type { NextHop } from './setting.js';
import { HOLD_TIME_S, type Speakers } from './speakers.js';
import { Hopeless, sleep, until } from './wait.js';

const PROGRAMS = '/usr/lib/frr';
/** zebra numbers next hops in the order it learns them, and lists them so: one node at a time keeps that order plain */
const BETWEEN_SPEAKERS_MS = 1200;

export class FrrRouter implements LabRouter {
  private readonly dir: string;

  constructor(
    readonly network: LabNetwork,
    readonly speakers: Speakers,
  ) {
    this.dir = join(network.dir, 'frr');
  }

  async start(nextHops: readonly NextHop[]): Promise<void> {
    mkdirSync(this.dir, { recursive: true });
    writeFileSync(join(this.dir, 'frr.conf'), this.configuration());
    spawnSync('chown', ['-R', 'frr:frr', this.dir]);
    for (const program of ['zebra', 'bgpd']) await this.startProgram(program);
    for (const { node } of nextHops) {
      this.speakers.start(node);
      await sleep(BETWEEN_SPEAKERS_MS);
    }
  }

  async announce(node: string): Promise<void> {
    this.speakers.start(node);
  }

  async withdraw(node: string): Promise<void> {
    await this.speakers.stop(node);
  }

  private async startProgram(program: string): Promise<void> {
    const file = (name: string): string => join(this.dir, name);
    const started = this.network.router.start(join(PROGRAMS, program), [
      ...['-f', file('frr.conf'), '-i', file(`${program}.pid`), '-z', file('zserv.api')],
      ...['--vty_socket', this.dir, '-A', '127.0.0.1', '--log', 'stdout'],
    ]);
    const vtysh = ['--vty_socket', this.dir, '--config_dir', this.dir, '-d', program, '-c', 'show version'];
    await until(`FRR's ${program} to take commands`, async () => {
      if (!started.running) throw new Hopeless(`it ended: ${started.log().slice(-500)}`);
      return (await this.network.router.exec('vtysh', ...vtysh)).includes('FRR');
    });
  }

  private configuration(): string {
    const { nodes } = this.network.layout;
    const family = (own: Family): string[] => [
      ` address-family ${own} unicast`,
      '  maximum-paths 16',
      ...nodes.flatMap((node) => [
        `  neighbor ${node[own]} activate`,
        ...(own === 'ipv6' ? [`  neighbor ${node.ipv6} route-map GLOBAL in`] : []),
      ]),
      ' exit-address-family',
    ];
    return [
      'frr defaults traditional',
      'hostname router',
      ...['route-map GLOBAL permit 10', ' set ipv6 next-hop prefer-global', 'exit'],
      `router bgp ${ROUTER_ASN}`,
      ` bgp router-id ${ROUTER.ipv4}`,
      ...[' no bgp ebgp-requires-policy', ' no bgp network import-check', ' no bgp default ipv4-unicast'],
      ` timers bgp 1 ${HOLD_TIME_S}`,
      ...nodes.flatMap((node) =>
        FAMILIES.flatMap((own) => [
          ` neighbor ${node[own]} remote-as ${NODE_ASN}`,
          ` neighbor ${node[own]} timers connect 1`,
          ` neighbor ${node[own]} advertisement-interval 0`,
        ]),
      ),
      ...FAMILIES.flatMap(family),
      'exit',
      '',
    ].join('\n');
  }
}
