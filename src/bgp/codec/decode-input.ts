/**
 * Octets or hexadecimal text to decoded messages: the work of `flowfate bgp decode`, without files.
 *
 * A stream of unknown direction is one framer's work; the OPENs in it decide how UPDATEs are read, and where
 * there are none the reader guesses (guess-context.ts). What cannot be read becomes a record with `fault`.
 */
import { type CodecContext, OFFLINE } from './codec-context.js';
import { guessContext } from './guess-context.js';
import { fromHex } from './hex.js';
import {
  type BgpMessage,
  type Decoded,
  HEADER_BYTES,
  MESSAGE_TYPE,
  type MessageFault,
  type OpenMessage,
} from './message.js';
import { decodeMessage } from './message-codec.js';
import { MAX_EXTENDED_MESSAGE_BYTES, MessageFramer, type MessageVisitor } from './message-framer.js';
import { faultToJson, type JsonObject, messageToJson } from './message-json.js';
import { negotiate } from './negotiate.js';
import { readUpdate } from './read-update.js';
import { updateMessage } from './update-message.js';
import { UpdateView } from './update-view.js';

export interface DecodedMessage {
  /** octets of the message, header included */
  readonly lengthBytes: number;
  /** the message, `null` where it could not be read */
  readonly message: BgpMessage | null;
  readonly fault: MessageFault | null;
  readonly json: JsonObject;
  /** of an UPDATE: how it was read */
  readonly context?: CodecContext;
}

/** Remembers what one session's OPENs say, and decodes what follows them. One for each direction of a session. */
export class OfflineDecoder {
  private readonly update = new UpdateView();
  private guessed: CodecContext | null = null;
  private readIn: CodecContext = OFFLINE;

  /** The context that UPDATEs are read in; `null` = guessed one by one. */
  get context(): CodecContext | null {
    return this.guessed;
  }

  /** Both OPENs of the session are known: `sender` is whose messages this decoder reads. */
  agree(sender: OpenMessage, receiver: OpenMessage): void {
    this.guessed = offlineContext(sender, receiver);
  }

  /** The message whose body is `bytes[at .. end)`. */
  decode(type: number, bytes: Uint8Array, view: DataView, at: number, end: number): DecodedMessage {
    const lengthBytes = end - at + HEADER_BYTES;
    const decoded =
      type === MESSAGE_TYPE.update
        ? this.decodeUpdate(bytes, view, at, end)
        : decodeMessage(type, bytes, view, at, end, OFFLINE);
    if (decoded.fault !== undefined) {
      const json = { type: TYPE_NAMES[type] ?? type, fault: faultToJson(decoded.fault) };
      return { lengthBytes, message: null, fault: decoded.fault, json };
    }
    const message = decoded.value;
    if (message.type !== MESSAGE_TYPE.update) {
      return { lengthBytes, message, fault: null, json: messageToJson(message) };
    }
    const context = this.readIn;
    return { lengthBytes, message, fault: null, json: messageToJson(message, this.update), context };
  }

  private decodeUpdate(bytes: Uint8Array, view: DataView, at: number, end: number): Decoded<BgpMessage> {
    const context = this.guessed ?? guessContext(bytes, view, at, end);
    this.readIn = context;
    readUpdate(bytes, view, at, end, context, this.update);
    const { resetFault } = this.update;
    return resetFault === null ? { value: updateMessage(this.update, context) } : { fault: resetFault };
  }
}

const TYPE_NAMES = ['', 'OPEN', 'UPDATE', 'NOTIFICATION', 'KEEPALIVE', 'ROUTE-REFRESH'];

/** What two OPENs agree on, for a reader that shows everything and refuses nothing. */
export function offlineContext(sender: OpenMessage, receiver: OpenMessage): CodecContext {
  return {
    ...negotiate(receiver, sender),
    families: null,
    peering: 'unknown',
    enforceFirstAs: false,
    extendedMessages: true,
    aigp: true,
  };
}

