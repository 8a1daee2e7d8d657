import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipv4, ipv6 } from '../../src/addr/address.js';
import { hostPrefix } from '../../src/addr/prefix.js';
import {
  ACCEPT_PROXY,
  FORWARD_MODES,
  FORWARDING_FIELDS,
  L7_KINDS,
  TAKES,
} from '../../src/cluster/l7-model.js';
import { CILIUM_TABLE_SIZES, IPVS_SCHEDULERS, OVERLAY_NAMES, PROXY_NAMES } from '../../src/cluster/limits.js';
import type { ClusterModel, EcmpSettings, TimelineEvent } from '../../src/cluster/model.js';
import { refusePlane } from '../../src/cluster/refuse-plane.js';
import { loadScenario } from '../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../src/cluster/scenario/print-scenario.js';
import { FLOW_HASHES } from '../../src/hash/flow-hash.js';
import { isDocumented } from '../../src/route/documented-resilient.js';
import { SELECTS } from '../../src/route/next-hop-group.js';

const seconds = fc.double({ min: 0, max: 1e9, noNaN: true });
const moreThanZero = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
const bool = fc.boolean();
/** text that YAML could take for something else, and any other that a name may be */
const name = fc.oneof(
  fc.constantFrom(
    'true',
    'null',
    'off',
    '0x1f',
    '12',
    '1e3',
    '-',
    '~',
    '#a',
    'a:b',
    '{x}',
    '&a',
    '!t',
    '"q"',
    '10.0.0.1',
  ),
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((s) => /^[^\s,*=\p{Cc}\uFFFD]+$/u.test(s)),
);
const anyText = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((s) => !/[\0\uFFFD]/.test(s));

const anyEcmp: fc.Arbitrary<EcmpSettings> = fc.record({
  hash: fc.constantFrom(...FLOW_HASHES),
  fields: fc.integer({ min: 0, max: 0xfff }),
  seed: fc.integer({ min: 0, max: 0xffffffff }),
  select: fc.constantFrom(...SELECTS),
  order: fc.constantFrom('address', 'arrival'),
  buckets: fc.integer({ min: 1, max: 65535 }),
  idleTimerS: seconds,
  unbalancedTimerS: seconds,
  replace: fc.constantFrom('in-place', 'fresh-group'),
});
/** A Maglev table has a prime size: a loader rounds others up, so that no model holds them. */
const ecmp = fc.tuple(anyEcmp, fc.constantFrom(5, 61, 67, 16381, 65537, 655373)).map(([settings, prime]) => {
  if (settings.select === 'maglev') return { ...settings, buckets: prime };
  return isDocumented(settings.select) ? { ...settings, buckets: 4096 } : settings;
});

const timeouts = fc.record({
  synSent: moreThanZero,
  synRecv: moreThanZero,
  established: moreThanZero,
  finWait: moreThanZero,
  closeWait: moreThanZero,
  lastAck: moreThanZero,
  timeWait: moreThanZero,
  close: moreThanZero,
  unacknowledged: moreThanZero,
  udp: moreThanZero,
  udpStream: moreThanZero,
  icmp: moreThanZero,
  generic: moreThanZero,
});

const address4 = fc.integer({ min: 0, max: 0x0affffff }).map((w) => ipv4(w));

