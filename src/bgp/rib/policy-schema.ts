/**
 * Policies as a configuration writes them:
 *
 * ```yaml
 * import: all                          # or none, or a list of which the first term that matches decides
 * import:
 *   - match: { prefixes: ["203.0.113.0/24 le 32"], communities: ["64512:100"] }
 *     set: { localPref: 200, addCommunities: [no-export] }
 *   - match: { asPathHas: [64666] }
 *     action: reject                   # accept where nothing is said
 * ```
 *
 * `asPathFirst` and `asPathLast` ask for the neighbour's AS and for the one that the route comes from, `nextHops` for the
 * prefixes that hold the next hop. A prefix alone is that prefix; `ge` and `le` take in what lies inside of it. What no term matches is refused.
 */
import { z } from 'zod';
import { parsePrefix, prefixBits } from '../../addr/prefix.js';
import { parseCommunity } from '../attribute/008-communities.js';
import { type LargeCommunity, parseLargeCommunity } from '../attribute/032-large-communities.js';
import type { Policy, PolicyTerm, PrefixMatch } from './policy.js';
import type { SetChanges } from './set-changes.js';

const MAX_PREPEND = 16;

/** `203.0.113.0/24`, `203.0.113.0/24 le 32`, `10.0.0.0/8 ge 16 le 24`; null for other text. */
export function parsePrefixMatch(text: string): PrefixMatch | null {
  const found = /^(\S+)(?:\s+ge\s+(\d{1,3}))?(?:\s+le\s+(\d{1,3}))?$/.exec(text.trim());
  const prefix = found === null ? null : parsePrefix(found[1]!);
  if (found === null || prefix === null) return null;
  const bits = prefixBits(prefix.address.family);
  const ge = found[2] === undefined ? prefix.length : Number(found[2]);
  const le = found[3] === undefined ? (found[2] === undefined ? prefix.length : bits) : Number(found[3]);
  return prefix.length <= ge && ge <= le && le <= bits ? { prefix, ge, le } : null;
}

function parsed<T>(parse: (text: string) => T | null, expected: string) {
  return z.string({ error: `expected ${expected}` }).transform((text, context): T => {
    const value = parse(text);
    if (value !== null) return value;
    context.addIssue({ code: 'custom', message: `expected ${expected}, got "${text}"` });
    return z.NEVER;
  });
}

const uint32 = z.int({ error: 'expected a whole number' }).min(0).max(0xffffffff);
const prefixMatch = parsed(parsePrefixMatch, 'a prefix like "203.0.113.0/24 le 32"');
const community = parsed(parseCommunity, 'a community like "64512:100" or "no-export"');
const largeCommunity = parsed<LargeCommunity>(parseLargeCommunity, 'a large community like "64512:1:2"');

const hopPrefix = parsed(parsePrefix, 'an address or a prefix like "10.0.0.0/24"');

const match = z.strictObject({
  prefixes: z.array(prefixMatch).min(1).optional(),
  communities: z.array(community).min(1).optional(),
  largeCommunities: z.array(largeCommunity).min(1).optional(),
  asPathHas: z.array(uint32).min(1).optional(),
  asPathFirst: z.array(uint32).min(1).optional(),
  asPathLast: z.array(uint32).min(1).optional(),
  nextHops: z.array(hopPrefix).min(1).optional(),
});

const set = z.strictObject({
  localPref: uint32.optional(),
  med: uint32.optional(),
  addCommunities: z.array(community).optional(),
  removeCommunities: z.array(community).optional(),
  addLargeCommunities: z.array(largeCommunity).optional(),
  prepend: z.array(uint32.min(1)).max(MAX_PREPEND).optional(),
});

const term = z.strictObject({
  match: match.optional(),
  set: set.optional(),
  action: z.enum(['accept', 'reject']).optional(),
});

export const policySchema = z.union(
  [z.literal('all'), z.literal('none'), z.array(term).transform((terms): Policy => terms.map(policyTerm))],
  { error: 'expected all, none, or a list of terms with match, set and action' },
);

function policyTerm(written: z.output<typeof term>): PolicyTerm {
  const { prefixes, communities, largeCommunities, asPathHas } = written.match ?? {};
  const { asPathFirst, asPathLast, nextHops } = written.match ?? {};
  const changes = written.set === undefined ? {} : present(written.set);
  return {
    ...(prefixes !== undefined && { prefixes }),
    ...(communities !== undefined && { communities }),
    ...(largeCommunities !== undefined && { largeCommunities }),
    ...(asPathHas !== undefined && { pathHas: asPathHas }),
    ...(asPathFirst !== undefined && { pathFirst: asPathFirst }),
    ...(asPathLast !== undefined && { pathLast: asPathLast }),
    ...(nextHops !== undefined && { nextHops }),
    verdict: written.action ?? 'accept',
    ...(Object.keys(changes).length > 0 && { changes }),
  };
}

/** Without the keys that were not written. */
function present(written: z.output<typeof set>): SetChanges {
  return Object.fromEntries(Object.entries(written).filter(([, value]) => value !== undefined)) as SetChanges;
}
