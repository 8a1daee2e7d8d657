/**
 * TCP header (RFC 9293 section 3.1).
 *
 *     0 source port · 2 destination port · 4 sequence · 8 acknowledgment · 12 header length in words (4 bits),
 *     reserved (4) · 13 flags · 14 window · 16 checksum · 18 urgent pointer · 20 options
 *
 * `check` covers the fixed part; ports and flags have checks of their own, since captures are cut.
 */
export const MIN_HEADER_BYTES = 20;
export const FLAGS = 13;
export const CHECKSUM = 16;

/** option kinds */
export const OPTION_END = 0;
export const OPTION_NOP = 1;
export const OPTION_WINDOW_SCALE = 3;
export const OPTION_SACK_PERMITTED = 4;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;

export function check(at: number, end: number): boolean {
  return at + MIN_HEADER_BYTES <= end;
}

export function checkFlags(at: number, end: number): boolean {
  return at + FLAGS < end;
}

/** Everything up to the window was captured. */
export function checkWindow(at: number, end: number): boolean {
  return at + 16 <= end;
}

export function srcPort(view: DataView, at: number): number {
  return view.getUint16(at);
}

export function dstPort(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function sequence(view: DataView, at: number): number {
  return view.getUint32(at + 4);
}

export function acknowledgment(view: DataView, at: number): number {
  return view.getUint32(at + 8);
}

/** needs {@link checkFlags} */
export function headerBytes(view: DataView, at: number): number {
  return (view.getUint8(at + 12) >>> 4) << 2;
}

/** needs {@link checkFlags} */
export function flags(view: DataView, at: number): number {
  return view.getUint8(at + FLAGS);
}

export function window(view: DataView, at: number): number {
  return view.getUint16(at + 14);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + CHECKSUM);
}

export function setSrcPort(view: DataView, at: number, port: number): void {
  view.setUint16(at, port);
}

export function setDstPort(view: DataView, at: number, port: number): void {
  view.setUint16(at + 2, port);
}

export function setSequence(view: DataView, at: number, sequence: number): void {
  view.setUint32(at + 4, sequence);
}

export function setAcknowledgment(view: DataView, at: number, acknowledgment: number): void {
  view.setUint32(at + 8, acknowledgment);
}

export function setFlags(view: DataView, at: number, flags: number): void {
  view.setUint8(at + FLAGS, flags);
}

export function setChecksum(view: DataView, at: number, checksum: number): void {
  view.setUint16(at + CHECKSUM, checksum);
}
