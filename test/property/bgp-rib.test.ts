/** The RIB against a naive one, over random histories of several peers: choice, multipath and what every peer is told. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatAddress, parseAddress } from '../../src/addr/address.js';
import { formatPrefix, parsePrefix } from '../../src/addr/prefix.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../src/bgp/codec/address-family.js';
import type { FamilyRib } from '../../src/bgp/rib/family-rib.js';
import { policySchema } from '../../src/bgp/rib/policy-schema.js';
import { Rib } from '../../src/bgp/rib/rib.js';
import { standings } from '../../src/bgp/rib/why-chosen.js';
import { attributesOf, peerSettings, RibSession, type RouteText } from '../support/rib-session.js';
import { type NaivePeer, type NaivePolicy, NaiveRib } from './naive-rib.js';

const ASN = 65000;
const OWN_HOP4 = '10.0.0.254';
const OWN_HOP6 = 'fd00:0:0:0:0:0:0:fe';
const PREFIXES = [
  '0.0.0.0/0',
  '10.1.0.0/16',
  '10.1.2.0/24',
  '203.0.113.10/32',
  '203.0.113.11/32',
  '2001:db8::/32',
  '2001:db8:113::10/128',
  'fd00:1::/64',
];
const HOPS4 = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
const HOPS6 = ['fd00:0:0:0:0:0:0:1', 'fd00:0:0:0:0:0:0:2', 'fd00:0:0:0:0:0:0:3'];

const peer = (
  at: number,
  asn: number,
  role: NaivePeer['role'] = null,
  addPathSend: 'yes' | 'no' = 'no',
): NaivePeer => ({
  name: `10.0.0.${at}`,
  asn,
  address: at,
  bgpId: parseAddress(`10.0.0.${at}`)!.w0,
  role,
  addPathSend,
});

const PEERS = [
  peer(1, 64601),
  peer(2, 64601),
  peer(3, 64602, null, 'yes'),
  peer(4, ASN),
  peer(5, ASN, null, 'yes'),
  peer(6, 64603, 'provider'),
  peer(7, 64604, 'customer'),
  peer(8, 64605, 'peer'),
];

/** Import policies as a configuration has them, and what each is to do. */
const POLICIES: readonly { readonly written: unknown; readonly naive: NaivePolicy }[] = [
  { written: 'all', naive: (_prefix, route) => route },
  { written: 'none', naive: () => null },
  {
    written: [{ match: { communities: ['3356:1'] }, action: 'reject' }, { set: { localPref: 300 } }],
    naive: (_prefix, route) =>
      route.communities?.includes(0x0d1c0001) ? null : { ...route, localPref: 300 },
  },
  {
    written: [
      { match: { prefixes: ['10.0.0.0/8 le 32'] }, set: { addCommunities: ['3356:1'] } },
      { match: { prefixes: ['2001:db8::/32 le 128'] } },
    ],
    naive: (prefix, route) => {
      if (prefix.startsWith('2001:')) return route;
      if (!prefix.startsWith('10.')) return null;
      const { communities = [] } = route;
      const all = communities.includes(0x0d1c0001) ? communities : [...communities, 0x0d1c0001];
      return { ...route, communities: all };
    },
  },
];

interface Announce {
  readonly kind: 'announce';
  readonly peer: number;
  readonly pathId: number;
  readonly prefixes: readonly string[];
  readonly route: RouteText;
}
type Step =
  | Announce
  | {
      readonly kind: 'withdraw';
      readonly peer: number;
      readonly pathId: number;
      readonly prefixes: readonly string[];
    }
  | { readonly kind: 'restart' | 'refresh' | 'ended'; readonly peer: number }
  | { readonly kind: 'policy' | 'interrupt'; readonly peer: number; readonly policy: number }
  | { readonly kind: 'pump'; readonly peer: number; readonly octets: number }
  | { readonly kind: 'local'; readonly prefix: string; readonly med: number | null }
  | { readonly kind: 'unlocal'; readonly prefix: string };

