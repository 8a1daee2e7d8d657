/** Records as JSON, octet by octet what `JSON.stringify` makes of them. */
import { type OctetWriter, Piece } from './octet-writer.js';
import { type AnyFields, type AnyType, type Fields, isOptional } from './record-type.js';

type Write = (out: OctetWriter, value: never) => void;

const NULL = new Piece('null');
const TRUE = new Piece('true');
const FALSE = new Piece('false');
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_RECORD = 0x7b;
const CLOSE_RECORD = 0x7d;

/** Writes one record. `head` stands before its first field: `{`, or what the lines of a kind begin with. */
export type JsonRecordWriter<R> = (out: OctetWriter, record: R) => void;

/**
 * @param head what every such record begins with, an unfinished object: `{"record":"flow"`. A first field that is
 * optional needs one.
 */
export function jsonRecordWriter<R>(fields: Fields<R>, head = '{'): JsonRecordWriter<R> {
  return recordWriter(fields as unknown as AnyFields, head) as JsonRecordWriter<R>;
}

function recordWriter(fields: AnyFields, head: string): Write {
  const begin = new Piece(head);
  const columns = Object.entries(fields).map(([name, field], i) => ({
    name,
    key: new Piece(`${i === 0 && head === '{' ? '' : ','}${JSON.stringify(name)}:`),
    write: writerOf(isOptional(field) ? field.optional : field),
  }));
  return (out, record) => {
    out.piece(begin);
    for (let i = 0; i < columns.length; i++) {
      const { name, key, write } = columns[i]!;
      const value = record[name];
      if (value === undefined) continue;
      out.piece(key);
      write(out, value);
    }
    out.octet(CLOSE_RECORD);
  };
}

function writerOf(type: AnyType): Write {
  switch (type.kind) {
    case 'seconds':
      return (out, value: number) => out.seconds(value);
    case 'number':
    case 'whole':
      return (out, value: number) => out.number(value);
    case 'text':
      return (out, value: string) => out.quoted(value);
    case 'flag':
      return (out, value: boolean) => out.piece(value ? TRUE : FALSE);
    case 'literal':
      return literalWriter(type.values);
    case 'nameOrNumber':
      return (out, value: string | number) =>
        typeof value === 'string' ? out.quoted(value) : out.number(value);
    case 'nullable': {
      const write = writerOf(type.of);
      return (out, value: unknown) => (value === null ? out.piece(NULL) : write(out, value as never));
    }
    case 'list':
      return listWriter(writerOf(type.of));
    case 'map':
      return mapWriter(writerOf(type.of));
    case 'record':
      return recordWriter(type.fields, '{');
  }
}

function literalWriter(values: readonly (string | number | boolean)[]): Write {
  const written = new Map(values.map((value) => [value, new Piece(JSON.stringify(value))]));
  return (out, value: string | number | boolean) =>
    out.piece(written.get(value) ?? new Piece(JSON.stringify(value)));
}

function listWriter(write: Write): Write {
  return (out, list: readonly never[]) => {
    out.octet(OPEN_LIST);
    for (let i = 0; i < list.length; i++) {
      if (i > 0) out.octet(COMMA);
      write(out, list[i]!);
    }
    out.octet(CLOSE_LIST);
  };
}

/** Keys in the order in which the value has them. */
function mapWriter(write: Write): Write {
  return (out, map: Readonly<Record<string, never>>) => {
    out.octet(OPEN_RECORD);
    let first = true;
    for (const key of Object.keys(map)) {
      const value = map[key];
      if (value === undefined) continue;
      if (!first) out.octet(COMMA);
      first = false;
      out.quoted(key);
      out.octet(0x3a);
      write(out, value);
    }
    out.octet(CLOSE_RECORD);
  };
}
