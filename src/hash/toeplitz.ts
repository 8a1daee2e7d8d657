/**
 * The Toeplitz hash of receive side scaling (Microsoft, "Verifying the RSS Hash Calculation"), by table: for each
 * octet position the contribution of its 256 values. Input octets: source address, destination address, source port,
 * destination port, network order.
 */

/** Microsoft's verification key. */
const DEFAULT_KEY = Uint8Array.of(
  0x6d,
  0x5a,
  0x56,
  0xda,
  0x25,
  0x5b,
  0x0e,
  0xc2,
  0x41,
  0x67,
  0x25,
  0x3d,
  0x43,
  0xa3,
  0x8f,
  0xb0,
  0xd0,
  0xca,
  0x2b,
  0xcb,
  0xae,
  0x7b,
  0x30,
  0xb4,
  0x77,
  0xcb,
  0x2d,
  0xa3,
  0x80,
  0x30,
  0xf2,
  0x0c,
  0x6a,
  0x42,
  0xb7,
  0x3b,
  0xbe,
  0xac,
  0x01,
  0xfa,
);

/** the longest input: two IPv6 addresses and two ports */
const POSITIONS = 36;

export class Toeplitz {
  private readonly contributions: Int32Array;

  /** `seed` 0: Microsoft's key; any other seed: that key, each octet mixed with the seed. */
  constructor(seed: number) {
    const key = DEFAULT_KEY.map((octet, i) =>
      seed === 0 ? octet : octet ^ (Math.imul(seed ^ (i * 0x9e3779b1), 0x85ebca6b) >>> 24),
    );
    this.contributions = new Int32Array(POSITIONS * 256);
    for (let position = 0; position < POSITIONS; position++) {
      for (let value = 0; value < 256; value++) {
        let sum = 0;
        for (let bit = 0; bit < 8; bit++) {
          if ((value & (0x80 >>> bit)) !== 0) sum ^= window(key, position * 8 + bit);
        }
        this.contributions[position * 256 + value] = sum;
      }
    }
  }

  /** Hash (unsigned) of `bytes[0 .. count)`. */
  hash(bytes: Uint8Array, count: number): number {
    let sum = 0;
    for (let i = 0; i < count; i++) sum ^= this.contributions[i * 256 + bytes[i]!]!;
    return sum >>> 0;
  }
}

/** 32 bits of the key from bit `at` on. */
function window(key: Uint8Array, at: number): number {
  let bits = 0;
  for (let i = 0; i < 32; i++) {
    const bit = at + i;
    bits = (bits << 1) | ((key[bit >>> 3]! >>> (7 - (bit & 7))) & 1);
  }
  return bits;
}
