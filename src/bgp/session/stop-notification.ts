/** The NOTIFICATION that ends a session for each of our own reasons, as a hard reset where that is due. */
import { afiOf, familyName, safiOf } from '../codec/address-family.js';
import type { NotificationMessage } from '../codec/message.js';
import { CEASE, ERROR_CODE, notificationName } from '../codec/notification-code.js';
import { makeNotification, makeShutdown, shutdownCommunication } from '../codec/notification-message.js';
import type { StopCause } from './session-handler.js';

/** Reasons of the speaker itself beside those that a handler may have. */
export type CloseCause =
  | StopCause
  /** the other connection to the peer is kept (RFC 4271 section 6.8) */
  | { readonly kind: 'collision' }
  /** the peer came back on a new connection before we saw this one die (RFC 4724 section 5) */
  | { readonly kind: 'superseded' };

export interface StopWords {
  readonly notification: NotificationMessage | null;
  readonly reason: string;
  /**
   * What RFC 8538 section 5.1 advises where both sides have the N bit: `hard` = the peer is to forget our routes,
   * and we forget its.
   */
  readonly reset: 'hard' | 'graceful';
}

export function stopWords(cause: CloseCause): StopWords {
  switch (cause.kind) {
    case 'shutdown':
      return words(withText(CEASE.adminShutdown, cause.text), 'administrative shutdown', 'hard');
    case 'reset':
      return words(withText(CEASE.adminReset, cause.text), 'administrative reset', 'hard');
    case 'configuration-changed':
      return words(cease(CEASE.configurationChange), 'its configuration was changed', 'graceful');
    case 'deconfigured':
      return words(cease(CEASE.peerDeconfigured), 'the peer is no longer configured', 'hard');
    case 'max-prefixes': {
      const { family, limit } = cause;
      const data = new Uint8Array(7);
      const view = new DataView(data.buffer);
      view.setUint16(0, afiOf(family));
      data[2] = safiOf(family);
      view.setUint32(3, Math.min(limit, 0xffffffff));
      const reason = `more than ${limit} prefixes of ${familyName(family)}`;
      return words(makeNotification(ERROR_CODE.cease, CEASE.maxPrefixes, data), reason, 'hard');
    }
    case 'bfd-down':
      return words(cease(CEASE.bfdDown), 'BFD says that the peer is gone', 'hard');
    case 'out-of-resources':
      return words(cease(CEASE.outOfResources), 'out of resources', 'graceful');
    case 'collision':
      return words(cease(CEASE.collision), 'connection collision', 'graceful');
    case 'restart':
      return { notification: null, reason: 'we restart', reset: 'graceful' };
    case 'superseded':
      return { notification: null, reason: 'the peer opened a new connection', reset: 'graceful' };
    default:
      return cause satisfies never;
  }
}

function words(notification: NotificationMessage, reason: string, reset: 'hard' | 'graceful'): StopWords {
  return { notification, reason, reset };
}

/** Without a text there is no communication at all: speakers older than RFC 8203 expect no data. */
function withText(subcode: 2 | 4, text: string): NotificationMessage {
  return text === '' ? cease(subcode) : makeShutdown(subcode, text);
}

function cease(subcode: number): NotificationMessage {
  return makeNotification(ERROR_CODE.cease, subcode);
}

/** `cease: administrative shutdown ("maintenance")` */
export function notificationText(message: NotificationMessage): string {
  const name = notificationName(message.code, message.subcode);
  const inner =
    message.code === ERROR_CODE.cease && message.subcode === CEASE.hardReset && message.data.length >= 2
      ? `, ${notificationName(message.data[0]!, message.data[1]!)}`
      : '';
  const text = shutdownCommunication(message);
  return `${name}${inner}${text === null ? '' : ` (${JSON.stringify(text)})`}`;
}
