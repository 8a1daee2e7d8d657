/**
 * Error codes and subcodes of NOTIFICATION: RFC 4271 section 4.5 and the IANA registry "BGP Error Codes".
 */

export const ERROR_CODE = {
  header: 1,
  open: 2,
  update: 3,
  holdTimer: 4,
  fsm: 5,
  cease: 6,
  routeRefresh: 7,
  sendHoldTimer: 8,
} as const;

export const HEADER_ERROR = { notSynchronized: 1, badLength: 2, badType: 3 } as const;

export const OPEN_ERROR = {
  unspecific: 0,
  unsupportedVersion: 1,
  badPeerAs: 2,
  badBgpIdentifier: 3,
  unsupportedParameter: 4,
  unacceptableHoldTime: 6,
  unsupportedCapability: 7,
  /** RFC 9234 section 4.2 */
  roleMismatch: 11,
} as const;

export const UPDATE_ERROR = {
  unspecific: 0,
  malformedAttributeList: 1,
  unrecognizedWellKnown: 2,
  missingWellKnown: 3,
  attributeFlags: 4,
  attributeLength: 5,
  invalidOrigin: 6,
  invalidNextHop: 8,
  optionalAttribute: 9,
  invalidNetworkField: 10,
  malformedAsPath: 11,
} as const;

/** RFC 6608 */
export const FSM_ERROR = { unspecific: 0, inOpenSent: 1, inOpenConfirm: 2, inEstablished: 3 } as const;

/** RFC 4486, RFC 8538 (hard reset), RFC 9384 (BFD down) */
export const CEASE = {
  maxPrefixes: 1,
  adminShutdown: 2,
  peerDeconfigured: 3,
  adminReset: 4,
  connectionRejected: 5,
  configurationChange: 6,
  collision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;

/** RFC 7313 section 5 */
export const ROUTE_REFRESH_ERROR = { badLength: 1 } as const;

const CODE_NAMES = [
  '',
  'message header error',
  'OPEN message error',
  'UPDATE message error',
  'hold timer expired',
  'finite state machine error',
  'cease',
  'ROUTE-REFRESH message error',
  'send hold timer expired',
];

const SUBCODE_NAMES: readonly (readonly string[])[] = [
  [],
  ['', 'connection not synchronized', 'bad message length', 'bad message type'],
  [
    'unspecific',
    'unsupported version number',
    'bad peer AS',
    'bad BGP identifier',
    'unsupported optional parameter',
    'authentication failure (deprecated)',
    'unacceptable hold time',
    'unsupported capability',
    '',
    '',
    '',
    'role mismatch',
  ],
  [
    'unspecific',
    'malformed attribute list',
    'unrecognized well-known attribute',
    'missing well-known attribute',
    'attribute flags error',
    'attribute length error',
    'invalid ORIGIN attribute',
    'AS routing loop (deprecated)',
    'invalid NEXT_HOP attribute',
    'optional attribute error',
    'invalid network field',
    'malformed AS_PATH',
  ],
  [],
  [
    'unspecific',
    'unexpected message in OpenSent state',
    'unexpected message in OpenConfirm state',
    'unexpected message in Established state',
  ],
  [
    '',
    'maximum number of prefixes reached',
    'administrative shutdown',
    'peer de-configured',
    'administrative reset',
    'connection rejected',
    'other configuration change',
    'connection collision resolution',
    'out of resources',
    'hard reset',
    'BFD down',
  ],
  ['', 'invalid message length'],
  [],
];

/** `6/2` for what the registry knows, `other` for the rest: a peer cannot make more of these than there are names. */
export function notificationKey(code: number, subcode: number): string {
  const names = SUBCODE_NAMES[code];
  const isKnown = names !== undefined && code > 0 && (subcode === 0 || (names[subcode] ?? '') !== '');
  return isKnown ? `${code}/${subcode}` : 'other';
}

/** `cease: administrative shutdown`; numbers where the registry has no name. */
export function notificationName(code: number, subcode: number): string {
  const name = CODE_NAMES[code] || `error ${code}`;
  const detail = SUBCODE_NAMES[code]?.[subcode] || (subcode === 0 ? '' : `subcode ${subcode}`);
  return detail === '' ? name : `${name}: ${detail}`;
}
