/**
 * Why each path of a prefix is or is not used, in the steps of the choice (best-path.ts): for people who ask. The
 * choice itself notes nothing, because it is made for every UPDATE; here its steps run once more over one prefix, one
 * at a time, and who falls out at which is written down. A property test holds the two together.
 */
import { MARK } from './attribute-columns.js';
import { LOCAL_PEER } from './best-path.js';
import type { FamilyRib } from './family-rib.js';
import { EXCLUDED, EXCLUDED_NAMES, STALE } from './path-table.js';
import type { Rib } from './rib.js';
import { comparePeers } from './rib-peer.js';

/** What decided about a path, and how that is said of one that lost by it. */
export const CHOICE_STEPS = {
  local: 'our own route comes first',
  stale: 'it is long-lived stale (RFC 9494)',
  'local-pref': 'lower local preference',
  'as-path': 'longer AS path',
  origin: 'higher origin',
  med: 'higher MED from the same neighbouring AS',
  external: 'learned from an internal peer',
  'next-hop': 'its next hop is not connected',
  'router-id': 'higher router id',
  'cluster-list': 'longer cluster list',
  'peer-address': 'higher peer address',
  'path-id': 'higher path id',
} as const;
type ChoiceStep = keyof typeof CHOICE_STEPS;

/** Why one that is as good as the best path takes no share of the traffic. */
export const SHARE_REASONS = {
  'max-paths': 'as good as the best path, but there are maxPaths next hops already',
  'same-next-hop': 'as good as the best path, with a next hop that is used already',
  'other-as-path': 'as good as the best path, but multipathAs asks for the same neighbour',
  'no-next-hop': 'as good as the best path, without a next hop of its own',
} as const;
type ShareReason = keyof typeof SHARE_REASONS;

export type Standing =
  /** `by`: the step at which the last of the others fell behind; null where there was none */
  | { readonly is: 'best'; readonly by: ChoiceStep | null }
  | { readonly is: 'multipath' }
  | { readonly is: 'excluded'; readonly why: (typeof EXCLUDED_NAMES)[number] }
  /** it takes no share; `share` says why where the multipath settings are the reason, not the step alone */
  | { readonly is: 'lost'; readonly by: ChoiceStep; readonly share: ShareReason | null };

/** The standing of every path of the prefix row, by row of the path table. */
export function standings(rib: Rib, of: FamilyRib, prefix: number): Map<number, Standing> {
  const shared = rib.sharedPaths(of, prefix);
  const { paths } = of;
  const best = of.best[prefix]! - 1;
  const all = new Map<number, Standing>();
  let left: number[] = [];
  for (let path = of.first[prefix]! - 1; path >= 0; path = paths.next[path]!) {
    const excluded = paths.excluded[path]!;
    if (excluded === EXCLUDED.no) left.push(path);
    else all.set(path, { is: 'excluded', why: EXCLUDED_NAMES[excluded]! });
  }
  let last: ChoiceStep | null = null;
  for (const { step, isShared, survivors } of STEPS) {
    const kept = survivors(rib, of, left);
    if (kept.length === left.length) continue;
    last = step;
    for (const path of left) {
      if (kept.includes(path)) continue;
      if (shared.includes(path)) all.set(path, { is: 'multipath' });
      else
        all.set(path, {
          is: 'lost',
          by: step,
          share: isShared ? null : shareReason(rib, of, path, best, shared),
        });
    }
    left = kept;
  }
  for (const path of left) all.set(path, { is: 'best', by: last });
  return all;
}

interface Step {
  readonly step: ChoiceStep;
  /** whoever loses here takes no share of the traffic either */
  readonly isShared: boolean;
  readonly survivors: (rib: Rib, of: FamilyRib, left: number[]) => number[];
}

type Rank = (rib: Rib, of: FamilyRib, path: number) => number;

const columns = (rib: Rib) => rib.store.columns;