function eventOf(nodes: number, services: number, pods: readonly string[]): fc.Arbitrary<TimelineEvent> {
  const at = seconds;
  const node = fc.nat(nodes - 1);
  const several = fc.uniqueArray(node, { minLength: 1 });
  const hops = fc.uniqueArray(fc.record({ node, weight: fc.integer({ min: 1, max: 255 }) }), {
    selector: (hop) => hop.node,
  });
  const onNode = fc.constantFrom(
    'withdraw',
    'announce',
    'speakerUp',
    'nodeDown',
    'nodeUp',
    'uncordon',
    'neighborFailed',
    'neighborReachable',
    'linkDown',
    'linkUp',
  );
  const onPod = fc.constantFrom(
    'endpointReady',
    'endpointUnready',
    'endpointTerminating',
    'endpointGone',
    'endpointCrashed',
  );
  const events: fc.Arbitrary<TimelineEvent>[] = [
    fc.record({ at, kind: onNode, node }),
    fc.record({ at, kind: fc.constant('drain'), node, gracePeriodS: seconds }),
    fc.record({ at, kind: fc.constant('speakerDown'), node, mode: fc.constantFrom('silent', 'close') }),
    fc.record({
      at,
      kind: fc.constant('scale'),
      service: fc.nat(services - 1),
      replicas: fc.nat(100),
    }),
    fc.record({
      at,
      kind: fc.constant('rollingRedeploy'),
      nodes: several,
      everyS: moreThanZero,
      downForS: moreThanZero,
    }),
    fc.record({
      at,
      kind: fc.constant('proxyStall'),
      nodes: fc.oneof(several, fc.constant([])),
      forS: moreThanZero,
    }),
    fc.record({ at, kind: fc.constant('route'), prefix: address4.map(hostPrefix), nextHops: hops }),
    fc.record({ at, kind: fc.constant('ecmp'), settings: ecmp }),
  ];
  if (pods.length > 0) {
    const pod = fc.constantFrom(...pods);
    events.push(
      fc.record({ at, kind: onPod, pod }),
      fc.record({
        at,
        kind: fc.constant('unhealthy'),
        pod,
        forS: moreThanZero,
        latencyS: fc.oneof(seconds, fc.constant(Number.POSITIVE_INFINITY)),
      }),
      fc.record({
        at,
        kind: fc.constant('throttle'),
        pod,
        forS: moreThanZero,
        limit: fc.integer({ min: 1, max: 1000 }).map((n) => n / 100),
        threads: fc.integer({ min: 1, max: 1024 }),
        burstS: moreThanZero,
        sleepS: moreThanZero,
        workS: moreThanZero,
        slices: fc.constantFrom('expire', 'kept'),
      }),
    );
  }
  return fc.oneof(...events);
}

const probe = fc.record({
  initialDelayS: seconds,
  periodS: moreThanZero,
  timeoutS: moreThanZero,
  failureThreshold: fc.integer({ min: 1, max: 1000 }),
  successThreshold: fc.integer({ min: 1, max: 1000 }),
});
const probes = fc.record({ readiness: fc.option(probe), liveness: fc.option(probe), startupS: seconds });

const ranges = fc.array(
  address4.map((address) => ({ address, length: 32 })),
  { maxLength: 2 },
);
const l7Proxy = fc.record({
  kind: fc.constantFrom(...L7_KINDS),
  field: fc.constantFrom(...FORWARDING_FIELDS),
  forward: fc.constantFrom(...FORWARD_MODES),
  trusted: ranges,
  insecure: bool,
  realIp: fc.constantFrom('peer' as const, ...(['last', 'rightmost-untrusted'] as const)),
  acceptProxy: fc.constantFrom(...ACCEPT_PROXY),
  sendProxy: fc.constantFrom(0 as const, 1 as const, 2 as const),
  application: fc.record({
    addresses: fc.constantFrom([], [ipv4(0x0af40109)]),
    port: fc.integer({ min: 1, max: 65535 }),
    reads: fc.constantFrom('peer' as const, 'proxy-protocol' as const, ...FORWARDING_FIELDS),
    take: fc.constantFrom(...TAKES),
    trusted: ranges,
  }),
});

const nodesOf = (names: readonly string[]) =>
  fc.tuple(
    ...names.map((nodeName, i) =>
      fc.record({
        name: fc.constant(nodeName),
        addresses: fc.constant([ipv4(0x0a000001 + i), ipv6(0xfd00000a, 0, 0, i + 1)]),
        podCidrs: fc.constant([{ address: ipv4(0x0af40000 + i * 256), length: 24 }]),
        podGateways: fc.constantFrom([], [ipv4(0x0af40001 + i * 256)]),
        tunnelAddresses: fc.constantFrom([], [ipv4(0x0af40000 + i * 256)], [ipv4(0x0afa0000 + i)]),
        rack: fc.option(anyText),
        announces: fc.constantFrom(true, false, 'auto' as const),
      }),
    ),
  );

