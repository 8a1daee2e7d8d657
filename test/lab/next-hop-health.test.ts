/**
 * What a failed neighbour entry and a lost carrier do to next hops: the running kernel's answers (`ip route get`, flow
 * by flow) against the router state's, for every way to name next hops.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ipv4 } from '../../src/addr/address.js';
import type { EcmpSettings } from '../../src/cluster/model.js';
import { ClusterState } from '../../src/state/cluster-state.js';
import { RouterState } from '../../src/state/router-state.js';
import { lacksNamespaces } from '../support/netns.js';
import { smallCluster, VIP } from '../support/small-cluster.js';

const NODES = [1, 2, 3];
const PORTS = Array.from({ length: 150 }, (_, i) => 20_000 + 7 * i);
const VIP_TEXT = '203.0.113.10';
const CLIENT = '198.51.100.9';
const SEED = 1592639710;

/** until a link's carrier must have been noticed */
const CARRIER_MS = 20_000;

class KernelRouter {
  readonly name = `ffh${randomBytes(3).toString('hex')}`;

  constructor() {
    for (const ns of [this.name, this.peer]) ip('netns', 'add', ns);
    this.sysctl('net.ipv4.ip_forward=1', 'net.ipv4.fib_multipath_hash_policy=1');
    this.sysctl(`net.ipv4.fib_multipath_hash_seed=${SEED}`);
    for (const n of [...NODES, 0]) {
      ip(
        'link',
        'add',
        `v${n}`,
        'netns',
        this.name,
        'type',
        'veth',
        'peer',
        'name',
        `v${n}`,
        'netns',
        this.peer,
      );
      for (const ns of [this.name, this.peer]) ip('-n', ns, 'link', 'set', `v${n}`, 'up');
    }
    this.ip('address', 'add', '198.51.100.1/24', 'dev', 'v0');
    for (const n of NODES) this.ip('address', 'add', `10.0.${n}.1/24`, 'dev', `v${n}`);
  }

  private get peer(): string {
    return `${this.name}p`;
  }

  /** Everything as it was, and the route to the VIP as `how` says. */
  program(how: 'legacy' | 'objects' | 'resilient'): void {
    for (const ns of [this.name, this.peer])
      for (const n of NODES) ip('-n', ns, 'link', 'set', `v${n}`, 'up');
    this.waitForCarrier();
    this.ip('nexthop', 'flush');
    this.ip('route', 'flush', VIP_TEXT);
    for (const n of NODES) this.neighbour(n, 'reachable');
    if (how === 'legacy') {
      const hops = NODES.flatMap((n) => ['nexthop', 'via', `10.0.${n}.2`, 'dev', `v${n}`]);
      this.ip('route', 'add', VIP_TEXT, ...hops);
      return;
    }
    for (const n of NODES) this.ip('nexthop', 'add', 'id', `${n}`, 'via', `10.0.${n}.2`, 'dev', `v${n}`);
    const type = how === 'resilient' ? ['type', 'resilient', 'buckets', '64'] : [];
    this.ip('nexthop', 'add', 'id', '10', 'group', '1/2/3', ...type);
    this.ip('route', 'add', VIP_TEXT, 'nhid', '10');
  }

  neighbour(n: number, state: 'reachable' | 'failed'): void {
    const how =
      state === 'failed' ? ['nud', 'failed'] : ['lladdr', `02:00:00:00:00:0${n}`, 'nud', 'permanent'];
    this.ip('neighbour', 'replace', `10.0.${n}.2`, 'dev', `v${n}`, ...how);
  }

  cable(n: number, state: 'up' | 'down'): void {
    ip('-n', this.peer, 'link', 'set', `v${n}`, state);
    this.waitForCarrier(state === 'down' ? n : null);
    // a link without carrier loses what it knew of its neighbours
    if (state === 'up') this.neighbour(n, 'reachable');
  }

  sysctl(...settings: string[]): void {
    execFileSync('ip', ['netns', 'exec', this.name, 'sysctl', '-qw', ...settings]);
  }

  /** node of each flow */
  choices(): number[] {
    const asked = PORTS.map(
      (port) => `route get ${VIP_TEXT} from ${CLIENT} iif v0 ipproto tcp sport ${port} dport 80`,
    );
    const input = `${asked.join('\n')}\n`;
    const out = execFileSync('ip', ['-n', this.name, '-batch', '-'], { input, encoding: 'utf8' });
    return [...out.matchAll(/via 10\.0\.(\d)\.2/g)].map((match) => Number(match[1]) - 1);
  }

