import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Address, formatAddress, ipv4, parseAddress } from '../../../src/addr/address.js';
import { hostPrefix } from '../../../src/addr/prefix.js';
import { IPV4_UNICAST } from '../../../src/bgp/codec/address-family.js';
import { OFFLINE } from '../../../src/bgp/codec/codec-context.js';
import { type BgpMessage, MESSAGE_TYPE } from '../../../src/bgp/codec/message.js';
import { encodeMessage } from '../../../src/bgp/codec/message-codec.js';
import { makeAttribute } from '../../../src/bgp/codec/update-message.js';
import { PcapWriter } from '../../../src/capture/pcap-writer.js';
import { routesFromCapture, routesFromMrt } from '../../../src/cli/bgp-routes.js';
import type { ClusterModel, TimelineEvent } from '../../../src/cluster/model.js';
import { Tuple } from '../../../src/conntrack/tuple.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { forgePacket } from '../../../src/state/forge.js';
import { Packet } from '../../../src/state/packet.js';
import { replay } from '../../../src/verdict/replay.js';
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN } from '../../../src/wire/tcp.js';
import { RouterWorld, routerYaml } from '../../support/router-world.js';
import { nodeAddress, smallCluster, VIP } from '../../support/small-cluster.js';
import { inFolder } from './made-io.js';

const ROUTER = parseAddress('10.0.0.254')!;
const RAW_IP = 101;
const CLIENTS = 60;

interface Sent {
  readonly atS: number;
  readonly from: Address;
  readonly fromPort: number;
  readonly to: Address;
  readonly toPort: number;
  readonly flags: number;
  readonly seq: number;
  readonly payload: Uint8Array;
}

const NOTHING = new Uint8Array(0);

function clientTraffic(): Sent[] {
  return Array.from({ length: CLIENTS }, (_, n) => {
    const ends = { from: ipv4(0xc6336400 + n), fromPort: 40000 + n, to: VIP, toPort: 80 };
    const steps = Array.from({ length: 10 }, (_, s) => ({ atS: 1 + s + n / 100, flags: TCP_PSH | TCP_ACK }));
    const syn = { ...ends, atS: 0.2 + n / 100, flags: TCP_SYN, seq: 99, payload: NOTHING };
    return [
      syn,
      ...steps.map((step, s) => ({ ...ends, ...step, seq: 100 + 3 * s, payload: new Uint8Array(3) })),
    ];
  }).flat();
}

/** One speaker's stream: messages at their times, as segments that may come twice or late. */
class SpeakerStream {
  readonly sent: Sent[] = [];
  private seq = 1000;

  constructor(
    private readonly node: number,
    private readonly side: 'speaker' | 'router' = 'speaker',
    private readonly port = 179,
  ) {}

  send(atS: number, flags: number, payload: Uint8Array = NOTHING): this {
    const speaker = { from: nodeAddress(this.node + 1), fromPort: 33000 + this.node };
    const ends =
      this.side === 'speaker'
        ? { ...speaker, to: ROUTER, toPort: this.port }
        : { from: ROUTER, fromPort: this.port, to: speaker.from, toPort: speaker.fromPort };
    this.sent.push({ ...ends, atS, flags, seq: this.seq, payload });
    this.seq += payload.length + ((flags & (TCP_SYN | TCP_FIN)) !== 0 ? 1 : 0);
    return this;
  }

  message(atS: number, message: BgpMessage): this {
    return this.send(atS, TCP_PSH | TCP_ACK, encodeMessage(message, OFFLINE));
  }

  /** The last segment comes again, later. */
  again(): this {
    const last = this.sent.at(-1)!;
    this.sent.push({ ...last, atS: last.atS + 0.05 });
    return this;
  }
}

