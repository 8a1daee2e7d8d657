/**
 * `--format csv`: a list of records as a table (RFC 4180, lines end with LF): a head with the names of the columns, then
 * a line a record. A record within a record becomes columns with dotted names (`packets.out`); a list stands in its
 * cell as JSON; what is null or absent is an empty cell.
 */
import { type OctetSink, OctetWriter } from './octet-writer.js';
import { type AnyFields, type AnyType, type Fields, isOptional } from './record-type.js';

const COMMA = 0x2c;
const NEWLINE = 0x0a;
/** what makes quotes necessary */
const SPECIAL = /[",\r\n]|^ | $/u;

interface Column {
  readonly name: string;
  /** keys from the record to the value */
  readonly way: readonly string[];
  readonly write: (out: OctetWriter, value: never) => void;
}

/** Writes `length` records, made one at a time, to `sink`. */
export function writeCsv<R>(
  fields: Fields<R>,
  length: number,
  element: (row: number) => R,
  sink: OctetSink,
): void {
  const out = new OctetWriter(sink);
  const columns = columnsOf(fields as unknown as AnyFields, []);
  out.text(`${columns.map(({ name }) => cell(name)).join(',')}\n`);
  for (let row = 0; row < length; row++) {
    const record = element(row);
    for (let i = 0; i < columns.length; i++) {
      if (i > 0) out.octet(COMMA);
      const { way, write } = columns[i]!;
      let value: unknown = record;
      for (let k = 0; k < way.length && value != null; k++) {
        value = (value as Readonly<Record<string, unknown>>)[way[k]!];
      }
      if (value != null) write(out, value as never);
    }
    out.octet(NEWLINE);
    out.pause();
  }
  out.flush();
}

function columnsOf(fields: AnyFields, before: readonly string[]): Column[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const way = [...before, name];
    const type = withoutNull(isOptional(field) ? field.optional : field);
    if (type.kind === 'record') return columnsOf(type.fields, way);
    return [{ name: way.join('.'), way, write: writerOf(type) }];
  });
}

function withoutNull(type: AnyType): AnyType {
  return type.kind === 'nullable' ? withoutNull(type.of) : type;
}

function writerOf({ kind }: AnyType): Column['write'] {
  switch (kind) {
    case 'seconds':
      return (out, value: number) => out.seconds(value);
    case 'number':
    case 'whole':
      return (out, value: number) => out.number(value);
    case 'list':
    case 'map':
      return (out, value: unknown) => out.text(cell(JSON.stringify(value)));
    default:
      return (out, value: unknown) => out.text(cell(String(value)));
  }
}

function cell(text: string): string {
  return SPECIAL.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
