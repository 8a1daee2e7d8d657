/**
 * A copy of `bytes[at .. end)` that outlives the buffer it was in.
 *
 * Not `bytes.slice`: what comes from a socket is a Node `Buffer`, whose `slice` shares memory with a receive
 * buffer that is about to be overwritten.
 */
export function copyOctets(bytes: Uint8Array, at: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - at);
  copy.set(bytes.subarray(at, end));
  return copy;
}
