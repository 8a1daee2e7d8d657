/**
 * BFD over UDP: the sockets and timers of all sessions of this process, RFC 5881.
 *
 *   one socket a local address, port 3784 ──► demultiplexer ──► session ──► its own socket, port 49152 or more
 *
 * Packets go out with TTL 255 (section 5). That what comes in had 255 cannot be read from node:dgram; a packet has to
 * come from a watched peer's address to the address watched with it, and all but the first have to know a random
 * discriminator. Where others can reach port 3784, a packet filter in front is to drop what has another TTL.
 *
 * Invariants:
 * - a packet belongs to the session that its Your Discriminator names, and only from that session's peer; one without
 *   a discriminator to the session of its two addresses (RFC 5880 section 6.8.6);
 * - a timer that fires late first lets the socket be read until it is empty: a busy program does not take its own delay
 *   for the peer's silence.
 */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { type Address, formatAddress } from '../../addr/address.js';
import type { Bfd, BfdEvent, BfdPeer, BfdReport, BfdSettings, BfdWatch } from '../bfd/bfd.js';
import {
  type BfdAction,
  type BfdInput,
  type BfdState,
  beginBfd,
  jitteredUs,
  lingerTimeUs,
  reportOf,
  stepBfd,
} from '../bfd/bfd-machine.js';
import { readControlPacket, writeControlPacket } from '../bfd/control-packet.js';

export const BFD_PORT = 3784;
const FIRST_SOURCE_PORT = 49152;
const BIND_ATTEMPTS = 32;

export interface BfdTransportOptions {
  /** a sentence about what keeps a session from working, a port in use for one */
  readonly onTrouble: (sentence: string) => void;
}

export class BfdTransport implements Bfd {
  private readonly options: BfdTransportOptions;
  private readonly receivers = new Map<string, Receiver>();
  private readonly byDiscriminator = new Map<number, Watched>();
  private readonly byAddresses = new Map<string, Watched>();
  private isClosed = false;

  constructor(options: BfdTransportOptions) {
    this.options = options;
  }

  watch(peer: BfdPeer, settings: BfdSettings, listener: (event: BfdEvent) => void): BfdWatch {
    if (this.isClosed) throw new TypeError('BfdTransport.watch: expected an open transport');
    const key = addressesKey(peer);
    const watched = this.byAddresses.get(key) ?? this.add(peer, key, settings);
    watched.resume(settings, listener);
    return {
      report: () => watched.report(),
      stop: () => watched.leave(listener, () => this.remove(watched, key)),
    };
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.byDiscriminator.values()].map((watched) => watched.farewell()));
    this.byDiscriminator.clear();
    this.byAddresses.clear();
    for (const { socket } of this.receivers.values()) closeSocket(socket);
    this.receivers.clear();
  }

  private add(peer: BfdPeer, key: string, settings: BfdSettings): Watched {
    let discriminator = 0;
    do discriminator = randomInt(1, 2 ** 32);
    while (this.byDiscriminator.has(discriminator));
    const receiver = this.acquireReceiver(peer.localAddress);
    const watched = new Watched(peer, settings, discriminator, receiver, this.options.onTrouble);
    this.byDiscriminator.set(discriminator, watched);
    this.byAddresses.set(key, watched);
    return watched;
  }

  private remove(watched: Watched, key: string): void {
    this.byDiscriminator.delete(watched.discriminator);
    this.byAddresses.delete(key);
    const local = formatAddress(watched.peer.localAddress);
    const receiver = this.receivers.get(local);
    if (receiver === undefined || --receiver.users > 0) return;
    closeSocket(receiver.socket);
    this.receivers.delete(local);
  }

  private acquireReceiver(address: Address): Receiver {
    const { family } = address;
    const local = formatAddress(address);
    const known = this.receivers.get(local);
    if (known !== undefined) {
      known.users++;
      return known;
    }
    const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6', ipv6Only: family === 6 });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.options.onTrouble(`BFD cannot receive on ${local}, UDP port ${BFD_PORT}: ${bindTrouble(error)}`);
    });
    const receiver: Receiver = { socket, users: 1, packetsRead: 0 };
    socket.on('message', (payload, from) => {
      receiver.packetsRead++;
      this.receive(payload, from.address, local);
    });
    socket.bind({ address: local, port: BFD_PORT });
    this.receivers.set(local, receiver);
    return receiver;
  }

  private receive(payload: Uint8Array, from: string, to: string): void {
    const packet = readControlPacket(payload);
    if (typeof packet === 'string') return;
    const watched =
      packet.yourDiscriminator === 0
        ? this.byAddresses.get(`${from} ${to}`)
        : this.byDiscriminator.get(packet.yourDiscriminator);
    if (watched === undefined || watched.peerText !== from) return;
    watched.perform({ kind: 'packet', packet });
  }
}

interface Receiver {
  readonly socket: Socket;
  users: number;
  /** by whomever they were sent */
  packetsRead: number;
}

/** A session with its socket and its timers. */
class Watched {
  readonly peerText: string;
  /** several sessions may share the two addresses; the settings are those of the last that came */
  private readonly listeners = new Set<(event: BfdEvent) => void>();
  private readonly socket: Socket;
  private state: BfdState;
  private isReady = false;
  private isOver = false;
  private bindAttempts = 0;
  private packetsHeard = 0;
  private transmitTimer: NodeJS.Timeout | undefined;
  private detectionTimer: NodeJS.Timeout | undefined;
  private lingerTimer: NodeJS.Timeout | undefined;

