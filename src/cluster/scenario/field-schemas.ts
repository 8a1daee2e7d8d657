/**
 * The kinds of values that a scenario holds, as zod schemas that read text into model values. Every refusal is
 * worded "expected …"; schema-issues.ts adds where it stands and what was found instead.
 */
import { z } from 'zod';
import { type Address, parseAddress } from '../../addr/address.js';
import { type Prefix, parsePrefix } from '../../addr/prefix.js';
import { parseDuration } from '../yaml/duration.js';

const DURATION = 'expected a duration like 250ms, 5s, 2m, 1h30m, or a number of seconds';
const NAME = 'expected a name: text without spaces, commas, "*" and "="';

/**
 * A mapping in which every key is known. The message of an `unrecognized_keys` issue lists the known keys, so
 * that the nearest one can be named.
 */
export function mapping<S extends z.ZodRawShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  const known = Object.keys(shape).join(' ');
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? known : 'expected a mapping'),
  });
}

/** One value, or a list of them; always read as a list. `error` is for what is neither. */
export function oneOrMore<S extends z.ZodType>(item: S, error: string) {
  return z.union([z.array(item), item.transform((value) => [value])], { error });
}

export function listOf<S extends z.ZodType>(item: S) {
  return z.array(item, { error: 'expected a list' });
}

export function oneOf<const T extends readonly string[]>(values: T) {
  return z.literal(values as unknown as T[number][], { error: `expected one of ${values.join(', ')}` });
}

export const truth = z.boolean({ error: 'expected true or false' });

export function wholeNumber(from: number, to: number) {
  const error = `expected a whole number from ${from} to ${to}`;
  return z.number({ error }).int({ error }).min(from, { error }).max(to, { error });
}

/** An unsigned number of up to `max`, as a number or as hexadecimal text. */
export function numberOrHex(max: number) {
  const error = `expected a whole number from 0 to ${max}, or hexadecimal like 0x37`;
  return z.union([z.number(), z.string()], { error }).transform((value, ctx) => {
    const number = typeof value === 'number' ? value : /^(0x[\da-f]+|\d+)$/i.test(value) ? Number(value) : -1;
    if (Number.isInteger(number) && number >= 0 && number <= max) return number;
    return refuse(ctx, value, error);
  });
}

/** Seconds, zero included. */
export const duration = durationFrom((seconds) => seconds >= 0, DURATION);

/** Seconds, more than zero. */
export const positiveDuration = durationFrom((seconds) => seconds > 0, `${DURATION}, more than 0`);

function durationFrom(accepts: (seconds: number) => boolean, error: string) {
  return z.union([z.number(), z.string()], { error }).transform((value, ctx) => {
    const seconds = typeof value === 'number' ? value : parseDuration(value);
    if (seconds !== null && Number.isFinite(seconds) && accepts(seconds)) return seconds;
    return refuse(ctx, value, error);
  });
}

/** Seconds, or null for `off`; `on` and `true` stand for `usual`. */
export function switchableDuration(usual: number) {
  const error = `expected off, or ${DURATION.replace('expected ', '')}, more than 0`;
  return z.union([z.boolean(), z.number(), z.string()], { error }).transform((value, ctx) => {
    if (value === false || value === 'off' || value === 'none') return null;
    if (value === true || value === 'on') return usual;
    const seconds = typeof value === 'number' ? value : parseDuration(value);
    if (seconds !== null && Number.isFinite(seconds) && seconds > 0) return seconds;
    return refuse(ctx, value, error);
  });
}

const ADDRESS = 'expected an IPv4 or IPv6 address';
export const address = z.string({ error: ADDRESS }).transform((text, ctx): Address => {
  return parseAddress(text) ?? refuse(ctx, text, ADDRESS);
});

export const addresses = oneOrMore(address, `${ADDRESS}, or a list of them`);

const PREFIX = 'expected a prefix like 203.0.113.0/24 or 2001:db8::/32';
export const prefix = z.string({ error: PREFIX }).transform((text, ctx): Prefix => {
  return parsePrefix(text) ?? refuse(ctx, text, PREFIX);
});

export const prefixes = oneOrMore(prefix, `${PREFIX}, or a list of them`);

/** A name of a node, pod or service. Such names are words of `--event` and of next-hop lists. */
export const name = z.string({ error: NAME }).regex(/^[^\s,*=\p{Cc}]+$/u, { error: NAME });

const NAMES = 'expected a name, or a list of names';
export const names = z.union([z.array(name).min(1, { error: NAMES }), name.transform((one) => [one])], {
  error: NAMES,
});

export interface RawNextHop {
  /** of a node, or an address of one */
  readonly node: string;
  readonly weight: number;
}

const NEXT_HOP = 'expected a node with an optional weight from 1 to 255, like n4 or "n4*2"';
export const nextHop = z.string({ error: NEXT_HOP }).transform((text, ctx): RawNextHop => {
  const parts = /^([^\s,*=\p{Cc}]+)(?:\*(\d{1,3}))?$/u.exec(text.trim());
  const weight = Number(parts?.[2] ?? 1);
  if (parts === null || weight < 1 || weight > 255) return refuse(ctx, text, NEXT_HOP);
  return { node: parts[1]!, weight };
});

function refuse(ctx: z.RefinementCtx, input: unknown, message: string): never {
  ctx.addIssue({ code: 'custom', message, input });
  return z.NEVER;
}
