/**
 * ICMP header (RFC 792); in errors the packet in question follows, as far as it is quoted.
 *
 *     0 type · 1 code · 2 checksum · 4 rest: identifier and sequence (echo), MTU (fragmentation needed), ...
 */
export const HEADER_BYTES = 8;
export const UNREACHABLE = 3;
const SOURCE_QUENCH = 4;
const REDIRECT = 5;
export const TIME_EXCEEDED = 11;
const PARAMETER_PROBLEM = 12;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function type(view: DataView, at: number): number {
  return view.getUint8(at);
}

export function code(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

/** Does a message of this type quote a packet? */
export function isError(type: number): boolean {
  return (
    type === UNREACHABLE ||
    type === SOURCE_QUENCH ||
    type === REDIRECT ||
    type === TIME_EXCEEDED ||
    type === PARAMETER_PROBLEM
  );
}
