/**
 * The octets of a file, as they arrive, as documents: YAML or JSON by what stands in it, not by its name; UTF-8 with
 * or without a byte order mark, or UTF-16 as PowerShell redirects it.
 *
 * JSON is read as JSON, item by item (json-splitter.ts); what begins like JSON and is not is tried as YAML, whose
 * flow style looks alike, as long as it is small enough.
 */
import { JsonDocument } from './json-place.js';
import { type JsonPiece, JsonSplitter, type PieceHandler } from './json-splitter.js';
import { Problems } from './problems.js';
import { MAX_YAML_BYTES, readYaml, type ScenarioInput, type SourceDocument } from './yaml-source.js';

/** Up to so many octets a file's own text is kept, so that what is wrong in it has a line. */
const KEPT_TEXT_BYTES = 16 * 1024 * 1024;
/** How many octets tell what a file is. */
const HEAD_BYTES = 4096;

/** What is dropped of a value as soon as it is read: dumps are full of what nobody asks for. */
export type Prune = (object: Record<string, unknown>) => void;

export interface ReadFile {
  readonly documents: readonly SourceDocument[];
  /** nothing but white space and comments */
  readonly isEmpty: boolean;
}

/** @throws FlowfateError for what is no text, or YAML of absurd size; faults with a line go to `problems` */
export function readDocuments(input: ScenarioInput, problems: Problems): ReadFile {
  const reader = new DocumentReader(input.name, problems);
  reader.push(Buffer.from(input.text));
  return reader.end();
}

export class DocumentReader {
  private readonly documents: SourceDocument[] = [];
  private kept: Buffer[] | null = [];
  private keptBytes = 0;
  private form: 'undecided' | 'json' | 'yaml' | 'utf-16' = 'undecided';
  private splitter: JsonSplitter | null = null;
  private lists = 0;
  private faults: { sentence: string; line: number; column: number }[] = [];
  /** items of the list that is being read, whose kind stands behind them */
  private pending: Record<string, unknown>[] = [];
  private pendingFrom = 0;

  constructor(
    private readonly name: string,
    private readonly problems: Problems,
    private readonly prune: Prune = () => {},
  ) {}

  /** The chunk is kept for a while: it may not be written to again. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.keep(chunk);
    if (this.form === 'undecided') {
      if (this.keptBytes >= HEAD_BYTES) this.decide();
    } else if (this.form === 'json') this.splitter!.push(chunk);
  }

  end(): ReadFile {
    if (this.form === 'undecided') this.decide();
    if (this.form === 'json') return this.endJson();
    return this.readText(this.form === 'utf-16' ? utf16Text(this.all()) : this.all().toString());
  }

  private readText(text: string): ReadFile {
    const plain = text.startsWith('\ufeff') ? text.slice(1) : text;
    if (this.form === 'utf-16' && /^\s*[[{]/.test(plain)) {
      const inner = new DocumentReader(this.name, this.problems, this.prune);
      inner.push(Buffer.from(plain));
      return inner.end();
    }
    const before = this.problems.count;
    const documents = readYaml({ name: this.name, text: plain }, this.problems);
    return { documents, isEmpty: documents.length === 0 && this.problems.count === before };
  }

  private keep(chunk: Buffer): void {
    if (this.kept === null) return;
    this.kept.push(chunk);
    this.keptBytes += chunk.length;
    // JSON may be of any size; YAML and UTF-16 are read as a whole, and refused as a whole by readYaml
    const most = this.form === 'json' ? KEPT_TEXT_BYTES : 2 * MAX_YAML_BYTES + 2;
    if (this.keptBytes > most) this.kept = this.form === 'json' ? null : [this.all().subarray(0, most)];
  }

  private all(): Buffer {
    return Buffer.concat(this.kept ?? []);
  }

  private decide(): void {
    const head = this.all();
    const isMarked =
      head.length >= 2 && ((head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff));
    if (isMarked || looksUtf16(head)) {
      this.form = 'utf-16';
      return;
    }
    const start = head.length >= 3 && head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
    let at = start;
    while (at < head.length && head[at]! <= 32) at++;
    if (head[at] !== 0x7b && head[at] !== 0x5b) {
      this.form = 'yaml';
      return;
    }
    this.form = 'json';
    this.splitter = new JsonSplitter(this.handler());
    this.splitter.push(head.subarray(start));
  }

  private handler(): PieceHandler {
    return {
      item: (piece) => this.add(piece),
      list: (piece) => this.endList(piece),
      fault: (sentence, line, column) => this.faults.push({ sentence, line, column }),
    };
  }

  private add(piece: JsonPiece): void {
    const data = this.parse(piece);
    if (data === undefined) return;
    const isObject = typeof data === 'object' && data !== null && !Array.isArray(data);
    if (isObject) this.pending.push(data as Record<string, unknown>);
    const text = this.kept === null ? null : piece.text;
    this.documents.push(new JsonDocument(this.name, data, text, piece.line, piece.column));
  }

  /** The items that came before get the list's kind; an object that is no list is one by itself. */
  private endList(piece: JsonPiece): void {
    const list = this.parse(piece) as Record<string, unknown> | undefined;
    const items = this.pending;
    const from = this.pendingFrom;
    this.pending = [];
    if (list === undefined) return;
    const { kind, apiVersion } = list;
    const isList = Array.isArray(list.items) && list.items.length === 0;
    if (isList && (kind === undefined || (typeof kind === 'string' && kind.endsWith('List')))) {
      this.lists++;
      // items of a NodeList carry no kind of their own
      const itemKind =
        typeof kind === 'string' && kind !== 'List' ? kind.slice(0, -'List'.length) : undefined;
      for (const item of items) {
        if (itemKind !== undefined) {
          item.kind ??= itemKind;
          item.apiVersion ??= apiVersion;
        }
        this.prune(item);
      }
    } else {
      if (items.length > 0) list.items = this.documents.splice(from).map(({ data }) => data);
      this.prune(list);
      const text = this.kept === null ? null : piece.text;
      this.documents.push(new JsonDocument(this.name, list, text, piece.line, piece.column));
    }
    this.pendingFrom = this.documents.length;
  }

