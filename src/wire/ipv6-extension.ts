/**
 * IPv6 extension headers (RFC 8200 section 4): the common form, and the fragment header.
 *
 *     0 next header · 1 length in units of 8 octets, without the first 8 · 2 ...
 *     fragment header: 0 next header · 1 reserved · 2 offset in units of 8 (13 bits), reserved (2), more (1) ·
 *     4 identification
 */
import { DESTINATION_OPTIONS, HIP, HOP_BY_HOP, ROUTING, SHIM6 } from './ip-protocol.js';

export const MIN_HEADER_BYTES = 8;
export const FRAGMENT_BYTES = 8;

/** Has the header the common form? (FRAGMENT and AH have their own, ESP ends the chain.) */
export function isOptions(protocol: number): boolean {
  return (
    protocol === HOP_BY_HOP ||
    protocol === ROUTING ||
    protocol === DESTINATION_OPTIONS ||
    protocol === HIP ||
    protocol === SHIM6
  );
}

export function check(at: number, end: number): boolean {
  return at + MIN_HEADER_BYTES <= end;
}

export function nextHeader(view: DataView, at: number): number {
  return view.getUint8(at);
}

export function headerBytes(view: DataView, at: number): number {
  return (view.getUint8(at + 1) + 1) << 3;
}

/** in octets */
export function fragmentOffset(view: DataView, at: number): number {
  return view.getUint16(at + 2) & 0xfff8;
}

export function moreFragments(view: DataView, at: number): boolean {
  return (view.getUint8(at + 3) & 1) === 1;
}

export function fragmentId(view: DataView, at: number): number {
  return view.getUint32(at + 4);
}
