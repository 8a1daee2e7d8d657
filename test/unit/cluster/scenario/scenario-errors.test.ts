import { describe, expect, test } from 'vitest';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { ScenarioError } from '../../../../src/cluster/yaml/problems.js';
import { FlowfateError } from '../../../../src/errors.js';
import { changed, SCENARIO } from './scenario-text.js';

function errorOf(text: string): FlowfateError {
  try {
    loadScenario([{ name: 'f.yaml', text }]);
  } catch (error) {
    if (error instanceof FlowfateError) return error;
    throw error;
  }
  throw new Error('the scenario loads');
}

const DURATION = 'expected a duration like 250ms, 5s, 2m, 1h30m, or a number of seconds';

describe('a wrong scenario', () => {
  test.each([
    // unknown keys
    ['hash: linux-l4', 'hsh: linux-l4', '6:13: unknown key "hsh" in spec.router.ecmp; did you mean "hash"?'],
    [
      'address: 10.0.0.1 ',
      'addres: 10.0.0.1 ',
      '11:19: unknown key "addres" in spec.nodes[0]; did you mean "address"?',
    ],
    [
      'metadata:',
      'epoch: 5\nmetadata:',
      '3:1: unknown key "epoch"; known keys are apiVersion, kind, metadata, spec',
    ],
    ['port: 80,', 'prt: 80,', '16:17: unknown key "prt" in spec.services[0].ports[0]; did you mean "port"?'],
    [
      'withdraw: n2',
      'withdrw: n2',
      '20:17: unknown key "withdrw" in spec.timeline[0]; did you mean "withdraw"?',
    ],
    [
      'withdraw: n2',
      'drain: { nod: n2 }',
      '20:26: unknown key "nod" in spec.timeline[0].drain; did you mean "node"?',
    ],
    [
      'withdraw: n2',
      'ecmp: { selct: maglev }',
      '20:25: unknown key "selct" in spec.timeline[0].ecmp; did you mean "select"?',
    ],
    // wrong types and ranges
    [
      'hash: linux-l4',
      'select: maglv',
      '6:21: spec.router.ecmp.select: expected one of modulo, hash-threshold, resilient, resilient-cumulus, resilient-arista, resilient-juniper, rendezvous, maglev, ring, found "maglv"; did you mean "maglev"?',
    ],
    [
      'seed: 1',
      'seed: -1',
      '6:35: spec.router.ecmp.seed: expected a whole number from 0 to 4294967295, or hexadecimal like 0x37, found -1',
    ],
    [
      'seed: 1',
      'seed: [1]',
      '6:35: spec.router.ecmp.seed: expected a whole number from 0 to 4294967295, or hexadecimal like 0x37, found a list',
    ],
    [
      'seed: 1',
      'buckets: 0',
      '6:38: spec.router.ecmp.buckets: expected a whole number from 1 to 16777216, found 0',
    ],
    [
      'seed: 1',
      'fields: 0x1000',
      '6:37: spec.router.ecmp.fields: expected a whole number from 0 to 4095, or hexadecimal like 0x37, found 4096',
    ],
    ['seed: 1', 'idleTimer: soon', `6:40: spec.router.ecmp.idleTimer: ${DURATION}, found "soon"`],
    [
      '10.0.0.1 ',
      '10.0.0.300 ',
      '11:28: spec.nodes[0].address: expected an IPv4 or IPv6 address, or a list of them, found "10.0.0.300"',
    ],
    [
      '10.0.0.1 ',
      '[10.0.0.1, 5] ',
      '11:39: spec.nodes[0].address[1]: expected an IPv4 or IPv6 address, found 5',
    ],
    [
      '10.0.0.1 ',
      '{ a: 1 } ',
      '11:28: spec.nodes[0].address: expected an IPv4 or IPv6 address, or a list of them, found a mapping',
    ],
    [
      '10.0.0.1 }',
      '10.0.0.1, announces: maybe }',
      '11:49: spec.nodes[0].announces: expected true, false or auto, found "maybe"',
    ],
    [
      '10.0.0.1 }',
      '10.0.0.1, podCIDR: 10.1.0.0/40 }',
      '11:47: spec.nodes[0].podCIDR: expected a prefix like 203.0.113.0/24 or 2001:db8::/32, or a list of them, found "10.1.0.0/40"',
    ],
    [
      'name: n1, ',
      'name: "a b", ',
      '11:15: spec.nodes[0].name: expected a name: text without spaces, commas, "*" and "=", found "a b"',
    ],
    [
      'name: n1, ',
      '',
      '11:7: the key "name" is missing in spec.nodes[0]: expected a name: text without spaces, commas, "*" and "="',
    ],
    [
      'port: 80,',
      'port: 80000,',
      '16:23: spec.services[0].ports[0].port: expected a whole number from 1 to 65535, found 80000',
    ],
    [
      'targetPort: 8080',
      'targetPort: 0',
      '16:39: spec.services[0].ports[0].targetPort: expected a whole number from 1 to 65535, found 0',
    ],
    ['[{ port: 80, targetPort: 8080 }]', '80', '16:14: spec.services[0].ports: expected a list, found 80'],
    [
      'proxy: iptables',
      'dropInvalid: yes',
      '9:29: spec.dataplane.dropInvalid: expected true or false, found "yes"',
    ],
    [
      'proxy: iptables',
      'conntrack: { max: 0 }',
      '9:34: spec.dataplane.conntrack.max: expected a whole number from 1 to 4294967295, found 0',
    ],
    [
      'proxy: iptables',
      'conntrack: { timeouts: { udp: 0 } }',
      `9:46: spec.dataplane.conntrack.timeouts.udp: ${DURATION}, more than 0, found 0`,
    ],
    [
      'seed: 1 }',
      'seed: 1 }\n    bgp: { bfd: fast }',
      `7:17: spec.router.bgp.bfd: expected off, or ${DURATION.replace('expected ', '')}, more than 0, found "fast"`,
    ],
    [
      'n1, "n2*2"',
      'n1, "n2*999"',
      '8:51: spec.router.routes[0].nextHops[1]: expected a node with an optional weight from 1 to 255, like n4 or "n4*2", found "n2*999"',
    ],
    ['metadata: { name: small }', 'metadata: small', '3:11: metadata: expected a mapping, found "small"'],
    [
      '  timeline:',
      '  epoch: yesterday\n  timeline:',
      '19:10: spec.epoch: expected seconds since 1970, like 1795391995.741888, found "yesterday"',
    ],
    // the timeline
    ['at: 5s', 'at: -5s', `20:13: spec.timeline[0].at: ${DURATION}, found "-5s"`],
    ['at: 5s, ', '', `20:7: the key "at" is missing in spec.timeline[0]: ${DURATION}`],
    [
      'withdraw: n2',
      'withdraw: 2',
      '20:27: spec.timeline[0].withdraw: expected a node, a list of nodes, or a mapping with the key node, found 2',
    ],
    ['withdraw: n2', 'withdraw: n3', '20:27: there is no node "n3"; did you mean "n1"? (known: n1, n2)'],
    ['withdraw: n2', 'withdraw: [n2, nodes]', '20:32: there is no node "nodes" (known: n1, n2)'],
    [
      'withdraw: n2',
      'withdraw: n2, announce: n1',
      '20:41: an entry of the timeline has one verb, this one has withdraw and announce; write an entry for each',
    ],
    ['withdraw: n2', 'withdraw: n2, mode: silent', '20:37: mode belongs to speakerDown'],
    [
      'withdraw: n2',
      'speakerDown: { node: n2, mode: loud }',
      '20:48: spec.timeline[0].speakerDown.mode: expected one of silent, close, found "loud"',
    ],
    [
      'withdraw: n2',
      'scale: { service: wbe, replicas: 3 }',
      '20:35: there is no service "wbe"; did you mean "web"? (known: web)',
    ],
    [
      'withdraw: n2',
      'scale: { replicas: many }',
      '20:36: spec.timeline[0].scale.replicas: expected a whole number from 0 to 10000, found "many"',
    ],
    ['withdraw: n2', 'endpointGone: p2', '20:31: there is no pod "p2"; did you mean "p1"? (known: p1)'],
    [
      'withdraw: n2',
      'proxyStall: { node: n1 }',
      `20:29: the key "for" is missing in spec.timeline[0].proxyStall: ${DURATION}, more than 0`,
    ],
    [
      'withdraw: n2',
      'route: { prefix: 203.0.113.10, nextHops: [n1, n9] }',
      '20:63: next hop: there is no node "n9"; did you mean "n1"? (known: n1, n2)',
    ],
    [
      'withdraw: n2',
      'route: { prefix: "2001:db8::1/128", nextHops: [n1] }',
      '20:64: next hop n1 has no IPv6 address, which 2001:db8::1/128 needs',
    ],
    [
      'withdraw: n2',
      'ecmp: { select: resilient, buckets: 70000 }',
      '20:23: a resilient group has at most 65535 buckets, not 70000',
    ],
    [
      ', withdraw: n2',
      '',
      '20:7: an entry of the timeline needs a verb: withdraw, announce, speakerDown, speakerUp, nodeDown, nodeUp, drain, uncordon, neighborFailed, neighborReachable, linkDown, linkUp, scale, endpointReady, endpointUnready, endpointTerminating, endpointGone, endpointCrashed, unhealthy, throttle, rackDown, rackUp, rollingRedeploy, proxyStall, poolMember, route, ecmp, rulesBecome',
    ],
    // what does not fit together
    ['n1, "n2*2"', 'n1, n9', '8:51: next hop: there is no node "n9"; did you mean "n1"? (known: n1, n2)'],
    ['n1, "n2*2"', 'n1, n1', '8:51: next hop n1 stands twice in one route; write "n1*2" for weight 2'],
    ['n1, "n2*2"', 'n1, 10.0.0.9', '8:51: next hop: there is no node "10.0.0.9" (known: n1, n2)'],
    [
      '[n1, "n2*2"] }',
      '[n1] }\n      - { prefix: 203.0.113.10, nextHops: [n2] }',
      '9:19: the route to 203.0.113.10/32 is given twice',
    ],
    ['10.0.0.2', '10.0.0.1', '12:28: node n2 has the address 10.0.0.1, which is that of node n1'],
    ['10.0.0.2', '[10.0.0.2, 10.0.0.2]', '12:39: node n2 has the address 10.0.0.2 twice'],
    [
      'router:\n',
      'router:\n    address: 10.0.0.1\n',
      '12:28: node n1 has the address 10.0.0.1, which is that of the router',
    ],
    ['name: n2, ', 'name: n1, ', '12:15: the name n1 is given twice'],
    [', address: 10.0.0.1 ', ' ', '11:7: node n1 has no address; give it one with the key address'],
    [
      '10.0.0.1 }',
      '10.0.0.1, podCIDR: 10.1.0.0/24, podGateway: "fd00::1" }',
      '11:72: podGateway fd00::1 of node n1 is IPv6, but its podCIDR is not',
    ],
    ['      vip: 203.0.113.10\n', '', '14:7: service web has no VIP; give it one with the key vip'],
    [
      'vip: 203.0.113.10',
      'vip: [203.0.113.10, 203.0.113.10]',
      '15:27: VIP 203.0.113.10 stands twice in service web',
    ],
    ['[{ port: 80, targetPort: 8080 }]', '[]', '16:14: service web has no ports; give it at least one'],
    ['targetPort: 8080 }', 'targetPort: 8080 }, { port: 80 }', '16:47: service web has port 80 TCP twice'],
    [
      '  timeline:',
      '    - { name: api, vip: 203.0.113.10, ports: [{ port: 80 }], endpoints: [] }\n  timeline:',
      '19:47: services web and api both have 203.0.113.10 port 80 TCP',
    ],
    [
      'node: n1, address: 10.244',
      'node: n7, address: 10.244',
      '18:28: endpoint p1: there is no node "n7"; did you mean "n1"? (known: n1, n2)',
    ],
    [
      'address: 10.244.1.10',
      'address: 10.0.0.2',
      '18:41: pod p1 has the address 10.0.0.2, which is that of node n2',
    ],
    [
      'address: 10.244.1.10',
      'address: 203.0.113.10',
      '18:41: pod p1 has the address 203.0.113.10, which is that of a VIP',
    ],
    [
      '10.244.1.10 }',
      '10.244.1.10 }\n        - { pod: p2, node: n2, address: 10.244.1.10 }',
      '19:41: pod p2 has the address 10.244.1.10, which is that of pod p1',
    ],
    [
      '10.244.1.10 }',
      '10.244.1.10 }\n        - { pod: p1, node: n2, address: 10.244.2.10 }',
      '19:18: pod p1 is an endpoint of service web twice',
    ],
    [
      'seed: 1',
      'select: resilient, buckets: 70000',
      '6:57: a resilient group has at most 65535 buckets, not 70000',
    ],
    [
      'seed: 1',
      'select: maglev, buckets: 1',
      '6:54: a Maglev table of 1 buckets cannot hold 2 nodes; give it more, 65537 for instance',
    ],
    [
      'seed: 1',
      'select: ring, buckets: 2000000',
      '6:52: a ring has at most 1048576 points a next hop, not 2000000',
    ],
    // what is not modelled
    [
      'proxy: iptables',
      'cilium: { tableSize: 1000 }',
      '9:37: spec.dataplane.cilium.tableSize: expected one of 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071, found 1000',
    ],
    [
      '  nodes:\n',
      '  edge: { pool: 1 }\n  nodes:\n',
      '10:11: unknown key "pool" in spec.edge; did you mean "pools"?',
    ],
    [
      'withdraw: n2',
      'poolMember: { add: n2 }',
      '20:29: poolMember acts on a pool of spec.edge, and this scenario has no edge',
    ],
    // kinds
    [
      'kind: Scenario',
      'kind: Scenaro',
      '2:7: there is no kind "Scenaro" of flowfate.dev/v1; did you mean Scenario?',
    ],
    [
      'kind: Scenario',
      'kind: Router',
      '2:7: kind Router configures flowfate router; here a kind Scenario is needed',
    ],
    [
      'kind: Scenario',
      'kind: Speaker',
      '2:7: kind Speaker configures flowfate speaker; here a kind Scenario is needed',
    ],
    [
      'kind: Scenario\n',
      '',
      '1:1: kind missing; a scenario begins with "apiVersion: flowfate.dev/v1" and "kind: Scenario"',
    ],
    [
      'flowfate.dev/v1',
      'flowfate.dev/v2',
      '1:13: expected apiVersion flowfate.dev/v1, found "flowfate.dev/v2"',
    ],
    // YAML itself
    ['  nodes:', '\tnodes:', '10:1: tabs are not allowed as indentation in YAML; use spaces'],
    [
      'metadata: { name: small }',
      'kind: Scenario',
      '3:1: the key kind stands twice in one mapping; remove one',
    ],
    ['name: small', 'name: *x', '3:19: the alias *x has no anchor &x before it'],
    [
      'proxy: iptables }',
      'proxy: iptables',
      '10:3: this is not valid YAML: flow map in block collection must be sufficiently indented and end with a }',
    ],
    [
      'seed: 1',
      'seed: !!js/function x',
      '6:35: this is not valid YAML: unresolved tag: tag:yaml.org,2002:js/function',
    ],
  ])('%j as %j is refused with its place', (before, after, expected) => {
    const error = errorOf(changed(before, after));
    expect(error.message).toBe(`f.yaml:${expected}`);
    expect(error.code).toBe('config');
    const [, line, column] = /^(\d+):(\d+)/.exec(expected)!;
    expect(error.position).toEqual({ file: 'f.yaml', line: Number(line), column: Number(column) });
  });

  test.each([
    ['', 'f.yaml: is empty; a scenario begins with "apiVersion: flowfate.dev/v1" and "kind: Scenario"'],
    [
      '# nothing\n',
      'f.yaml: is empty; a scenario begins with "apiVersion: flowfate.dev/v1" and "kind: Scenario"',
    ],
    [
      '---\n---\n',
      'f.yaml: is empty; a scenario begins with "apiVersion: flowfate.dev/v1" and "kind: Scenario"',
    ],
    ['hello', 'f.yaml:1:1: expected an object with apiVersion and kind, found "hello"'],
    ['- 1', 'f.yaml:1:1: expected an object with apiVersion and kind, found a list'],
    ['{', 'f.yaml:1:2: this is not valid YAML: flow map must end with a }'],
    ['\xd4\xc3\xb2\xa1\0\0', 'f.yaml: is not text in UTF-8; a scenario is a YAML file'],
    ['a\uFFFDb', 'f.yaml: is not text in UTF-8; a scenario is a YAML file'],
    [
      'apiVersion: flowfate.dev/v1\nkind: Scenario\n',
      'f.yaml: there are no nodes; list them under spec.nodes or give the Node objects of the cluster (and 1 more problem)',
    ],
  ])('the file %j is refused', (text, message) => {
    expect(errorOf(text).message).toBe(message);
  });

  test('is refused when it is larger than 64 MiB', () => {
    const text = `# ${'x'.repeat(64 * 1024 * 1024)}`;
    expect(errorOf(text).message).toMatch(
      /^f\.yaml: is larger than 64 MiB; give only the objects that matter/,
    );
  });

  test('is refused when its aliases multiply', () => {
    const levels = 'abcdefgh'.split('');
    const lines = levels.map((name, i) => {
      const item = i === 0 ? 'x' : `*${levels[i - 1]}`;
      return `${name}: &${name} [${Array(9).fill(item).join(', ')}]`;
    });
    expect(errorOf(lines.join('\n')).message).toBe(
      'f.yaml:1:1: its aliases (*name) multiply to an absurd size; write the values out',
    );
  });

  test('shows up to ten faults in the order of the file, and counts the rest', () => {
    const nodes = Array.from({ length: 14 }, (_, i) => `    - { name: x${i}, address: 10.0.1.${i}, rak: r }`);
    const error = errorOf(changed('  services:', `${nodes.join('\n')}\n  services:`));
    expect(error).toBeInstanceOf(ScenarioError);
    const { problems, count } = error as ScenarioError;
    expect(count).toBe(14);
    expect(problems.map((problem) => problem.position.line)).toEqual([
      13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
    ]);
    expect(error.message).toBe(
      'f.yaml:13:38: unknown key "rak" in spec.nodes[2]; did you mean "rack"? (and 13 more problems, lines 14, 15, 16, 17, 18, 19, 20, 21, 22)',
    );
  });

  test('names the file that is wrong where there are several', () => {
    const wrong = 'apiVersion: flowfate.dev/v1\nkind: Scenario\nspec:\n  sed: 3\n';
    const load = () =>
      loadScenario([
        { name: 'a.yaml', text: SCENARIO },
        { name: 'b.yaml', text: `${SCENARIO}---\n${wrong}` },
      ]);
    expect(load).toThrow('b.yaml:25:3: unknown key "sed" in spec; did you mean "seed"?');
  });

  test('is refused at the item of a list that is no object', () => {
    const text = `apiVersion: v1\nkind: List\nitems:\n  - 5\n`;
    expect(errorOf(text).message).toBe('f.yaml:4:5: expected an object with apiVersion and kind, found 5');
  });
});

