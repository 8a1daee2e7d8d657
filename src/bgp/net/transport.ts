/**
 * Sockets and timers of BGP: the one file that has any. It performs what `session/` asks for and knows nothing of
 * its meaning.
 *
 * - Chunks go to their connection as they come. Reading has a budget a turn of the event loop: a peer that sends
 *   without end is held back until everybody else, and every timer, has had a turn.
 * - What a peer does not take is queued in its socket; who queues looks at `queuedBytes`.
 * - `end` goes on reading until the peer has closed as well (or for {@link LINGER_MS}): closing with octets unread
 *   would reset the connection and with it the NOTIFICATION that is still on its way.
 */
import { createServer, isIPv6, type Server, Socket } from 'node:net';
import { type Address, formatAddress, ipv4, parseAddress } from '../../addr/address.js';
import { FlowfateError } from '../../errors.js';
import type { Clock, Dial, Wire, WireListener } from '../session/wire.js';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** An address, or an inherited descriptor that listens already (with TCP-MD5 or GTSM set by who opened it). */
export type ListenTarget = ListenAddress | { readonly fd: number };

export const SYSTEM_CLOCK: Clock = {
  nowMs: () => performance.now(),
  epochMs: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
  soon: (run) => {
    setImmediate(run);
  },
  draw: () => Math.random(),
};

/** setTimeout knows no more */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** how long an ended connection may take to get its last octets out */
const LINGER_MS = 3000;
/** so little is left in a socket when its session may queue more */
const LOW_WATER_BYTES = 64 * 1024;
/** reading in one turn of the event loop, over all sockets */
const READ_BUDGET_MS = 10;
/** read between two looks at the clock */
const PIECE_BYTES = 4096;
/** RFC 4271 leaves it to TCP, which takes minutes */
const CONNECT_TIMEOUT_MS = 15_000;
/** connections that are being closed; more than these are cut off at once */
const MAX_LINGERING = 256;

/** Time spent reading in this turn of the event loop, over all sockets; who comes too late waits for the next one. */
class ReadBudget {
  private endMs = -1;
  /** in the order in which they had to wait */
  private held: SocketWire[] = [];

  /** Whether there is time left; the first question of a turn begins its budget. */
  get hasTime(): boolean {
    const now = performance.now();
    if (this.endMs < 0) {
      this.endMs = now + READ_BUDGET_MS;
      setImmediate(() => this.nextTurn());
    }
    return now < this.endMs;
  }

  hold(wire: SocketWire): void {
    this.held.push(wire);
  }

  /** Those who wait have their turn first, before anything that is still in a socket. */
  private nextTurn(): void {
    this.endMs = -1;
    const waiting = this.held;
    this.held = [];
    for (const [i, wire] of waiting.entries()) {
      if (!this.hasTime) {
        this.held = [...waiting.slice(i), ...this.held];
        return;
      }
      wire.goOn();
    }
  }
}

const READ_BUDGET = new ReadBudget();
let lingering = 0;

class SocketWire implements Wire {
  readonly localAddress: Address;
  readonly localPort: number;
  readonly remoteAddress: Address;
  readonly remotePort: number;
  isHeldBack = false;
  takenBytes = 0;
  private listener: WireListener | null = null;
  private isEnded = false;
  private failure = '';
  /** what was read and had no turn yet, from {@link #backlogAt} on; nothing more is read meanwhile */
  private readonly backlog: Buffer[] = [];
  private backlogAt = 0;

  constructor(
    private readonly socket: Socket,
    readonly direction: 'active' | 'passive',
    remoteAddress: Address,
    localAddress: Address,
  ) {
    this.remoteAddress = remoteAddress;
    this.localAddress = localAddress;
    this.remotePort = socket.remotePort ?? 0;
    this.localPort = socket.localPort ?? 0;
    socket.setNoDelay(true);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.failure = lossWords(error);
    });
    socket.on('end', () => this.gone('the peer closed the connection'));
    socket.on('close', () => this.gone(this.failure || 'the connection closed'));
  }

  get queuedBytes(): number {
    return this.socket.writableLength;
  }

  start(listener: WireListener): void {
    this.listener = listener;
    this.socket.on('data', (chunk: Buffer) => {
      if (this.isEnded) return;
      this.backlog.push(chunk);
      if (!this.isHeldBack) this.read();
    });
  }

  /** It is this wire's turn again. */
  goOn(): void {
    this.isHeldBack = false;
    if (this.isEnded) return;
    this.read();
    if (!this.isHeldBack) this.socket.resume();
  }

  /** Hands on what was read, in pieces, as long as the turn has time; otherwise waits for the next one. */
  private read(): void {
    while (this.backlog.length > 0 && READ_BUDGET.hasTime) this.readPiece();
    if (this.backlog.length === 0 || this.isEnded) return;
    this.isHeldBack = true;
    this.socket.pause();
    READ_BUDGET.hold(this);
  }

  private readPiece(): void {
    const [chunk] = this.backlog;
    const piece = chunk!.subarray(this.backlogAt, this.backlogAt + PIECE_BYTES);
    this.backlogAt += piece.length;
    if (this.backlogAt >= chunk!.length) {
      this.backlog.shift();
      this.backlogAt = 0;
    }
    this.listener?.chunk(piece);
  }

  write(bytes: Uint8Array): void {
    if (this.isEnded || this.socket.destroyed) return;
    this.socket.write(bytes, () => {
      this.takenBytes += bytes.length;
      if (this.queuedBytes < LOW_WATER_BYTES && !this.isEnded) this.listener?.drained();
    });
  }

  end(last: Uint8Array | null): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.listener = null;
    this.backlog.length = 0;
    const { socket } = this;
    if (socket.destroyed) return;
    if (lingering >= MAX_LINGERING) {
      socket.destroy();
      return;
    }
    lingering++;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    socket.once('close', () => {
      lingering--;
      clearTimeout(timer);
    });
    if (last === null) socket.end();
    else socket.end(last);
    socket.resume();
  }

  private gone(reason: string): void {
    // its last words may be among what had no turn yet
    while (!this.isEnded && this.backlog.length > 0) this.readPiece();
    if (this.isEnded) return;
    const listener = this.listener;
    this.end(null);
    listener?.lost(reason);
  }
}
/** A wire for a connected socket; `null` where it has gone already. */
function wireOf(socket: Socket, direction: 'active' | 'passive'): SocketWire | null {
  const remote = addressOf(socket.remoteAddress);
  const local = addressOf(socket.localAddress);
  return remote === null || local === null ? null : new SocketWire(socket, direction, remote, local);
}

