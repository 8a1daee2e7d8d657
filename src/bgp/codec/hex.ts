/** Octets as hexadecimal text and back. */

const DIGITS = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'));

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const octet of bytes) text += DIGITS[octet];
  return text;
}

/** The octets that `text` writes, spaces, colons and line ends aside; `null` where it is not hexadecimal. */
export function fromHex(text: string): Uint8Array | null {
  const digits = text.replace(/[\s:]/g, '').replace(/^0x/i, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return null;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}
