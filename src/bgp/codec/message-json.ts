/**
 * Messages as plain JSON with readable names: what `flowfate bgp decode` and `flowfate mrt` print.
 *
 * Attributes are keyed by their IANA name in camel case (`asPath`, `multiExitDisc`). An attribute that is not
 * known by value, or is malformed, shows its octets; a malformed one says what is wrong.
 */
import { formatIpv4 } from '../../addr/address.js';
import { FLAG, OUTCOME_NAMES, type PathAttribute } from '../attribute/descriptor.js';
import { attributeName, DESCRIPTOR_OF } from '../attribute/registry.js';
import { familyName } from './address-family.js';
import { ADD_PATH_MODE, type Capability, capabilityName } from './capability.js';
import { toHex } from './hex.js';
import {
  type BgpMessage,
  MESSAGE_TYPE,
  type MessageFault,
  type NotificationMessage,
  type OpenMessage,
  REFRESH_SUBTYPE,
  type RouteRefreshMessage,
  type UpdateMessage,
} from './message.js';
import { nlriToJson } from './nlri.js';
import { ERROR_CODE, notificationName } from './notification-code.js';
import { hardResetCause, shutdownCommunication } from './notification-message.js';
import type { UpdateView } from './update-view.js';

export type JsonObject = Record<string, unknown>;

/** One message. `update` is the view that an UPDATE was read into: its outcome and faults are added. */
export function messageToJson(message: BgpMessage, update?: UpdateView): JsonObject {
  switch (message.type) {
    case MESSAGE_TYPE.open:
      return openToJson(message);
    case MESSAGE_TYPE.update:
      return { ...updateToJson(message), ...(update && judgementToJson(update)) };
    case MESSAGE_TYPE.notification:
      return { type: 'NOTIFICATION', ...notificationToJson(message) };
    case MESSAGE_TYPE.keepalive:
      return { type: 'KEEPALIVE' };
    case MESSAGE_TYPE.routeRefresh:
      return refreshToJson(message);
    default:
      return message satisfies never;
  }
}

/** The NOTIFICATION that a message calls for. */
export function faultToJson(fault: MessageFault): JsonObject {
  const { code, subcode, data, reason } = fault;
  const name = notificationName(code, subcode);
  return { code, subcode, name, reason, ...(data.length > 0 && { data: toHex(data) }) };
}

function openToJson(open: OpenMessage): JsonObject {
  return {
    type: 'OPEN',
    version: open.version,
    asn: open.asn,
    ...(open.asn16 !== open.asn && { asn16: open.asn16 }),
    holdTime: open.holdTimeS,
    bgpIdentifier: formatIpv4(open.bgpIdentifier),
    capabilities: open.capabilities.map(capabilityToJson),
  };
}

const MODE_NAMES: ReadonlyMap<number, string> = new Map([
  [ADD_PATH_MODE.receive, 'receive'],
  [ADD_PATH_MODE.send, 'send'],
  [ADD_PATH_MODE.both, 'both'],
]);

const ROLE_NAMES = ['provider', 'route-server', 'route-server-client', 'customer', 'peer'];

function capabilityToJson(capability: Capability): JsonObject {
  const head = { code: capability.code, name: capabilityName(capability.code) };
  switch (capability.kind) {
    case 'raw':
      return { ...head, hex: toHex(capability.bytes) };
    case 'flag':
      return head;
    case 'multiprotocol':
      return { ...head, family: familyName(capability.family) };
    case 'extended-next-hop':
      return {
        ...head,
        entries: capability.entries.map(({ family, nextHopAfi }) => ({
          family: familyName(family),
          nextHopAfi,
        })),
      };
    case 'role':
      return { ...head, role: ROLE_NAMES[capability.role] ?? capability.role };
    case 'graceful-restart': {
      const { restarted, notification, restartTimeS } = capability;
      const families = capability.families.map((f) => ({ ...f, family: familyName(f.family) }));
      return { ...head, restarted, notification, restartTime: restartTimeS, families };
    }
    case 'asn4':
      return { ...head, asn: capability.asn };
    case 'add-path':
      return {
        ...head,
        entries: capability.entries.map(({ family, mode }) => ({
          family: familyName(family),
          mode: MODE_NAMES.get(mode) ?? mode,
        })),
      };
    case 'long-lived':
      return {
        ...head,
        families: capability.families.map(({ family, forwardingPreserved, staleTimeS }) => ({
          family: familyName(family),
          forwardingPreserved,
          staleTime: staleTimeS,
        })),
      };
    case 'fqdn':
      return { ...head, host: capability.host, domain: capability.domain };
    case 'software-version':
      return { ...head, version: capability.version };
    default:
      return capability satisfies never;
  }
}

