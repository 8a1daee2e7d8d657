/** A whole router without sockets: what its peers say through made-up wires, and what the API then shows of it. */
import { describe, expect, test } from 'vitest';
import { formatIpv4, parseAddress } from '../../../../src/addr/address.js';
import { parsePrefix } from '../../../../src/addr/prefix.js';
import type { PathAttribute } from '../../../../src/bgp/attribute/descriptor.js';
import { IPV4_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { ByteWriter } from '../../../../src/bgp/codec/byte-writer.js';
import type { Capability } from '../../../../src/bgp/codec/capability.js';
import { type CodecContext, OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { MESSAGE_TYPE } from '../../../../src/bgp/codec/message.js';
import { encodeMessage, KEEPALIVE_BYTES } from '../../../../src/bgp/codec/message-codec.js';
import { makeOpen } from '../../../../src/bgp/codec/open-message.js';
import { encodeAttribute, makeAttribute } from '../../../../src/bgp/codec/update-message.js';
import { UpdatePacker } from '../../../../src/bgp/codec/update-packer.js';
import { Speaker } from '../../../../src/bgp/session/speaker.js';
import { LiveRouter } from '../../../../src/live/router/live-router.js';
import { type RouterConfig, routerConfig } from '../../../../src/live/router/router-config.js';
import { RouterLog } from '../../../../src/live/router/router-log.js';
import { RouterReader } from '../../../../src/live/router/router-reader.js';
import type { RouteRecord } from '../../../../src/live/web/api-records.js';
import { routeRecord } from '../../../../src/live/web/live-status.js';
import { FakeClock, type FakeWire, wirePair } from '../../bgp/session/fake-world.js';

const OURS = '10.0.0.254';
const PEER = '10.0.0.1';
const PEER_ASN = 64601;
const SETTINGS: CodecContext = { ...OFFLINE, extendedMessages: false };

const USUAL = [
  makeAttribute({ code: 1 }, 0),
  makeAttribute({ code: 2 }, [{ type: 2, asns: [PEER_ASN] }]),
  makeAttribute({ code: 3 }, parseAddress(PEER)!.w0),
];

/** What the configuration says of the peer: its import policy, and more. */
function configOf(policy: string): RouterConfig {
  const text = `
apiVersion: flowfate.dev/v1
kind: Router
spec:
  asn: 65000
  routerId: ${OURS}
  peers:
    - { address: ${PEER}, asn: ${PEER_ASN}, passive: true, export: all, gracefulRestart: 120s, import: ${policy} }
`;
  return routerConfig({ name: 'r.yaml', text }, { start: 'fresh', ownAddresses: [], usualTtl: null });
}

/** A router, and the other end of the session that it has with its only peer. */
class World {
  readonly clock = new FakeClock();
  readonly router: LiveRouter;
  private readonly speaker: Speaker;
  private readonly reader: RouterReader;
  private wire: FakeWire | null = null;

  constructor(
    policy: string,
    readonly capabilities: readonly Capability[] = [],
  ) {
    const config = configOf(policy);
    this.router = new LiveRouter(config, [], this.clock, new RouterLog(() => {}, this.clock));
    this.speaker = new Speaker(config.local, this.clock, () => () => {}, this.router);
    this.speaker.start(config.peers);
    this.reader = new RouterReader(this.router, this.speaker, []);
    this.connect();
  }

  connect(): void {
    const [near, far] = wirePair(this.clock, PEER, OURS);
    this.wire = near;
    this.speaker.accept(far);
    const families: Capability = { code: 1, kind: 'multiprotocol', family: IPV4_UNICAST };
    const capabilities = [families, ...this.capabilities];
    // without a hold time nothing happens by itself
    near.write(encodeMessage(makeOpen(PEER_ASN, parseAddress(PEER)!.w0, 0, capabilities), OFFLINE));
    near.write(KEEPALIVE_BYTES);
    this.clock.settle();
  }

  lose(): void {
    this.wire!.other!.cut('the cable is out');
    this.clock.settle();
  }

  announce(prefixes: readonly string[], more: readonly PathAttribute[] = []): void {
    const out = new ByteWriter();
    for (const attribute of [...USUAL, ...more]) encodeAttribute(attribute, out, SETTINGS);
    const packer = new UpdatePacker(SETTINGS, (messages) => this.wire!.write(messages.slice()));
    packer.announce(IPV4_UNICAST, out.bytes(), null);
    for (const text of prefixes) {
      const { address, length } = parsePrefix(text)!;
      packer.add(address.w0, 0, 0, 0, length, 0);
    }
    packer.flush();
    this.clock.settle();
  }

  reload(policy: string): void {
    const config = configOf(policy);
    this.router.reconfigure(config);
    this.speaker.reconfigure(config.peers);
    this.clock.settle();
  }

  routes(prefix = '0.0.0.0/0'): RouteRecord[] {
    return this.reader
      .routes({ prefix: parsePrefix(prefix)!, match: 'longer', peer: null, offset: 0, limit: 100 })
      .rows.map(routeRecord);
  }

  /** Prefixes of the FIB. */
  fib(): string[] {
    return this.reader.fib(0, 100).rows.map(({ prefix }) => formatIpv4(prefix.address.w0));
  }

  /** Types of the messages that the peer has got. */
  told(): number[] {
    const { received } = this.wire!;
    const types: number[] = [];
    for (let at = 0; at < received.length; at += received[at + 16]! * 256 + received[at + 17]!) {
      types.push(received[at + 18]!);
    }
    return types;
  }
}

describe('a changed import policy', () => {
  for (const [kind, capabilities] of [
    ['answers route refreshes', [{ code: 2, kind: 'flag' }]],
    ['has never heard of them', []],
  ] as const) {
    test(`acts at once where the peer ${kind}, and not a word is said`, () => {
      const world = new World('all', capabilities);
      world.announce(['203.0.113.10/32', '198.51.100.0/24']);
      expect(world.fib()).toEqual(['203.0.113.10', '198.51.100.0']);
      const told = world.told();
      world.reload('none');
      expect(world.fib()).toEqual([]);
      expect(world.routes().map(({ excluded, best }) => [excluded, best])).toEqual([
        ['policy', false],
        ['policy', false],
      ]);
      world.reload('[{ match: { prefixes: [198.51.100.0/24] }, set: { localPref: 7 } }]');
      expect(world.fib()).toEqual(['198.51.100.0']);
      expect(world.routes('198.51.100.0/24')[0]).toMatchObject({ localPref: 7, excluded: 'no' });
      world.reload('all');
      expect(world.fib()).toEqual(['203.0.113.10', '198.51.100.0']);
      expect(world.told()).toEqual(told);
      expect(told).not.toContain(MESSAGE_TYPE.routeRefresh);
    });
  }

  test('acts on the routes of a peer that is away and will be back, too', () => {
    const restarts: Capability = {
      ...{ code: 64, kind: 'graceful-restart', restarted: false, notification: false, restartTimeS: 120 },
      families: [{ family: IPV4_UNICAST, forwardingPreserved: true }],
    };
    const world = new World('all', [restarts]);
    world.announce(['203.0.113.10/32', '198.51.100.0/24']);
    world.lose();
    expect(world.routes().map(({ stale }) => stale)).toEqual([true, true]);
    world.reload('[{ match: { prefixes: [198.51.100.0/24] } }]');
    expect(world.fib()).toEqual(['198.51.100.0']);
    world.reload('all');
    expect(world.fib()).toHaveLength(2);
    expect(world.routes().map(({ stale }) => stale)).toEqual([true, true]);
  });
});

describe('a route of the API', () => {
  test('has its extended communities as the decoder writes them', () => {
    const world = new World('all');
    world.announce(
      ['203.0.113.10/32'],
      [
        makeAttribute({ code: 16 }, [
          { hi: 0x0002fc59, lo: 100 },
          { hi: 0x030b0000, lo: 5 },
          { hi: 0x80060000, lo: 1 },
        ]),
      ],
    );
    expect(world.routes()[0]!.extendedCommunities).toEqual([
      'rt:64601:100',
      'color:0:5',
      '0x8006000000000001',
    ]);
    world.announce(['203.0.113.11/32']);
    expect(world.routes('203.0.113.11/32')[0]!.extendedCommunities).toEqual([]);
  });

  test('is as old as what its peer says of it: neither a repetition nor a policy makes it younger', () => {
    const world = new World('all');
    const age = (): number => world.routes()[0]!.age;
    world.clock.pass(1000);
    world.announce(['203.0.113.10/32']);
    expect(age()).toBe(0);
    world.clock.pass(90);
    expect(age()).toBe(90);
    world.announce(['203.0.113.10/32']);
    world.reload('[{ set: { localPref: 7 } }]');
    expect(age()).toBe(90);
    world.clock.pass(10);
    world.announce(['203.0.113.10/32'], [makeAttribute({ code: 4 }, 50)]);
    expect(age()).toBe(0);
    world.clock.pass(5);
    expect(age()).toBe(5);
  });
});
