/**
 * The lab's namespaces: clients, router, nodes and pods, wired as in layout.ts. Names carry a prefix of this run alone;
 * sysctls are set inside namespaces only; remove() leaves nothing behind, however the run ends.
 */
import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PROGRAM_SECTION, writeClearSkbHash } from './clear-skb-hash.js';
import { Host, type HostProcess } from './host.js';
import { kubeProxyRules } from './kube-proxy.js';
import { kubeProxyNftables } from './kube-proxy-nftables.js';
import {
  CLIENT_ADDRESSES,
  FAMILIES,
  type Family,
  type Layout,
  type NodePlan,
  type PodPlan,
  ROUTER,
} from './layout.js';
import { programFile } from './program-file.js';
import { layoutOfSetting, type Setting } from './setting.js';
import { until } from './wait.js';

const run = promisify(execFile);

const QUIET = [
  ...['all', 'default'].map((which) => `net.ipv4.conf.${which}.rp_filter=0`),
  ...['all', 'default'].map((which) => `net.ipv6.conf.${which}.accept_dad=0`),
  ...['net.ipv6.conf.default.dad_transmits=0', 'net.ipv6.conf.default.accept_ra=0'],
];
const FORWARDING = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'];
/** Checksums as on a wire: nothing is left for a network card that does not exist. */
const NO_OFFLOADS = ['tx', 'tso', 'gso', 'gro'].flatMap((name) => [name, 'off']);

export class LabNetwork {
  readonly layout: Layout;
  private readonly prefix = `fl${randomBytes(3).toString('hex')}`;
  private readonly hosts = new Map<string, Host>();
  private readonly podProcesses = new Map<string, HostProcess>();
  private readonly running = new Set<string>();

  /** `dir`: for configurations, logs and raw captures; made open to the users that daemons become. */
  constructor(
    readonly setting: Setting,
    readonly dir: string,
  ) {
    this.layout = layoutOfSetting(setting);
    // FRR gives up its rights and still has to find its files
    chmodSync(dir, 0o755);
  }

  get clients(): Host {
    return this.hosts.get('c')!;
  }

  get router(): Host {
    return this.hosts.get('r')!;
  }

  node(name: string): Host {
    return this.hosts.get(name)!;
  }

  pods(names: readonly string[]): PodPlan[] {
    return this.layout.pods.filter(({ name }) => names.includes(name));
  }

  async build(): Promise<void> {
    for (const name of ['c', 'r', ...this.layout.nodes.map((node) => node.name)]) await this.addHost(name);
    for (const name of ['r', ...this.layout.nodes.map((node) => node.name)]) {
      await this.hosts.get(name)!.exec('sysctl', '-qw', ...FORWARDING);
    }
    await this.joinClients();
    await this.joinNodes();
    await this.setHash();
    await Promise.all(this.layout.pods.map((pod) => this.startPod(pod)));
    await this.writeRules();
    if (this.setting.nodeSysctls.length === 0) return;
    // after the rules: what belongs to conntrack is there once something asks for it
    for (const { name } of this.layout.nodes)
      await this.node(name).exec('sysctl', '-qw', ...this.setting.nodeSysctls);
  }

  /** kube-proxy's work on every node: rules for the pods that run. */
  async writeRules(): Promise<void> {
    const pods = this.layout.pods.filter(({ name }) => this.running.has(name));
    await Promise.all(
      this.layout.nodes.flatMap(({ name }) =>
        FAMILIES.map((family) => this.writeNodeRules(family, name, pods)),
      ),
    );
  }

  private async writeNodeRules(family: Family, node: string, pods: readonly PodPlan[]): Promise<void> {
    const { setting, dir } = this;
    const file = join(dir, `${node}.${family}.rules`);
    const write = setting.proxy === 'iptables' ? kubeProxyRules : kubeProxyNftables;
    writeFileSync(file, write(family, node, setting.services, pods, setting));
    const iptables = family === 'ipv4' ? 'iptables-nft-restore' : 'ip6tables-nft-restore';
    await (setting.proxy === 'iptables'
      ? this.node(node).exec(iptables, file)
      : this.node(node).exec('nft', '-f', file));
  }

