/**
 * Cuts a byte stream into BGP messages (RFC 4271 section 4.1, RFC 8654), whatever the sizes of its chunks.
 *
 * Whole messages are handed on where they lie in the chunk; only one that is split over chunks is put together
 * in a buffer of the framer's own. So a message is valid during the call that hands it on, and no longer.
 */
import { copyOctets } from './copy-octets.js';
import { HEADER_BYTES, MESSAGE_TYPE, type MessageFault } from './message.js';
import { ERROR_CODE, HEADER_ERROR } from './notification-code.js';

/** The body of the message is `bytes[at .. end)`. True to go on, false to leave the rest of the chunk alone. */
export type MessageVisitor = (
  type: number,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
) => boolean;

export interface FrameFault extends MessageFault {
  /**
   * type of the message at fault; 0 where it is not known. A NOTIFICATION at fault must not be answered with
   * another one (RFC 4271 section 6.4).
   */
  readonly messageType: number;
}

const MAX_MESSAGE_BYTES = 4096;
export const MAX_EXTENDED_MESSAGE_BYTES = 65535;

/** shortest message of each type: RFC 4271 section 6.1, RFC 2918 section 3 */
const MIN_BYTES = [0, 29, 23, 21, 19, 23];

export class MessageFramer {
  /** Longest message accepted; a session raises it once RFC 8654 is negotiated. */
  maxBytes = MAX_MESSAGE_BYTES;

  /** Start of a message of which the rest has not come yet. */
  private pending = new Uint8Array(MAX_MESSAGE_BYTES);
  private pendingView = new DataView(this.pending.buffer);
  private heldBytes = 0;
  private fault: FrameFault | null = null;
  private isStopped = false;

  /** Octets of an incomplete message held back. */
  get pendingBytes(): number {
    return this.heldBytes;
  }

  /**
   * Hands every message completed by `chunk` to `visit`, in order. Returns the fault that ends the stream, or
   * `null`; after a fault, or after `visit` returned false, every further chunk is ignored.
   */
  push(chunk: Uint8Array, visit: MessageVisitor): FrameFault | null {
    if (this.fault !== null || this.isStopped) return this.fault;
    let at = 0;
    if (this.heldBytes > 0) {
      at = this.complete(chunk, visit);
      if (at < 0) return this.fault;
    }
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    while (chunk.length - at >= HEADER_BYTES) {
      const length = this.checkHeader(chunk, at);
      if (length < 0) return this.fault;
      if (chunk.length - at < length) break;
      if (!visit(chunk[at + 18]!, chunk, view, at + HEADER_BYTES, at + length)) {
        this.isStopped = true;
        return null;
      }
      at += length;
    }
    this.keep(chunk, at, chunk.length);
    return null;
  }

  /** Completes the pending message from `chunk`; offset after what was used, -1 where the stream has ended. */
  private complete(chunk: Uint8Array, visit: MessageVisitor): number {
    const forHeader = Math.min(Math.max(HEADER_BYTES - this.heldBytes, 0), chunk.length);
    this.keep(chunk, 0, forHeader);
    if (this.heldBytes < HEADER_BYTES) return chunk.length;
    const length = this.checkHeader(this.pending, 0);
    if (length < 0) return -1;
    const end = Math.min(forHeader + length - this.heldBytes, chunk.length);
    this.keep(chunk, forHeader, end);
    if (this.heldBytes < length) return chunk.length;
    this.heldBytes = 0;
    if (visit(this.pending[18]!, this.pending, this.pendingView, HEADER_BYTES, length)) return end;
    this.isStopped = true;
    return -1;
  }

  private keep(chunk: Uint8Array, at: number, end: number): void {
    const need = this.heldBytes + end - at;
    if (need > this.pending.length) {
      const grown = new Uint8Array(MAX_EXTENDED_MESSAGE_BYTES);
      grown.set(this.pending.subarray(0, this.heldBytes));
      this.pending = grown;
      this.pendingView = new DataView(grown.buffer);
    }
    for (let i = at; i < end; i++) this.pending[this.heldBytes++] = chunk[i]!;
  }

  /** Length of the message whose header is at `at`; -1 with {@link #fault} set where it is not acceptable. */
  private checkHeader(bytes: Uint8Array, at: number): number {
    this.fault = checkHeader(bytes, at, this.maxBytes);
    return this.fault === null ? (bytes[at + 16]! << 8) | bytes[at + 17]! : -1;
  }
}

/** What is wrong with the header `bytes[at .. at + 19)`; `null` where nothing is. */
export function checkHeader(bytes: Uint8Array, at: number, maxBytes: number): FrameFault | null {
  for (let i = at; i < at + 16; i++) {
    if (bytes[i] !== 0xff) return headerFault(HEADER_ERROR.notSynchronized, 0, 'the marker is not all ones');
  }
  const length = (bytes[at + 16]! << 8) | bytes[at + 17]!;
  const type = bytes[at + 18]!;
  if (length < HEADER_BYTES || length > maxBytes) {
    return lengthFault(bytes, at, `a message of ${length} octets`);
  }
  if (type === 0 || type >= MIN_BYTES.length) {
    return headerFault(HEADER_ERROR.badType, type, `message type ${type}`, Uint8Array.of(type));
  }
  if (length < MIN_BYTES[type]! || length > longest(type, maxBytes)) {
    return lengthFault(bytes, at, `a message of type ${type} with ${length} octets`);
  }
  return null;
}

/** RFC 8654 section 4: OPEN and KEEPALIVE never grow. */
function longest(type: number, maxBytes: number): number {
  if (type === MESSAGE_TYPE.keepalive) return HEADER_BYTES;
  return type === MESSAGE_TYPE.open ? MAX_MESSAGE_BYTES : maxBytes;
}

/** RFC 4271 section 6.1: the data is the length field. */
function lengthFault(bytes: Uint8Array, at: number, reason: string): FrameFault {
  const lengthField = copyOctets(bytes, at + 16, at + 18);
  return headerFault(HEADER_ERROR.badLength, bytes[at + 18]!, reason, lengthField);
}

function headerFault(
  subcode: number,
  messageType: number,
  reason: string,
  data: Uint8Array = new Uint8Array(0),
): FrameFault {
  return { code: ERROR_CODE.header, subcode, data, reason, messageType };
}
