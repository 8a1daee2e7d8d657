/**
 * OPEN: RFC 4271 section 4.2, capabilities RFC 5492, extended optional parameters RFC 9072.
 *
 * ```
 *   | version 1 | AS 2 | hold time 2 | BGP identifier 4 | length 1 | parameters: type 1, length 1, value |
 *   RFC 9072:                                           | not 0, 255 | length 2 | type 1, length 2, value |
 * ```
 *
 * `decodeOpen` judges the shape alone; what the values are worth is for `checkOpen`.
 */
import { AS_TRANS } from '../attribute/002-as-path.js';
import { ByteWriter } from './byte-writer.js';
import { CAPABILITY, type Capability, decodeCapability, encodeCapabilityValue } from './capability.js';
import { type Decoded, fault, MESSAGE_TYPE, type MessageFault, type OpenMessage } from './message.js';
import { ERROR_CODE, OPEN_ERROR } from './notification-code.js';

const VERSION = 4;
const FIXED_BYTES = 10;
const PARAMETER = { capabilities: 2, extendedLength: 255 } as const;

/** The OPEN whose body is `view[at .. end)`. */
export function decodeOpen(view: DataView, at: number, end: number): Decoded<OpenMessage> {
  if (end - at < FIXED_BYTES) return openFault('an OPEN is cut short');
  const capabilities: Capability[] = [];
  const trouble = readParameters(view, at + FIXED_BYTES - 1, end, capabilities);
  if (trouble !== null) return { fault: trouble };
  const asn16 = view.getUint16(at + 1);
  const asn4 = capabilities.find((c) => c.kind === 'asn4');
  return {
    value: {
      type: MESSAGE_TYPE.open,
      version: view.getUint8(at),
      asn16,
      asn: asn4?.asn ?? asn16,
      holdTimeS: view.getUint16(at + 3),
      bgpIdentifier: view.getUint32(at + 5),
      capabilities,
    },
  };
}

function openFault(reason: string): { readonly fault: MessageFault } {
  return fault(ERROR_CODE.open, OPEN_ERROR.unspecific, reason);
}

/** Reads the optional parameters, their length field first, into `capabilities`. */
function readParameters(
  view: DataView,
  at: number,
  end: number,
  capabilities: Capability[],
): MessageFault | null {
  const length = view.getUint8(at);
  if (length === 0) return at + 1 === end ? null : openFault('an OPEN is longer than its parameters').fault;
  // the type decides, not the length: RFC 9072 section 2
  const isExtended = at + 1 < end && view.getUint8(at + 1) === PARAMETER.extendedLength;
  const lengthBytes = isExtended ? 2 : 1;
  let next = isExtended ? at + 4 : at + 1;
  const total = isExtended && next <= end ? view.getUint16(at + 2) : length;
  if (next + total !== end) return openFault('the optional parameters do not fill the OPEN').fault;
  while (next < end) {
    const valueAt = next + 1 + lengthBytes;
    if (valueAt > end) return openFault('an optional parameter is cut short').fault;
    const type = view.getUint8(next);
    next = valueAt + (isExtended ? view.getUint16(next + 1) : view.getUint8(next + 1));
    if (next > end) return openFault('an optional parameter exceeds the OPEN').fault;
    if (type !== PARAMETER.capabilities) {
      const reason = `optional parameter ${type} is not supported`;
      return fault(ERROR_CODE.open, OPEN_ERROR.unsupportedParameter, reason).fault;
    }
    if (!readCapabilities(view, valueAt, next, capabilities)) {
      return openFault('a capability exceeds its optional parameter').fault;
    }
  }
  return null;
}

function readCapabilities(view: DataView, at: number, end: number, into: Capability[]): boolean {
  while (at < end) {
    if (at + 2 > end) return false;
    const next = at + 2 + view.getUint8(at + 1);
    if (next > end) return false;
    into.push(decodeCapability(view.getUint8(at), view, at + 2, next));
    at = next;
  }
  return true;
}

/** What any speaker refuses in an OPEN, whoever sent it: RFC 4271 section 6.2, RFC 6286, RFC 7607. */
export function checkOpen(open: OpenMessage): MessageFault | null {
  const refuse = (subcode: number, reason: string, data?: Uint8Array): MessageFault =>
    fault(ERROR_CODE.open, subcode, reason, data).fault;
  if (open.version !== VERSION) {
    // the data is the highest version that we speak
    const data = Uint8Array.of(0, VERSION);
    return refuse(OPEN_ERROR.unsupportedVersion, `BGP version ${open.version}`, data);
  }
  if (open.asn16 === 0 || open.asn === 0) return refuse(OPEN_ERROR.badPeerAs, 'AS 0');
  if (open.bgpIdentifier === 0) return refuse(OPEN_ERROR.badBgpIdentifier, 'BGP identifier 0');
  if (open.holdTimeS === 1 || open.holdTimeS === 2) {
    return refuse(OPEN_ERROR.unacceptableHoldTime, `a hold time of ${open.holdTimeS} s`);
  }
  return null;
}

/** Writes the body of an OPEN. Capabilities that need more than 255 octets go the way of RFC 9072. */
export function encodeOpen(open: OpenMessage, out: ByteWriter): void {
  out.u8(open.version);
  out.u16(open.asn16);
  out.u16(open.holdTimeS);
  out.u32(open.bgpIdentifier);
  const list = new ByteWriter();
  for (const capability of open.capabilities) {
    const value = encodeCapabilityValue(capability);
    if (value.length > 255) {
      throw new RangeError(`encodeOpen: expected up to 255 octets of capability, got ${value.length}`);
    }
    list.u8(capability.code);
    list.u8(value.length);
    list.octets(value);
  }
  const bytes = list.peek();
  if (bytes.length === 0) out.u8(0);
  else if (bytes.length + 2 < PARAMETER.extendedLength) {
    out.u8(bytes.length + 2);
    out.u8(PARAMETER.capabilities);
    out.u8(bytes.length);
  } else {
    out.u8(255);
    out.u8(PARAMETER.extendedLength);
    out.u16(bytes.length + 3);
    out.u8(PARAMETER.capabilities);
    out.u16(bytes.length);
  }
  out.octets(bytes);
}

/** An OPEN to send: version, the two-octet AS and capability 65 follow from `asn`. */
export function makeOpen(
  asn: number,
  bgpIdentifier: number,
  holdTimeS: number,
  capabilities: readonly Capability[],
): OpenMessage {
  return {
    type: MESSAGE_TYPE.open,
    version: VERSION,
    asn16: asn > 0xffff ? AS_TRANS : asn,
    asn,
    holdTimeS,
    bgpIdentifier,
    capabilities: [
      ...capabilities.filter((c) => c.code !== CAPABILITY.asn4),
      { code: CAPABILITY.asn4, kind: 'asn4', asn },
    ],
  };
}
