/** UPDATE as a value: the readable half, for JSON, tests and everything that is not hot. */

import { bytesOf } from '../attribute/014-mp-reach-nlri.js';
import { FLAG, type PathAttribute } from '../attribute/descriptor.js';
import { DESCRIPTOR_OF, FLAGS_OF } from '../attribute/registry.js';
import { IPV4_UNICAST } from './address-family.js';
import { ByteWriter } from './byte-writer.js';
import type { CodecContext } from './codec-context.js';
import { MESSAGE_TYPE, type UpdateMessage } from './message.js';
import { decodeNlri, encodeNlri } from './nlri.js';
import type { UpdateView } from './update-view.js';

/** The value of an UPDATE that `readUpdate` has read into `update` and whose fields it could tell apart. */
export function updateMessage(update: UpdateView, context: CodecContext): UpdateMessage {
  const { bytes, pathIdBytes } = update;
  const prefixes = (at: number, end: number) => decodeNlri(bytes, at, end, IPV4_UNICAST, pathIdBytes);
  return {
    type: MESSAGE_TYPE.update,
    withdrawn: prefixes(update.withdrawnAt, update.withdrawnEnd),
    attributes: Array.from({ length: update.attributeCount }, (_, row) => rowAttribute(update, row, context)),
    nlri: prefixes(update.nlriAt, update.nlriEnd),
  };
}

function rowAttribute(update: UpdateView, row: number, context: CodecContext): PathAttribute {
  const code = update.codes[row]!;
  const at = update.valueAt[row]!;
  const end = update.valueEnd[row]!;
  return decodeAttribute(code, update.flags[row]!, update.view, at, end, context);
}

/** One attribute as a value; raw octets where its code is unknown, or its value is not what the code asks for. */
export function decodeAttribute(
  code: number,
  flags: number,
  view: DataView,
  at: number,
  end: number,
  context: CodecContext,
): PathAttribute {
  const wireFlags = flags & (FLAG.optional | FLAG.transitive | FLAG.partial);
  const descriptor = DESCRIPTOR_OF[code]!;
  if (descriptor === null) return { code, flags: wireFlags, value: bytesOf(view).slice(at, end) };
  const fault = descriptor.check(view, at, end, context);
  if (fault !== 0) return { code, flags: wireFlags, value: bytesOf(view).slice(at, end), fault };
  return { code, flags: wireFlags, value: descriptor.decode(view, at, end, context) };
}

/** All attributes of the list `view[at .. end)`, as far as it can be told apart, each as `decodeOne` has it. */
export function decodeAttributeList(
  view: DataView,
  at: number,
  end: number,
  context: CodecContext,
  decodeOne: typeof decodeAttribute = decodeAttribute,
): PathAttribute[] {
  const attributes: PathAttribute[] = [];
  while (at + 3 <= end) {
    const flags = view.getUint8(at);
    const isExtended = (flags & FLAG.extendedLength) !== 0;
    const valueAt = at + (isExtended ? 4 : 3);
    if (valueAt > end) break;
    const valueEnd = valueAt + (isExtended ? view.getUint16(at + 2) : view.getUint8(at + 2));
    if (valueEnd > end) break;
    attributes.push(decodeOne(view.getUint8(at + 1), flags, view, valueAt, valueEnd, context));
    at = valueEnd;
  }
  return attributes;
}

/** Writes the body of an UPDATE. Its length is the caller's business: `UpdatePacker` splits what is too long. */
export function encodeUpdate(message: UpdateMessage, out: ByteWriter, context: CodecContext): void {
  const pathIdBytes = context.addPathSend.has(IPV4_UNICAST) ? 4 : 0;
  const withdrawnAt = out.at;
  out.u16(0);
  for (const nlri of message.withdrawn) encodeNlri(nlri, out, pathIdBytes);
  out.patch16(withdrawnAt, out.at - withdrawnAt - 2);
  const attributesAt = out.at;
  out.u16(0);
  for (const attribute of message.attributes) encodeAttribute(attribute, out, context);
  out.patch16(attributesAt, out.at - attributesAt - 2);
  for (const nlri of message.nlri) encodeNlri(nlri, out, pathIdBytes);
}

const SCRATCH = new ByteWriter(4096);

/** Writes one attribute with the shortest length field that holds it. */
export function encodeAttribute(attribute: PathAttribute, out: ByteWriter, context: CodecContext): void {
  const { code, flags, value, fault } = attribute;
  const descriptor = DESCRIPTOR_OF[code]!;
  SCRATCH.rewind();
  if (descriptor === null || fault !== undefined) SCRATCH.octets(value as Uint8Array);
  else descriptor.encode(value, SCRATCH, context);
  writeAttributeHead(out, flags, code, SCRATCH.at);
  out.octets(SCRATCH.peek());
}

/** Flags, code and length of an attribute of `lengthBytes` octets. */
export function writeAttributeHead(out: ByteWriter, flags: number, code: number, lengthBytes: number): void {
  const isLong = lengthBytes > 255;
  out.u8((flags & ~FLAG.extendedLength & 0xf0) | (isLong ? FLAG.extendedLength : 0));
  out.u8(code);
  if (isLong) out.u16(lengthBytes);
  else out.u8(lengthBytes);
}

/** An attribute to send, with the flags its code is registered with. */
export function makeAttribute<V>(descriptor: { readonly code: number }, value: V): PathAttribute<V> {
  return { code: descriptor.code, flags: FLAGS_OF[descriptor.code]!, value };
}