/** what is decoded before it is handed on; keeps memory small on long inputs */
const CHUNK_BYTES = 1 << 14;

/** All messages of `bytes`, in order: {@link decodeBgpChunks} over one chunk. */
export function decodeBgpBytes(bytes: Uint8Array): Generator<DecodedMessage> {
  return decodeBgpChunks([bytes]);
}

/**
 * All messages of a stream, in order. Octets that are no BGP message end it with a record that has the fault.
 * The first two OPENs, from whichever side, are taken for the two sides of one session.
 */
export function* decodeBgpChunks(chunks: Iterable<Uint8Array>): Generator<DecodedMessage> {
  const decoder = new OfflineDecoder();
  const framer = new MessageFramer();
  framer.maxBytes = MAX_EXTENDED_MESSAGE_BYTES;
  let firstOpen: OpenMessage | null = null;
  let found: DecodedMessage[] = [];
  const visit: MessageVisitor = (type, bytes, view, at, end) => {
    const decoded = decoder.decode(type, bytes, view, at, end);
    if (decoded.message?.type === MESSAGE_TYPE.open) {
      if (firstOpen !== null) decoder.agree(firstOpen, decoded.message);
      firstOpen ??= decoded.message;
    }
    found.push(decoded);
    return true;
  };
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
      found = [];
      const fault = framer.push(chunk.subarray(at, at + CHUNK_BYTES), visit);
      yield* found;
      if (fault !== null) {
        yield unreadable(fault);
        return;
      }
    }
  }
  if (framer.pendingBytes > 0) {
    const reason = `the input ends inside a message, after ${framer.pendingBytes} of its octets`;
    yield unreadable({ code: 1, subcode: 2, data: NO_BYTES, reason });
  }
}

/**
 * The messages that `text` writes in hexadecimal: a message, or several, a line; empty lines and comments (`#`)
 * aside. A line without marker is taken for the body of an UPDATE, as some tools print it. Where the lines
 * are not whole messages each, they are read as one dump.
 */
export function* decodeBgpHex(text: string): Generator<DecodedMessage> {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  const written = lines.filter((line) => line !== '');
  const parsed = written.map(fromHex);
  const areMessages = parsed.every((bytes) => bytes !== null && endsOnMessage(bytes));
  if (areMessages) {
    for (const bytes of parsed) yield* decodeBgpBytes(bytes!);
    return;
  }
  const whole = fromHex(written.join(''));
  if (whole === null) {
    yield unreadable({ code: 1, subcode: 1, data: NO_BYTES, reason: 'the text is not hexadecimal' });
  } else if (hasMarker(whole)) yield* decodeBgpBytes(whole);
  else for (const bytes of parsed) yield decodeBody(bytes ?? NO_BYTES);
}

/** `bytes` is hexadecimal text rather than BGP: what a reader of files needs to know first. */
export function looksLikeHex(bytes: Uint8Array): boolean {
  const head = bytes.subarray(0, 4096);
  return head.length > 0 && !hasMarker(head) && head.every((octet) => octet < 0x80 && octet !== 0);
}

function hasMarker(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  return bytes.subarray(0, 16).every((octet) => octet === 0xff);
}

function endsOnMessage(bytes: Uint8Array): boolean {
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length && hasMarker(bytes.subarray(at))) {
    const length = (bytes[at + 16]! << 8) | bytes[at + 17]!;
    if (length < HEADER_BYTES) return true;
    at += length;
  }
  return at === bytes.length;
}

function decodeBody(bytes: Uint8Array): DecodedMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return new OfflineDecoder().decode(MESSAGE_TYPE.update, bytes, view, 0, bytes.length);
}

function unreadable(fault: MessageFault): DecodedMessage {
  return { lengthBytes: 0, message: null, fault, json: { fault: faultToJson(fault) } };
}

const NO_BYTES = new Uint8Array(0);