/** Without its zone; an IPv4 address that a dual-stack socket shows as IPv6 is IPv4. */
function addressOf(text: string | undefined): Address | null {
  const address = parseAddress((text ?? '').split('%')[0]!);
  if (address === null || address.family === 4) return address;
  const isMapped = address.w0 === 0 && address.w1 === 0 && address.w2 === 0xffff;
  return isMapped ? ipv4(address.w3) : address;
}

export const dialTcp: Dial = (peer, connected, failed) => {
  const socket = new Socket();
  let isOver = false;
  const over = (): boolean => {
    const was = isOver;
    isOver = true;
    clearTimeout(timer);
    return !was;
  };
  const fail = (reason: string): void => {
    if (!over()) return;
    socket.destroy();
    failed(`cannot connect to port ${peer.port}: ${reason}`);
  };
  const timer = setTimeout(() => fail('no answer'), CONNECT_TIMEOUT_MS);
  socket.once('error', (error: NodeJS.ErrnoException) => fail(lossWords(error)));
  socket.once('connect', () => {
    const wire = wireOf(socket, 'active');
    if (wire === null) fail('the connection closed');
    else if (over()) connected(wire);
  });
  const local = peer.localAddress === null ? {} : { localAddress: formatAddress(peer.localAddress) };
  socket.connect({ host: formatAddress(peer.address), port: peer.port, ...local });
  return () => {
    if (over()) socket.destroy();
    socket.on('error', () => {});
  };
};

/** Listening sockets, all of them or none. */
export class BgpListener {
  private constructor(
    private readonly servers: readonly Server[],
    /** where it listens, like "127.0.0.1:1790" and "[::1]:1790" */
    readonly addresses: readonly string[],
  ) {}

  /** Throws a FlowfateError of code `network` that says which address cannot be had, and why. */
  static async open(targets: readonly ListenTarget[], accept: (wire: Wire) => void): Promise<BgpListener> {
    const servers: Server[] = [];
    const addresses: string[] = [];
    try {
      for (const target of targets) {
        const server = await listen(target, accept);
        servers.push(server);
        addresses.push(boundTo(server));
      }
    } catch (error) {
      for (const server of servers) server.close();
      throw error;
    }
    return new BgpListener(servers, addresses);
  }

  /** Lets nobody in any more; connections go on. */
  close(): void {
    for (const server of this.servers) server.close();
  }
}

function listen(target: ListenTarget, accept: (wire: Wire) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const wire = wireOf(socket, 'passive');
    if (wire === null) socket.destroy();
    else accept(wire);
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(refusal(target, error)));
    server.listen('fd' in target ? target : { ...target, ipv6Only: isIPv6(target.host) }, () => {
      server.removeAllListeners('error');
      // one connection that cannot be taken (no descriptor left) is no reason to end
      server.on('error', () => {});
      resolve(server);
    });
  });
}

function boundTo(server: Server): string {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return String(bound);
  return hostPort(bound.address, bound.port);
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function refusal(target: ListenTarget, error: NodeJS.ErrnoException): FlowfateError {
  if ('fd' in target) {
    const sentence = `descriptor ${target.fd} is not a listening TCP socket; open it before, and pass it on`;
    return new FlowfateError('network', `${sentence} (${error.code ?? error.message})`);
  }
  const where = hostPort(target.host, target.port);
  switch (error.code) {
    case 'EADDRINUSE':
      return new FlowfateError('network', `${where} is in use by another program; choose another port`);
    case 'EACCES':
      return new FlowfateError(
        'network',
        `no right to listen on ${where}; choose a port from 1024 on, or allow it (CAP_NET_BIND_SERVICE)`,
      );
    case 'EADDRNOTAVAIL':
      return new FlowfateError('network', `${where} is no address of this machine; choose one of its own`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new FlowfateError('network', `there is no host "${target.host}" to listen on; give an address`);
    default:
      return new FlowfateError('network', `cannot listen on ${where}: ${error.message}`);
  }
}

function lossWords(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return 'the peer reset the connection';
    case 'ECONNREFUSED':
      return 'nobody listens there';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'there is no route to it';
    case 'ETIMEDOUT':
      return 'no answer';
    case 'EADDRNOTAVAIL':
      return 'the local address is not one of this machine';
    case 'EADDRINUSE':
      return 'the local address is in use';
    default:
      return error.message;
  }
}