const arbPeer = fc.nat({ max: PEERS.length - 1 });
const arbPathId = fc.nat({ max: 1 });
const arbPrefixes = fc
  .tuple(fc.subarray(PREFIXES, { minLength: 1 }), fc.constantFrom('.', ':'))
  .map(([some, sign]) => some.filter((p) => p.includes(sign)))
  .filter((some) => some.length > 0);
const arbAsn = fc.constantFrom(64601, 64602, 64603, 64604, 3356, 1299, 400_000, ASN);
const arbCommunity = fc.constantFrom(0xffffff01, 0xffffff02, 0xffffff03, 0xffff0000, 0x0d1c0001);

const arbAnnounce = fc
  .record({
    peer: arbPeer,
    pathId: arbPathId,
    prefixes: arbPrefixes,
    origin: fc.nat({ max: 2 }),
    rest: fc.array(arbAsn, { maxLength: 2 }),
    med: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
    localPref: fc.constantFrom(100, 100, 200),
    communities: fc.option(fc.array(arbCommunity, { minLength: 1, maxLength: 2 }), {
      nil: undefined,
      freq: 3,
    }),
    otc: fc.option(fc.constantFrom(64604, 64605, 3356), { nil: undefined, freq: 5 }),
    reflected: fc.option(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 2 })), { nil: undefined, freq: 5 }),
    hop: fc.nat({ max: 2 }),
  })
  .map((one): Announce => {
    const { asn } = PEERS[one.peer]!;
    const isInternal = asn === ASN;
    const isIpv4 = one.prefixes[0]!.includes('.');
    const { med, communities, otc, reflected } = one;
    const route: RouteText = {
      origin: one.origin,
      path: isInternal ? one.rest : [asn, ...one.rest],
      nextHop: (isIpv4 ? HOPS4 : HOPS6)[one.hop]!,
      ...(med !== undefined && { med }),
      ...(isInternal && { localPref: one.localPref }),
      ...(communities !== undefined && { communities }),
      ...(isInternal &&
        reflected !== undefined && {
          originatorId: 1 + reflected[0],
          clusterList: [7, 8, 9].slice(0, 1 + reflected[1]),
        }),
      ...(otc !== undefined && { otc }),
    };
    return { kind: 'announce', peer: one.peer, pathId: one.pathId, prefixes: one.prefixes, route };
  });

const arbStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: arbAnnounce },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('withdraw' as const),
      peer: arbPeer,
      pathId: arbPathId,
      prefixes: arbPrefixes,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('restart' as const, 'refresh' as const, 'ended' as const),
      peer: arbPeer,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('policy' as const, 'policy' as const, 'interrupt' as const),
      peer: arbPeer,
      policy: fc.nat({ max: POLICIES.length - 1 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pump' as const),
      peer: arbPeer,
      octets: fc.constantFrom(1, 80, 4096),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('local' as const),
      prefix: fc.constantFrom(...PREFIXES),
      med: fc.option(fc.constant(50)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('unlocal' as const), prefix: fc.constantFrom(...PREFIXES) }),
  },
);

/** Both RIBs, and what happens to them. */
class Pair {
  readonly rib: Rib;
  readonly naive: NaiveRib;
  readonly sessions: RibSession[];
  /** what the listener was told last of each prefix */
  readonly heard = new Map<string, string[]>();

  constructor(
    maxPaths: number,
    asPaths: 'relax' | 'same-neighbour',
    private readonly choice: 'now' | 'later',
  ) {
    this.rib = new Rib({
      localAsn: ASN,
      routerId: parseAddress(OWN_HOP4)!.w0,
      maxPaths,
      asPaths,
      order: 'address',
      arrivalKeepS: 180,
      connected: null,
      ownAddresses: [],
    });
    this.naive = new NaiveRib(ASN, OWN_HOP4, OWN_HOP6, maxPaths, asPaths);
    this.rib.onRoute((rib, prefix, _before, after) => {
      this.heard.set(prefixText(rib, prefix), this.hopTexts(after));
    });
    this.sessions = PEERS.map((_, i) => this.connect(i));
  }

