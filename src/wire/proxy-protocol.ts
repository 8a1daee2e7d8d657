/**
 * PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt): what a proxy says before the first octet
 * of a connection about where it came from.
 *
 *     v1  "PROXY TCP4 203.0.113.7 198.51.100.1 56324 443\r\n"                            at most 107 octets
 *     v2  0 signature (12) · 12 version 2 and command · 13 family and transport · 14 length (2) · 16 addresses, TLVs
 */
import { type Address, formatAddress, ipv4, ipv6, parseAddress } from '../addr/address.js';

export interface ProxyHeader {
  /** null: LOCAL or UNKNOWN, the connection is the proxy's own */
  readonly source: { readonly address: Address; readonly port: number } | null;
  readonly destination: { readonly address: Address; readonly port: number } | null;
  readonly version: 1 | 2;
  /** offset after the header */
  readonly end: number;
}

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a] as const;
const V1 = [0x50, 0x52, 0x4f, 0x58, 0x59, 0x20] as const;
const MAX_V1_BYTES = 107;
const V2_HEAD_BYTES = 16;
const COMMAND_LOCAL = 0x20;
const COMMAND_PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
const TCP4_BYTES = 12;
const TCP6_BYTES = 36;

/** The header that begins at `bytes[at]`; null where there is none, or one that is malformed or cut short. */
export function parseProxyHeader(bytes: Uint8Array, at: number, end: number): ProxyHeader | null {
  if (beginsWith(bytes, at, end, V1)) return parseV1(bytes, at, end);
  return beginsWith(bytes, at, end, SIGNATURE) ? parseV2(bytes, at, end) : null;
}

/** Both addresses of one family. */
export function writeProxyHeader(
  version: 1 | 2,
  source: { readonly address: Address; readonly port: number },
  destination: { readonly address: Address; readonly port: number },
): Uint8Array {
  const { family } = source.address;
  if (version === 1) {
    const addresses = `${formatAddress(source.address)} ${formatAddress(destination.address)}`;
    const text = `PROXY TCP${family} ${addresses} ${source.port} ${destination.port}\r\n`;
    return Uint8Array.from(text, (c) => c.charCodeAt(0));
  }
  const addressBytes = family === 4 ? TCP4_BYTES : TCP6_BYTES;
  const out = new Uint8Array(V2_HEAD_BYTES + addressBytes);
  const view = new DataView(out.buffer);
  out.set(SIGNATURE);
  out[12] = COMMAND_PROXY;
  out[13] = family === 4 ? TCP4 : TCP6;
  view.setUint16(14, addressBytes);
  const size = family === 4 ? 4 : 16;
  writeAddress(view, V2_HEAD_BYTES, source.address);
  writeAddress(view, V2_HEAD_BYTES + size, destination.address);
  view.setUint16(V2_HEAD_BYTES + 2 * size, source.port);
  view.setUint16(V2_HEAD_BYTES + 2 * size + 2, destination.port);
  return out;
}

function parseV1(bytes: Uint8Array, at: number, end: number): ProxyHeader | null {
  const limit = Math.min(end, at + MAX_V1_BYTES);
  const length = bytes.subarray(at, limit).indexOf(0x0a);
  if (length < 1 || bytes[at + length - 1] !== 0x0d) return null;
  const line = String.fromCharCode(...bytes.subarray(at, at + length - 1));
  const after = at + length + 1;
  if (/^PROXY UNKNOWN( |$)/.test(line)) return { source: null, destination: null, version: 1, end: after };
  const parts = /^PROXY TCP([46]) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line);
  if (parts === null) return null;
  const family = Number(parts[1]);
  const source = parseAddress(parts[2]!);
  const destination = parseAddress(parts[3]!);
  const ports = [Number(parts[4]), Number(parts[5])] as const;
  if (source?.family !== family || destination?.family !== family || Math.max(...ports) > 65535) return null;
  return {
    source: { address: source, port: ports[0] },
    destination: { address: destination, port: ports[1] },
    version: 1,
    end: after,
  };
}

function parseV2(bytes: Uint8Array, at: number, end: number): ProxyHeader | null {
  if (end - at < V2_HEAD_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const after = at + V2_HEAD_BYTES + view.getUint16(at + 14);
  if (after > end) return null;
  const command = bytes[at + 12]!;
  const transport = bytes[at + 13]!;
  const nobody = { source: null, destination: null, version: 2, end: after } as const;
  if (command === COMMAND_LOCAL) return nobody;
  if (command !== COMMAND_PROXY) return null;
  // another family or transport is to be skipped by its length (section 2.2)
  if (transport !== TCP4 && transport !== TCP6) return nobody;
  const family = transport === TCP4 ? 4 : 6;
  const size = family === 4 ? 4 : 16;
  const from = at + V2_HEAD_BYTES;
  if (from + 2 * size + 4 > after) return null;
  return {
    source: { address: readAddress(view, from, family), port: view.getUint16(from + 2 * size) },
    destination: {
      address: readAddress(view, from + size, family),
      port: view.getUint16(from + 2 * size + 2),
    },
    version: 2,
    end: after,
  };
}

function beginsWith(bytes: Uint8Array, at: number, end: number, start: readonly number[]): boolean {
  return end - at >= start.length && start.every((octet, i) => bytes[at + i] === octet);
}

function readAddress(view: DataView, at: number, family: 4 | 6): Address {
  if (family === 4) return ipv4(view.getUint32(at));
  return ipv6(view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8), view.getUint32(at + 12));
}

function writeAddress(view: DataView, at: number, { family, w0, w1, w2, w3 }: Address): void {
  view.setUint32(at, w0);
  if (family === 4) return;
  view.setUint32(at + 4, w1);
  view.setUint32(at + 8, w2);
  view.setUint32(at + 12, w3);
}