const asn = (node: number): number => 64601 + node;
const open = (node: number): BgpMessage => ({
  type: MESSAGE_TYPE.open,
  version: 4,
  asn16: asn(node),
  asn: asn(node),
  holdTimeS: 90,
  bgpIdentifier: nodeAddress(node + 1).w0,
  capabilities: [],
});
const announce = (node: number): BgpMessage => ({
  type: MESSAGE_TYPE.update,
  withdrawn: [],
  attributes: [
    makeAttribute({ code: 1 }, 0),
    makeAttribute({ code: 2 }, [{ type: 2, asns: [asn(node)] }]),
    makeAttribute({ code: 3 }, nodeAddress(node + 1).w0),
  ],
  nlri: [{ prefix: hostPrefix(VIP) }],
});
/** All nodes in one AS, as MED is compared among the routes of one. */
const announceMed = (node: number, med: number): BgpMessage => {
  const update = announce(node) as Extract<BgpMessage, { type: 2 }>;
  const path = makeAttribute({ code: 2 }, [{ type: 2, asns: [64601] }]);
  const others = update.attributes.filter(({ code }) => code !== 2);
  return { ...update, attributes: [...others, path, makeAttribute({ code: 4 }, med)] };
};
const withdraw: BgpMessage = {
  type: MESSAGE_TYPE.update,
  withdrawn: [{ prefix: hostPrefix(VIP) }],
  attributes: [],
  nlri: [],
};

function capture(folder: string, speakers: readonly SpeakerStream[]): string {
  const path = join(folder, 'both.pcap');
  const pieces: Uint8Array[] = [];
  const options = { linkType: RAW_IP, resolution: 'microseconds', baseNs: 0n, snapLen: 4096 } as const;
  const writer = new PcapWriter((bytes) => pieces.push(bytes.slice()), options);
  const bytes = new Uint8Array(4096);
  const tuple = new Tuple();
  const packet = new Packet();
  const all = [...clientTraffic(), ...speakers.flatMap(({ sent }) => sent)].sort((a, b) => a.atS - b.atS);
  for (const { atS, from, fromPort, to, toPort, flags, seq, payload } of all) {
    tuple.setKind(4, 6);
    tuple.setSource(from, fromPort);
    tuple.setDestination(to, toPort);
    const fields = { flags, seq, ack: 1, payloadBytes: payload.length, flowLabel: 0, payload };
    forgePacket(tuple, fields, new DataView(bytes.buffer), packet);
    writer.write(Math.round(atS * 1e9), bytes, 0, packet.end, packet.end);
  }
  writer.flush();
  writeFileSync(path, Buffer.concat(pieces));
  return path;
}

/** BGP4MP_MESSAGE_AS4 (RFC 6396 section 4.4.3) from a node to the collector. */
function mrtRecord(atS: number, node: number, message: BgpMessage, context = OFFLINE): Uint8Array {
  const octets = encodeMessage(message, context);
  const record = new Uint8Array(12 + 20 + octets.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, atS);
  view.setUint16(4, 16);
  view.setUint16(6, 4);
  view.setUint32(8, 20 + octets.length);
  view.setUint32(12, asn(node));
  view.setUint32(16, 64512);
  view.setUint16(22, 1);
  view.setUint32(24, nodeAddress(node + 1).w0);
  view.setUint32(28, ROUTER.w0);
  record.set(octets, 32);
  return record;
}

const cluster = (): ClusterModel => {
  const model = smallCluster({ service: { vips: [VIP] } });
  return { ...model, epochNs: 0n, router: { ...model.router, addresses: [ROUTER] } };
};

function fates(path: string, model: ClusterModel): string[] {
  const result = replay(readCapture(path), model);
  return Array.from({ length: result.flowCount }, (_, row) => {
    const { dstPort, fate, brokenAt, path: steps } = result.flowVerdict(row);
    return dstPort === 179 ? '' : `${fate} ${brokenAt} ${steps.map(({ node }) => node).join('>')}`;
  });
}

const route = (at: number, ...nodes: number[]): TimelineEvent => ({
  at,
  kind: 'route',
  prefix: hostPrefix(VIP),
  nextHops: nodes.map((node) => ({ node, weight: 1 })),
});

