/**
 * Options of pcapng blocks (draft-ietf-opsawg-pcapng, section 3.5): code(2) length(2) value, padded to 4, until
 * code 0 or the end of the block. A length that leads out of the block ends the list; nothing throws.
 */

export const OptionCode = {
  endOfOptions: 0,
  comment: 1,
  shbUserApplication: 4,
  ifName: 2,
  /** of an Enhanced Packet Block: packets lost since the one before it, 64 bits */
  epbDropCount: 4,
  /** of an Interface Statistics Block: dropped by the interface, by the operating system; 64 bits each */
  isbIfDrop: 5,
  isbOsDrop: 7,
  ifTsResol: 9,
  ifTsOffset: 14,
} as const;

const OPTION_HEADER_BYTES = 4;

export function forEachOption(
  view: DataView,
  at: number,
  end: number,
  littleEndian: boolean,
  visit: (code: number, valueAt: number, length: number) => void,
): void {
  while (at + OPTION_HEADER_BYTES <= end) {
    const code = view.getUint16(at, littleEndian);
    const length = view.getUint16(at + 2, littleEndian);
    const valueAt = at + OPTION_HEADER_BYTES;
    if (code === OptionCode.endOfOptions || valueAt + length > end) return;
    visit(code, valueAt, length);
    at = valueAt + padded(length);
  }
}

/** Text of an option: UTF-8, without the NUL some writers end it with; wrong octets become U+FFFD. */
export function optionText(bytes: Uint8Array, at: number, length: number): string {
  const text = utf8.decode(bytes.subarray(at, at + length));
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}

const utf8 = new TextDecoder('utf-8');

/** Rounded up to a multiple of four; for lengths of 32 bits. */
export function padded(length: number): number {
  return length + (-length & 3);
}
