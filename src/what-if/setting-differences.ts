/**
 * Settings in which two scenarios differ, by the path that a scenario writes them under: `router.ecmp.select`. Lists
 * whose entries have names are compared by name, so that a node more is one difference and not a shift of all.
 */

export interface SettingDifference {
  /** the scenario's own path */
  readonly what: string;
  /** as text; null where it is not there */
  readonly before: string | null;
  readonly after: string | null;
}

/** differences told; two clusters that have nothing to do with each other differ in everything */
const MOST = 40;
/** longer values say no more */
const MOST_CHARS = 160;

/** Of two `spec`s, as plain data. */
export function settingDifferences(before: unknown, after: unknown): SettingDifference[] {
  const found: SettingDifference[] = [];
  walk('', before, after, found);
  return found;
}

function walk(what: string, before: unknown, after: unknown, found: SettingDifference[]): void {
  if (found.length >= MOST) return;
  if (Array.isArray(before) && Array.isArray(after) && [...before, ...after].some(isNameless)) {
    entries(what, before, after, found);
    return;
  }
  const one = keyed(before);
  const other = keyed(after);
  if (one === null || other === null) {
    const textBefore = textOf(before);
    const textAfter = textOf(after);
    if (textBefore !== textAfter)
      found.push({ what, before: clipped(textBefore), after: clipped(textAfter) });
    return;
  }
  for (const key of new Set([...one.keys(), ...other.keys()])) {
    walk(what === '' ? key : `${what}.${key}`, one.get(key), other.get(key), found);
  }
}

/** Lists without names, like a timeline: what stands in one alone. */
function entries(what: string, before: unknown[], after: unknown[], found: SettingDifference[]): void {
  const left = after.map(textOf);
  const gone = before.map(textOf).filter((text) => {
    const at = left.indexOf(text);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  for (const text of gone) found.push({ what, before: clipped(text), after: null });
  for (const text of left) found.push({ what, before: null, after: clipped(text) });
}

function isNameless(entry: unknown): boolean {
  return typeof entry === 'object' && entry !== null && nameOf(entry) === null;
}

/** Entries of an object, or of a list by the names of its entries; null: neither. */
function keyed(value: unknown): Map<string, unknown> | null {
  if (typeof value !== 'object' || value === null) return null;
  if (!Array.isArray(value)) return new Map(Object.entries(value));
  const names = value.map(nameOf);
  if (value.length === 0 || names.includes(null) || new Set(names).size < names.length) return null;
  return new Map(value.map((entry, i) => [names[i]!, entry]));
}

function nameOf(entry: unknown): string | null {
  if (typeof entry !== 'object' || entry === null) return null;
  const { name, pod, prefix } = entry as Record<string, unknown>;
  const found = name ?? pod ?? prefix;
  return typeof found === 'string' ? found : null;
}

function textOf(value: unknown): string | null {
  if (value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function clipped(text: string | null): string | null {
  return text !== null && text.length > MOST_CHARS ? `${text.slice(0, MOST_CHARS)}…` : text;
}
