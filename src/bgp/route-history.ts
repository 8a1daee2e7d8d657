/**
 * Routes as the speakers of a capture or a dump announced and withdrew them, as a router that hears them all would
 * have them: for each prefix the next hops of the best routes, whenever they change.
 *
 * The best are those of the highest LOCAL_PREF, then the shortest AS_PATH, then the lowest ORIGIN (RFC 4271 section
 * 9.1.2.2 as far as routes of several speakers to one VIP differ by it); all that are equal there share the traffic.
 * A speaker's routes go when it withdraws them, when its session ends, and when it has been silent for its hold time.
 */
import { type Address, compareAddresses, formatAddress, ipv4, ipv6, sameAddress } from '../addr/address.js';
import { formatPrefix, type Prefix } from '../addr/prefix.js';
import { ORIGIN } from './attribute/001-origin.js';
import { AS_PATH, SEGMENT } from './attribute/002-as-path.js';
import { NEXT_HOP } from './attribute/003-next-hop.js';
import { LOCAL_PREF } from './attribute/005-local-pref.js';
import { MP_REACH_NLRI } from './attribute/014-mp-reach-nlri.js';
import { MP_UNREACH_NLRI } from './attribute/015-mp-unreach-nlri.js';
import { attributeValue, type PathAttribute } from './attribute/descriptor.js';
import { type BgpMessage, MESSAGE_TYPE, type UpdateMessage } from './message.js';
import type { PrefixNlri } from './nlri.js';

/** The next hops of `prefix` became these, in the order of their addresses. */
export interface RouteChange {
  readonly timeS: number;
  readonly prefix: Prefix;
  readonly nextHops: readonly Address[];
  /** who did what, as the beginning of a sentence */
  readonly because: string;
}

interface Route {
  readonly nextHop: Address;
  readonly localPref: number;
  readonly pathLength: number;
  readonly origin: number;
}

interface Speaker {
  readonly name: string;
  /** by prefix, and by path identifier where there is one */
  readonly routes: Map<string, { readonly prefix: Prefix; readonly route: Route }>;
  heardS: number;
  /** 0 = it is never given up */
  holdTimeS: number;
}

const DEFAULT_LOCAL_PREF = 100;

export class RouteHistory {
  readonly changes: RouteChange[] = [];
  readonly #speakers = new Map<string, Speaker>();
  /** by prefix: the next hops that were told last */
  readonly #told = new Map<string, string>();

  /** `isWanted`: prefixes that matter. */
  constructor(private readonly isWanted: (prefix: Prefix) => boolean) {}

  /** A route that stood before anything was heard, of a speaker known by its address. */
  seed(speaker: string, prefix: Prefix, nextHop: Address): void {
    const route = { nextHop, localPref: DEFAULT_LOCAL_PREF, pathLength: 1, origin: 0 };
    this.#speaker(speaker, Number.NEGATIVE_INFINITY).routes.set(formatPrefix(prefix), { prefix, route });
  }

  /** `speaker` sent this message. */
  message(timeS: number, speaker: string, message: BgpMessage): void {
    this.advance(timeS);
    const known = this.#speaker(speaker, timeS);
    known.heardS = timeS;
    if (message.type === MESSAGE_TYPE.open) {
      // a new session begins with nothing
      this.#drop(known, timeS, `${speaker} opened a new session`);
      known.holdTimeS = message.holdTimeS;
    } else if (message.type === MESSAGE_TYPE.update) this.#update(known, timeS, message);
    else if (message.type === MESSAGE_TYPE.notification) this.closed(timeS, speaker);
  }

  /** The speaker's session has ended. */
  closed(timeS: number, speaker: string): void {
    const known = this.#speakers.get(speaker);
    if (known === undefined) return;
    this.#drop(known, timeS, `the session of ${speaker} ended`);
    this.#speakers.delete(speaker);
  }

  /** Gives up speakers that have been silent for their hold time. */
  advance(timeS: number): void {
    for (const speaker of [...this.#speakers.values()]) {
      const endsS = speaker.heardS + speaker.holdTimeS;
      if (speaker.holdTimeS === 0 || endsS >= timeS) continue;
      this.#drop(speaker, endsS, `${speaker.name} was silent for its hold time of ${speaker.holdTimeS} s`);
      this.#speakers.delete(speaker.name);
    }
  }

  /** Tells the next hops of `prefix` as they stand, whether or not they have changed. */
  tell(timeS: number, prefix: Prefix, because: string): void {
    this.#told.delete(formatPrefix(prefix));
    this.#changed(timeS, prefix, because);
  }

  #speaker(name: string, timeS: number): Speaker {
    let speaker = this.#speakers.get(name);
    if (speaker === undefined) {
      speaker = { name, routes: new Map(), heardS: timeS, holdTimeS: 0 };
      this.#speakers.set(name, speaker);
    }
    return speaker;
  }

