/** Routes of the RIB as the API, the control socket and people read them. */
import type { Address } from '../../addr/address.js';
import type { Prefix } from '../../addr/prefix.js';
import { type AsPathSegment, SEGMENT } from '../../bgp/attribute/002-as-path.js';
import { formatCommunity } from '../../bgp/attribute/008-communities.js';
import type { LargeCommunity } from '../../bgp/attribute/032-large-communities.js';
import type { PathAttribute } from '../../bgp/attribute/descriptor.js';
import { DESCRIPTOR_OF } from '../../bgp/attribute/registry.js';
import type { RibRoute } from '../../bgp/rib/rib-reader.js';
import { CHOICE_STEPS, SHARE_REASONS, type Standing } from '../../bgp/rib/why-chosen.js';
import type { RouteView } from '../router-view.js';

/** What a list of path attributes says, in text. */
export type AttributeTexts = Pick<
  RouteView,
  'origin' | 'asPath' | 'localPref' | 'med' | 'communities' | 'largeCommunities' | 'extendedCommunities'
>;

export interface RouteFacts {
  readonly prefix: Prefix;
  readonly family: string;
  readonly peer: string;
  readonly nextHop: Address | null;
  /** after the import policy, or as the peer announced them */
  readonly attributes: readonly PathAttribute[];
}

export function routeView(route: RibRoute, facts: RouteFacts): RouteView {
  const { prefix, family, peer, nextHop, attributes } = facts;
  return {
    prefix,
    family,
    peer,
    nextHop,
    pathId: route.pathId,
    best: route.best,
    multipath: route.multipath && !route.best,
    excluded: route.excluded,
    decidedBy: decidedBy(route.standing),
    why: whyText(route.standing),
    stale: route.stale !== 'no',
    longLivedStale: route.stale === 'longLived',
    ageS: route.ageS,
    ...attributeTexts(attributes),
  };
}

export function attributeTexts(attributes: readonly PathAttribute[]): AttributeTexts {
  const value = (code: number): unknown => attributeValue(attributes, code);
  return {
    origin: ORIGINS[(value(1) as number | undefined) ?? 2] ?? 'incomplete',
    asPath: pathText((value(2) as readonly AsPathSegment[] | undefined) ?? []),
    localPref: (value(5) as number | undefined) ?? null,
    med: (value(4) as number | undefined) ?? null,
    communities: ((value(8) as readonly number[] | undefined) ?? []).map(formatCommunity),
    largeCommunities: ((value(32) as readonly LargeCommunity[] | undefined) ?? []).map((c) => c.join(':')),
    extendedCommunities: [16, 25].flatMap((code) => listTexts(attributes, code)),
  };
}

const EXCLUDED_WORDS: Readonly<Record<string, string>> = {
  'as-loop': 'our own AS is in its path',
  policy: 'the import policy refuses it',
  'own-next-hop': 'its next hop is one of our own addresses',
  'unresolvable-next-hop': 'its next hop cannot be resolved',
  'reflection-loop': 'it was reflected back to us',
  'route-leak': 'a route leak (RFC 9234)',
  'not-unicast': 'there is no unicast route to such a prefix',
};

function decidedBy(standing: Standing): string | null {
  switch (standing.is) {
    case 'best':
      return standing.by;
    case 'multipath':
      return null;
    case 'excluded':
      return standing.why;
    case 'lost':
      return standing.share ?? standing.by;
    default:
      return standing satisfies never;
  }
}

function whyText(standing: Standing): string {
  switch (standing.is) {
    case 'best':
      return standing.by === null ? 'best: the only one that may be used' : `best: decided by ${standing.by}`;
    case 'multipath':
      return 'multipath: as good as the best path, and shares the traffic';
    case 'excluded':
      return `not used: ${EXCLUDED_WORDS[standing.why] ?? standing.why}`;
    case 'lost':
      return `not used: ${standing.share === null ? CHOICE_STEPS[standing.by] : SHARE_REASONS[standing.share]}`;
    default:
      return standing satisfies never;
  }
}

const ORIGINS = ['igp', 'egp', 'incomplete'];

/** A malformed attribute has octets where a value is expected: it counts as absent. */
function attributeValue(attributes: readonly PathAttribute[], code: number): unknown {
  const found = attributes.find((attribute) => attribute.code === code && attribute.fault === undefined);
  return found?.value;
}

/** Each value of an attribute that is a list, as its descriptor writes it. */
function listTexts(attributes: readonly PathAttribute[], code: number): string[] {
  const value = attributeValue(attributes, code);
  return value === undefined ? [] : (DESCRIPTOR_OF[code]!.toJson(value) as string[]);
}

/** `64512 {64513,64514} (65001 65002)` */
function pathText(segments: readonly AsPathSegment[]): string {
  return segments
    .map(({ type, asns }) => {
      switch (type) {
        case SEGMENT.set:
          return `{${asns.join(',')}}`;
        case SEGMENT.confedSequence:
          return `(${asns.join(' ')})`;
        case SEGMENT.confedSet:
          return `[${asns.join(',')}]`;
        default:
          return asns.join(' ');
      }
    })
    .join(' ');
}
