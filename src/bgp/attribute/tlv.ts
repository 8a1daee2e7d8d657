/** Type-length-value lists, as several attributes hold them; types and lengths of one or two octets. */
import type { ByteWriter } from '../codec/byte-writer.js';
import { toHex } from '../codec/hex.js';
import { bytesOf } from './014-mp-reach-nlri.js';

export interface Tlv {
  readonly type: number;
  readonly value: Uint8Array;
}

/** Octets of the type and of the length field; whether the length counts both fields as well. */
export interface TlvLayout {
  readonly typeBytes: 1 | 2;
  readonly lengthCounts: 'value' | 'whole';
}

/** `view[at .. end)` is whole TLVs; lengths have two octets. */
export function tlvsAreValid(view: DataView, at: number, end: number, layout: TlvLayout): boolean {
  while (at < end) {
    const next = tlvEnd(view, at, end, layout);
    if (next < 0) return false;
    at = next;
  }
  return true;
}

export function readTlvs(view: DataView, at: number, end: number, layout: TlvLayout): Tlv[] {
  const bytes = bytesOf(view);
  const { typeBytes } = layout;
  const tlvs: Tlv[] = [];
  while (at < end) {
    const next = tlvEnd(view, at, end, layout);
    const type = typeBytes === 1 ? view.getUint8(at) : view.getUint16(at);
    tlvs.push({ type, value: bytes.slice(at + typeBytes + 2, next) });
    at = next;
  }
  return tlvs;
}

/** One past the TLV at `at`; -1 where it is cut short. */
function tlvEnd(view: DataView, at: number, end: number, layout: TlvLayout): number {
  const head = layout.typeBytes + 2;
  if (at + head > end) return -1;
  const length = view.getUint16(at + layout.typeBytes);
  const next = layout.lengthCounts === 'whole' ? at + length : at + head + length;
  return next > end || next < at + head ? -1 : next;
}

export function writeTlvs(tlvs: readonly Tlv[], out: ByteWriter, layout: TlvLayout): void {
  for (const { type, value } of tlvs) {
    if (layout.typeBytes === 1) out.u8(type);
    else out.u16(type);
    out.u16(layout.lengthCounts === 'whole' ? value.length + layout.typeBytes + 2 : value.length);
    out.octets(value);
  }
}

export function tlvsToJson(tlvs: readonly Tlv[]): unknown {
  return tlvs.map(({ type, value }) => ({ type, hex: toHex(value) }));
}
