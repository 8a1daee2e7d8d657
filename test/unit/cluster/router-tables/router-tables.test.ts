import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRouterTables } from '../../../../src/cluster/router-tables/read-router-tables.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';

const GOLDEN = join(import.meta.dirname, '..', '..', '..', 'golden', 'router-tables');
const golden = (name: string) => ({ name, text: readFileSync(join(GOLDEN, name), 'utf8'), isFound: false });

const service = (vip: string): string =>
  `{ name: s${vip.split(/[.:]/).at(-1)}, vip: "${vip}", ports: [{ protocol: TCP, port: 80 }], endpoints: [{ pod: p${vip.split(/[.:]/).at(-1)}, node: n1, address: ["10.244.1.${vip.split(/[.:]/).at(-1)}", "fd00:244:1::${vip.split(/[.:]/).at(-1)}"] }] }`;

const scenario = (vips: readonly string[], router = ''): string => `apiVersion: flowfate.dev/v1
kind: Scenario
spec:
${router}
  nodes:
    - { name: n1, address: [10.0.0.1, "fd00:a::1"], podCIDR: [10.244.1.0/24, "fd00:244:1::/64"] }
    - { name: n2, address: [10.0.0.2, "fd00:a::2"], podCIDR: [10.244.2.0/24, "fd00:244:2::/64"] }
    - { name: n3, address: [10.0.0.3, "fd00:a::3"], podCIDR: [10.244.3.0/24, "fd00:244:3::/64"] }
  services: [${vips.map(service).join(', ')}]
`;

function loaded(vips: readonly string[], files: readonly string[], router = '') {
  const tables = readRouterTables(files.map(golden));
  const { model, notes } = loadScenario([{ name: 's.yaml', text: scenario(vips, router) }], {
    routerTables: tables,
  });
  const hops = model.router.routes.map(({ nextHops }) =>
    nextHops
      .map(({ node, weight }) => `${model.nodes[node]!.name}${weight === 1 ? '' : `*${weight}`}`)
      .join(' '),
  );
  return { hops, ecmp: model.router.ecmp, notes, unread: model.unread ?? [] };
}