/** Steps that a path must survive to share the traffic, in their order. */
const STEPS: readonly Step[] = [
  lowest('local', true, (_, { paths }, path) => (paths.owner[path] === LOCAL_PEER + 1 ? 0 : 1)),
  lowest('stale', true, (rib, { paths }, path) =>
    paths.stale[path] === STALE.longLived || (columns(rib).marks[paths.set[path]!]! & MARK.llgrStale) !== 0
      ? 1
      : 0,
  ),
  lowest('local-pref', true, (rib, { paths }, path) => -columns(rib).localPref[paths.set[path]!]!),
  lowest('as-path', true, (rib, { paths }, path) => columns(rib).pathLength[paths.set[path]!]!),
  lowest('origin', true, (rib, { paths }, path) => columns(rib).origin[paths.set[path]!]!),
  { step: 'med', isShared: true, survivors: lowestMeds },
  lowest('external', true, (rib, { paths }, path) => (rib.peers[paths.owner[path]! - 1]!.isInternal ? 1 : 0)),
  lowest('next-hop', true, (rib, { paths }, path) => {
    const set = paths.set[path]!;
    const { marks, nextHop } = columns(rib);
    return (marks[set]! & MARK.hasNextHop) === 0 ? 0 : rib.nextHops.kinds[nextHop[set]!]!;
  }),
  lowest('router-id', false, (rib, { paths }, path) => {
    const peer = rib.peers[paths.owner[path]! - 1]!;
    return columns(rib).originatorId[paths.set[path]!]! || peer.settings.bgpId;
  }),
  lowest('cluster-list', false, (rib, { paths }, path) => columns(rib).clusterLength[paths.set[path]!]!),
  { step: 'peer-address', isShared: false, survivors: lowestPeers },
  lowest('path-id', false, (_, { paths }, path) => paths.pathId[path]!),
];

function lowest(step: ChoiceStep, isShared: boolean, rank: Rank): Step {
  return {
    step,
    isShared,
    survivors: (rib, of, left) => {
      const ranks = left.map((path) => rank(rib, of, path));
      const least = Math.min(...ranks);
      return left.filter((_, i) => ranks[i] === least);
    },
  };
}

function lowestMeds(rib: Rib, { paths }: FamilyRib, left: number[]): number[] {
  const { neighbourAs, med } = columns(rib);
  const set = (path: number): number => paths.set[path]!;
  return left.filter(
    (path) =>
      !left.some(
        (other) => neighbourAs[set(other)] === neighbourAs[set(path)] && med[set(other)]! < med[set(path)]!,
      ),
  );
}

function lowestPeers(rib: Rib, { paths }: FamilyRib, left: number[]): number[] {
  const peer = (path: number) => rib.peers[paths.owner[path]! - 1]!;
  const order = (a: number, b: number): number => comparePeers(peer(a), peer(b)) || peer(a).row - peer(b).row;
  return left.filter((path) => left.every((other) => order(path, other) <= 0));
}

function shareReason(
  rib: Rib,
  { paths }: FamilyRib,
  path: number,
  best: number,
  shared: readonly number[],
): ShareReason | null {
  const { marks, nextHop, neighbourAs } = columns(rib);
  const { maxPaths, asPaths } = rib.settings;
  const set = paths.set[path]!;
  const bestSet = paths.set[best]!;
  if (maxPaths === 1) return null;
  if ((marks[set]! & MARK.hasNextHop) === 0) return 'no-next-hop';
  if (shared.some((other) => nextHop[paths.set[other]!] === nextHop[set])) return 'same-next-hop';
  if (asPaths === 'same-neighbour') {
    const isAlike = rib.peers[paths.owner[path]! - 1]!.isInternal
      ? rib.store.samePath(set, bestSet)
      : neighbourAs[set] === neighbourAs[bestSet];
    if (!isAlike) return 'other-as-path';
  }
  return 'max-paths';
}
