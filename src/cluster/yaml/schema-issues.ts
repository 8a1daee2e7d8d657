/**
 * What a schema found wrong, as sentences that say where, what was expected and what stands there instead.
 * Unknown keys name the nearest known one.
 */
import type { z } from 'zod';
import { nearest } from './nearest.js';
import type { Problems } from './problems.js';
import type { Path, SourceDocument } from './yaml-source.js';

type Issue = z.core.$ZodIssue;

/** Checks the value at `root` of a document. What is wrong goes to `problems`; then the answer is null. */
export function readWith<S extends z.ZodType>(
  schema: S,
  document: SourceDocument,
  root: Path,
  value: unknown,
  problems: Problems,
): z.output<S> | null {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.flatMap((found) => unfold(found));
  for (const issue of issues.filter((one) => !isConsequence(one, issues, value))) {
    for (const { path, key, sentence } of sentencesOf(issue, value)) {
      const whole = [...root, ...path];
      const position = key === null ? document.positionOf(whole) : document.keyPositionOf([...whole, key]);
      problems.add(position, sentence);
    }
  }
  return null;
}

/** A union's issue is that of the branch which was meant: the one whose type fits what was found. */
function unfold(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const meant = issue.errors.find(
    (branch) => branch.length > 0 && !branch.some((inner) => inner.path.length === 0 && isMisfit(inner.code)),
  );
  if (meant === undefined) return [issue];
  return meant.flatMap((inner) => unfold({ ...inner, path: [...issue.path, ...inner.path] } as Issue));
}

/** Codes of "another type than this branch's altogether". */
function isMisfit(code: Issue['code']): boolean {
  return code === 'invalid_type' || code === 'invalid_value' || code === 'invalid_union' || code === 'custom';
}

/** A key that is missing where another is unknown: most likely the one was meant by the other. */
function isConsequence(issue: Issue, all: readonly Issue[], root: unknown): boolean {
  if (issue.code === 'unrecognized_keys' || valueAt(root, issue.path as Path) !== undefined) return false;
  const owner = pathText(issue.path.slice(0, -1) as Path);
  return all.some((other) => other.code === 'unrecognized_keys' && pathText(other.path as Path) === owner);
}

interface Finding {
  readonly path: Path;
  /** the finding stands at this key of the mapping at `path` */
  readonly key: string | null;
  readonly sentence: string;
}

function sentencesOf(issue: Issue, root: unknown): Finding[] {
  const path = issue.path as Path;
  const where = pathText(path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path,
      key,
      sentence: unknownKey(key, where, issue.message),
    }));
  }
  const found = valueAt(root, path);
  if (found === undefined) {
    const owner = pathText(path.slice(0, -1));
    const missing = `the key "${path.at(-1)}" is missing${owner === '' ? '' : ` in ${owner}`}`;
    return [{ path: path.slice(0, -1), key: null, sentence: `${missing}: ${issue.message}` }];
  }
  const hint = issue.code === 'invalid_value' ? didYouMean(found, issue.values) : '';
  const prefix = where === '' ? '' : `${where}: `;
  return [{ path, key: null, sentence: `${prefix}${issue.message}, found ${described(found)}${hint}` }];
}

/** @param message of an `unrecognized_keys` issue: the known keys (field-schemas.ts) */
export function unknownKey(key: string, where: string, message: string): string {
  const known = message.split(' ');
  const place = where === '' ? '' : ` in ${where}`;
  const meant = nearest(key, known);
  const hint = meant === null ? `known keys are ${known.join(', ')}` : `did you mean "${meant}"?`;
  return `unknown key "${key}"${place}; ${hint}`;
}

function didYouMean(found: unknown, values: readonly unknown[]): string {
  const meant =
    typeof found === 'string'
      ? nearest(
          found,
          values.filter((value) => typeof value === 'string'),
        )
      : null;
  return meant === null ? '' : `; did you mean "${meant}"?`;
}

/** `spec.nodes[0].address` */
export function pathText(path: Path): string {
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`))
    .join('');
}

/** What stands there, in a few words. */
export function described(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}
