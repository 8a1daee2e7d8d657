/** Real sockets on loopback: a speaker of ours, and the test as its peers. */
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import { OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { type BgpMessage, MESSAGE_TYPE } from '../../../../src/bgp/codec/message.js';
import { encodeMessage, KEEPALIVE_BYTES } from '../../../../src/bgp/codec/message-codec.js';
import { MessageFramer } from '../../../../src/bgp/codec/message-framer.js';
import { BgpListener, dialTcp, SYSTEM_CLOCK } from '../../../../src/bgp/net/transport.js';
import type { PeerSettings } from '../../../../src/bgp/session/peer-settings.js';
import { Speaker } from '../../../../src/bgp/session/speaker.js';
import { FlowfateError } from '../../../../src/errors.js';
import { until } from '../../../support/wait.js';
import { Notebook } from '../session/fake-world.js';
import { LOCAL, peerWith, remoteOpen } from '../session/machine-parts.js';

const OPEN = encodeMessage(remoteOpen(), OFFLINE);
const KEEPALIVE = encodeMessage({ type: 4 } satisfies BgpMessage, OFFLINE);

const undo: (() => void)[] = [];
afterEach(() => {
  for (const one of undo.splice(0).reverse()) one();
});

function peerAt(address: string, changes: Partial<PeerSettings> = {}): PeerSettings {
  return peerWith({ id: address, address: parseAddress(address)!, ...changes });
}

async function listening(peers: readonly PeerSettings[], handler = new Notebook(), local = LOCAL) {
  const speaker = new Speaker(local, SYSTEM_CLOCK, dialTcp, handler);
  const listener = await BgpListener.open([{ host: '127.0.0.1', port: 0 }], (wire) => speaker.accept(wire));
  undo.push(() => {
    listener.close();
    speaker.stop({ kind: 'restart' });
  });
  speaker.start({ peers, ranges: [] });
  return { speaker, handler, port: Number(listener.addresses[0]!.split(':')[1]) };
}

/** A peer that the test plays: message types as they come, and how the connection ended. */
class PlayedPeer {
  readonly types: number[] = [];
  notification: string | null = null;
  isClosed = false;
  readonly socket: Socket;

  constructor(port: number, localAddress: string) {
    const framer = new MessageFramer();
    framer.maxBytes = 65535;
    this.socket = connect({ port, host: '127.0.0.1', localAddress });
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => {
      framer.push(chunk, (type, bytes, _view, at) => {
        this.types.push(type);
        if (type === MESSAGE_TYPE.notification) this.notification = `${bytes[at]}/${bytes[at + 1]}`;
        return true;
      });
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    undo.push(() => this.socket.destroy());
  }

  has(type: number): Promise<unknown> {
    return until(`a message of type ${type}`, () => this.types.includes(type), { everyMs: 1 });
  }

  async establish(): Promise<void> {
    this.socket.write(OPEN);
    await this.has(MESSAGE_TYPE.keepalive);
    this.socket.write(KEEPALIVE);
  }
}

describe('a session over loopback', () => {
  test('comes up however its octets are cut', async () => {
    const { handler, port } = await listening([peerAt('127.0.0.2')]);
    const peer = new PlayedPeer(port, '127.0.0.2');
    for (const octet of [...OPEN, ...KEEPALIVE]) {
      await new Promise((resolve) => peer.socket.write(Uint8Array.of(octet), resolve));
    }
    await until('the session', () => handler.session !== null);
    const { info } = handler.session!;
    expect(info.remotePort).toBe(peer.socket.localPort);
    expect(info.direction).toBe('passive');
  });

  test('comes up where OPEN and KEEPALIVE arrive together', async () => {
    const { handler, port } = await listening([peerAt('127.0.0.2')]);
    new PlayedPeer(port, '127.0.0.2').socket.write(Uint8Array.from([...OPEN, ...KEEPALIVE]));
    await until('the session', () => handler.session !== null);
    expect(handler.lines).toEqual(['up 127.0.0.2']);
  });

  test('is opened from the configured local address', async () => {
    const { handler, port } = await listening([peerAt('127.0.0.7')]);
    const other = new Notebook();
    const from = parseAddress('127.0.0.7')!;
    const settings = { mode: 'active' as const, asn: LOCAL.asn, port, localAddress: from };
    await listening([peerAt('127.0.0.1', settings)], other, { ...LOCAL, asn: 64512, bgpIdentifier: 2 });
    await until('both sides', () => handler.session !== null && other.session !== null);
    expect(other.session!.info.direction).toBe('active');
  });

  test('of two that connect to each other one remains', async () => {
    // the port of the other side is not known before it listens
    const reserve = createServer().listen(0, '127.0.0.1');
    await until('a port', () => reserve.listening);
    const port = (reserve.address() as { port: number }).port;
    await new Promise((resolve) => reserve.close(resolve));
    const left = new Notebook();
    const right = new Notebook();
    const one = new Speaker(LOCAL, SYSTEM_CLOCK, dialTcp, left);
    const listener = await BgpListener.open([{ host: '127.0.0.11', port }], (wire) => one.accept(wire));
    const two = new Speaker({ ...LOCAL, asn: 64512, bgpIdentifier: 9 }, SYSTEM_CLOCK, dialTcp, right);
    const second = await BgpListener.open([{ host: '127.0.0.12', port }], (wire) => two.accept(wire));
    undo.push(() => {
      for (const each of [listener, second]) each.close();
      for (const each of [one, two]) each.stop({ kind: 'restart' });
    });
    const settings = { mode: 'active' as const, port };
    const localAddress = (text: string) => ({ localAddress: parseAddress(text)! });
    const peerOfOne = peerAt('127.0.0.12', { ...settings, ...localAddress('127.0.0.11') });
    const peerOfTwo = peerAt('127.0.0.11', { ...settings, asn: LOCAL.asn, ...localAddress('127.0.0.12') });
    one.start({ peers: [peerOfOne], ranges: [] });
    two.start({ peers: [peerOfTwo], ranges: [] });
    await until('both sides', () => left.session !== null && right.session !== null);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([left.lines, right.lines]).toEqual([['up 127.0.0.12'], ['up 127.0.0.11']]);
    expect(left.session!.info.localPort).toBe(right.session!.info.remotePort);
  });
});

describe('a peer that misbehaves hurts nobody else', () => {
  test('garbage, flaps by the hundred and half messages', { timeout: 60_000 }, async () => {
    const { speaker, handler, port } = await listening([peerAt('127.0.0.2'), peerAt('127.0.0.3')]);
    const good = new PlayedPeer(port, '127.0.0.2');
    await good.establish();
    await until('the session', () => handler.session !== null);
    const goodSession = handler.session;
    const dribbler = new PlayedPeer(port, '127.0.0.3');
    dribbler.socket.write(OPEN.subarray(0, 20));
    const garbage = new PlayedPeer(port, '127.0.0.3');
    garbage.socket.write(new Uint8Array(100_000).fill(7));
    await until('the NOTIFICATION', () => garbage.notification === '1/1');
    dribbler.socket.destroy();
    for (let i = 0; i < 300; i++) {
      const flapping = new PlayedPeer(port, '127.0.0.3');
      await flapping.establish();
      await until('the session', () => speaker.session('127.0.0.3') !== null, { everyMs: 1 });
      flapping.socket.resetAndDestroy();
      await until('its end', () => speaker.session('127.0.0.3') === null, { everyMs: 1 });
    }
    expect(speaker.peer('127.0.0.3')!.flaps).toBe(300);
    expect(speaker.session('127.0.0.2')).toBe(goodSession);
    expect(good.notification).toBeNull();
  });

  test('one that does not read is written to up to a bound, and goes on when it reads', async () => {
    class Talker extends Notebook {
      sent = 0;
      override writable(): 'more' | 'done' {
        this.slices++;
        // 64 KiB in whole messages
        this.session!.send(SLICE);
        this.sent += SLICE.length;
        return this.sent < 32 * 1024 * 1024 ? 'more' : 'done';
      }
    }
    const { handler, port } = await listening([peerAt('127.0.0.2')], new Talker());
    const talker = handler as Talker;
    const peer = new PlayedPeer(port, '127.0.0.2');
    await peer.establish();
    await until('the session', () => handler.session !== null);
    peer.socket.pause();
    handler.session!.requestWrite();
    let before = -1;
    await until(
      'writing to stop',
      () => {
        const isStill = talker.sent === before && talker.sent > 0;
        before = talker.sent;
        return isStill;
      },
      { everyMs: 200 },
    );
    // what the kernel's buffers hold, and the bound of our own
    expect(talker.sent).toBeLessThan(16 * 1024 * 1024);
    peer.socket.resume();
    await until('the rest', () => talker.sent >= 32 * 1024 * 1024, { timeoutMs: 30_000 });
    expect(handler.session).not.toBeNull();
  });
});

/** KEEPALIVEs, 64 KiB of them. */
const SLICE = Buffer.concat(Array.from({ length: 3449 }, () => KEEPALIVE_BYTES));

describe('listening', () => {
  test('on several addresses tells where, and on IPv6', async () => {
    const listener = await BgpListener.open(
      [
        { host: '127.0.0.1', port: 0 },
        { host: '::1', port: 0 },
      ],
      (wire) => wire.end(null),
    );
    undo.push(() => listener.close());
    expect(listener.addresses[0]).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(listener.addresses[1]).toMatch(/^\[::1\]:\d+$/);
  });

  test('on a port in use, or an address of somebody else, says so', async () => {
    const { port } = await listening([]);
    const refused = (host: string, at: number) =>
      BgpListener.open([{ host, port: at }], () => {}).catch((error: unknown) => error);
    const inUse = await refused('127.0.0.1', port);
    expect(inUse).toBeInstanceOf(FlowfateError);
    expect(inUse).toMatchObject({ code: 'network', message: expect.stringContaining('is in use') });
    expect(await refused('192.0.2.1', 1790)).toMatchObject({
      message: expect.stringContaining('is no address of this machine'),
    });
  });

  test('on a descriptor that is none says so', async () => {
    const error = await BgpListener.open([{ fd: 999 }], () => {}).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'network', message: expect.stringContaining('descriptor 999') });
  });
});

test('a connection that is refused, or answered by nobody, is tried again', async () => {
  const { speaker } = await listening([
    peerAt('127.0.0.9', { mode: 'active', port: 9, connectRetryS: 0.05 }),
  ]);
  await until('an attempt to fail', () => speaker.peer('127.0.0.9')!.lastError !== null);
  expect(speaker.peer('127.0.0.9')!.lastError).toBe('cannot connect to port 9: nobody listens there');
  await until('the next attempt', () => speaker.peer('127.0.0.9')!.stateName === 'Connect', { everyMs: 1 });
});
