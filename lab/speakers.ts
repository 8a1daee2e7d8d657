/** What announces the VIPs from the nodes: BIRD, one session a family, hold time 3 s; withdrawn by ending it in order. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostProcess } from './host.js';
import { FAMILIES, NODE_ASN, type NodePlan, ROUTER, ROUTER_ASN, type Vip } from './layout.js';
import type { LabNetwork } from './network.js';

export const HOLD_TIME_S = 3;

export class Speakers {
  private readonly processes = new Map<string, HostProcess>();

  constructor(readonly network: LabNetwork) {}

  start(name: string): void {
    const node = this.network.layout.nodes.find((one) => one.name === name)!;
    const file = (end: string): string => join(this.network.dir, `${name}.bird.${end}`);
    writeFileSync(file('conf'), configuration(node, this.network.layout.vips));
    const args = ['-f', '-c', file('conf'), '-s', file('ctl'), '-P', file('pid')];
    this.processes.set(name, this.network.node(name).start('bird', args));
  }

  async stop(name: string): Promise<void> {
    await this.processes.get(name)?.stop();
    this.processes.delete(name);
  }
}

function configuration(node: NodePlan, vips: readonly Vip[]): string {
  const routes = (family: string): string =>
    vips.flatMap((vip) => (vip.family === family ? [`route ${vip.prefix} blackhole;`] : [])).join(' ');
  return [
    `router id ${node.ipv4};`,
    'protocol device { scan time 10; }',
    ...FAMILIES.flatMap((family) => [
      `protocol static vip_${family} { ${family}; ${routes(family)} }`,
      `protocol bgp to_router_${family} {`,
      `  local ${node[family]} as ${NODE_ASN}; neighbor ${ROUTER[family]} as ${ROUTER_ASN};`,
      `  hold time ${HOLD_TIME_S}; keepalive time 1; connect delay time 1; connect retry time 1; error wait time 1,2;`,
      `  ${family} { import none; export where proto = "vip_${family}"; };`,
      '}',
    ]),
    '',
  ].join('\n');
}