const servicesOf = (names: readonly string[], podNames: readonly string[], nodes: number) =>
  fc.tuple(
    ...names.map((serviceName, s) =>
      fc.record({
        name: fc.constant(serviceName),
        vips: fc.constant([ipv4(0xcb007100 + s), ipv6(0x20010db8, 0x01130000, 0, s)]),
        ports: fc.uniqueArray(
          fc.record({
            name: fc.option(anyText),
            proto: fc.constantFrom(6, 17, 132),
            port: fc.integer({ min: 1, max: 65535 }),
            targetPort: fc.integer({ min: 1, max: 65535 }),
          }),
          { minLength: 1, maxLength: 3, selector: (p) => `${p.proto} ${p.port}` },
        ),
        externalTrafficPolicy: fc.constantFrom('Cluster' as const, 'Local' as const),
        sessionAffinity: fc.constantFrom('None' as const, 'ClientIP' as const),
        affinityTimeoutS: moreThanZero,
        probes: fc.option(probes),
        l7Proxy: fc.option(l7Proxy),
        endpoints: fc.tuple(
          ...podNames
            .filter((_, p) => p % names.length === s)
            .map((pod, k) =>
              fc.record({
                pod: fc.constant(pod),
                node: fc.nat(nodes - 1),
                addresses: fc.constant([ipv4(0x0bf40000 + s * 256 + k)]),
                ready: bool,
                serving: bool,
                terminating: bool,
              }),
            ),
        ),
      }),
    ),
  );

const model: fc.Arbitrary<ClusterModel> = fc
  .record({
    nodeNames: fc.uniqueArray(name, { minLength: 1, maxLength: 4 }),
    serviceNames: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
    podNames: fc.uniqueArray(name, { maxLength: 4 }),
  })
  .chain(({ nodeNames, serviceNames, podNames }) => {
    const hops = fc.uniqueArray(
      fc.record({ node: fc.nat(nodeNames.length - 1), weight: fc.integer({ min: 1, max: 255 }) }),
      { selector: (hop) => hop.node },
    );
    return fc.record({
      name: anyText,
      seed: fc.maxSafeNat(),
      edge: fc.constant(null),
      router: fc.record({
        addresses: fc.constantFrom([], [ipv4(0x0a0000fe), ipv6(0xfd00000a, 0, 0, 0xfe)]),
        ecmp,
        routes: fc.uniqueArray(fc.record({ prefix: address4.map(hostPrefix), nextHops: hops }), {
          maxLength: 2,
          selector: (route) => route.prefix.address.w0,
        }),
        bgp: fc.record({
          holdTimeS: moreThanZero,
          bfdS: fc.option(moreThanZero),
          gracefulRestartS: fc.option(moreThanZero),
          fibDelayS: seconds,
        }),
      }),
      dataplane: fc.record({
        proxy: fc.constantFrom(...PROXY_NAMES),
        ipvs: fc.record({ scheduler: fc.constantFrom(...IPVS_SCHEDULERS), sloppyTcp: bool }),
        cilium: fc.record({
          mode: fc.constantFrom('snat' as const, 'dsr' as const, 'hybrid' as const),
          algorithm: fc.constantFrom('random' as const, 'maglev' as const),
          tableSize: fc.constantFrom(...CILIUM_TABLE_SIZES),
        }),
        calicoEbpf: fc.record({ mode: fc.constantFrom('tunnel' as const, 'dsr' as const), maglev: bool }),
        conntrack: fc.record({
          tcpLoose: bool,
          beLiberal: bool,
          max: fc.integer({ min: 1, max: 0xffffffff }),
          timeouts,
        }),
        masqueradeRandomFully: bool,
        dropInvalid: bool,
        sync: fc.record({ delayS: seconds, minPeriodS: seconds, durationS: seconds }),
        overlay: fc.constantFrom(...OVERLAY_NAMES),
        nodeGraceS: seconds,
      }),
      nodes: nodesOf(nodeNames),
      services: servicesOf(serviceNames, podNames, nodeNames.length),
      epochNs: fc.option(fc.bigInt({ min: 0n, max: 999_999_999_999_999_999_999n })),
      timeline: fc
        .array(eventOf(nodeNames.length, serviceNames.length, podNames), { maxLength: 8 })
        .map((events) => [...events].sort((a, b) => a.at - b.at)),
    });
  });

const possible = model.filter(({ dataplane, services }) => refusePlane(dataplane, services) === null);

describe('a printed scenario', () => {
  test('loads as the very model that was printed', () => {
    fc.assert(
      fc.property(possible, (before) => {
        const text = printScenario(before);
        const { model: after } = loadScenario([{ name: 'printed.yaml', text }]);
        // what is printed is stated: nothing is assumed, and nothing was passed over
        expect(after).toEqual({ ...before, assumed: [], unread: [] });
      }),
      { numRuns: 200 },
    );
  });
});
