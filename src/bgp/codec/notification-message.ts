/**
 * NOTIFICATION: RFC 4271 section 4.5, shutdown communication RFC 9003, hard reset RFC 8538.
 */

import type { ByteWriter } from './byte-writer.js';
import { copyOctets } from './copy-octets.js';
import { MESSAGE_TYPE, type NotificationMessage } from './message.js';
import { CEASE, ERROR_CODE } from './notification-code.js';

/** The NOTIFICATION whose body is `view[at .. end)`, two octets at least (the framer has seen to that). */
export function decodeNotification(view: DataView, at: number, end: number): NotificationMessage {
  const data = new Uint8Array(view.buffer, view.byteOffset + at + 2, end - at - 2).slice();
  return makeNotification(view.getUint8(at), view.getUint8(at + 1), data);
}

export function makeNotification(
  code: number,
  subcode: number,
  data: Uint8Array = new Uint8Array(0),
): NotificationMessage {
  return { type: MESSAGE_TYPE.notification, code, subcode, data };
}

export function encodeNotification({ code, subcode, data }: NotificationMessage, out: ByteWriter): void {
  out.u8(code);
  out.u8(subcode);
  out.octets(data);
}

/** RFC 9003 section 2: at most so many octets of text */
const MAX_COMMUNICATION_BYTES = 255;

/** Cease with a message to the peer's operator; text beyond 255 octets of UTF-8 is cut at a character. */
export function makeShutdown(
  subcode: typeof CEASE.adminShutdown | typeof CEASE.adminReset,
  text: string,
): NotificationMessage {
  const encoded = new Uint8Array(MAX_COMMUNICATION_BYTES);
  const { written } = new TextEncoder().encodeInto(text, encoded);
  const data = new Uint8Array(1 + written);
  data[0] = written;
  data.set(encoded.subarray(0, written), 1);
  return makeNotification(ERROR_CODE.cease, subcode, data);
}

/**
 * The shutdown communication in `message`; `null` where there is none. Octets that are not UTF-8 come out as
 * U+FFFD, and so do control characters: the text goes to terminals and logs (RFC 9003 section 6).
 */
export function shutdownCommunication(message: NotificationMessage): string | null {
  const { code, subcode, data } = message;
  if (code !== ERROR_CODE.cease) return null;
  if (subcode === CEASE.hardReset) {
    const inner = hardResetCause(message);
    return inner === null ? null : shutdownCommunication(inner);
  }
  if (subcode !== CEASE.adminShutdown && subcode !== CEASE.adminReset) return null;
  const length = data[0] ?? 0;
  if (length === 0 || length + 1 > data.length) return null;
  const text = new TextDecoder().decode(data.subarray(1, 1 + length));
  return text.replace(/\p{Cc}/gu, '\ufffd');
}

/** RFC 8538 section 3: the error that a hard reset is about, or `null` where it tells none. */
export function hardResetCause(message: NotificationMessage): NotificationMessage | null {
  const { code, subcode, data } = message;
  if (code !== ERROR_CODE.cease || subcode !== CEASE.hardReset || data.length < 2) return null;
  return makeNotification(data[0]!, data[1]!, copyOctets(data, 2, data.length));
}

/** `cause` as a hard reset: it ends the session without graceful restart. */
export function makeHardReset(cause: NotificationMessage): NotificationMessage {
  const data = Uint8Array.of(cause.code, cause.subcode, ...cause.data);
  return makeNotification(ERROR_CODE.cease, CEASE.hardReset, data);
}
