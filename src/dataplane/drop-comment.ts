/** A comment as the options of a pcapng block, complete with the end of the list. */
import { OptionCode, padded } from '../capture/pcapng-options.js';

/** what the kernel keeps for one comment */
const MAX_OCTETS = 240;

export function commentOptions(text: string): Uint8Array {
  const octets = new TextEncoder().encode(text).subarray(0, MAX_OCTETS);
  const out = new Uint8Array(4 + padded(octets.length) + 4);
  const view = new DataView(out.buffer);
  view.setUint16(0, OptionCode.comment, true);
  view.setUint16(2, octets.length, true);
  out.set(octets, 4);
  return out;
}