  /** Pods leave the rules of every node, and run on; as kube-proxy does, their UDP entries are forgotten. */
  async retirePods(pods: readonly PodPlan[]): Promise<void> {
    for (const { name } of pods) this.running.delete(name);
    await this.writeRules();
    if (this.setting.services.every(({ protocol }) => protocol !== 'udp')) return;
    await Promise.all(
      this.layout.nodes.flatMap(({ name }) => pods.map((pod) => this.forgetDatagrams(this.node(name), pod))),
    );
  }

  /** Their processes end and close what is open. */
  async stopPods(pods: readonly PodPlan[]): Promise<void> {
    await Promise.all(pods.map(({ name }) => this.podProcesses.get(name)?.stop()));
  }

  /** What is left of stopped pods: a new one gets a fresh network stack under the old address. */
  async clearPods(pods: readonly PodPlan[]): Promise<void> {
    for (const pod of pods) {
      await this.node(pod.node).ip('link', 'delete', deviceOf(pod));
      spawnSync('ip', ['netns', 'delete', this.hosts.get(pod.name)!.namespace]);
      this.hosts.delete(pod.name);
    }
  }

  /** New pods under the old addresses; into the rules once they listen. */
  async startPods(pods: readonly PodPlan[]): Promise<void> {
    await Promise.all(pods.map((pod) => this.startPod(pod)));
    await this.writeRules();
  }

  /** Nobody hears the node any more, and it learns of it as little as they do. */
  async cutCable(node: string): Promise<void> {
    await this.router.ip('link', 'set', node, 'down');
  }

  /** Ends what runs inside, by id, and deletes the namespaces; may be called at any time and twice. */
  remove(): void {
    for (const host of this.hosts.values()) {
      host.killAllNow();
      spawnSync('ip', ['netns', 'delete', host.namespace]);
    }
    this.hosts.clear();
  }

  private async addHost(name: string): Promise<Host> {
    const host = new Host(name, `${this.prefix}-${name}`, this.dir);
    this.hosts.set(name, host);
    await run('ip', ['netns', 'add', host.namespace]);
    await host.exec('sysctl', '-qw', ...QUIET);
    await host.ip('link', 'set', 'lo', 'up');
    return host;
  }

  private async joinClients(): Promise<void> {
    const { clients, router } = this;
    await clients.ip(...words('link add c0 type veth peer name c0 netns'), router.namespace);
    for (const host of [clients, router]) await wire(host, 'c0');
    await router.batch([
      `address add ${ROUTER.clientSide.ipv4}/24 dev c0`,
      `address add ${ROUTER.clientSide.ipv6}/64 dev c0 nodad`,
    ]);
    // a port of the last minute may be used again
    await clients.exec('sysctl', '-qw', 'net.ipv4.tcp_tw_reuse=1');
    await clients.batch([
      ...CLIENT_ADDRESSES.ipv4.map((address) => `address add ${address}/24 dev c0`),
      ...CLIENT_ADDRESSES.ipv6.map((address) => `address add ${address}/64 dev c0 nodad`),
      `route add default via ${ROUTER.clientSide.ipv4}`,
      `route add default via ${ROUTER.clientSide.ipv6}`,
    ]);
  }

  private async joinNodes(): Promise<void> {
    const { router } = this;
    await router.batch([
      `link add br0 address ${ROUTER.mac} type bridge`,
      'link set br0 up',
      `address add ${ROUTER.ipv4}/24 dev br0`,
      `address add ${ROUTER.ipv6}/64 dev br0 nodad`,
    ]);
    for (const node of this.layout.nodes) {
      const host = this.node(node.name);
      await router.ip(...words(`link add ${node.name} type veth peer name eth0 netns`), host.namespace);
      await router.ip('link', 'set', node.name, 'master', 'br0', 'up');
      await host.ip('link', 'set', 'eth0', 'address', node.mac);
      await wire(host, 'eth0');
      await host.batch(this.nodeSetup(node));
      // address resolution is not what the lab is about
      await router.batch([
        `neighbour replace ${node.ipv4} lladdr ${node.mac} dev br0 nud permanent`,
        `neighbour replace ${node.ipv6} lladdr ${node.mac} dev br0 nud permanent`,
      ]);
    }
  }

