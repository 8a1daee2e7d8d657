/** Two speakers over fake wires, or one and the test in the place of its peer. */
import { beforeEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import { parsePrefix } from '../../../../src/addr/prefix.js';
import { IPV4_UNICAST as V4, IPV6_UNICAST as V6 } from '../../../../src/bgp/codec/address-family.js';
import { OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import type { BgpMessage } from '../../../../src/bgp/codec/message.js';
import { encodeMessage, KEEPALIVE_BYTES } from '../../../../src/bgp/codec/message-codec.js';
import { makeNotification } from '../../../../src/bgp/codec/notification-message.js';
import { UpdatePacker } from '../../../../src/bgp/codec/update-packer.js';
import type { PeerSettings } from '../../../../src/bgp/session/peer-settings.js';
import { MAX_RANGE_PEERS, Speaker } from '../../../../src/bgp/session/speaker.js';
import type { Dial } from '../../../../src/bgp/session/wire.js';
import { FakeClock, type FakeWire, Notebook, wirePair } from './fake-world.js';
import {
  GRACEFUL,
  LOCAL,
  longLivedCapability,
  MULTIPROTOCOL,
  peerWith,
  remoteOpen,
  restartCapability,
} from './machine-parts.js';

const NEVER: Dial = () => () => {};
const RIGHT = { ...LOCAL, asn: 64512, bgpIdentifier: 0x0a000002 };

let clock: FakeClock;
let notes: Notebook;
beforeEach(() => {
  clock = new FakeClock();
  notes = new Notebook();
});

function speakerWith(peer: PeerSettings, dial: Dial = NEVER): Speaker {
  const speaker = new Speaker(LOCAL, clock, dial, notes);
  speaker.start({ peers: [peer], ranges: [] });
  return speaker;
}

/** The test is the peer: its end of a new connection to the speaker. */
function connect(speaker: Speaker, from = '10.0.0.2'): FakeWire {
  const [near, far] = wirePair(clock, from, '10.0.0.1');
  speaker.accept(far);
  clock.settle();
  return near;
}

function send(wire: FakeWire, ...messages: BgpMessage[]): void {
  for (const message of messages) wire.write(encodeMessage(message, OFFLINE));
  clock.settle();
}

const KEEPALIVE: BgpMessage = { type: 4 };
const UPDATE: BgpMessage = {
  type: 2,
  withdrawn: [{ prefix: parsePrefix('203.0.113.0/24')! }],
  attributes: [],
  nlri: [],
};

function establish(speaker: Speaker, open = remoteOpen()): FakeWire {
  const wire = connect(speaker);
  send(wire, open, KEEPALIVE);
  return wire;
}

describe('timers', () => {
  test('a peer that says nothing is told so when the hold time is over, and not before', () => {
    const wire = establish(speakerWith(peerWith()));
    clock.pass(29.9);
    expect(notes.session).not.toBeNull();
    clock.pass(0.2);
    expect(notes.session).toBeNull();
    expect(wire.notifications()).toEqual(['4/0']);
  });

  test('KEEPALIVEs go out every third of the hold time, and those of the peer keep it up', () => {
    const wire = establish(speakerWith(peerWith()));
    wire.received = [];
    for (let i = 0; i < 10; i++) {
      clock.pass(10);
      send(wire, KEEPALIVE);
    }
    expect(notes.session).not.toBeNull();
    expect(wire.received.length / KEEPALIVE_BYTES.length).toBe(10);
  });

  test('octets that complete no message do not keep a session up', () => {
    const wire = establish(speakerWith(peerWith()));
    for (let i = 0; i < 35; i++) {
      wire.write(Uint8Array.of(0xff).slice(0, i < 16 ? 1 : 0));
      clock.pass(1);
    }
    expect(wire.notifications()).toEqual(['4/0']);
  });

  test('silence of a connection that we did not get to read is none', () => {
    const speaker = speakerWith(peerWith());
    const wire = establish(speaker);
    wire.other!.isHeldBack = true;
    clock.pass(31);
    expect(notes.session).not.toBeNull();
    send(wire, KEEPALIVE);
    wire.other!.isHeldBack = false;
    clock.pass(29);
    expect(notes.session).not.toBeNull();
    clock.pass(2);
    expect(notes.session).toBeNull();
  });

  test('with a hold time of 0 nothing is sent and nothing expires', () => {
    const wire = establish(speakerWith(peerWith()), remoteOpen(undefined, { holdTimeS: 0 }));
    wire.received = [];
    clock.pass(100_000);
    expect(notes.session).not.toBeNull();
    expect(wire.received).toEqual([]);
  });

  test('a connection without an OPEN is given up after 240 s', () => {
    const wire = connect(speakerWith(peerWith()));
    clock.pass(239);
    expect(wire.notifications()).toEqual([]);
    clock.pass(2);
    expect(wire.notifications()).toEqual(['4/0']);
  });

  test('a peer that takes nothing is given up after the send hold time (RFC 9687)', () => {
    const speaker = speakerWith(peerWith({ sendHoldTimeS: 60, holdTimeS: 0 }));
    const wire = establish(speaker);
    wire.other!.isStuck = true;
    notes.session!.send(KEEPALIVE_BYTES);
    clock.pass(59);
    expect(notes.session).not.toBeNull();
    clock.pass(2);
    expect(notes.lastEnd?.notification?.code).toBe(8);
  });
});

describe('messages', () => {
  test('in pieces of one octet come out whole', () => {
    const wire = connect(speakerWith(peerWith()));
    for (const message of [remoteOpen(), KEEPALIVE, UPDATE]) {
      for (const octet of encodeMessage(message, OFFLINE)) wire.write(Uint8Array.of(octet));
    }
    clock.settle();
    expect(notes.lines).toEqual(['up 10.0.0.2', 'update']);
  });

  test('in one piece come out one by one', () => {
    const wire = connect(speakerWith(peerWith()));
    const all = [remoteOpen(), KEEPALIVE, UPDATE, UPDATE].flatMap((m) => [...encodeMessage(m, OFFLINE)]);
    wire.write(Uint8Array.from(all));
    clock.settle();
    expect(notes.lines).toEqual(['up 10.0.0.2', 'update', 'update']);
  });

  test('End-of-RIB of each family, and a refresh, are told', () => {
    const wire = establish(
      speakerWith(peerWith()),
      remoteOpen([...MULTIPROTOCOL, { code: 70, kind: 'flag' }]),
    );
    const packer = new UpdatePacker(OFFLINE, (messages) => wire.write(messages.slice()));
    packer.endOfRib(V4);
    packer.endOfRib(V6);
    packer.flush();
    const filters = new Uint8Array(0);
    send(wire, { type: 5, family: V6, subtype: 0, filters }, { type: 5, family: V4, subtype: 1, filters });
    expect(notes.lines.slice(1)).toEqual([
      `end of rib ${V4}`,
      `end of rib ${V6}`,
      `refresh ${V6} 0`,
      `refresh ${V4} 1`,
    ]);
  });

  test('what follows a fault is not looked at', () => {
    const wire = establish(speakerWith(peerWith()));
    const bad = KEEPALIVE_BYTES.slice();
    bad[3] = 0;
    wire.write(Uint8Array.from([...bad, ...encodeMessage(UPDATE, OFFLINE)]));
    clock.settle();
    expect(wire.notifications()).toEqual(['1/1']);
    expect(notes.lines).toEqual(['up 10.0.0.2', 'down 10.0.0.2 keeps ']);
  });

  test('a NOTIFICATION is not answered', () => {
    const wire = establish(speakerWith(peerWith()));
    send(wire, makeNotification(0, 0));
    expect(wire.notifications()).toEqual([]);
    expect(notes.session).toBeNull();
  });
});

describe('who may connect', () => {
  test('nobody whom the configuration does not name', () => {
    const speaker = speakerWith(peerWith());
    expect(connect(speaker, '10.0.0.9').notifications()).toEqual(['6/5']);
    expect(speaker.rejected).toBe(1);
  });

  test('a peer has a bounded number of connections', () => {
    const speaker = speakerWith(peerWith());
    const wires = Array.from({ length: 20 }, () => connect(speaker));
    expect(wires.filter((wire) => wire.notifications().includes('6/8'))).toHaveLength(12);
  });

  test('a range makes peers as they come and forgets them when they go', () => {
    const speaker = new Speaker(LOCAL, clock, NEVER, notes);
    const { id, address, ...template } = peerWith({ asn: null });
    const range = { prefix: parsePrefix('10.0.0.0/8')!, template, sharing: 'by-address' as const };
    speaker.start({ peers: [], ranges: [range] });
    for (let i = 0; i < 1000; i++) {
      const wire = connect(speaker, `10.1.${i >> 8}.${i & 255}`);
      send(wire, remoteOpen(), KEEPALIVE);
      expect(speaker.peers().map((peer) => peer.settings.id)).toEqual([`10.1.${i >> 8}.${i & 255}`]);
      wire.end(null);
      clock.settle();
    }
    expect(speaker.peers()).toEqual([]);
    expect(clock.timers).toBe(0);
    expect(MAX_RANGE_PEERS).toBeLessThan(10_000);
  });

  test('in an open range several speakers may share an address', () => {
    const speaker = new Speaker(LOCAL, clock, NEVER, notes);
    const { id, address, ...template } = peerWith({ asn: null });
    const range = { prefix: parsePrefix('0.0.0.0/0')!, template, sharing: 'by-port' as const };
    speaker.start({ peers: [], ranges: [range] });
    send(connect(speaker, '127.0.0.1'), remoteOpen(), KEEPALIVE);
    send(connect(speaker, '127.0.0.1'), remoteOpen(undefined, { bgpIdentifier: 9 }), KEEPALIVE);
    expect(speaker.peers().map((peer) => peer.settings.id)).toEqual(['127.0.0.1', '127.0.0.1:50000']);
    expect(speaker.peers().every((peer) => peer.session !== null)).toBe(true);
  });
});

test('a second connection of an established peer is refused, and the first goes on', () => {
  const speaker = speakerWith(peerWith());
  const first = establish(speaker);
  const second = connect(speaker);
  send(second, remoteOpen());
  expect(second.notifications()).toEqual(['6/7']);
  expect(first.notifications()).toEqual([]);
  expect(notes.session).not.toBeNull();
});

describe('graceful restart', () => {
  const peer = peerWith({ gracefulRestart: GRACEFUL });
  const open = remoteOpen([...MULTIPROTOCOL, restartCapability()]);
  const both = `${V4},${V6}`;

  test('keeps routes until the peer has sent them again', () => {
    const speaker = speakerWith(peer);
    establish(speaker, open).end(null);
    clock.settle();
    clock.pass(70);
    const wire = connect(speaker);
    send(wire, open, KEEPALIVE);
    const packer = new UpdatePacker(OFFLINE, (messages) => wire.write(messages.slice()));
    packer.endOfRib(V6);
    packer.endOfRib(V4);
    packer.flush();
    clock.settle();
    expect(notes.lines).toEqual([
      'up 10.0.0.2',
      `down 10.0.0.2 keeps ${both}`,
      'up 10.0.0.2',
      `end of rib ${V6}`,
      `sweep ${V6}`,
      `end of rib ${V4}`,
      `sweep ${V4}`,
    ]);
  });

  test('gives them up when the peer does not come back in its restart time', () => {
    establish(speakerWith(peer), open).end(null);
    clock.pass(76);
    expect(notes.lines.at(-1)).toBe(`down 10.0.0.2 keeps ${both}`);
    clock.pass(2);
    expect(notes.lines.at(-1)).toBe(`sweep ${both}`);
  });

  test('keeps them beyond that where both sides say so, and longer only with End-of-RIB (RFC 9494)', () => {
    const long = peerWith({ gracefulRestart: { ...GRACEFUL, longLivedStaleS: 600 } });
    const said = remoteOpen([...MULTIPROTOCOL, restartCapability(), longLivedCapability(300)]);
    const speaker = speakerWith(long);
    establish(speaker, said).end(null);
    clock.settle();
    clock.pass(78);
    expect(notes.lines.splice(0).at(-1)).toBe(`long-lived ${both}`);
    clock.pass(200);
    const wire = connect(speaker);
    send(wire, said, KEEPALIVE);
    const packer = new UpdatePacker(OFFLINE, (messages) => wire.write(messages.slice()));
    packer.endOfRib(V6);
    packer.flush();
    clock.settle();
    for (let i = 0; i < 11; i++) {
      clock.pass(10);
      send(wire, KEEPALIVE);
    }
    expect(notes.lines).toEqual(['up 10.0.0.2', `end of rib ${V6}`, `sweep ${V6}`, `sweep ${V4}`]);
  });

  test('a peer that is deconfigured while its routes are long-lived stale leaves nothing behind', () => {
    const long = peerWith({ gracefulRestart: { ...GRACEFUL, longLivedStaleS: 600 } });
    const said = remoteOpen([...MULTIPROTOCOL, restartCapability(), longLivedCapability(300)]);
    const speaker = speakerWith(long);
    establish(speaker, said).end(null);
    clock.settle();
    clock.pass(78);
    notes.lines.length = 0;
    speaker.reconfigure({ peers: [], ranges: [] });
    clock.pass(400);
    expect(notes.lines).toEqual([`sweep ${both}`]);
  });

  test('a second crash before End-of-RIB deletes what was stale before', () => {
    const speaker = speakerWith(peer);
    establish(speaker, open).end(null);
    clock.settle();
    const again = connect(speaker);
    send(again, open, KEEPALIVE);
    again.end(null);
    clock.settle();
    expect(notes.lines.slice(-3)).toEqual(['up 10.0.0.2', `sweep ${both}`, `down 10.0.0.2 keeps ${both}`]);
  });

  test('a new connection of a peer that we think alive replaces the old one, and its routes stay', () => {
    const speaker = speakerWith(peer);
    const old = establish(speaker, open);
    const fresh = connect(speaker);
    send(fresh, open, KEEPALIVE);
    expect(notes.lines).toEqual(['up 10.0.0.2', `down 10.0.0.2 keeps ${both}`, 'up 10.0.0.2']);
    expect(old.isEnded).toBe(true);
    expect(fresh.notifications()).toEqual([]);
  });

  test('after our own restart nothing is announced before the peer has ended its RIBs', () => {
    const speaker = new Speaker({ ...LOCAL, start: 'restarted' }, clock, NEVER, notes);
    speaker.start({ peers: [peer], ranges: [] });
    const wire = establish(speaker, open);
    notes.session!.requestWrite();
    clock.settle();
    expect(notes.slices).toBe(0);
    const packer = new UpdatePacker(OFFLINE, (messages) => wire.write(messages.slice()));
    packer.endOfRib(V4);
    packer.endOfRib(V6);
    packer.flush();
    clock.settle();
    expect(notes.slices).toBe(1);
  });

  test('or before the deferral time is over, when the peer does not come', () => {
    const other = peerWith({ id: '10.0.0.3', address: parseAddress('10.0.0.3')!, gracefulRestart: GRACEFUL });
    const speaker = new Speaker({ ...LOCAL, start: 'restarted' }, clock, NEVER, notes);
    speaker.start({ peers: [peer, other], ranges: [] });
    establish(speaker, remoteOpen());
    notes.session!.requestWrite();
    clock.pass(29);
    expect(notes.slices).toBe(0);
    clock.pass(2);
    expect(notes.slices).toBe(1);
  });
});

describe('two speakers that connect to each other at once', () => {
  test('end with one session, whoever has the higher identifier', () => {
    for (const [left, right] of [
      [1, 2],
      [2, 1],
      [7, 7],
    ] as const) {
      clock = new FakeClock();
      const handlers = [new Notebook(), new Notebook()] as const;
      const speakers: Speaker[] = [];
      const dialFrom =
        (me: number): Dial =>
        (_, connected) => {
          clock.soon(() => {
            const [near, far] = wirePair(clock, `10.0.0.${me + 1}`, `10.0.0.${2 - me}`);
            clock.soon(() => speakers[1 - me]!.accept(far));
            connected(near);
          });
          return () => {};
        };
      speakers.push(new Speaker({ ...LOCAL, bgpIdentifier: left }, clock, dialFrom(0), handlers[0]));
      speakers.push(new Speaker({ ...RIGHT, bgpIdentifier: right }, clock, dialFrom(1), handlers[1]));
      const at = (n: number) => ({ id: `10.0.0.${n}`, address: parseAddress(`10.0.0.${n}`)! });
      speakers[0]!.start({ peers: [peerWith({ ...at(2), mode: 'active' })], ranges: [] });
      speakers[1]!.start({ peers: [peerWith({ ...at(1), asn: LOCAL.asn, mode: 'active' })], ranges: [] });
      clock.pass(60);
      for (const handler of handlers) {
        expect(handler.session).not.toBeNull();
        expect(handler.lines).toHaveLength(1);
      }
    }
  });
});

test('reconfiguring leaves alone what has not changed, and ends what has gone or is different', () => {
  const kept = peerWith();
  const at = (n: number) => ({ id: `10.0.0.${n}`, address: parseAddress(`10.0.0.${n}`)! });
  const speaker = new Speaker(LOCAL, clock, NEVER, notes);
  speaker.start({ peers: [kept, peerWith(at(3)), peerWith(at(4))], ranges: [] });
  const wires = [2, 3, 4].map((n) => connect(speaker, `10.0.0.${n}`));
  for (const wire of wires) send(wire, remoteOpen(), KEEPALIVE);
  speaker.reconfigure({ peers: [{ ...kept }, peerWith({ ...at(3), holdTimeS: 30 })], ranges: [] });
  clock.settle();
  expect(wires.map((wire) => wire.notifications())).toEqual([[], ['6/6'], ['6/3']]);
  expect(speaker.peers().map((peer) => peer.stateName)).toEqual(['Established', 'Active']);
});