  private parse(piece: JsonPiece): unknown {
    try {
      return JSON.parse(piece.text);
    } catch (error) {
      const { line, column } = whereOf(error, piece);
      this.faults.push({ sentence: `this is not valid JSON: ${reasonOf(error)}`, line, column });
      return undefined;
    }
  }

  private endJson(): ReadFile {
    this.splitter!.end();
    for (const item of this.pending) this.prune(item);
    if (this.faults.length === 0 && !this.mayBeScenario()) {
      return { documents: this.documents, isEmpty: this.documents.length === 0 && this.lists === 0 };
    }
    const asYaml = this.tryYaml();
    if (asYaml !== null) return asYaml;
    const { sentence, line, column } = this.faults[0]!;
    this.problems.add({ file: this.name, line, column }, sentence);
    return { documents: this.documents, isEmpty: false };
  }

  /** A Scenario written as JSON is read as YAML, which finds keys that stand twice. */
  private mayBeScenario(): boolean {
    return this.documents.some(({ data }) => {
      const version = (data as { apiVersion?: unknown } | null)?.apiVersion;
      return typeof version === 'string' && version.startsWith('flowfate.dev/');
    });
  }

  private tryYaml(): ReadFile | null {
    if (this.kept === null || this.keptBytes > MAX_YAML_BYTES / 8) return null;
    const problems = new Problems();
    const text = this.all().toString();
    const documents = readYaml({ name: this.name, text: text.replace(/^\ufeff/, '') }, problems);
    if (problems.count > 0 && this.faults.length > 0 && looksStrict(text)) return null;
    this.problems.addAll(problems);
    return { documents, isEmpty: documents.length === 0 && problems.count === 0 };
  }
}

/** Keys in quotes: this is meant as JSON, and what YAML says of it would puzzle. */
function looksStrict(text: string): boolean {
  return /^\ufeff?\s*(\[\s*)?(\{\s*("|\})|\[)/.test(text);
}

function looksUtf16(head: Buffer): boolean {
  const sample = head.subarray(0, 64);
  if (sample.length < 4) return false;
  let even = 0;
  let odd = 0;
  for (let i = 0; i + 1 < sample.length; i += 2) {
    if (sample[i] === 0) even++;
    if (sample[i + 1] === 0) odd++;
  }
  const pairs = sample.length >> 1;
  return (even > 0.8 * pairs && odd === 0) || (odd > 0.8 * pairs && even === 0);
}

/** UTF-8, or UTF-16 where a mark or its zeros say so. */
export function textOfOctets(octets: Buffer): string {
  const mark = octets.length >= 2 ? octets.readUInt16BE(0) : 0;
  const isUtf16 = mark === 0xfffe || mark === 0xfeff || looksUtf16(octets);
  return (isUtf16 ? utf16Text(octets) : octets.toString()).replace(/^\ufeff/, '');
}

function utf16Text(octets: Buffer): string {
  const isBigEndian = octets[0] === 0xfe || octets[0] === 0;
  const even = octets.subarray(0, octets.length & ~1);
  return (isBigEndian ? Buffer.from(even).swap16() : even).toString('utf16le');
}

/** V8 says "… in JSON at position 17 (line 1 column 18)". */
function whereOf(error: unknown, { text, line, column }: JsonPiece): { line: number; column: number } {
  const position = /position (\d+)/.exec(String(error))?.[1];
  const before = text.slice(0, position === undefined ? text.length : Number(position)).split('\n');
  return {
    line: line + before.length - 1,
    column: (before.length === 1 ? column : 1) + before.at(-1)!.length,
  };
}

/** Without what V8 quotes of the text: a dump may hold what nobody should read. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/end of JSON/i.test(message)) return 'it ends in the middle';
  const token = /^Unexpected token '?(.)'?/.exec(message)?.[1];
  return token === undefined
    ? 'a comma, bracket or quote is missing or in excess'
    : `unexpected ${JSON.stringify(token)}`;
}
