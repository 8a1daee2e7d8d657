/** Two ends in this process, on loopback addresses of their own: real sockets, real timers, short intervals. */
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, test } from 'vitest';
import { parseAddress } from '../../../../src/addr/address.js';
import type { BfdEvent, BfdPeer } from '../../../../src/bgp/bfd/bfd.js';
import { BFD_PORT, BfdTransport } from '../../../../src/bgp/net/bfd-transport.js';
import { until } from '../../../support/wait.js';

const LEFT = parseAddress('127.84.5.1')!;
const RIGHT = parseAddress('127.84.5.2')!;
const TO_RIGHT: BfdPeer = { address: RIGHT, localAddress: LEFT };
const TO_LEFT: BfdPeer = { address: LEFT, localAddress: RIGHT };
const SETTINGS = { intervalMs: 20, multiplier: 5 };

const opened: BfdTransport[] = [];
const troubles: string[] = [];
function open(): BfdTransport {
  const transport = new BfdTransport({ onTrouble: (sentence) => troubles.push(sentence) });
  opened.push(transport);
  return transport;
}
afterEach(async () => {
  for (const transport of opened.splice(0)) await transport.close();
  troubles.length = 0;
});

/** The right end without a state machine of its own: answers Init to the first packet and Up to the others. */
async function scriptedEnd({ multiplier, answers }: { multiplier: number; answers: number }) {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(BFD_PORT, '127.84.5.2', resolve));
  let answered = 0;
  const answer = Buffer.alloc(24);
  socket.on('message', (packet, from) => {
    if (answered === answers) return;
    answer.set([0x20, answered === 0 ? 0x80 : 0xc0, multiplier, 24]);
    answered++;
    answer.writeUInt32BE(99, 4);
    packet.copy(answer, 8, 4, 8);
    answer.writeUInt32BE(20_000, 12);
    answer.writeUInt32BE(20_000, 16);
    socket.send(Buffer.from(answer), BFD_PORT, from.address);
  });
  return { answered: () => answered, lastAnswer: () => answer, close: () => socket.close() };
}

/** A socket whose packets to the left end are under way when send() returns. */
async function voice(address: string): Promise<Socket> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  await new Promise<void>((resolve) => socket.connect(BFD_PORT, '127.84.5.1', resolve));
  return socket;
}

describe('BFD over UDP', () => {
  test('comes up between two ends and agrees on both intervals', async () => {
    const heard: BfdEvent[] = [];
    const left = open().watch(TO_RIGHT, SETTINGS, (event) => heard.push(event));
    const right = open().watch(TO_LEFT, { intervalMs: 60, multiplier: 4 }, () => {});
    await until('the news', () => heard.length > 0);
    await until('the agreed pace', () => left.report().transmitIntervalUs === 60_000);
    await until('the agreed patience', () => right.report().detectionTimeUs === 300_000);
    expect(heard).toEqual([{ kind: 'up' }]);
    expect(left.report()).toMatchObject({ state: 'Up', remoteState: 'Up', detectionTimeUs: 240_000 });
    expect(left.report().remoteDiscriminator).toBe(right.report().localDiscriminator);
    expect(troubles).toEqual([]);
  });

  test('says “administratively” when the other end stops watching, and comes up again', async () => {
    const heard: BfdEvent[] = [];
    open().watch(TO_RIGHT, SETTINGS, (event) => heard.push(event));
    const other = open();
    const first = other.watch(TO_LEFT, SETTINGS, () => {});
    await until('up', () => heard.length === 1);
    const { localDiscriminator } = first.report();
    first.stop();
    await until('the end', () => heard.length === 2);
    expect(heard[1]).toMatchObject({ kind: 'down', why: 'administratively' });
    const second = other.watch(TO_LEFT, SETTINGS, () => {});
    await until('up again', () => heard.length === 3);
    expect(second.report().localDiscriminator).toBe(localDiscriminator);
  });

  test('says “failed” when the other end falls silent', async () => {
    const heard: BfdEvent[] = [];
    open().watch(TO_RIGHT, SETTINGS, (event) => heard.push(event));
    const mute = await scriptedEnd({ multiplier: 3, answers: 2 });
    await until('both', () => heard.length === 2);
    mute.close();
    expect(heard).toEqual([
      { kind: 'up' },
      { kind: 'down', why: 'failed', reason: 'control detection time expired' },
    ]);
  });

  test('reads all that waits in its socket, however much, before it takes its own delay for silence', async () => {
    const heard: BfdEvent[] = [];
    const left = open().watch(TO_RIGHT, SETTINGS, (event) => heard.push(event));
    const far = await scriptedEnd({ multiplier: 50, answers: Number.POSITIVE_INFINITY });
    await until('up', () => heard.length === 1);
    await until('the far end’s patience', () => left.report().detectionTimeUs === 1_000_000);
    const stranger = await voice('127.84.5.3');
    const peer = await voice('127.84.5.2');
    const word = Buffer.from(far.lastAnswer());
    // one turn of the event loop: packets of others first, the peer's last, and all of them wait
    for (let i = 0; i < 150; i++) stranger.send(Buffer.alloc(24));
    peer.send(word);
    const end = performance.now() + 1200;
    while (performance.now() < end);
    const before = far.answered();
    await until('ten packets more', () => far.answered() > before + 10);
    for (const socket of [stranger, peer, far]) socket.close();
    expect(heard).toEqual([{ kind: 'up' }]);
  });

  test('discards what another address sends with a discriminator that is good', async () => {
    const heard: BfdEvent[] = [];
    const left = open().watch(TO_RIGHT, SETTINGS, (event) => heard.push(event));
    open().watch(TO_LEFT, SETTINGS, () => {});
    await until('up', () => left.report().state === 'Up');
    const forger = createSocket('udp4');
    await new Promise<void>((resolve) => forger.bind(0, '127.84.5.3', resolve));
    const forged = Buffer.alloc(24);
    forged.set([0x20, 0x40, 3, 24]);
    forged.writeUInt32BE(99, 4);
    forged.writeUInt32BE(left.report().localDiscriminator, 8);
    await new Promise((resolve) => forger.send(forged, BFD_PORT, '127.84.5.1', resolve));
    const { transmitIntervalUs } = left.report();
    await until('some packets more', () => new Promise((r) => setTimeout(r, transmitIntervalUs / 200, true)));
    forger.close();
    expect(left.report().state).toBe('Up');
    expect(heard).toEqual([{ kind: 'up' }]);
  });

  test('keeps one session for two watches of the same addresses', async () => {
    const heard: string[] = [];
    const both = open();
    const one = both.watch(TO_RIGHT, SETTINGS, ({ kind }) => heard.push(`one ${kind}`));
    const two = both.watch(TO_RIGHT, SETTINGS, ({ kind }) => heard.push(`two ${kind}`));
    open().watch(TO_LEFT, SETTINGS, () => {});
    await until('up', () => heard.length === 2);
    one.stop();
    expect(two.report()).toEqual({ ...one.report(), state: 'Up' });
    expect(heard.sort()).toEqual(['one up', 'two up']);
  });

  test('says which port is taken', async () => {
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind(BFD_PORT, '127.84.5.1', resolve));
    open().watch(TO_RIGHT, SETTINGS, () => {});
    await until('the complaint', () => troubles.length > 0);
    taken.close();
    expect(troubles).toEqual([
      'BFD cannot receive on 127.84.5.1, UDP port 3784: the port is in use; does another BFD daemon run here?',
    ]);
  });
});