describe('a block smaller than its pods', () => {
  const POD = '- { pod: p1, node: n1, address: 10.244.1.10 }';
  const pod = (name: string, address: string): string => `- { pod: ${name}, node: n1, address: ${address} }`;
  const blocks = (n1: string, n2: string): string =>
    changed('10.0.0.1 }', `10.0.0.1, podCIDR: ${n1} }`, changed('10.0.0.2 }', `10.0.0.2, podCIDR: ${n2} }`));
  const pods = (text: string, ...list: string[]): string => changed(POD, list.join('\n        '), text);
  const three = [pod('p1', '10.244.1.8'), pod('p2', '10.244.1.9'), pod('p3', '10.244.1.10')];

  test('is refused where the block stands', () => {
    const text = pods(blocks('10.244.1.8/31', '10.244.2.0/24'), ...three);
    expect(errorOf(text).message).toContain(
      '11:47: node n1 has 3 pods, but 10.244.1.8/31 only 2 addresses; give the node a larger block, or another one',
    );
  });

  test('counts the address of the tunnel, where there is one', () => {
    const pair = pods(
      blocks('10.244.1.8/31', '10.244.2.0/24'),
      pod('p1', '10.244.1.9'),
      pod('p2', '10.244.1.10'),
    );
    expect(() => loadScenario([{ name: 'f.yaml', text: pair }])).not.toThrow();
    const tunnelled = changed('proxy: iptables', 'proxy: iptables, overlay: ipip', pair);
    expect(errorOf(tunnelled).message).toContain(
      'node n1 has 2 pods and a tunnel, but 10.244.1.8/31 only 2 addresses',
    );
  });

  test('counts every block of the family, and no address that another node has lent', () => {
    const enough = pods(blocks('[10.244.1.8/31, 10.244.1.10/32]', '10.244.2.0/24'), ...three);
    expect(() => loadScenario([{ name: 'f.yaml', text: enough }])).not.toThrow();
    const lent = pods(blocks('10.244.1.8/31', '10.244.1.10/32'), ...three);
    expect(() => loadScenario([{ name: 'f.yaml', text: lent }])).not.toThrow();
  });

  test('is refused when a scale would fill all of them', () => {
    const grown = (replicas: number): string =>
      changed('withdraw: n2', `scale: { replicas: ${replicas} }`, blocks('10.244.1.8/30', '10.244.2.8/30'));
    // each node's tunnel and bridge have one
    expect(() => loadScenario([{ name: 'f.yaml', text: grown(4) }])).not.toThrow();
    expect(errorOf(grown(5)).message).toContain(
      '20:36: 5 pods need more than the 4 IPv4 addresses that the podCIDRs of the nodes have for pods',
    );
    // Calico claims another block
    const calico = grown(5).replaceAll('/30 }', '/30, podGateway: [] }');
    expect(() => loadScenario([{ name: 'f.yaml', text: calico }])).not.toThrow();
  });
});
