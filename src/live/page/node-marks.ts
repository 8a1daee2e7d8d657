/**
 * A colour and a letter for every node or next hop, the same wherever it is shown and for as long as the page is open:
 * in the order of first sight. Beyond the palette colours come again; the letters then have two places.
 */

/** How many colours page.css has: --node-0 and so on. */
const COLOURS = 10;

const seen = new Map<string, number>();

export interface NodeMark {
  readonly letter: string;
  /** class that sets the colour */
  readonly colour: string;
}

export function markOf(nextHop: string): NodeMark {
  let row = seen.get(nextHop);
  if (row === undefined) {
    row = seen.size;
    seen.set(nextHop, row);
  }
  return { letter: letters(row), colour: `node-${row % COLOURS}` };
}

function letters(row: number): string {
  const last = String.fromCharCode(65 + (row % 26));
  return row < 26 ? last : letters(Math.floor(row / 26) - 1) + last;
}