  private nodeSetup(node: NodePlan): string[] {
    return [
      `address add ${node.ipv4}/24 dev eth0`,
      `address add ${node.ipv6}/64 dev eth0 nodad`,
      `route add default via ${ROUTER.ipv4}`,
      `route add default via ${ROUTER.ipv6}`,
      // a bridge takes the lowest address of its members, unless it has its own: then pods may come and go
      `link add cni0 address ${node.bridgeMac} type bridge`,
      'link set cni0 up',
      `address add ${node.podGateway.ipv4}/24 dev cni0`,
      `address add ${node.podGateway.ipv6}/64 dev cni0 nodad`,
      ...this.layout.nodes
        .filter((other) => other !== node)
        .flatMap((other) =>
          FAMILIES.map((family) => `route add ${other.podCidr[family]} via ${other[family]}`),
        ),
    ];
  }

  /** ECMP with a known seed; the kernel uses the one seed for both families. */
  private async setHash(): Promise<void> {
    const program = join(this.dir, 'clear-skb-hash.o');
    writeClearSkbHash(program);
    const { policy, fields, seed } = this.setting.hash;
    const both = (setting: string): string[] => ['ipv4', 'ipv6'].map((family) => `net.${family}.${setting}`);
    await this.router.exec(
      'sysctl',
      '-qw',
      ...both(`fib_multipath_hash_policy=${policy}`),
      ...(fields === null ? [] : both(`fib_multipath_hash_fields=${fields}`)),
      `net.ipv4.fib_multipath_hash_seed=${seed}`,
    );
    await this.router.exec('tc', ...words('qdisc add dev c0 clsact'));
    await this.router.exec(
      'tc',
      ...words('filter add dev c0 ingress prio 1 bpf direct-action object-file'),
      ...[program, 'section', PROGRAM_SECTION],
    );
  }

  private async forgetDatagrams(node: Host, pod: PodPlan): Promise<void> {
    for (const family of FAMILIES) {
      // its status says whether there was one
      await node.exec('conntrack', '-D', '-p', 'udp', '--reply-src', pod[family]).catch(() => {});
    }
  }

  private async startPod(pod: PodPlan): Promise<void> {
    const host = await this.addHost(pod.name);
    const node = this.layout.nodes.find(({ name }) => name === pod.node)!;
    const nodeHost = this.node(pod.node);
    await nodeHost.ip(...words(`link add ${deviceOf(pod)} type veth peer name eth0 netns`), host.namespace);
    await nodeHost.ip('link', 'set', deviceOf(pod), 'master', 'cni0', 'up');
    await host.ip('link', 'set', 'eth0', 'address', pod.mac);
    await wire(host, 'eth0');
    await host.batch([
      `address add ${pod.ipv4}/24 dev eth0`,
      `address add ${pod.ipv6}/64 dev eth0 nodad`,
      `route add default via ${node.podGateway.ipv4}`,
      `route add default via ${node.podGateway.ipv6}`,
    ]);
    const started = host.start(process.execPath, [programFile('pod'), pod.name]);
    this.podProcesses.set(pod.name, started);
    await until(`pod ${pod.name} to listen`, () => started.log().includes('listening'), { everyMs: 20 });
    this.running.add(pod.name);
  }
}

const words = (text: string): string[] => text.split(' ');

const deviceOf = (pod: PodPlan): string => `v${pod.name.replace('-', '')}`;

async function wire(host: Host, device: string): Promise<void> {
  await host.exec('ethtool', '-K', device, ...NO_OFFLOADS);
  await host.ip('link', 'set', device, 'up');
}
