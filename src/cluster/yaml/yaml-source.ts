/**
 * YAML text as plain data with a position for every key and value.
 *
 * Nothing in the text is trusted: size, aliases that multiply, tags, duplicate and non-text keys are faults with
 * a line, never an exception from the library.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  visit,
  type YAMLError,
  type YAMLWarning,
} from 'yaml';
import { type ErrorPosition, FlowfateError } from '../../errors.js';
import type { Problems } from './problems.js';

export interface ScenarioInput {
  /** file name, for messages */
  readonly name: string;
  readonly text: string;
}

/** Keys and list indices from the root of a document. */
export type Path = readonly (string | number)[];

export const MAX_YAML_BYTES = 64 * 1024 * 1024;
/** How many nodes all aliases together may stand for before the text is refused (the "billion laughs"). */
const MAX_ALIASES = 1000;

/** One document of a file: its data, and where in the file each part of it stands. */
export interface SourceDocument {
  readonly file: string;
  readonly data: unknown;
  /** Where the value at `path` stands; where there is none, its nearest ancestor. */
  positionOf(path: Path): ErrorPosition;
  /** Where the last key of `path` stands. */
  keyPositionOf(path: Path): ErrorPosition;
  /** A scalar as it is written (numbers lose digits when they are read), or null. */
  sourceTextOf(path: Path): string | null;
}

class YamlDocument implements SourceDocument {
  constructor(
    readonly file: string,
    readonly data: unknown,
    private readonly document: Document.Parsed,
    private readonly lines: LineCounter,
  ) {}

  positionOf(path: Path): ErrorPosition {
    return this.at(this.walk(path).node);
  }

  keyPositionOf(path: Path): ErrorPosition {
    const { key, node } = this.walk(path);
    return this.at(key ?? node);
  }

  sourceTextOf(path: Path): string | null {
    const { node, whole } = this.walk(path);
    return whole && isScalar(node) && typeof node.source === 'string' ? node.source : null;
  }

  private at(node: Node | null): ErrorPosition {
    const offset = node?.range?.[0] ?? this.document.range[0];
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  private walk(path: Path): { node: Node | null; key: Node | null; whole: boolean } {
    let node: Node | null = this.document.contents;
    let key: Node | null = null;
    for (const part of path) {
      const inside: Node | undefined | null = isAlias(node) ? node.resolve(this.document) : node;
      if (isMap(inside)) {
        const pair = inside.items.find(
          (item) => isScalar(item.key) && String(item.key.value) === String(part),
        );
        if (pair === undefined) return { node, key, whole: false };
        key = pair.key as Node;
        node = (pair.value as Node | null) ?? key;
      } else if (isSeq(inside) && inside.items[Number(part)] !== undefined) {
        key = null;
        node = inside.items[Number(part)] as Node;
      } else return { node, key, whole: false };
    }
    return { node, key, whole: true };
  }
}

/** The documents of a file that hold anything. Faults go to `problems`; a file that is no YAML at all throws. */
export function readYaml({ name, text }: ScenarioInput, problems: Problems): SourceDocument[] {
  refuseUnreadable(name, text);
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    merge: true,
    stringKeys: true,
    prettyErrors: false,
    logLevel: 'silent',
  });
  // The library yields an empty list with a marker for a text without documents.
  const documents: SourceDocument[] = [];
  for (const document of [...parsed] as Document.Parsed[]) {
    const faults = [...document.errors, ...document.warnings];
    for (const { code, message, pos } of telling(faults)) {
      const { line, col } = lines.linePos(pos[0]);
      problems.add({ file: name, line, column: col }, faultSentence(code, message, text.slice(pos[0])));
    }
    if (faults.length > 0) continue;
    const data = toPlain(document, name, lines, problems);
    if (data !== null && data !== undefined) documents.push(new YamlDocument(name, data, document, lines));
  }
  return documents;
}

function refuseUnreadable(name: string, text: string): void {
  if (text.length > MAX_YAML_BYTES) {
    throw new FlowfateError(
      'config',
      `${name}: is larger than 64 MiB; give only the objects that matter (Nodes, Services, EndpointSlices, Pods)`,
      { file: name },
    );
  }
  const odd = text.search(/[\0\uFFFD]/);
  if (odd >= 0) {
    throw new FlowfateError('config', `${name}: is not text in UTF-8; a scenario is a YAML file`, {
      file: name,
      offset: Buffer.byteLength(text.slice(0, odd)),
    });
  }
}

/** A syntax error makes more of them further down; only the first tells anything. */
function telling(faults: readonly (YAMLError | YAMLWarning)[]): (YAMLError | YAMLWarning)[] {
  const isLocal = ({ code }: YAMLError): boolean => code === 'DUPLICATE_KEY' || code === 'TAG_RESOLVE_FAILED';
  const syntax = faults.filter((fault) => !isLocal(fault));
  return [...faults.filter(isLocal), ...syntax.slice(0, 1)].slice(0, 10);
}

function toPlain(document: Document.Parsed, file: string, lines: LineCounter, problems: Problems): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    // ReferenceError: an alias without its anchor, or aliases that multiply beyond the limit.
    const message = error instanceof Error ? error.message : String(error);
    const lost = aliasWithoutAnchor(document);
    const { line, col } = lines.linePos((lost ?? document.contents)?.range?.[0] ?? 0);
    const sentence =
      lost !== null
        ? `the alias *${lost.source} has no anchor &${lost.source} before it`
        : message.startsWith('Excessive')
          ? 'its aliases (*name) multiply to an absurd size; write the values out'
          : lowerFirst(message);
    problems.add({ file, line, column: col }, sentence);
    return null;
  }
}

function aliasWithoutAnchor(document: Document.Parsed): Alias | null {
  let lost: Alias | null = null;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      lost = alias;
      return visit.BREAK;
    },
  });
  return lost;
}

function faultSentence(code: string, message: string, rest: string): string {
  if (code === 'DUPLICATE_KEY')
    return `the key ${/^[^\s:]+/.exec(rest)?.[0] ?? ''} stands twice in one mapping; remove one`;
  if (code === 'TAB_AS_INDENT') return 'tabs are not allowed as indentation in YAML; use spaces';
  return `this is not valid YAML: ${lowerFirst(message)}`;
}

function lowerFirst(text: string): string {
  return `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
}
