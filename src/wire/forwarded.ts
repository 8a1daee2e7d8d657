/**
 * Who a request came from, as header fields say it: the list of X-Forwarded-For (a convention) and the elements
 * of Forwarded (RFC 7239).
 *
 *     X-Forwarded-For: 203.0.113.7, 10.0.0.1
 *     Forwarded: for=203.0.113.7;proto=https, for="[2001:db8::17]:4711"
 *
 * The first entry is the farthest from the server, and whoever sends the request may have written it.
 */
import { type Address, formatAddress, parseAddress } from '../addr/address.js';

/** An entry of either list: the address it names, or null where it is hidden, unknown or no address. */
export interface ForwardedEntry {
  readonly address: Address | null;
  readonly text: string;
}

/** Entries of all X-Forwarded-For fields, in order. Ports, which some proxies add, are left out. */
export function parseForwardedFor(values: readonly string[]): ForwardedEntry[] {
  return values
    .flatMap((value) => value.split(','))
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(entryOf);
}

/** `for` parameters of all Forwarded fields, in order; an element without one counts as unknown. */
export function parseForwarded(values: readonly string[]): ForwardedEntry[] {
  return values
    .flatMap((value) => splitQuoted(value, ','))
    .filter((element) => element.trim() !== '')
    .map((element) => {
      const pairs = splitQuoted(element, ';').map((pair) => /^\s*for\s*=\s*(.*?)\s*$/i.exec(pair)?.[1]);
      const given = pairs.find((value) => value !== undefined) ?? 'unknown';
      return entryOf(given.startsWith('"') ? unquoted(given) : given);
    });
}

/** An address as an element of Forwarded: IPv6 is bracketed, and quoted for its colons (section 6). */
export function forwardedElement(address: Address): string {
  const text = formatAddress(address);
  return address.family === 6 ? `for="[${text}]"` : `for=${text}`;
}

function entryOf(text: string): ForwardedEntry {
  return { address: parseAddress(hostOf(text)), text };
}

/** `192.0.2.1:80`, `[2001:db8::1]:80` and `[2001:db8::1]` without port and brackets. */
function hostOf(text: string): string {
  const bracketed = /^\[([^\]]*)\](?::[\w.]+)?$/.exec(text);
  if (bracketed !== null) return bracketed[1]!;
  return /^[\d.]+:\w+$/.test(text) ? text.slice(0, text.indexOf(':')) : text;
}

/** Parts between separators that stand outside of quoted strings (RFC 9110 section 5.6.4). */
function splitQuoted(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    if (isQuoted && text[i] === '\\') i++;
    else if (text[i] === '"') isQuoted = !isQuoted;
    else if (text[i] === separator && !isQuoted) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function unquoted(text: string): string {
  return text.slice(1, text.endsWith('"') && text.length > 1 ? -1 : undefined).replace(/\\(.)/g, '$1');
}
