/**
 * One direction of a TCP connection, put back in order from the segments of a capture: retransmissions are
 * dropped, segments out of order wait, sequence numbers wrap.
 *
 * A capture may miss packets. When too much waits behind a hole, the hole is given up: the stream goes on after
 * it, and its reader is told to find its footing again.
 */

/** What waits behind a hole before it is given up: more than any sender has in flight to a BGP peer. */
const MAX_WAITING_BYTES = 1 << 20;

interface Waiting {
  readonly seq: number;
  readonly bytes: Uint8Array;
}

export interface StreamReader {
  /** The next octets of the stream, valid during the call. */
  onBytes(bytes: Uint8Array): void;
  /** Octets are missing here; what follows may begin anywhere in a message. */
  onGap(): void;
}

export class TcpStream {
  private readonly reader: StreamReader;
  /** sequence number of the next octet; -1 before the first segment */
  private next = -1;
  private waiting: Waiting[] = [];
  private waitingBytes = 0;

  constructor(reader: StreamReader) {
    this.reader = reader;
  }

  /** A SYN with sequence number `seq`: the stream begins after it. A repeated SYN changes nothing. */
  syn(seq: number): void {
    if (this.next === -1) this.next = (seq + 1) >>> 0;
  }

  /** A segment with data. The first one of a stream whose SYN was not seen begins it, after a gap. */
  segment(seq: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.next === -1) {
      this.next = seq;
      this.reader.onGap();
    }
    const ahead = (seq - this.next) | 0;
    if (ahead > 0) this.wait(seq, bytes);
    else {
      this.deliver(seq, bytes);
      this.drain();
    }
  }

  /** The capture has ended: what waits behind holes comes out. */
  end(): void {
    while (this.waiting.length > 0) this.giveUpHole();
  }

  private wait(seq: number, bytes: Uint8Array): void {
    const index = this.waiting.findIndex((w) => ((w.seq - seq) | 0) > 0);
    this.waiting.splice(index < 0 ? this.waiting.length : index, 0, {
      seq,
      bytes: new Uint8Array(bytes),
    });
    this.waitingBytes += bytes.length;
    while (this.waitingBytes > MAX_WAITING_BYTES) this.giveUpHole();
  }

  private giveUpHole(): void {
    this.next = this.waiting[0]!.seq;
    this.reader.onGap();
    this.drain();
  }

  /** Hands on the part of `bytes` that is new. */
  private deliver(seq: number, bytes: Uint8Array): void {
    const old = (this.next - seq) | 0;
    if (old >= bytes.length) return;
    this.next = (seq + bytes.length) >>> 0;
    this.reader.onBytes(old === 0 ? bytes : bytes.subarray(old));
  }

  private drain(): void {
    while (this.waiting.length > 0 && ((this.waiting[0]!.seq - this.next) | 0) <= 0) {
      const { seq, bytes } = this.waiting.shift()!;
      this.waitingBytes -= bytes.length;
      this.deliver(seq, bytes);
    }
  }
}
