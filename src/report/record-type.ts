/**
 * What a record has: its fields in the order in which they are written, and of what type each is. One such definition
 * gives the record as JSON (json-record.ts), as a line of CSV (csv-record.ts), and its JSON Schema (record-zod.ts).
 *
 * A definition is checked against the interface of its record: a field too many, too few, or of another type does not
 * compile.
 */

interface TypeOf<T> {
  /** of the value, in words, for the schema */
  readonly means?: string;
  /** never there: what values the type takes */
  readonly takes?: (value: T) => void;
}

type Shape =
  /** a time; on the grid of nanoseconds it is written at once */
  | { readonly kind: 'seconds'; readonly least?: number }
  | { readonly kind: 'number'; readonly least?: number; readonly most?: number }
  | { readonly kind: 'whole'; readonly least?: number; readonly most?: number }
  | { readonly kind: 'text' }
  | { readonly kind: 'flag' }
  | { readonly kind: 'literal'; readonly values: readonly (string | number | boolean)[] }
  | { readonly kind: 'nameOrNumber'; readonly most: number }
  | { readonly kind: 'nullable'; readonly of: AnyType }
  | { readonly kind: 'list'; readonly of: AnyType }
  /** a value for some of the keys */
  | { readonly kind: 'map'; readonly keys: readonly string[]; readonly of: AnyType }
  | { readonly kind: 'record'; readonly fields: AnyFields };

export type Type<T> = Shape & TypeOf<T>;
export type AnyType = Type<never>;

/** A field that is left out where its value is undefined. */
export interface Optional<T> {
  readonly optional: Type<T>;
}
export type AnyField = AnyType | Optional<never>;
export type AnyFields = Readonly<Record<string, AnyField>>;

/** The fields of record `R`, each key once. */
export type Fields<R> = {
  readonly [K in keyof R]-?: undefined extends R[K] ? Optional<Exclude<R[K], undefined>> : Type<R[K]>;
};

export const text: Type<string> = { kind: 'text' };
export const flag: Type<boolean> = { kind: 'flag' };
/** Seconds since t = 0; before it is negative. */
export const seconds: Type<number> = { kind: 'seconds', means: 'seconds since t = 0' };
/** How many; from 0. */
export const count: Type<number> = { kind: 'whole', least: 0 };
export const port: Type<number> = { kind: 'whole', least: 0, most: 65535 };
export const chance: Type<number> = { kind: 'number', least: 0, most: 1 };
export const sentences: Type<readonly string[]> = { kind: 'list', of: text };

export function oneOf<const V extends string | number | boolean>(...values: readonly V[]): Type<V> {
  return { kind: 'literal', values };
}

export function oneOfKeys<K extends string>(table: Readonly<Record<K, unknown>>): Type<K> {
  return oneOf(...(Object.keys(table) as K[]));
}

/** A name, or the number of what has none. */
export function nameOrNumber(most: number): Type<string | number> {
  return { kind: 'nameOrNumber', most };
}

export function nullable<T>(of: Type<T>): Type<T | null> {
  return { kind: 'nullable', of };
}

export function listOf<T>(of: Type<T>): Type<readonly T[]> {
  return { kind: 'list', of };
}

export function mapOf<K extends string, T>(
  keys: readonly K[],
  of: Type<T>,
): Type<Readonly<Partial<Record<K, T>>>> {
  return { kind: 'map', keys, of };
}

export function recordOf<R>(fields: Fields<R>): Type<R> {
  return { kind: 'record', fields };
}

export function optional<T>(of: Type<T>): Optional<T> {
  return { optional: of };
}

/** The same type, with words for the schema. */
export function meaning<T>(means: string, type: Type<T>): Type<T> {
  return { ...type, means };
}

export function isOptional(field: AnyField): field is Optional<never> {
  return 'optional' in field;
}
