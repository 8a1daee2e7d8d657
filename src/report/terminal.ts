/**
 * Text for a terminal: colours that can be off, widths that ignore them, wrapping, bars, and strings from
 * outside (file names, pod names) made harmless.
 *
 * Everything here counts one column a character; addresses and Kubernetes names never need more.
 */

export type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan' | 'grey';

export interface Palette {
  bold(text: string): string;
  dim(text: string): string;
  paint(colour: Colour, text: string): string;
}

const CODES: Record<Colour, number> = {
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
  grey: 90,
};

const wrapped = (open: number, close: number, text: string): string =>
  text === '' ? '' : `\x1b[${open}m${text}\x1b[${close}m`;

export const ANSI: Palette = {
  bold: (text) => wrapped(1, 22, text),
  dim: (text) => wrapped(2, 22, text),
  paint: (colour, text) => wrapped(CODES[colour], 39, text),
};

export const PLAIN: Palette = {
  bold: (text) => text,
  dim: (text) => text,
  paint: (_, text) => text,
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const ESCAPES = /\x1b\[[0-9;]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROLS = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** `text` from outside without anything a terminal would act on: controls and text-direction marks are spelt out. */
export function printable(text: string): string {
  return text.replace(CONTROLS, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** Columns that `text` takes once its colours are gone. */
export function widthOf(text: string): number {
  return [...text.replace(ESCAPES, '')].length;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text;
}

/** The first `columns` columns of uncoloured `text`, with an ellipsis where something was cut. */
export function clip(text: string, columns: number): string {
  const characters = [...text];
  return characters.length <= columns ? text : `${characters.slice(0, Math.max(0, columns - 1)).join('')}…`;
}

/** The last `columns` columns of uncoloured `text`: what is worth seeing of a long path. */
export function clipStart(text: string, columns: number): string {
  const characters = [...text];
  return characters.length <= columns
    ? text
    : `…${characters.slice(characters.length - columns + 1).join('')}`;
}

/** Lines of at most `columns` columns, broken at spaces; a word that is longer stands alone. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines;
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of `share` (0 .. 1) of `columns` columns, in eighths; something that is there is never invisible. */
export function bar(share: number, columns: number): string {
  const eighths = Math.max(share > 0 ? 1 : 0, Math.round(Math.min(1, share) * columns * 8));
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}

/** Splits `columns` columns among `parts` in proportion; every part that is there gets at least one. */
export function apportion(parts: readonly number[], columns: number): number[] {
  const whole = parts.reduce((sum, part) => sum + part, 0);
  if (whole === 0) return parts.map(() => 0);
  const widths = parts.map((part) => (part === 0 ? 0 : Math.max(1, Math.floor((part / whole) * columns))));
  const widest = parts.indexOf(Math.max(...parts));
  const used = widths.reduce((sum, width) => sum + width, 0);
  widths[widest] = Math.max(1, widths[widest]! + columns - used);
  return widths;
}