  close(): void {
    for (const ns of [this.name, this.peer]) ip('netns', 'delete', ns);
  }

  private ip(...args: string[]): string {
    return ip('-n', this.name, ...args);
  }

  /** The kernel learns of a peer's carrier a moment later: it looks once a second, at the links of all namespaces. */
  private waitForCarrier(without: number | null = null): void {
    const pause = new Int32Array(new SharedArrayBuffer(4));
    for (const end = Date.now() + CARRIER_MS; Date.now() < end; Atomics.wait(pause, 0, 0, 20)) {
      const links = this.ip('-br', 'link').split('\n');
      const isUp = (n: number): boolean => links.some((line) => new RegExp(`^v${n}@\\S+ +UP `).test(line));
      if (NODES.every((n) => isUp(n) === (n !== without))) return;
    }
    throw new Error('the links did not come to the state they were put into');
  }
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

class Modelled {
  readonly router: RouterState;

  constructor(ecmp: Partial<EcmpSettings>) {
    const model = smallCluster({ pods: [1, 1, 1], ecmp: { seed: SEED, ...ecmp } });
    this.router = new RouterState(model, new ClusterState(model));
  }

  choices(): number[] {
    const client = ipv4(0xc6336409);
    const words = new Uint32Array([client.w0, 0, 0, 0, VIP.w0, 0, 0, 0]);
    const group = this.router.fib.lookup(4, VIP.w0, 0, 0, 0)!;
    return PORTS.map((port) => group.peek(this.router.hash.hashTuple(4, words, 0, 4, 6, port, 80, 0)));
  }
}

const WAYS = [
  ['a legacy route', 'legacy', {}],
  ['a legacy route with fib_multipath_use_neigh', 'legacy', { useNeigh: true }],
  ['a legacy route with ignore_routes_with_linkdown', 'legacy', { ignoreLinkdown: true }],
  ['a group of nexthop objects', 'objects', { nexthops: 'objects' }],
  ['a resilient group', 'resilient', { select: 'resilient', buckets: 64 }],
] as const;

describe.skipIf(lacksNamespaces !== null)('next hops of the running kernel', () => {
  let kernel: KernelRouter;
  beforeAll(() => {
    kernel = new KernelRouter();
  });
  afterAll(() => kernel?.close());

  function begin(how: 'legacy' | 'objects' | 'resilient', ecmp: Partial<EcmpSettings>): Modelled {
    const devices = [...NODES.map((n) => `v${n}`), 'all'];
    kernel.sysctl(`net.ipv4.fib_multipath_use_neigh=${ecmp.useNeigh === true ? 1 : 0}`);
    const ignore = ecmp.ignoreLinkdown === true ? 1 : 0;
    kernel.sysctl(...devices.map((dev) => `net.ipv4.conf.${dev}.ignore_routes_with_linkdown=${ignore}`));
    kernel.program(how);
    const modelled = new Modelled(ecmp);
    expect(kernel.choices()).toEqual(modelled.choices());
    return modelled;
  }

  test.each(WAYS)('of %s: neighbours that fail one after the other, and are back', (_, how, ecmp) => {
    const modelled = begin(how, ecmp);
    const steps = [
      [2, 'failed'],
      [1, 'failed'],
      [3, 'failed'],
      [2, 'reachable'],
      [1, 'reachable'],
      [3, 'reachable'],
    ] as const;
    for (const [n, state] of steps) {
      kernel.neighbour(n, state);
      modelled.router.setNeighbour(n - 1, state);
      expect(kernel.choices(), `n${n} ${state}`).toEqual(modelled.choices());
    }
  });

  test.each(WAYS)('of %s: each link loses its carrier and gets it back', (_, how, ecmp) => {
    for (const n of NODES) {
      const modelled = begin(how, ecmp);
      for (const state of ['down', 'up'] as const) {
        kernel.cable(n, state);
        modelled.router.setLink(n - 1, state, 1);
        expect(kernel.choices(), `n${n} ${state}`).toEqual(modelled.choices());
      }
    }
  });
});
