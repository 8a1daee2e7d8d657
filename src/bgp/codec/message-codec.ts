/** Whole messages to values and back: the readable codec, one entry for all types. */
import { ByteWriter } from './byte-writer.js';
import type { CodecContext } from './codec-context.js';
import { type BgpMessage, type Decoded, HEADER_BYTES, MESSAGE_TYPE } from './message.js';
import { decodeNotification, encodeNotification } from './notification-message.js';
import { decodeOpen, encodeOpen } from './open-message.js';
import { readUpdate } from './read-update.js';
import { decodeRouteRefresh, encodeRouteRefresh } from './route-refresh-message.js';
import { encodeUpdate, updateMessage } from './update-message.js';
import { UpdateView } from './update-view.js';

/**
 * The message of `type` whose body is `bytes[at .. end)`, as the framer hands it on. An UPDATE that RFC 7606
 * withdraws or strips is a value all the same; what is wrong with it stands in its attributes, and
 * {@link readUpdate} says what is to be done about it.
 */
export function decodeMessage(
  type: number,
  bytes: Uint8Array,
  view: DataView,
  at: number,
  end: number,
  context: CodecContext,
): Decoded<BgpMessage> {
  switch (type) {
    case MESSAGE_TYPE.open:
      return decodeOpen(view, at, end);
    case MESSAGE_TYPE.update: {
      const update = new UpdateView();
      readUpdate(bytes, view, at, end, context, update);
      if (update.resetFault !== null) return { fault: update.resetFault };
      return { value: updateMessage(update, context) };
    }
    case MESSAGE_TYPE.notification:
      return { value: decodeNotification(view, at, end) };
    case MESSAGE_TYPE.keepalive:
      return { value: { type: MESSAGE_TYPE.keepalive } };
    case MESSAGE_TYPE.routeRefresh:
      return decodeRouteRefresh(bytes, view, at, end);
    default:
      throw new RangeError(`decodeMessage: expected a type that the framer lets pass, got ${type}`);
  }
}

/** The whole message with its header. Messages longer than the context allows are a RangeError. */
export function encodeMessage(message: BgpMessage, context: CodecContext): Uint8Array {
  const out = new ByteWriter();
  writeHeader(out, message.type);
  switch (message.type) {
    case MESSAGE_TYPE.open:
      encodeOpen(message, out);
      break;
    case MESSAGE_TYPE.update:
      encodeUpdate(message, out, context);
      break;
    case MESSAGE_TYPE.notification:
      encodeNotification(message, out);
      break;
    case MESSAGE_TYPE.keepalive:
      break;
    case MESSAGE_TYPE.routeRefresh:
      encodeRouteRefresh(message, out);
      break;
    default:
      message satisfies never;
  }
  const mayGrow = message.type !== MESSAGE_TYPE.open && context.extendedMessages;
  const longest = mayGrow ? 65535 : 4096;
  if (out.at > longest)
    throw new RangeError(`encodeMessage: expected up to ${longest} octets, got ${out.at}`);
  out.patch16(16, out.at);
  return out.bytes();
}

/** Marker, a length still to be patched at offset 16, and the type. */
function writeHeader(out: ByteWriter, type: number): void {
  for (let i = 0; i < 4; i++) out.u32(0xffffffff);
  out.u16(HEADER_BYTES);
  out.u8(type);
}

/** Every KEEPALIVE. Shared: do not write to it. */
export const KEEPALIVE_BYTES: Uint8Array = (() => {
  const out = new ByteWriter(HEADER_BYTES);
  writeHeader(out, MESSAGE_TYPE.keepalive);
  return out.bytes();
})();