  connect(i: number, policy = 0, previousRow = -1): RibSession {
    const { asn, name, role, addPathSend } = PEERS[i]!;
    const families = new Set([IPV4_UNICAST, IPV6_UNICAST]);
    const settings = peerSettings(
      { asn, at: name, localAsn: ASN, role, import: policySchema.parse(POLICIES[policy]!.written) },
      { addPathReceive: families, ...(addPathSend === 'yes' && { addPathSend: families }) },
    );
    this.naive.imports.set(PEERS[i]!, POLICIES[policy]!.naive);
    const session = new RibSession(this.rib, settings, previousRow);
    session.choice = this.choice;
    return session;
  }

  apply(step: Step): void {
    switch (step.kind) {
      case 'announce':
        this.sessions[step.peer]!.announce(step.route, step.prefixes, step.pathId);
        for (const p of step.prefixes) this.naive.announce(PEERS[step.peer]!, p, step.pathId, step.route);
        break;
      case 'withdraw':
        this.sessions[step.peer]!.withdraw(step.prefixes, step.pathId);
        for (const p of step.prefixes) this.naive.withdraw(PEERS[step.peer]!, p, step.pathId);
        break;
      case 'restart':
        this.rib.peerDown(this.sessions[step.peer]!.row, new Set(), this.choice === 'later' ? 0 : -1);
        this.naive.peerDown(PEERS[step.peer]!);
        this.sessions[step.peer] = this.connect(step.peer);
        break;
      case 'policy':
        this.setImport(step.peer, step.policy);
        break;
      case 'interrupt': {
        const { row } = this.sessions[step.peer]!;
        this.rib.peerDown(row, new Set([IPV4_UNICAST, IPV6_UNICAST]));
        this.naive.markStale(PEERS[step.peer]!);
        const isKept = this.rib.peers[row] !== null;
        // the policy may change while the peer is away
        if (isKept) this.setImport(step.peer, step.policy);
        this.sessions[step.peer] = this.connect(step.peer, step.policy, isKept ? row : -1);
        break;
      }
      case 'ended':
        for (const family of [IPV4_UNICAST, IPV6_UNICAST]) {
          this.rib.endOfRib(this.sessions[step.peer]!.row, family);
        }
        this.naive.sweepStale(PEERS[step.peer]!);
        break;
      case 'refresh':
        for (const family of [IPV4_UNICAST, IPV6_UNICAST]) {
          this.rib.routeRefresh(this.sessions[step.peer]!.row, family);
        }
        break;
      case 'pump':
        this.sessions[step.peer]!.pump(step.octets);
        break;
      case 'local': {
        const med = step.med === null ? {} : { med: step.med };
        const route: RouteText = {
          origin: 0,
          path: [],
          nextHop: step.prefix.includes('.') ? '0.0.0.0' : '::',
          ...med,
        };
        this.rib.announceLocal(parsePrefix(step.prefix)!, attributesOf(route, false));
        this.naive.announce(null, step.prefix, 0, route);
        break;
      }
      case 'unlocal':
        this.rib.withdrawLocal(parsePrefix(step.prefix)!);
        this.naive.withdraw(null, step.prefix, 0);
    }
  }

  setImport(i: number, policy: number): void {
    this.rib.setImportPolicy(this.sessions[i]!.row, policySchema.parse(POLICIES[policy]!.written));
    this.naive.imports.set(PEERS[i]!, POLICIES[policy]!.naive);
  }

  check(): void {
    this.rib.settle();
    this.checkStandings();
    for (const prefix of PREFIXES) {
      expect(this.heard.get(prefix) ?? [], prefix).toEqual(this.naive.hops(prefix));
    }
    PEERS.forEach((to, i) => {
      const session = this.sessions[i]!;
      session.pumpAll();
      const told = PREFIXES.map((prefix) => [prefix, sorted(this.naive.told(to, prefix))] as const);
      const has = PREFIXES.map((prefix) => {
        const routes = [...session.told].filter(([key]) => key.split('#')[0] === prefix);
        return [prefix, sorted(routes.map(([, route]) => route))] as const;
      });
      expect(has, to.name).toEqual(told);
      for (const [family, sign] of [[IPV4_UNICAST, '.'] as const, [IPV6_UNICAST, ':'] as const]) {
        const { received, accepted, best, announced } = this.rib.counts(session.row, family);
        const prefixes = PREFIXES.filter((prefix) => prefix.includes(sign));
        expect({ received, accepted, best }, to.name).toEqual(this.naive.counts(to, prefixes));
        expect(announced, to.name).toBe([...session.told.keys()].filter((key) => key.includes(sign)).length);
      }
    });
  }

