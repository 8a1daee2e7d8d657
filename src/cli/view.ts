/** How results look here: colours or none, and how wide. */
import { ANSI, type Palette, PLAIN } from '../report/terminal.js';
import type { Io } from './io.js';

/** Width where nobody says otherwise: not a terminal, or one that does not tell. */
const DEFAULT_COLUMNS = 80;
const MIN_COLUMNS = 60;
const MAX_COLUMNS = 140;

/** Colours go to a terminal, unless NO_COLOR (no-color.org), --no-color or TERM=dumb forbid them. */
export function paletteFor(io: Io, options: { readonly color?: boolean }, out: string | undefined): Palette {
  const toTerminal = io.outIsTerminal && (out === undefined || out === '-');
  const forbidden = options.color === false || (io.env.NO_COLOR ?? '') !== '' || io.env.TERM === 'dumb';
  return toTerminal && !forbidden ? ANSI : PLAIN;
}

export function columnsFor(io: Io, out: string | undefined): number {
  if (out !== undefined && out !== '-') return DEFAULT_COLUMNS;
  return Math.min(MAX_COLUMNS, Math.max(MIN_COLUMNS, io.columns ?? DEFAULT_COLUMNS));
}
