/**
 * What `tcpdump -i nflog:N` writes (www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html): a header, then attributes.
 *
 *     0 address family · 1 version (0) · 2 resource id (2), then for each attribute
 *     0 length (2), with these 4 octets, padded to 4 behind · 2 type (2) · 4 value
 *
 * Length and type stand in the byte order of the machine that captured. The packet, from its IP header on, is the
 * attribute of type {@link ATTRIBUTE_PAYLOAD}.
 */
export const HEADER_BYTES = 4;
export const ATTRIBUTE_HEADER_BYTES = 4;
export const ATTRIBUTE_PAYLOAD = 9;

/** the kernel's types end below (NFULA_MAX, linux/netfilter/nfnetlink_log.h) */
const TYPES_BELOW = 256;

export function check(view: DataView, at: number, end: number): boolean {
  return at + HEADER_BYTES <= end && view.getUint8(at + 1) === 0;
}

/** Whether the first attribute makes sense with its low octet first: a type is one octet, whatever its order. */
export function isLittleEndian(view: DataView, at: number): boolean {
  return view.getUint16(at + 2, true) < TYPES_BELOW;
}

export function attributeBytes(view: DataView, at: number, littleEndian: boolean): number {
  return view.getUint16(at, littleEndian);
}

export function attributeType(view: DataView, at: number, littleEndian: boolean): number {
  return view.getUint16(at + 2, littleEndian);
}
