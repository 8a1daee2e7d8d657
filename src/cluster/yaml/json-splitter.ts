/**
 * JSON as dumps hold it, cut into its objects while it arrives: one value, several one after the other or a line
 * each, an array, or lists (`{"kind": "List", "items": […]}`), whose items come out one by one. What is held at
 * any time is the value that is being read, so that a list may be larger than memory would like.
 *
 * Cutting looks at brackets and quotes alone; whether a value is JSON says `JSON.parse`, to whoever gets it.
 * Between the values `kubectl cluster-info dump` prints logs ("==== START logs …" to "==== END logs …"): they
 * are passed over.
 */

export interface JsonPiece {
  readonly text: string;
  /** where it begins, both from 1 */
  readonly line: number;
  readonly column: number;
}

export interface PieceHandler {
  /** an element of the array, or of the list's `items`, that is being read, or a value by itself */
  item(piece: JsonPiece): void;
  /** the list around the items since the last call, with an empty `items` */
  list(piece: JsonPiece): void;
  /** what stands between values and is none, or a value that never ends */
  fault(sentence: string, line: number, column: number): void;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;
const ITEMS = Buffer.from('"items"');

/** Where the reader stands: outside of everything, in a top-level array, in a top-level object, in its `items`. */
type Where = 'top' | 'array' | 'object' | 'items' | 'log' | 'lost';

export class JsonSplitter {
  private where: Where = 'top';
  /** brackets open since the item (or the object around items) began */
  private depth = 0;
  private inString = false;
  private escaped = false;
  /** a scalar stands where an item was expected; it ends at a comma, a bracket or a space */
  private inScalar = false;
  /** octets of the item, and of the object around items, from earlier chunks */
  private item: Buffer[] = [];
  private outer: Buffer[] = [];
  private itemAt = { line: 1, column: 1 };
  private outerAt = { line: 1, column: 1 };
  private line = 1;
  private lineStart = 0;
  /** octets before this chunk */
  private before = 0;
  /** in an object at the first level: what has been seen of `"items": [` */
  private key: 'none' | 'string' | 'items' | 'colon' = 'none';
  private keyOctets: number[] = [];
  private logLine = '';

  constructor(private readonly to: PieceHandler) {}

  push(chunk: Buffer): void {
    let mark = 0;
    for (let at = 0; at < chunk.length; at++) {
      const octet = chunk[at]!;
      if (octet === NEWLINE) {
        this.line++;
        this.lineStart = this.before + at + 1;
      }
      if (this.where === 'lost') return;
      if (this.where === 'log') {
        this.passLog(octet);
        continue;
      }
      if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (octet === BACKSLASH) this.escaped = true;
        else if (octet === QUOTE) {
          this.inString = false;
          if (this.key === 'string') this.key = this.isItemsKey() ? 'items' : 'none';
          if (this.where !== 'object' && this.depth === 0) this.endItem(chunk, mark, at + 1);
        } else if (this.key === 'string' && this.keyOctets.length < ITEMS.length) this.keyOctets.push(octet);
        continue;
      }
      if (this.where === 'object') {
        if (octet === QUOTE) {
          this.inString = true;
          this.key = this.depth === 1 ? 'string' : 'none';
          this.keyOctets = [];
        } else if (octet === COLON && this.key === 'items') this.key = 'colon';
        else if (octet === OPEN_BRACKET && this.key === 'colon' && this.depth === 1) {
          this.outer.push(chunk.subarray(mark, at + 1));
          this.where = 'items';
          this.depth = 0;
          this.key = 'none';
        } else {
          if (octet > 32) this.key = 'none';
          if (octet === OPEN_BRACE || octet === OPEN_BRACKET) this.depth++;
          else if (octet === CLOSE_BRACE || octet === CLOSE_BRACKET) {
            this.depth--;
            if (this.depth === 0) {
              this.outer.push(chunk.subarray(mark, at + 1));
              this.where = 'top';
              this.endObject();
            }
          }
        }
        continue;
      }
      // between items, or inside one
      if (this.depth > 0) {
        if (octet === QUOTE) this.inString = true;
        else if (octet === OPEN_BRACE || octet === OPEN_BRACKET) this.depth++;
        else if (octet === CLOSE_BRACE || octet === CLOSE_BRACKET) {
          this.depth--;
          if (this.depth === 0) this.endItem(chunk, mark, at + 1);
        }
        continue;
      }
      const isEnd = octet <= 32 || octet === COMMA || octet === CLOSE_BRACKET || octet === CLOSE_BRACE;
      if (this.inScalar && isEnd) this.endItem(chunk, mark, at);
      if (this.inScalar || octet <= 32 || octet === COMMA) continue;
      if (octet === CLOSE_BRACKET && this.where !== 'top') {
        mark = at;
        this.depth = this.where === 'items' ? 1 : 0;
        this.where = this.where === 'items' ? 'object' : 'top';
        continue;
      }
      mark = at;
      this.begin(octet, at);
    }
    const rest = chunk.subarray(mark);
    if (this.where === 'object') this.outer.push(rest);
    else if (this.depth > 0 || this.inString || this.inScalar) this.item.push(rest);
    this.before += chunk.length;
  }

  end(): void {
    if (this.inScalar) this.endItem(Buffer.alloc(0), 0, 0);
    if (this.where === 'top' || this.where === 'lost' || this.where === 'log') return;
    const { line, column } = this.where === 'array' ? this.itemAt : this.outerAt;
    this.to.fault('ends in the middle of an object: it was cut off', line, column);
  }

  private begin(octet: number, at: number): void {
    const place = { line: this.line, column: this.before + at - this.lineStart + 1 };
    if (this.where === 'top') {
      this.outerAt = place;
      this.itemAt = place;
      if (octet === OPEN_BRACE) {
        this.where = 'object';
        this.depth = 1;
        this.key = 'none';
      } else if (octet === OPEN_BRACKET) this.where = 'array';
      else if (octet === EQUALS) {
        this.where = 'log';
        this.logLine = '=';
      } else {
        this.where = 'lost';
        this.to.fault('this is not valid JSON: expected "{" or "["', place.line, place.column);
      }
      return;
    }
    this.itemAt = place;
    if (octet === QUOTE) this.inString = true;
    else if (octet === OPEN_BRACE || octet === OPEN_BRACKET) this.depth = 1;
    else this.inScalar = true;
  }

  private endItem(chunk: Buffer, from: number, to: number): void {
    this.inScalar = false;
    const text = textOf(this.item, chunk.subarray(from, to));
    this.item = [];
    this.to.item({ text, ...this.itemAt });
  }

  private endObject(): void {
    const text = textOf(this.outer, Buffer.alloc(0));
    this.outer = [];
    this.to.list({ text, ...this.outerAt });
  }

  private isItemsKey(): boolean {
    return this.keyOctets.length === 5 && String.fromCharCode(...this.keyOctets) === 'items';
  }

  private passLog(octet: number): void {
    if (octet !== NEWLINE) {
      if (this.logLine.length < 16) this.logLine += String.fromCharCode(octet);
      return;
    }
    if (this.logLine.startsWith('==== END logs')) this.where = 'top';
    this.logLine = '';
  }
}

function textOf(pieces: readonly Buffer[], last: Buffer): string {
  return pieces.length === 0 ? last.toString() : Buffer.concat([...pieces, last]).toString();
}