function updateToJson({ withdrawn, attributes, nlri }: UpdateMessage): JsonObject {
  return {
    type: 'UPDATE',
    ...(withdrawn.length > 0 && { withdrawn: withdrawn.map(nlriToJson) }),
    ...(attributes.length > 0 && attributesToJson(attributes)),
    ...(nlri.length > 0 && { nlri: nlri.map(nlriToJson) }),
  };
}

/** `{ attributes: {…} }`, and `partial` with the names of those that some speaker did not understand. */
export function attributesToJson(attributes: readonly PathAttribute[]): JsonObject {
  const partial = attributes.filter((a) => (a.flags & FLAG.partial) !== 0).map((a) => keyOf(a.code));
  return {
    attributes: Object.fromEntries(attributes.map((a) => [keyOf(a.code), attributeToJson(a)])),
    ...(partial.length > 0 && { partial }),
  };
}

function attributeToJson({ code, flags, value, fault }: PathAttribute): unknown {
  const descriptor = DESCRIPTOR_OF[code]!;
  if (fault !== undefined) {
    return { fault: notificationName(ERROR_CODE.update, fault), hex: toHex(value as Uint8Array) };
  }
  if (descriptor === null) return { flags, hex: toHex(value as Uint8Array) };
  return descriptor.toJson(value);
}

/** `MULTI_EXIT_DISC` as `multiExitDisc`, `attribute-241` as `attribute241` */
function keyOf(code: number): string {
  return attributeName(code)
    .toLowerCase()
    .replace(/[_-]+(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Whether the UPDATE ends a RIB; what RFC 7606 makes of it, where that is not plain acceptance. */
function judgementToJson(update: UpdateView): JsonObject {
  return {
    ...(update.endOfRib !== -1 && { endOfRib: familyName(update.endOfRib) }),
    ...(update.outcome !== 0 && { outcome: OUTCOME_NAMES[update.outcome] }),
    ...(update.faults.length > 0 && {
      faults: update.faults.map(({ outcome, reason }) => ({ outcome: OUTCOME_NAMES[outcome], reason })),
    }),
  };
}

function notificationToJson(message: NotificationMessage): JsonObject {
  const { code, subcode, data } = message;
  const text = shutdownCommunication(message);
  const cause = hardResetCause(message);
  return {
    code,
    subcode,
    name: notificationName(code, subcode),
    ...(data.length > 0 && { data: toHex(data) }),
    ...(text !== null && { communication: text }),
    ...(cause !== null && { cause: notificationToJson(cause) }),
  };
}

const REFRESH_NAMES: ReadonlyMap<number, string> = new Map([
  [REFRESH_SUBTYPE.request, 'request'],
  [REFRESH_SUBTYPE.begin, 'begin'],
  [REFRESH_SUBTYPE.end, 'end'],
]);

function refreshToJson({ family, subtype, filters }: RouteRefreshMessage): JsonObject {
  return {
    type: 'ROUTE-REFRESH',
    family: familyName(family),
    subtype: REFRESH_NAMES.get(subtype) ?? subtype,
    ...(filters.length > 0 && { filters: toHex(filters) }),
  };
}