describe('the state of a router', () => {
  test('is the kernel’s own: next hops in its order, with its weights', () => {
    const { hops, ecmp } = loaded(['203.0.113.20', '203.0.113.21'], ['ip-route-legacy.json']);
    expect(hops).toEqual(['n3*2 n1 n2', 'n2']);
    expect(ecmp).toMatchObject({ nexthops: 'legacy', select: 'hash-threshold' });
  });

  test('knows groups of next-hop objects', () => {
    const { hops, ecmp } = loaded(
      ['203.0.113.30', '203.0.113.32'],
      ['ip-route-objects.json', 'ip-nexthop.json'],
    );
    expect(hops).toEqual(['n3 n1*3', 'n2']);
    expect(ecmp).toMatchObject({ nexthops: 'objects', select: 'hash-threshold' });
  });

  test('knows a resilient group with its buckets and timers; the buckets’ own listing beside it does no harm', () => {
    const { hops, ecmp, notes } = loaded(
      ['203.0.113.31'],
      ['ip-nexthop.json', 'ip-nexthop-bucket.json', 'ip-route-objects.json'],
    );
    expect(hops).toEqual(['n1 n2 n3']);
    expect(ecmp).toMatchObject({ select: 'resilient', buckets: 32, idleTimerS: 60, unbalancedTimerS: 300 });
    expect(notes).toEqual([
      expect.stringMatching(/^The buckets of the router’s resilient group are taken as a new/),
    ]);
  });

  test('says what cannot be known where next-hop objects are named and not given', () => {
    expect(loaded(['203.0.113.31'], ['ip-route-objects.json']).notes).toEqual([
      'Routes of the router name next-hop objects; without ip -j nexthop whether their groups are resilient is not known.',
    ]);
  });

  test('has its hash policy and seed from sysctl', () => {
    const { ecmp } = loaded(['203.0.113.20'], ['ip-route-legacy.json', 'sysctl.txt']);
    expect(ecmp).toMatchObject({ hash: 'linux-l4', seed: 1592639710, fields: 7, useNeigh: false });
  });

  test('under FRR is by address where zebra prints it, and as the kernel has it where that is given, too', () => {
    const frr = loaded(['203.0.113.10', '203.0.113.11'], ['frr-ip-route.json']);
    expect(frr.hops).toEqual(['n1 n2 n3', 'n1 n3']);
    expect(frr.ecmp.order).toBe('arrival');
    expect(frr.notes[0]).toMatch(
      /^FRR prints next hops by address; the kernel may have them in another order/,
    );
    const kernel = loaded(
      ['203.0.113.10'],
      ['frr-ip-route.json', 'frr-kernel-route.json', 'frr-kernel-nexthop.json'],
    );
    expect(kernel.hops).toEqual(['n1 n3 n2']);
    expect(kernel.notes).toEqual([]);
  });

  test('under FRR’s bgpd is the paths that share the traffic', () => {
    expect(loaded(['203.0.113.10', '203.0.113.11'], ['frr-bgp.json']).hops).toEqual(['n1 n2 n3', 'n1 n3']);
  });

  test('of IPv6 names nodes by link-local addresses, which bgpd’s table explains', () => {
    const alone = loaded(['2001:db8:113::10'], ['frr-ipv6-route.json']);
    expect(alone.hops).toEqual([]);
    expect(alone.unread[0]).toMatch(
      /^Route 2001:db8:113::10\/128 of show ip route json .* are no node's address: it is not used/,
    );
    const both = loaded(['2001:db8:113::10'], ['frr-ipv6-route.json', 'frr-bgp6.json']);
    expect(both.hops).toHaveLength(1);
    expect(both.hops[0]!.split(' ').sort()).toEqual(['n1', 'n2', 'n3']);
    expect(both.unread).toEqual([]);
  });

  test.each(['bird-all-merge-on.txt', 'bird-export-merge-on.txt', 'bird-kernel-merge-on.json'])(
    'under BIRD is what it gives the kernel: %s',
    (file) => {
      const { hops, ecmp } = loaded(['203.0.113.10', '203.0.113.11'], [file]);
      expect(hops).toEqual(['n1 n2 n3', 'n1 n3']);
      expect(ecmp.order).toBe('address');
    },
  );

  test('under GoBGP is the paths that equal the best', () => {
    const { hops, notes } = loaded(['203.0.113.10', '203.0.113.11'], ['gobgp-rib.json']);
    expect(hops).toEqual(['n1 n2 n3', 'n1 n3']);
    expect(notes[0]).toMatch(/^GoBGP’s RIB does not say which paths share the traffic/);
  });

  test.each(['nxos.json', 'eos.json'])(
    'of another vendor keeps its order and says that its hash is unknown: %s',
    (file) => {
      const { hops, notes } = loaded(['203.0.113.10'], [file]);
      expect(hops).toEqual(['n3 n1']);
      expect(notes[0]).toMatch(/Its hash, its seed and the order .* stay assumed/);
    },
  );

  test('without a route to a service is that: no route', () => {
    const { hops, notes } = loaded(['192.0.2.1', '203.0.113.20'], ['ip-route-legacy.json']);
    expect(hops).toEqual(['', 'n3*2 n1 n2']);
    expect(notes).toContain(
      'The router has no route to 192.0.2.1 of service s1: what is sent there is dropped.',
    );
  });

  test('gives way to what the scenario says of the router', () => {
    const router = '  router: { ecmp: { seed: 7 }, routes: [{ prefix: 203.0.113.20/32, nextHops: [n2] }] }';
    const { hops, ecmp } = loaded(['203.0.113.20'], ['ip-route-legacy.json', 'sysctl.txt'], router);
    expect(hops).toEqual(['n2']);
    expect(ecmp).toMatchObject({ seed: 7, hash: 'linux-l4' });
  });

  test('is refused where it is nothing that a router prints', () => {
    for (const text of ['', 'hello', '{"a": 1}', '[{"dst"']) {
      expect(() => readRouterTables([{ name: 'f', text, isFound: false }])).toThrow(
        /^f: (is empty|is no table of a router)/,
      );
    }
    expect(readRouterTables([{ name: 'f', text: 'hello', isFound: true }])).toEqual([]);
  });
});
