/** Pieces of YAML that a printed scenario is put together from. */
import { type Address, formatAddress } from '../../addr/address.js';
import { formatPrefix, type Prefix } from '../../addr/prefix.js';

export function listLines(head: string, items: readonly string[]): string[] {
  if (items.length === 0) return [`${head} []`];
  const indent = ' '.repeat(head.length - head.trimStart().length + 2);
  return [head, ...items.map((item) => `${indent}- ${item}`)];
}

export function flow(pairs: Readonly<Record<string, string>>): string {
  return `{ ${Object.entries(pairs)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ')} }`;
}

export function list(items: readonly string[]): string {
  return `[${items.join(', ')}]`;
}

export function withRemark(line: string, remark: string): string {
  return remark === '' ? line : `${line}   # ${remark}`;
}

/**
 * Text that YAML reads back as this text: plain where it cannot be taken for anything else, quoted otherwise.
 * A JSON string is a YAML double-quoted scalar, apart from the line separators that YAML folds.
 */
export function scalar(text: string): string {
  if (/^[A-Za-z][\w./-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text)) return text;
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export function addressList(addresses: readonly Address[]): string {
  return list(addresses.map((address) => colonsQuoted(formatAddress(address))));
}

export function prefixText(prefix: Prefix): string {
  return colonsQuoted(formatPrefix(prefix));
}

function colonsQuoted(text: string): string {
  return text.includes(':') ? `"${text}"` : text;
}
