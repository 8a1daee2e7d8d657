/** Addresses in the decoder's columns of words, as text. */
import { formatAddress, ipv4, ipv6 } from '../addr/address.js';

export function addressText(words: Uint32Array, at: number, family: number): string {
  return formatAddress(
    family === 4 ? ipv4(words[at]!) : ipv6(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!),
  );
}