describe('routes from the BGP inside a capture', () => {
  test('break the flows that the same routes written by hand break', () =>
    inFolder((folder) => {
      // n1 opens inside; n2 spoke before and withdraws, its segment twice; n3's connection is reset; n4 says nothing
      const speakers = [
        new SpeakerStream(0).send(2, TCP_SYN).message(2.1, open(0)).message(2.5, announce(0)),
        new SpeakerStream(1).message(4, withdraw).again(),
        new SpeakerStream(2).message(3, { type: MESSAGE_TYPE.keepalive }).send(7, TCP_RST),
      ];
      const path = capture(folder, speakers);
      const model = cluster();
      const { model: driven, notes } = routesFromCapture(path, readCapture(path), model);
      const byHand = {
        ...model,
        timeline: [route(0, 1, 2, 3), route(2.5, 0, 1, 2, 3), route(4, 0, 2, 3), route(7, 0, 3)],
      };
      const seen = fates(path, driven);
      expect(seen).toEqual(fates(path, byHand));
      expect(new Set(seen.map((line) => line.split(' ')[0]))).toContain('reset');
      expect(notes[0]).toMatch(/^4 route changes come from the BGP of /);
      expect(replay(readCapture(path), driven).events.map(({ detail }) => detail)).toEqual([
        expect.stringContaining('became n2, n3, n4'),
        '10.0.0.1 announced it: the route to 203.0.113.10/32 became n1, n2, n3, n4',
        '10.0.0.2 withdrew it: the route to 203.0.113.10/32 became n1, n3, n4',
        'the session of 10.0.0.3 ended: the route to 203.0.113.10/32 became n1, n4',
      ]);
    }));

  test('outlive a restart that the speaker and the router agreed on', () =>
    inFolder((folder) => {
      const families = [{ family: IPV4_UNICAST, forwardingPreserved: true }];
      const graceful = { restarted: false, notification: false, restartTimeS: 60, families };
      const opened = (as: number): BgpMessage => {
        const asn4 = { code: 65, kind: 'asn4', asn: as } as const;
        const capabilities = [asn4, { code: 64, kind: 'graceful-restart', ...graceful } as const];
        return { ...open(0), asn16: as, asn: as, capabilities } as BgpMessage;
      };
      const session = (): SpeakerStream =>
        new SpeakerStream(0).send(0.5, TCP_SYN).message(0.6, opened(asn(0)));
      const rest = (stream: SpeakerStream): SpeakerStream =>
        stream.message(0.8, announce(0)).send(4, TCP_RST);
      const routesOf = (...streams: SpeakerStream[]): TimelineEvent[] => {
        const path = capture(folder, streams);
        return [...routesFromCapture(path, readCapture(path), cluster()).model.timeline];
      };
      const router = new SpeakerStream(0, 'router').message(0.7, opened(64512));
      // the first says what stands as the capture begins
      const changesAt = (...streams: SpeakerStream[]) =>
        routesOf(...streams)
          .slice(1)
          .map(({ at }) => at);
      expect(changesAt(rest(session()))).toEqual([0.8, 4]);
      expect(changesAt(rest(session()), router)).toEqual([0.8]);
    }));

  test('come from an MRT dump as well', () =>
    inFolder((folder) => {
      const path = capture(folder, []);
      const dump = join(folder, 'updates.mrt');
      const records = [mrtRecord(2, 0, open(0)), mrtRecord(3, 0, announce(0)), mrtRecord(5, 1, withdraw)];
      writeFileSync(dump, Buffer.concat(records));
      const model = cluster();
      const { model: driven } = routesFromMrt(dump, readCapture(path), model);
      const byHand = { ...model, timeline: [route(0, 1, 2, 3), route(3, 0, 1, 2, 3), route(5, 0, 2, 3)] };
      expect(fates(path, driven)).toEqual(fates(path, byHand));
    }));

  test('a drain by MED breaks the same by MRT, capture, live router and route event, whether or not it began inside', () =>
    inFolder((folder) => {
      const nodes = [0, 1, 2, 3];
      const model = cluster();
      const plain = capture(folder, []);
      const drained = { ...model, timeline: [route(0, 0, 1, 2, 3), route(5, 0, 2, 3)] };
      const expected = fates(plain, drained);
      expect(new Set(expected.map((line) => line.split(' ')[0]))).toContain('reset');

      const dump = join(folder, 'med.mrt');
      for (const before of [nodes.map((node) => mrtRecord(0, node, announceMed(node, 0))), []]) {
        writeFileSync(dump, Buffer.concat([...before, mrtRecord(5, 1, announceMed(1, 100))]));
        expect(fates(plain, routesFromMrt(dump, readCapture(plain), model).model)).toEqual(expected);
      }

      const speakers = nodes.map((node) => {
        const stream = new SpeakerStream(node).message(0.1, announceMed(node, 0));
        return node === 1 ? stream.message(5, announceMed(1, 100)) : stream;
      });
      const both = capture(folder, speakers);
      const driven = routesFromCapture(both, readCapture(both), model).model;
      expect(fates(both, driven).filter((line) => line !== '')).toEqual(expected);

      const world = new RouterWorld(
        routerYaml(['peers:', '  - { addresses: 10.0.0.0/24, asn: 64601, import: all }']),
      );
      const vip = `${formatAddress(VIP)}/32`;
      const peers = nodes.map((node) => world.connect(formatAddress(nodeAddress(node + 1)), 64601));
      const fib = (): number[] => {
        const hops = world.view.lookup(VIP)!.nextHops.map(({ address }) => formatAddress(address));
        return nodes.filter((node) => hops.includes(formatAddress(nodeAddress(node + 1))));
      };
      for (const peer of peers) peer.announce([vip], [makeAttribute({ code: 4 }, 0)]);
      const before = fib();
      peers[1]!.announce([vip], [makeAttribute({ code: 4 }, 100)]);
      const live = { ...model, timeline: [route(0, ...before), route(5, ...fib())] };
      expect(fates(both, live).filter((line) => line !== '')).toEqual(expected);
    }));

  test('count what cannot be read, in a capture and in a dump', () =>
    inFolder((folder) => {
      const faulty = encodeMessage(announce(1), OFFLINE);
      faulty[21] = 200; // attributes longer than the message
      const stream = new SpeakerStream(1).message(0.1, announce(1)).send(4, TCP_PSH | TCP_ACK, faulty);
      const path = capture(folder, [stream]);
      expect(routesFromCapture(path, readCapture(path), cluster()).unreadable).toBe(1);
      const dump = join(folder, 'faulty.mrt');
      const wrong = mrtRecord(2, 1, announce(1)).slice();
      wrong[wrong.length - faulty.length + 21] = 200;
      writeFileSync(dump, Buffer.concat([mrtRecord(1, 1, announce(1)), wrong]));
      expect(routesFromMrt(dump, readCapture(path), cluster()).unreadable).toBe(1);
    }));

  test('are found on any port by the marker of the messages', () =>
    inFolder((folder) => {
      const at = (port: number): number[] => {
        const speaker = new SpeakerStream(1, 'speaker', port).send(1, TCP_SYN).message(4, withdraw);
        const path = capture(folder, [speaker.send(6, TCP_FIN)]);
        return routesFromCapture(path, readCapture(path), cluster()).model.timeline.map((event) => event.at);
      };
      expect(at(1790)).toEqual(at(179));
      expect(at(1790)).toEqual([0.2, 4]);
    }));

  test('are read with path identifiers where the OPENs of a dump say so, though the subtype does not', () =>
    inFolder((folder) => {
      const path = capture(folder, []);
      const dump = join(folder, 'paths.mrt');
      const addPath = [{ code: 69, kind: 'add-path', entries: [{ family: IPV4_UNICAST, mode: 3 }] }];
      const opened = { ...open(1), capabilities: addPath } as unknown as BgpMessage;
      const context = { ...OFFLINE, addPathSend: new Set([IPV4_UNICAST]) };
      const gone = { ...withdraw, withdrawn: [{ prefix: hostPrefix(VIP), pathId: 7 }] } as BgpMessage;
      const came = { ...announce(1), nlri: [{ prefix: hostPrefix(VIP), pathId: 7 }] } as BgpMessage;
      const ours = mrtRecord(1, 1, { ...opened, asn16: 64512, asn: 64512 } as BgpMessage);
      new DataView(ours.buffer).setUint16(6, 7);
      const records = [
        ...[mrtRecord(1, 1, opened), ours],
        ...[mrtRecord(2, 1, came, context), mrtRecord(5, 1, gone, context)],
      ];
      writeFileSync(dump, Buffer.concat(records));
      const { timeline } = routesFromMrt(dump, readCapture(path), cluster()).model;
      expect(timeline.map((event) => event.at)).toEqual([0.2, 2, 5]);
    }));

  test('are refused where no BGP is, or none of the scenario’s nodes speaks', () =>
    inFolder((folder) => {
      const silent = capture(folder, []);
      expect(() => routesFromCapture(silent, readCapture(silent), cluster())).toThrow(/has no BGP session/);
      const path = capture(folder, [new SpeakerStream(40).message(3, open(40))]);
      expect(() => routesFromCapture(path, readCapture(path), cluster())).toThrow(
        /no BGP speaker .* is a node/,
      );
    }));
});
