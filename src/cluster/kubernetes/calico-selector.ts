/**
 * Calico's selectors: `rack == 'r1' && has(gpu)`. An expression that cannot be read is null: the caller says so.
 *
 * Grammar (docs.tigera.io, selectors): all(), global(), has(k), k == 'v', k != 'v', k in { 'a', 'b' }, k not in { … },
 * k contains 'v', k starts with 'v', k ends with 'v', !, &&, ||, parentheses. A comparison with a label that is not
 * there is false, but for != and not in.
 */
import type { Labels } from './label-selector.js';

export type Selects = (labels: Labels) => boolean;

const TOKEN = /\s*(&&|\|\||==|!=|!|[(){},]|'[^']*'|"[^"]*"|[A-Za-z0-9_./-]+)/y;

export function calicoSelector(text: string): Selects | null {
  const tokens = tokensOf(text);
  if (tokens === null) return null;
  if (tokens.length === 0) return () => true;
  const reader = new SelectorReader(tokens);
  const selects = reader.either();
  return selects !== null && reader.isDone ? selects : null;
}

function tokensOf(text: string): string[] | null {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  while (TOKEN.lastIndex < end) {
    const found = TOKEN.exec(text);
    if (found === null) return null;
    tokens.push(found[1]!);
  }
  return tokens;
}

class SelectorReader {
  private at = 0;

  constructor(private readonly tokens: readonly string[]) {}

  get isDone(): boolean {
    return this.at === this.tokens.length;
  }

  either(): Selects | null {
    let left = this.both();
    while (left !== null && this.take('||')) {
      const [first, second] = [left, this.both()];
      left = second === null ? null : (labels) => first(labels) || second(labels);
    }
    return left;
  }

  private both(): Selects | null {
    let left = this.one();
    while (left !== null && this.take('&&')) {
      const [first, second] = [left, this.one()];
      left = second === null ? null : (labels) => first(labels) && second(labels);
    }
    return left;
  }

  private one(): Selects | null {
    if (this.take('!')) {
      const inner = this.one();
      return inner === null ? null : (labels) => !inner(labels);
    }
    if (this.take('(')) {
      const inner = this.either();
      return this.take(')') ? inner : null;
    }
    const key = this.next();
    if (key === undefined) return null;
    if ((key === 'all' || key === 'global') && this.take('(')) return this.take(')') ? () => true : null;
    if (key === 'has' && this.take('(')) {
      const label = this.next() ?? '';
      return this.take(')') ? (labels) => label in labels : null;
    }
    return this.comparison(key);
  }

  private comparison(key: string): Selects | null {
    const operator = this.next();
    if (operator === 'in') return this.among(key, true);
    if (operator === 'not') return this.take('in') ? this.among(key, false) : null;
    if ((operator === 'starts' || operator === 'ends') && !this.take('with')) return null;
    const value = unquoted(this.next());
    if (value === null) return null;
    switch (operator) {
      case '==':
        return (labels) => labels[key] === value;
      case '!=':
        return (labels) => labels[key] !== value;
      case 'contains':
        return (labels) => labels[key]?.includes(value) === true;
      case 'starts':
        return (labels) => labels[key]?.startsWith(value) === true;
      case 'ends':
        return (labels) => labels[key]?.endsWith(value) === true;
      default:
        return null;
    }
  }

  private among(key: string, wanted: boolean): Selects | null {
    if (!this.take('{')) return null;
    const values: string[] = [];
    while (!this.take('}')) {
      const value = unquoted(this.next());
      if (value === null) return null;
      values.push(value);
      this.take(',');
    }
    return (labels) => (labels[key] !== undefined && values.includes(labels[key])) === wanted;
  }

  private take(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at++;
    return true;
  }

  private next(): string | undefined {
    return this.tokens[this.at++];
  }
}

function unquoted(token: string | undefined): string | null {
  return token !== undefined && /^(['"]).*\1$/s.test(token) ? token.slice(1, -1) : null;
}
