/** Options of an iptables rule, as its matches and targets get them, and how their values are read. */
import type { Family } from '../addr/address.js';
import type { NodeView, Walk } from './rule-set.js';

export interface RuleOption {
  /** without its dashes */
  readonly name: string;
  readonly values: readonly string[];
  readonly negated: boolean;
}

export interface MatchContext {
  readonly node: NodeView;
  readonly family: Family;
  /** of `-p`, where it is not negated */
  readonly proto: number | null;
  /** file and line */
  readonly where: string;
}

export type Test = (walk: Walk) => boolean;

/** Null where an option is not understood. */
export type MatchCompiler = (options: readonly RuleOption[], context: MatchContext) => readonly Test[] | null;

/** `80`, `80:90`, `:90`, `80:`; names of services are not written by iptables-save. */
export function readRange(text: string | undefined, most: number): readonly [number, number] | null {
  if (text === undefined) return null;
  const [, low, colon, high] = /^(\d*)([:-]?)(\d*)$/.exec(text) ?? [];
  if (low === undefined || (low === '' && high === '')) return null;
  const from = low === '' ? 0 : Number(low);
  return [from, colon === '' ? from : high === '' ? most : Number(high)];
}

/** A number, decimal, hexadecimal or octal. */
export function readNumber(text: string | undefined): number | null {
  if (text === undefined || !/^(0x[0-9a-f]+|\d+)$/i.test(text)) return null;
  return /^0\d+$/.test(text) ? Number.parseInt(text, 8) : Number(text);
}

/** `value[/mask]`, both unsigned 32-bit. */
export function readMasked(text: string | undefined): readonly [number, number] | null {
  const [valueText, maskText] = (text ?? '').split('/');
  const value = readNumber(valueText);
  const mask = maskText === undefined ? 0xffffffff : readNumber(maskText);
  return value === null || mask === null ? null : [value >>> 0, mask >>> 0];
}

export function named(options: readonly RuleOption[], ...names: string[]): RuleOption | undefined {
  return options.find(({ name }) => names.includes(name));
}

/** Is every option one of these? */
export function onlyNamed(options: readonly RuleOption[], ...names: string[]): boolean {
  return options.every(({ name }) => names.includes(name));
}

/** `eth0`, `eth+`, `+`; a packet without the interface has the empty name. */
export function interfaceTest(pattern: string): (name: string | null) => boolean {
  if (!pattern.endsWith('+')) return (name) => (name ?? '') === pattern;
  const start = pattern.slice(0, -1);
  return (name) => (name ?? '').startsWith(start);
}
