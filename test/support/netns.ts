/**
 * Network namespaces for tests with real daemons: hosts on one Ethernet segment, and the processes inside them.
 *
 *     first host: bridge br0 ── veth ── eth0 second host
 *                           └── veth ── eth0 third host …
 *
 * Names carry a prefix that no other run has; a process is ended by its id only; everything is gone after close(),
 * and when the test process ends without it.
 */
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Host } from '../../lab/host.js';

export { Host, HostProcess, lacksNamespaces } from '../../lab/host.js';

const run = promisify(execFile);

export interface HostPlan {
  readonly name: string;
  readonly addresses: readonly string[];
}

export class Lan {
  private readonly prefix = `ff${randomBytes(3).toString('hex')}`;
  private readonly hosts = new Map<string, Host>();
  private readonly onExit = (): void => this.removeNow();
  /** a directory of this segment's own, readable by daemons that drop their rights */
  readonly dir: string = mkdtempSync(join(tmpdir(), 'flowfate-net-'));

  /** The first host carries the bridge. Addresses are given with their prefix length: `10.88.0.1/24`. */
  static async create(plans: readonly HostPlan[]): Promise<Lan> {
    const lan = new Lan();
    process.on('exit', lan.onExit);
    await run('chmod', ['755', lan.dir]);
    try {
      for (const [i, plan] of plans.entries()) await lan.addHost(plan, i);
    } catch (error) {
      await lan.close();
      throw error;
    }
    return lan;
  }

  host(name: string): Host {
    const host = this.hosts.get(name);
    if (host === undefined) throw new RangeError(`no host ${name} on this segment`);
    return host;
  }

  /** Cuts or mends a host's cable at the bridge: the host itself sees its carrier go, its sockets see nothing. */
  async cable(name: string, state: 'up' | 'down'): Promise<void> {
    const [bridge] = this.hosts.values();
    await bridge!.ip('link', 'set', name, state);
  }

  async close(): Promise<void> {
    for (const host of this.hosts.values()) await host.endAll();
    process.off('exit', this.onExit);
    this.removeNow();
  }

  private async addHost({ name, addresses }: HostPlan, index: number): Promise<void> {
    const host = new Host(name, `${this.prefix}-${name}`, this.dir);
    await run('ip', ['netns', 'add', host.namespace]);
    const bridge = this.hosts.values().next().value as Host | undefined;
    this.hosts.set(name, host);
    const quiet = ['net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0'];
    await host.exec('sysctl', '-qw', ...quiet, 'net.ipv4.fib_multipath_hash_policy=1');
    await host.ip('link', 'set', 'lo', 'up');
    const device = index === 0 ? 'br0' : 'eth0';
    if (bridge === undefined) {
      await host.ip('link', 'add', 'br0', 'type', 'bridge');
    } else {
      await bridge.ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.namespace);
      await bridge.ip('link', 'set', name, 'master', 'br0', 'up');
    }
    for (const address of addresses) {
      await host.ip('address', 'add', address, 'dev', device, ...(address.includes(':') ? ['nodad'] : []));
    }
    await host.ip('link', 'set', device, 'up');
  }

  private removeNow(): void {
    for (const host of this.hosts.values()) {
      host.killAllNow();
      spawnSync('ip', ['netns', 'delete', host.namespace]);
    }
    this.hosts.clear();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
