/** Bob Jenkins' hash as Linux has it (include/linux/jhash.h, "lookup3"): the final mix over two words. */

const INITIAL = 0xdeadbeef;

/** jhash_2words(a, b, initval), unsigned. */
export function jhash2Words(a: number, b: number, initval: number): number {
  const c = (INITIAL + (2 << 2) + initval) | 0;
  return finalMix((a + c) | 0, (b + c) | 0, c);
}

/** jhash2(words[0 .. count), initval), unsigned. */
export function jhashWords(words: Uint32Array, count: number, initval: number): number {
  return mixAll(words, count, count << 2, initval);
}

/** jhash(octets, initval), unsigned: the octets as little-endian words, the last one filled up with zeros. */
export function jhashBytes(octets: Uint8Array, initval: number): number {
  const words = new Uint32Array((octets.length + 3) >> 2);
  octets.forEach((octet, at) => {
    words[at >> 2]! |= octet << (8 * (at & 3));
  });
  return mixAll(words, words.length, octets.length, initval);
}

function mixAll(words: Uint32Array, count: number, lengthBytes: number, initval: number): number {
  let a = (INITIAL + lengthBytes + initval) | 0;
  let b = a;
  let c = a;
  let at = 0;
  for (; count - at > 3; at += 3) {
    a = (a + words[at]!) | 0;
    b = (b + words[at + 1]!) | 0;
    c = (c + words[at + 2]!) | 0;
    a = ((a - c) ^ rotate(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotate(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotate(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotate(b, 4)) | 0;
    b = (b + a) | 0;
  }
  if (count === at) return c >>> 0;
  a = (a + words[at]!) | 0;
  if (count - at > 1) b = (b + words[at + 1]!) | 0;
  if (count - at > 2) c = (c + words[at + 2]!) | 0;
  return finalMix(a, b, c);
}

function finalMix(a: number, b: number, c: number): number {
  c = ((c ^ b) - rotate(b, 14)) | 0;
  a = ((a ^ c) - rotate(c, 11)) | 0;
  b = ((b ^ a) - rotate(a, 25)) | 0;
  c = ((c ^ b) - rotate(b, 16)) | 0;
  a = ((a ^ c) - rotate(c, 4)) | 0;
  b = ((b ^ a) - rotate(a, 14)) | 0;
  c = ((c ^ b) - rotate(b, 24)) | 0;
  return c >>> 0;
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}
