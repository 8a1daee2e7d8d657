/** BIRD as router: passive sessions from every node, `merge paths` into a legacy multipath route. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES, NODE_ASN, ROUTER, ROUTER_ASN } from './layout.js';
import type { LabNetwork } from './network.js';
import type { LabRouter } from './router.js';
import type { NextHop } from './setting.js';
import { HOLD_TIME_S, type Speakers } from './speakers.js';

export class BirdRouter implements LabRouter {
  constructor(
    readonly network: LabNetwork,
    readonly speakers: Speakers,
  ) {}

  async start(nextHops: readonly NextHop[]): Promise<void> {
    const file = (end: string): string => join(this.network.dir, `router.bird.${end}`);
    writeFileSync(file('conf'), this.configuration());
    this.network.router.start('bird', ['-f', '-c', file('conf'), '-s', file('ctl'), '-P', file('pid')]);
    for (const { node } of nextHops) this.speakers.start(node);
  }

  async announce(node: string): Promise<void> {
    this.speakers.start(node);
  }

  async withdraw(node: string): Promise<void> {
    await this.speakers.stop(node);
  }

  private configuration(): string {
    return [
      `router id ${ROUTER.ipv4};`,
      'protocol device { scan time 10; }',
      ...FAMILIES.map(
        (family) =>
          `protocol kernel kernel_${family} { ${family} { import none; export all; }; merge paths yes limit 16; }`,
      ),
      ...FAMILIES.flatMap((family) =>
        this.network.layout.nodes.flatMap((node) => [
          `protocol bgp ${node.name}_${family} {`,
          `  local ${ROUTER[family]} as ${ROUTER_ASN}; neighbor ${node[family]} as ${NODE_ASN}; passive yes;`,
          `  hold time ${HOLD_TIME_S}; keepalive time 1; error wait time 1,2;`,
          `  ${family} { import all; export none; };`,
          '}',
        ]),
      ),
      '',
    ].join('\n');
  }
}