  constructor(
    readonly peer: BfdPeer,
    settings: BfdSettings,
    readonly discriminator: number,
    private readonly receiver: Receiver,
    onTrouble: (sentence: string) => void,
  ) {
    this.peerText = formatAddress(peer.address);
    this.state = beginBfd(settings, discriminator).state;
    this.socket = createSocket(peer.address.family === 4 ? 'udp4' : 'udp6');
    this.socket.on('listening', () => {
      this.socket.setTTL(255);
      this.isReady = true;
      this.perform({ kind: 'transmitDue' });
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' && ++this.bindAttempts < BIND_ATTEMPTS) this.bind();
      else onTrouble(`BFD cannot send to ${this.peerText}: ${bindTrouble(error)}`);
    });
    this.bind();
  }

  report(): BfdReport {
    return reportOf(this.state);
  }

  /** A new session, or one that is still telling its peer of its end, takes up work. */
  resume(settings: BfdSettings, listener: (event: BfdEvent) => void): void {
    this.listeners.add(listener);
    clearTimeout(this.lingerTimer);
    this.perform({ kind: 'changeSettings', settings });
    this.perform({ kind: 'enable' });
  }

  /** After the last one, AdminDown is told for a detection time (RFC 5880 section 6.8.16); then all is over. */
  leave(listener: (event: BfdEvent) => void, onOver: () => void): void {
    if (!this.listeners.delete(listener) || this.listeners.size > 0) return;
    this.perform({ kind: 'disable' });
    this.lingerTimer = setTimeout(() => {
      this.end();
      onOver();
    }, lingerTimeUs(this.state) / 1000);
    this.lingerTimer.unref();
  }

  /** One last AdminDown: the process ends and waits for nobody. */
  async farewell(): Promise<void> {
    this.listeners.clear();
    const { state, actions } = stepBfd(this.state, { kind: 'disable' });
    this.state = state;
    const last = actions.find((action) => action.do === 'send');
    if (last !== undefined && this.isReady && !this.isOver) {
      const bytes = writeControlPacket(last.packet);
      await new Promise<void>((resolve) => {
        this.socket.send(bytes, BFD_PORT, this.peerText, () => resolve());
      });
    }
    this.end();
  }

  perform(input: BfdInput): void {
    if (this.isOver) return;
    if (input.kind === 'packet') this.packetsHeard++;
    const { state, actions } = stepBfd(this.state, input);
    this.state = state;
    if (this.isReady) this.act(actions);
  }

  private bind(): void {
    const port = randomInt(FIRST_SOURCE_PORT, 65536);
    this.socket.bind({ address: formatAddress(this.peer.localAddress), port });
  }

  private act(actions: readonly BfdAction[]): void {
    for (const action of actions) {
      switch (action.do) {
        case 'send':
          // what cannot be sent now is as good as lost on the way: the peer's detection time is there for it
          this.socket.send(writeControlPacket(action.packet), BFD_PORT, this.peerText, () => {});
          break;
        case 'startTransmitTimer':
          this.startTransmitTimer(action.intervalUs);
          break;
        case 'startDetectionTimer':
          this.startDetectionTimer(action.timeUs);
          break;
        case 'notify': {
          const { event } = action;
          for (const listener of this.listeners) {
            queueMicrotask(() => this.listeners.has(listener) && listener(event));
          }
          break;
        }
        default:
          action satisfies never;
      }
    }
  }

  private startTransmitTimer(intervalUs: number): void {
    clearTimeout(this.transmitTimer);
    if (intervalUs === 0) return;
    const delayUs = jitteredUs(intervalUs, this.state.settings.multiplier, Math.random());
    this.transmitTimer = setTimeout(() => this.perform({ kind: 'transmitDue' }), delayUs / 1000);
    this.transmitTimer.unref();
  }

  private startDetectionTimer(timeUs: number): void {
    clearTimeout(this.detectionTimer);
    const timeMs = timeUs / 1000;
    this.detectionTimer = setTimeout(() => {
      this.confirmSilence(this.packetsHeard, performance.now() + timeMs);
    }, timeMs);
    this.detectionTimer.unref();
  }

  /**
   * Timers run before sockets are read, immediates after; and a turn of the event loop reads 32 packets of a socket.
   * While it reads any, whoever sent them, the peer's may wait behind them: for one detection time more at most.
   */
  private confirmSilence(heardBefore: number, untilMs: number): void {
    const readBefore = this.receiver.packetsRead;
    setImmediate(() => {
      if (this.packetsHeard !== heardBefore) return;
      const mayWait = this.receiver.packetsRead !== readBefore && performance.now() < untilMs;
      if (mayWait) this.confirmSilence(heardBefore, untilMs);
      else this.perform({ kind: 'detectionExpired' });
    });
  }

  private end(): void {
    this.isOver = true;
    clearTimeout(this.transmitTimer);
    clearTimeout(this.detectionTimer);
    clearTimeout(this.lingerTimer);
    closeSocket(this.socket);
  }
}

function addressesKey({ address, localAddress }: BfdPeer): string {
  return `${formatAddress(address)} ${formatAddress(localAddress)}`;
}

/** A socket whose binding failed is closed already, which is fine. */
function closeSocket(socket: Socket): void {
  try {
    socket.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING') throw error;
  }
}

function bindTrouble({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use; does another BFD daemon run here?';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have the address';
    default:
      return message;
  }
}
