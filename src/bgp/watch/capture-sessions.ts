/**
 * The BGP sessions inside a capture: TCP segments of port 179 in, messages with their time out.
 *
 * Who takes frames apart is the caller (this room knows no headers below TCP's payload). Each connection has
 * two streams; its OPENs, where they are in the capture, decide how its UPDATEs are read. A stream that begins
 * or goes on in the middle of a message is picked up at the next segment that begins with a marker.
 */

import { type StreamReader, TcpStream } from '../../flow/tcp-stream.js';
import { type DecodedMessage, OfflineDecoder } from '../codec/decode-input.js';
import { MESSAGE_TYPE, type MessageFault, type OpenMessage } from '../codec/message.js';
import { MAX_EXTENDED_MESSAGE_BYTES, MessageFramer } from '../codec/message-framer.js';

export const BGP_PORT = 179;

export interface BgpSegment {
  readonly timeS: number;
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
  readonly seq: number;
  readonly isSyn: boolean;
  /** FIN or RST: the connection ends */
  readonly isEnd: boolean;
  readonly payload: Uint8Array;
}

/** What a session in the capture said. */
export interface CapturedMessage {
  /** time of the segment that completed the message */
  readonly timeS: number;
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
  /** `null`: these octets are no BGP message, and `fault` says why */
  readonly decoded: DecodedMessage | null;
  readonly fault: MessageFault | null;
  /** the message without its header, valid during the call */
  readonly body: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Either end of one connection. */
interface Side {
  readonly stream: TcpStream;
  readonly decoder: OfflineDecoder;
  open: OpenMessage | null;
}

export class CaptureSessions {
  private readonly sides = new Map<string, Side>();
  private readonly onMessage: (message: CapturedMessage) => void;
  private readonly onEnd: (segment: BgpSegment) => void;
  private takeSegment: BgpSegment | null = null;

  /** `onEnd` hears of every FIN and RST, after the messages before it. */
  constructor(
    onMessage: (message: CapturedMessage) => void,
    onEnd: (segment: BgpSegment) => void = () => {},
  ) {
    this.onMessage = onMessage;
    this.onEnd = onEnd;
  }

  segment(segment: BgpSegment): void {
    this.takeSegment = segment;
    const key = keyOf(segment.src, segment.srcPort, segment.dst, segment.dstPort);
    const reverse = keyOf(segment.dst, segment.dstPort, segment.src, segment.srcPort);
    if (segment.isSyn) {
      // ports are used again: a SYN with new numbers is a new connection
      const side = this.sides.get(key);
      if (side === undefined || side.open !== null) this.sides.set(key, this.makeSide(key, reverse));
    }
    let side = this.sides.get(key);
    if (side === undefined) {
      side = this.makeSide(key, reverse);
      this.sides.set(key, side);
    }
    if (segment.isSyn) side.stream.syn(segment.seq);
    side.stream.segment(segment.isSyn ? (segment.seq + 1) >>> 0 : segment.seq, segment.payload);
    if (segment.isEnd) this.onEnd(segment);
  }

  /** The capture has ended. */
  end(): void {
    if (this.takeSegment === null) return;
    for (const side of this.sides.values()) side.stream.end();
  }

  private makeSide(key: string, reverse: string): Side {
    const decoder = new OfflineDecoder();
    const [src, srcPort, dst, dstPort] = key.split(' ') as [string, string, string, string];
    const ends = { src, srcPort: Number(srcPort), dst, dstPort: Number(dstPort) };
    const report = (decoded: DecodedMessage | null, fault: MessageFault | null, body: Uint8Array): void =>
      this.onMessage({ timeS: this.takeSegment!.timeS, ...ends, decoded, fault, body });
    const reader = new FramedStream(
      (decoded, body) => {
        const { message } = decoded;
        if (message?.type === MESSAGE_TYPE.open) this.learnOpen(side, message, reverse);
        report(decoded, null, body);
      },
      (fault) => report(null, fault, NO_BYTES),
      decoder,
    );
    const side: Side = { stream: new TcpStream(reader), decoder, open: null };
    return side;
  }

  private learnOpen(side: Side, open: OpenMessage, reverse: string): void {
    side.open = open;
    const other = this.sides.get(reverse);
    if (other === undefined || other.open === null) return;
    side.decoder.agree(open, other.open);
    other.decoder.agree(other.open, open);
  }
}

/** Cuts one stream into messages, and finds the next one after octets that are lost or no BGP. */
class FramedStream implements StreamReader {
  private framer = newFramer();
  private isLost = false;
  private readonly onMessage: (decoded: DecodedMessage, body: Uint8Array) => void;
  private readonly onFault: (fault: MessageFault) => void;
  private readonly decoder: OfflineDecoder;

  constructor(
    onMessage: (decoded: DecodedMessage, body: Uint8Array) => void,
    onFault: (fault: MessageFault) => void,
    decoder: OfflineDecoder,
  ) {
    this.onMessage = onMessage;
    this.onFault = onFault;
    this.decoder = decoder;
  }

  onGap(): void {
    this.isLost = true;
  }

  onBytes(bytes: Uint8Array): void {
    if (this.isLost) {
      if (!beginsWithMarker(bytes)) return;
      this.framer = newFramer();
      this.isLost = false;
    }
    const fault = this.framer.push(bytes, (type, chunk, view, at, end) => {
      this.onMessage(this.decoder.decode(type, chunk, view, at, end), chunk.subarray(at, end));
      return true;
    });
    if (fault === null) return;
    this.onFault(fault);
    this.isLost = true;
  }
}

function newFramer(): MessageFramer {
  const framer = new MessageFramer();
  framer.maxBytes = MAX_EXTENDED_MESSAGE_BYTES;
  return framer;
}

function beginsWithMarker(bytes: Uint8Array): boolean {
  if (bytes.length < 16) return false;
  for (let i = 0; i < 16; i++) if (bytes[i] !== 0xff) return false;
  return true;
}

function keyOf(src: string, srcPort: number, dst: string, dstPort: number): string {
  return `${src} ${srcPort} ${dst} ${dstPort}`;
}
