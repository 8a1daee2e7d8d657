/**
 * The objects that documents hold: each by itself, in a list as `jq .items` leaves one, or inside a `kind: List` as
 * kubectl prints several. Secrets are dropped here, before anybody looks into them.
 */
import { API_VERSION } from '../limits.js';
import { nearest } from '../yaml/nearest.js';
import type { Problems } from '../yaml/problems.js';
import { described } from '../yaml/schema-issues.js';
import type { Path, SourceDocument } from '../yaml/yaml-source.js';
import { positionIn } from './facts.js';
import { type TypeMeta, typeFromPath } from './type-by-path.js';

export interface SourceObject {
  readonly document: SourceDocument;
  readonly path: Path;
  /** `flowfate.dev`, `metallb.io`, …; empty for the core group */
  readonly group: string;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const OUR_GROUP = API_VERSION.slice(0, API_VERSION.indexOf('/'));
const OUR_KINDS = ['Scenario', 'Router', 'Speaker'];

/** Lists in lists go no deeper than this. */
const MAX_DEPTH = 4;

export function objectsOf(document: SourceDocument, problems: Problems): SourceObject[] {
  return unpack(document, [], document.data, null, problems, 0);
}

export function isScenario({ group, kind }: SourceObject): boolean {
  return group === OUR_GROUP && kind === 'Scenario';
}

function unpack(
  document: SourceDocument,
  path: Path,
  data: unknown,
  listType: TypeMeta | null,
  problems: Problems,
  depth: number,
): SourceObject[] {
  const position = () => positionIn({ document, path });
  if (Array.isArray(data) && isListOfObjects(data) && depth < MAX_DEPTH) {
    return data.flatMap((item, i) => unpack(document, [...path, i], item, listType, problems, depth + 1));
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    problems.add(position(), `expected an object with apiVersion and kind, found ${found(data)}`);
    return [];
  }
  const object = data as Record<string, unknown>;
  const type = typeOf(object, listType, document.file);
  if (typeof type === 'string') {
    problems.add(position(), type);
    return [];
  }
  const { apiVersion, kind } = type;
  if (kind.endsWith('List') && Array.isArray(object.items) && depth < MAX_DEPTH) {
    const items = object.items as unknown[];
    // Items of a NodeList carry no kind of their own; those of a plain List do.
    const itemType = kind === 'List' ? null : { apiVersion, kind: kind.slice(0, -'List'.length) };
    return items.flatMap((item, i) =>
      unpack(document, [...path, 'items', i], item, itemType, problems, depth + 1),
    );
  }
  if (kind === 'Secret') return [];
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const refusal = group === OUR_GROUP ? refuseOurs(apiVersion, kind) : null;
  if (refusal !== null) {
    problems.add(document.positionOf([...path, apiVersion === API_VERSION ? 'kind' : 'apiVersion']), refusal);
    return [];
  }
  return [{ document, path, group, kind, data: object }];
}

/** apiVersion and kind, or the sentence that says why there are none. */
function typeOf(
  object: Readonly<Record<string, unknown>>,
  listType: TypeMeta | null,
  file: string,
): TypeMeta | string {
  const apiVersion = object.apiVersion ?? listType?.apiVersion;
  const kind = object.kind ?? listType?.kind;
  if (apiVersion === undefined && kind === undefined) {
    if (Array.isArray(object.items)) return listByPath(file);
    const byPath = isNamed(object) ? typeFromPath(file) : null;
    if (byPath !== null) return byPath;
  }
  if (typeof apiVersion === 'string' && typeof kind === 'string') return { apiVersion, kind };
  const missing = [
    ...(typeof apiVersion === 'string' ? [] : ['apiVersion']),
    ...(typeof kind === 'string' ? [] : ['kind']),
  ].join(' and ');
  return `${missing} missing; a scenario begins with "apiVersion: ${API_VERSION}" and "kind: Scenario"`;
}

function isListOfObjects(list: readonly unknown[]): boolean {
  return list.length > 0 && list.every((item) => typeof item === 'object' && item !== null);
}

function isNamed({ metadata }: Readonly<Record<string, unknown>>): boolean {
  return typeof metadata === 'object' && metadata !== null && 'name' in metadata;
}

/** A list without a kind: of what its path says, or of objects that say it themselves. */
function listByPath(file: string): TypeMeta {
  const type = typeFromPath(file);
  return type === null ? { apiVersion: 'v1', kind: 'List' } : { ...type, kind: `${type.kind}List` };
}

/** `described`, and what kubectl prints unless told otherwise. */
function found(data: unknown): string {
  if (typeof data === 'string' && /^(NAME|NAMESPACE) /.test(data)) {
    return "a table of kubectl's: run the command again with -o yaml or -o json";
  }
  return described(data);
}

function refuseOurs(apiVersion: string, kind: string): string | null {
  if (apiVersion !== API_VERSION) return `expected apiVersion ${API_VERSION}, found ${described(apiVersion)}`;
  if (kind === 'Scenario') return null;
  if (kind === 'Router' || kind === 'Speaker') {
    return `kind ${kind} configures flowfate ${kind.toLowerCase()}; here a kind Scenario is needed`;
  }
  const meant = nearest(kind, OUR_KINDS);
  return `there is no kind ${described(kind)} of ${API_VERSION}; ${meant === null ? 'it has Scenario, Router and Speaker' : `did you mean ${meant}?`}`;
}