  #drop(speaker: Speaker, timeS: number, because: string): void {
    const gone = [...speaker.routes.values()];
    speaker.routes.clear();
    for (const { prefix } of gone) this.#changed(timeS, prefix, because);
  }

  #update(speaker: Speaker, timeS: number, update: UpdateMessage): void {
    const { attributes } = update;
    const unreach = attributeValue(attributes, MP_UNREACH_NLRI);
    const reach = attributeValue(attributes, MP_REACH_NLRI);
    const withdrawn = [...update.withdrawn, ...prefixesOf(unreach?.nlri)];
    for (const nlri of withdrawn) {
      if (!this.isWanted(nlri.prefix) || !speaker.routes.delete(keyOf(nlri))) continue;
      this.#changed(timeS, nlri.prefix, `${speaker.name} withdrew it`);
    }
    const nextHop4 = attributeValue(attributes, NEXT_HOP);
    if (nextHop4 !== undefined) this.#announce(speaker, timeS, update.nlri, ipv4(nextHop4), attributes);
    const nextHop = reach === undefined ? null : addressOf(reach.nextHop);
    if (nextHop !== null) this.#announce(speaker, timeS, prefixesOf(reach!.nlri), nextHop, attributes);
  }

  #announce(
    speaker: Speaker,
    timeS: number,
    prefixes: readonly PrefixNlri[],
    nextHop: Address,
    attributes: readonly PathAttribute[],
  ): void {
    const path = attributeValue(attributes, AS_PATH) ?? [];
    const route: Route = {
      nextHop,
      localPref: attributeValue(attributes, LOCAL_PREF) ?? DEFAULT_LOCAL_PREF,
      pathLength: path.reduce((sum, { type, asns }) => sum + (type === SEGMENT.set ? 1 : asns.length), 0),
      origin: attributeValue(attributes, ORIGIN) ?? 0,
    };
    for (const nlri of prefixes) {
      if (!this.isWanted(nlri.prefix)) continue;
      speaker.routes.set(keyOf(nlri), { prefix: nlri.prefix, route });
      this.#changed(timeS, nlri.prefix, `${speaker.name} announced it`);
    }
  }

  #changed(timeS: number, prefix: Prefix, because: string): void {
    const text = formatPrefix(prefix);
    const nextHops = this.#best(text);
    const told = nextHops.map(formatAddress).join(' ');
    if (this.#told.get(text) === told) return;
    this.#told.set(text, told);
    this.changes.push({ timeS, prefix, nextHops, because });
  }

  #best(prefix: string): Address[] {
    const routes = [...this.#speakers.values()].flatMap(({ routes: all }) =>
      [...all.values()].filter((one) => formatPrefix(one.prefix) === prefix).map(({ route }) => route),
    );
    const first = [...routes].sort(byPreference)[0];
    const best = routes.filter((route) => byPreference(route, first!) === 0).map(({ nextHop }) => nextHop);
    return best
      .filter((hop, i) => best.findIndex((other) => sameAddress(other, hop)) === i)
      .sort(compareAddresses);
  }
}

function byPreference(a: Route, b: Route): number {
  return b.localPref - a.localPref || a.pathLength - b.pathLength || a.origin - b.origin;
}

function prefixesOf(nlri: unknown): readonly PrefixNlri[] {
  return Array.isArray(nlri) ? (nlri as PrefixNlri[]) : [];
}

function keyOf({ prefix, pathId }: PrefixNlri): string {
  return pathId === undefined ? formatPrefix(prefix) : `${formatPrefix(prefix)} ${pathId}`;
}

/** Next hop of MP_REACH_NLRI: of 4, 16 or 32 octets (global address first, RFC 2545); null for anything else. */
function addressOf(octets: Uint8Array): Address | null {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  if (octets.length === 4) return ipv4(view.getUint32(0));
  if (octets.length !== 16 && octets.length !== 32) return null;
  return ipv6(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12));
}
