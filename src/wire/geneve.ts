/**
 * Geneve header (RFC 8926 section 3.4).
 *
 *     0 version (2 bits), options length in words (6) · 1 flags · 2 protocol: an EtherType · 4 VNI (3) · 7 reserved · 8 options
 */
export const MIN_HEADER_BYTES = 8;
export const UDP_PORT = 6081;

export function check(at: number, end: number): boolean {
  return at + MIN_HEADER_BYTES <= end;
}

export function version(view: DataView, at: number): number {
  return view.getUint8(at) >>> 6;
}

export function headerBytes(view: DataView, at: number): number {
  return MIN_HEADER_BYTES + ((view.getUint8(at) & 0x3f) << 2);
}

export function protocol(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function vni(view: DataView, at: number): number {
  return view.getUint32(at + 4) >>> 8;
}
