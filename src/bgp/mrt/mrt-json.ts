/** MRT entries as plain JSON: what `flowfate mrt` prints, a line each. */
import { formatAddress, formatIpv4 } from '../../addr/address.js';
import { OUTCOME } from '../attribute/descriptor.js';
import { familyName } from '../codec/address-family.js';
import type { CodecContext } from '../codec/codec-context.js';
import { guessContext } from '../codec/guess-context.js';
import { toHex } from '../codec/hex.js';
import { MESSAGE_TYPE } from '../codec/message.js';
import { decodeMessage } from '../codec/message-codec.js';
import { attributesToJson, faultToJson, type JsonObject, messageToJson } from '../codec/message-json.js';
import { nlriToJson } from '../codec/nlri.js';
import { readUpdate } from '../codec/read-update.js';
import { updateMessage } from '../codec/update-message.js';
import { UpdateView } from '../codec/update-view.js';
import type { BgpMessageEntry, MrtPeer, RibEntry, RibRoute } from './mrt-entry.js';
import type { TimedEntry } from './read-mrt.js';

const STATE_NAMES = ['', 'idle', 'connect', 'active', 'open-sent', 'open-confirm', 'established'];

export function mrtToJson({ timeS, entry }: TimedEntry): JsonObject {
  switch (entry.kind) {
    case 'peer-index':
      return {
        time: timeS,
        record: 'peer-index-table',
        collector: formatIpv4(entry.collectorId),
        ...(entry.viewName !== '' && { view: entry.viewName }),
        peers: entry.peers.map((p) => ({ ...peerToJson(p), bgpIdentifier: formatIpv4(p.bgpIdentifier) })),
      };
    case 'rib':
      return { time: timeS, record: 'rib', ...ribToJson(entry) };
    case 'message':
      return {
        time: timeS,
        record: 'message',
        peer: peerToJson(entry.peer),
        local: peerToJson(entry.local),
        ...(entry.sender === 'local' && { sender: 'local' }),
        ...bodyToJson(entry),
      };
    case 'state':
      return {
        time: timeS,
        record: 'state-change',
        peer: peerToJson(entry.peer),
        oldState: STATE_NAMES[entry.oldState] || entry.oldState,
        newState: STATE_NAMES[entry.newState] || entry.newState,
      };
    case 'other':
      return { time: timeS, record: 'other', type: entry.type, subtype: entry.subtype };
    case 'malformed':
      return {
        time: timeS,
        record: 'malformed',
        type: entry.type,
        subtype: entry.subtype,
        reason: entry.reason,
      };
    default:
      return entry satisfies never;
  }
}

function peerToJson({ address, asn }: MrtPeer): JsonObject {
  return { address: formatAddress(address), asn };
}

function ribToJson({ family, sequence, nlri, routes }: RibEntry): JsonObject {
  return {
    family: familyName(family),
    sequence,
    prefix: nlri instanceof Uint8Array ? { hex: toHex(nlri) } : nlriToJson(nlri),
    routes: routes.map(routeToJson),
  };
}

function routeToJson({ peer, originatedS, pathId, attributes }: RibRoute): JsonObject {
  return {
    peer: peer === null ? null : peerToJson(peer),
    originated: originatedS,
    ...(pathId !== undefined && { pathId }),
    ...attributesToJson(attributes),
  };
}

const UPDATE = new UpdateView();

function bodyToJson(entry: BgpMessageEntry): JsonObject {
  const { type, bytes, view, at, end } = entry;
  const context = messageContext(entry);
  if (type === MESSAGE_TYPE.update) {
    readUpdate(bytes, view, at, end, context, UPDATE);
    if (UPDATE.resetFault !== null) return { type: 'UPDATE', fault: faultToJson(UPDATE.resetFault) };
    return messageToJson(updateMessage(UPDATE, context), UPDATE);
  }
  const decoded = decodeMessage(type, bytes, view, at, end, context);
  return decoded.fault === undefined ? messageToJson(decoded.value) : { fault: faultToJson(decoded.fault) };
}

/**
 * The context that the entry's UPDATE is read in. The subtype says it, but collectors are known to file
 * four-octet paths under two-octet subtypes: where the AS_PATH contradicts the subtype, the AS_PATH is right. So it is with path
 * identifiers where the UPDATE cannot be read without them, and no OPEN tells.
 */
export function messageContext(entry: BgpMessageEntry): CodecContext {
  if (entry.type !== MESSAGE_TYPE.update) return entry.context;
  readUpdate(entry.bytes, entry.view, entry.at, entry.end, entry.context, UPDATE);
  if (UPDATE.outcome === OUTCOME.accept) return entry.context;
  const isUnreadable = UPDATE.outcome === OUTCOME.sessionReset;
  const guessed = guessContext(entry.bytes, entry.view, entry.at, entry.end);
  const asn4 = entry.context.asn4 || guessed.asn4;
  return isUnreadable
    ? { ...entry.context, asn4, addPathReceive: guessed.addPathReceive }
    : { ...entry.context, asn4 };
}
