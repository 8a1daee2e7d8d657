/**
 * All that a peer has announced, once more through its import rules: for a policy that has changed while the session
 * goes on. Nobody needs to be asked for a refresh (RFC 2918), which some speakers never answer.
 *
 * What the rules say of an attribute set costs far more than what they say of a prefix, so the paths are taken set by
 * set, as UPDATEs would bring them.
 */
import type { FamilyRib } from './family-rib.js';
import type { ImportRules } from './import-rules.js';
import type { PathTable } from './path-table.js';

const NONE = -1;

export function importAgain(rib: FamilyRib, peer: number, rules: ImportRules): void {
  if ((rib.received[peer] ?? 0) === 0) return;
  const { paths } = rib;
  const { firstOfSet, nextOfSet } = pathsBySet(paths, peer);
  for (let set = 0; set < firstOfSet.length; set++) {
    const first = firstOfSet[set]!;
    if (first === NONE) continue;
    const asksPrefix = rules.begin(set);
    for (let path = first; path !== NONE; path = nextOfSet[path]!) {
      if (asksPrefix) askFor(rib, paths.prefix[path]!, rules);
      rib.importAgain(path, rules.set, rules.excluded);
    }
    rules.end();
  }
}

function askFor({ table }: FamilyRib, prefix: number, rules: ImportRules): void {
  const { words, width } = table;
  const at = prefix * width;
  const length = table.lengths[prefix]!;
  if (width === 1) rules.forPrefix(words[at]!, 0, 0, 0, length);
  else rules.forPrefix(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!, length);
}

/** The peer's paths as a list a received set, in the order of their rows. */
function pathsBySet(
  { received, owner, rows }: PathTable,
  peer: number,
): { firstOfSet: Int32Array; nextOfSet: Int32Array } {
  let sets = 0;
  for (let path = 0; path < rows; path++) {
    if (owner[path] === peer + 1 && received[path]! >= sets) sets = received[path]! + 1;
  }
  const firstOfSet = new Int32Array(sets).fill(NONE);
  const nextOfSet = new Int32Array(rows);
  for (let path = rows - 1; path >= 0; path--) {
    if (owner[path] !== peer + 1) continue;
    nextOfSet[path] = firstOfSet[received[path]!]!;
    firstOfSet[received[path]!] = path;
  }
  return { firstOfSet, nextOfSet };
}
