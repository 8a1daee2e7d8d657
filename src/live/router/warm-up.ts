/**
 * Has the hot path compiled before the first peer comes: a made-up table goes through a router that is thrown away,
 * from the octets of one connection to those of another, several times in and out.
 *
 * A table of 10^5 prefixes takes less time to hold than the JIT takes to find out what is hot, so without this the
 * first table after a start costs two to three times as much as the second.
 */
import { type Address, ipv4 } from '../../addr/address.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../bgp/codec/address-family.js';
import type { Capability } from '../../bgp/codec/capability.js';
import { OFFLINE } from '../../bgp/codec/codec-context.js';
import { encodeMessage, KEEPALIVE_BYTES } from '../../bgp/codec/message-codec.js';
import { makeOpen } from '../../bgp/codec/open-message.js';
import { FEEDER_ASN, madeUpTable } from '../../bgp/rib/made-up-table.js';
import { Speaker } from '../../bgp/session/speaker.js';
import type { Clock, Wire, WireListener } from '../../bgp/session/wire.js';
import { LiveRouter } from './live-router.js';
import { routerConfig } from './router-config.js';
import { RouterLog } from './router-log.js';

/** what was compiled for one router has to do for another */
const ROUTERS = 2;
const ROUNDS = 3;
/** as sockets give it */
const CHUNK_BYTES = 65536;
const OUR_ADDRESS = ipv4(0xc63364fe);
const FEEDER = ipv4(0xc6336401);
const SINK = ipv4(0xc6336402);
const SINK_ASN = 64498;

const CONFIGURATION = `
apiVersion: flowfate.dev/v1
kind: Router
spec:
  asn: 64496
  routerId: 198.51.100.254
  peers:
    - { address: 198.51.100.1, asn: ${FEEDER_ASN}, passive: true, families: [ipv4-unicast, ipv6-unicast], import: all, export: all }
    - { address: 198.51.100.2, asn: ${SINK_ASN}, passive: true, families: [ipv4-unicast, ipv6-unicast], import: all, export: all }
`;

/** Runs once, before sessions begin; takes some hundred milliseconds. */
export function warmUp(): void {
  const announcements = madeUpTable('announce');
  const withdrawals = madeUpTable('withdraw');
  for (let i = 0; i < ROUTERS; i++) fillAndEmpty(announcements, withdrawals);
}

function fillAndEmpty(announcements: Uint8Array, withdrawals: Uint8Array): void {
  const clock = new ManualClock();
  const overrides = { start: 'fresh', ownAddresses: [], usualTtl: null } as const;
  const config = routerConfig({ name: 'made-up', text: CONFIGURATION }, overrides);
  const router = new LiveRouter(config, [], clock, new RouterLog(() => {}, clock));
  const speaker = new Speaker(config.local, clock, () => () => {}, router);
  speaker.start(config.peers);
  const feeder = new MadeUpWire(FEEDER);
  const sink = new MadeUpWire(SINK);
  connect(speaker, feeder, FEEDER_ASN);
  connect(speaker, sink, SINK_ASN);
  for (let round = 0; round < ROUNDS; round++) {
    for (const stream of [announcements, announcements, withdrawals]) {
      for (let at = 0; at < stream.length; at += CHUNK_BYTES) {
        feeder.hear(stream.subarray(at, at + CHUNK_BYTES));
        clock.run();
      }
    }
  }
  feeder.lose();
  clock.run();
}

function connect(speaker: Speaker, wire: MadeUpWire, asn: number): void {
  const families = [IPV4_UNICAST, IPV6_UNICAST];
  const capabilities = families.map((family): Capability => ({ code: 1, kind: 'multiprotocol', family }));
  speaker.accept(wire);
  // without a hold time no timer runs
  wire.hear(encodeMessage(makeOpen(asn, wire.remoteAddress.w0, 0, capabilities), OFFLINE));
  wire.hear(KEEPALIVE_BYTES);
}

/** A connection whose other end takes everything at once. */
class MadeUpWire implements Wire {
  readonly direction = 'passive';
  readonly localAddress = OUR_ADDRESS;
  readonly localPort = 179;
  readonly remotePort = 1024;
  readonly queuedBytes = 0;
  readonly isHeldBack = false;
  takenBytes = 0;
  private listener: WireListener | null = null;

  constructor(readonly remoteAddress: Address) {}

  start(listener: WireListener): void {
    this.listener = listener;
  }

  write(bytes: Uint8Array): void {
    this.takenBytes += bytes.length;
    this.listener?.drained();
  }

  end(): void {
    this.listener = null;
  }

  /** As a socket's chunk: a Buffer. */
  hear(bytes: Uint8Array): void {
    this.listener?.chunk(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  }

  lose(): void {
    this.listener?.lost('the table is done');
  }
}

/** Time stands still; what is due soon waits for {@link run}. */
class ManualClock implements Clock {
  private readonly due: (() => void)[] = [];

  nowMs(): number {
    return 0;
  }

  epochMs(): number {
    return 0;
  }

  after(): () => void {
    return () => {};
  }

  soon(run: () => void): void {
    this.due.push(run);
  }

  draw(): number {
    return 0;
  }

  run(): void {
    for (let run = this.due.shift(); run !== undefined; run = this.due.shift()) run();
  }
}