  /** Why each path is or is not used says the same as the choice itself. */
  private checkStandings(): void {
    for (const of of this.rib.families) {
      for (let row = 0; row < of.table.rows; row++) {
        if (!of.table.isUsed(row) || of.first[row] === 0) continue;
        const all = standings(this.rib, of, row);
        const shared = this.rib.sharedPaths(of, row);
        const named = (is: string): number[] =>
          [...all].flatMap(([path, standing]) => (standing.is === is ? [path] : []));
        expect(named('best')).toEqual(of.best[row] === 0 ? [] : [of.best[row]! - 1]);
        expect(named('multipath').sort()).toEqual(shared.slice(1).sort());
      }
    }
  }

  private hopTexts(set: number): string[] {
    return this.rib.hopSets
      .hopsOf(set)
      .map((hop) => groups(formatAddress(this.rib.nextHops.addresses[hop]!)))
      .sort();
  }
}

/** IPv6 text without `::`, as the tables here have it. */
function groups(text: string): string {
  if (!text.includes('::')) return text;
  const [head = '', tail = ''] = text.split('::');
  const [a, b] = [head.split(':').filter(Boolean), tail.split(':').filter(Boolean)];
  return [...a, ...new Array<string>(8 - a.length - b.length).fill('0'), ...b].join(':');
}

function sorted(routes: readonly RouteText[]): string[] {
  return routes
    .map((route) => JSON.stringify(Object.entries(route).sort(([a], [b]) => (a < b ? -1 : 1))))
    .sort();
}

function prefixText(rib: FamilyRib, prefix: number): string {
  const { words, width, lengths } = rib.table;
  const [w0, w1, w2, w3] = [0, 1, 2, 3].map((i) => (i < width ? words[prefix * width + i]! : 0));
  const family = width === 1 ? 4 : 6;
  return formatPrefix({ address: { family, w0: w0!, w1: w1!, w2: w2!, w3: w3! }, length: lengths[prefix]! });
}

describe('RIB', () => {
  test('chooses, shares and tells what a naive RIB does, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(arbStep, { maxLength: 60 }),
        fc.constantFrom(1, 2, 64),
        fc.constantFrom('relax' as const, 'same-neighbour' as const),
        fc.constantFrom('now' as const, 'later' as const),
        (steps, maxPaths, asPaths, choice) => {
          const pair = new Pair(maxPaths, asPaths, choice);
          for (const step of steps) pair.apply(step);
          pair.check();
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is empty again when everything is withdrawn and everybody has heard of it', () => {
    fc.assert(
      fc.property(
        fc.array(arbStep, { maxLength: 40 }),
        fc.constantFrom('now' as const, 'later' as const),
        (steps, choice) => {
          const pair = new Pair(64, 'relax', choice);
          for (const step of steps) pair.apply(step);
          for (const prefix of PREFIXES) pair.rib.withdrawLocal(parsePrefix(prefix)!);
          pair.sessions.forEach((session, i) => {
            if (i % 2 === 0) pair.rib.peerDown(session.row);
            else
              for (const pathId of [0, 1]) for (const prefix of PREFIXES) session.withdraw([prefix], pathId);
          });
          pair.rib.settle();
          pair.sessions.forEach((session, i) => {
            if (i % 2 === 1) session.pumpAll();
          });
          const { rib } = pair;
          const left = rib.families.map((one) => [one.table.count, one.paths.count, one.bestCount]);
          expect([...left.flat(), rib.store.count, rib.hopSets.count]).toEqual(new Array(8).fill(0));
        },
      ),
      { numRuns: 250 },
    );
  });
});
