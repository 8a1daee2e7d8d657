/** A longer copy of a typed column; the new rows are zero. Typed arrays cannot grow in place. */
export type Column =
  | Uint8Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>;

export function grownColumn<C extends Column>(column: C, rows: number): C {
  const make = column.constructor as new (rows: number) => C;
  const grown = new make(rows);
  grown.set(column);
  return grown;
}
