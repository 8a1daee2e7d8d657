/**
 * IPv6 extension headers (RFC 8200 section 4): the common form, and the fragment header.
 *
 *     0 next header · 1 length in units of 8 octets, without the first 8 · 2 ...
 *     fragment header: 0 next header · 1 reserved · 2 offset in units of 8 (13 bits), reserved (2), more (1) ·
 *     4 identification
 */
import { DESTINATION_OPTIONS, HOP_BY_HOP, ROUTING } from './ip-protocol.js';

export const MIN_HEADER_BYTES = 8;
export const FRAGMENT_BYTES = 8;

/**
 * Is it one to skip on the way to the layer-4 header? FRAGMENT and AH are too, in forms of their own. Mobility, HIP
 * and shim6 share the form but end the chain, as they do in Linux.
 */
export function isOptions(protocol: number): boolean {
  return protocol === HOP_BY_HOP || protocol === ROUTING || protocol === DESTINATION_OPTIONS;
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
