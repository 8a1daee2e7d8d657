/** Where in a JSON text a value stands. Used only once something is to be said about it. */
import type { ErrorPosition } from '../../errors.js';
import type { Path, SourceDocument } from './yaml-source.js';

/** One JSON value of a file that may hold many: an item of a list, or one of several that follow each other. */
export class JsonDocument implements SourceDocument {
  /** @param text the value as it is written, or null where it was too much to keep */
  constructor(
    readonly file: string,
    readonly data: unknown,
    private readonly text: string | null,
    /** where the value begins in the file, both from 1 */
    private readonly line: number,
    private readonly column: number,
  ) {}

  positionOf(path: Path): ErrorPosition {
    return this.at(this.text === null ? 0 : placeIn(this.text, path).value);
  }

  keyPositionOf(path: Path): ErrorPosition {
    if (this.text === null) return this.at(0);
    const { key, value } = placeIn(this.text, path);
    return this.at(key ?? value);
  }

  sourceTextOf(path: Path): string | null {
    if (this.text === null) return null;
    const { value, whole } = placeIn(this.text, path);
    return whole ? (/^[^\s,\]}"[{]+/.exec(this.text.slice(value))?.[0] ?? null) : null;
  }

  private at(offset: number): ErrorPosition {
    const before = this.text?.slice(0, offset) ?? '';
    const lines = before.split('\n');
    const column = (lines.length === 1 ? this.column : 1) + lines.at(-1)!.length;
    return { file: this.file, line: this.line + lines.length - 1, column };
  }
}

interface JsonPlace {
  /** offset of the key that leads to the value, where a mapping holds it */
  readonly key: number | null;
  readonly value: number;
  /** false where the path ends before its end */
  readonly whole: boolean;
}

/** @param text valid JSON */
function placeIn(text: string, path: Path): JsonPlace {
  let place: JsonPlace = { key: null, value: skipSpace(text, 0), whole: true };
  for (const part of path) {
    const inner = childOf(text, place.value, part);
    if (inner === null) return { ...place, whole: false };
    place = inner;
  }
  return place;
}

function childOf(text: string, at: number, part: string | number): JsonPlace | null {
  const isMapping = text[at] === '{';
  if (!isMapping && text[at] !== '[') return null;
  let found: JsonPlace | null = null;
  let pos = skipSpace(text, at + 1);
  for (let i = 0; pos < text.length && text[pos] !== '}' && text[pos] !== ']'; i++) {
    const key = pos;
    let name: unknown = i;
    if (isMapping) {
      const end = skipString(text, pos);
      name = JSON.parse(text.slice(pos, end));
      pos = skipSpace(text, skipSpace(text, end) + 1);
    }
    // as in JSON.parse, the last of two equal keys counts
    if (String(name) === String(part)) found = { key: isMapping ? key : null, value: pos, whole: true };
    pos = skipSpace(text, skipValue(text, pos));
    if (text[pos] === ',') pos = skipSpace(text, pos + 1);
  }
  return found;
}

function skipSpace(text: string, at: number): number {
  let pos = at;
  while (pos < text.length && text.charCodeAt(pos) <= 32) pos++;
  return pos;
}

function skipString(text: string, at: number): number {
  let pos = at + 1;
  while (pos < text.length && text[pos] !== '"') pos += text[pos] === '\\' ? 2 : 1;
  return pos + 1;
}

function skipValue(text: string, at: number): number {
  let depth = 0;
  let pos = at;
  while (pos < text.length) {
    const c = text[pos]!;
    if (c === '"') pos = skipString(text, pos);
    else if (c === '{' || c === '[') {
      depth++;
      pos++;
    } else if (c === '}' || c === ']') {
      if (depth === 0) return pos;
      depth--;
      pos++;
    } else if (depth === 0 && (c === ',' || c.charCodeAt(0) <= 32)) return pos;
    else pos++;
    if (depth === 0 && /["}\]]/.test(c)) return pos;
  }
  return pos;
}
