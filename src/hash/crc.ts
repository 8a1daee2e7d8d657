/** CRC-32C (Castagnoli; iSCSI, RFC 3720 appendix B.4) and CRC-16/ARC, bytewise by table, reflected. */

const CRC32C = table(0x82f63b78);
const CRC16 = table(0xa001);

/** CRC-32C of `bytes[0 .. count)`, unsigned; `seed` 0 gives the standard value, another one changes the initial register. */
export function crc32c(bytes: Uint8Array, count: number, seed: number): number {
  let crc = ~seed;
  for (let i = 0; i < count; i++) crc = CRC32C[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** CRC-16/ARC of `bytes[0 .. count)`; `seed` (low 16 bits) is the initial register, 0 in the standard. */
export function crc16(bytes: Uint8Array, count: number, seed: number): number {
  let crc = seed & 0xffff;
  for (let i = 0; i < count; i++) crc = CRC16[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return crc;
}

function table(polynomial: number): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? polynomial ^ (crc >>> 1) : crc >>> 1;
    return crc;
  });
}
