/**
 * Routes as the speakers of a capture or a dump announced and withdrew them, as a router that hears them all would
 * have them: for each prefix the next hops of the best routes, whenever they change.
 *
 * The best are those of the highest LOCAL_PREF, then the shortest AS_PATH, then the lowest ORIGIN (RFC 4271 section
 * 9.1.2.2 as far as routes of several speakers to one VIP differ by it); all that are equal there share the traffic.
 * A speaker's routes go when it withdraws them, when its session ends, and when it has been silent for its hold time;
 * unless it and the router agreed on graceful restart (RFC 4724, RFC 8538): then they stay until it has said End-of-RIB
 * in its next session, or its restart time is over.
 */
import {
  type Address,
  compareAddresses,
  formatAddress,
  ipv4,
  ipv6,
  sameAddress,
} from '../../addr/address.js';
import { formatPrefix, type Prefix } from '../../addr/prefix.js';
import { ORIGIN } from '../attribute/001-origin.js';
import { AS_PATH, SEGMENT } from '../attribute/002-as-path.js';
import { NEXT_HOP } from '../attribute/003-next-hop.js';
import { LOCAL_PREF } from '../attribute/005-local-pref.js';
import { MP_REACH_NLRI } from '../attribute/014-mp-reach-nlri.js';
import { MP_UNREACH_NLRI } from '../attribute/015-mp-unreach-nlri.js';
import { attributeValue, type PathAttribute } from '../attribute/descriptor.js';
import { type FamilyKey, IPV4_UNICAST, IPV6_UNICAST } from '../codec/address-family.js';
import {
  type BgpMessage,
  MESSAGE_TYPE,
  type NotificationMessage,
  type OpenMessage,
  type UpdateMessage,
} from '../codec/message.js';
import type { PrefixNlri } from '../codec/nlri.js';
import { CEASE, ERROR_CODE } from '../codec/notification-code.js';

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
  /** what its OPEN said of graceful restart */
  restart: GracefulRestart | null;
  /** when it is given up while it has no session; null = it has one */
  awayUntilS: number | null;
  /** keys of {@link routes} that it announced in a session before */
  readonly stale: Set<string>;
}

type GracefulRestart = Extract<OpenMessage['capabilities'][number], { kind: 'graceful-restart' }>;

const DEFAULT_LOCAL_PREF = 100;

export class RouteHistory {
  readonly changes: RouteChange[] = [];
  readonly #speakers = new Map<string, Speaker>();
  /** by prefix: the next hops that were told last */
  readonly #told = new Map<string, string>();
  /** by speaker: what the router's OPEN to it said of graceful restart; none = it keeps nothing */
  readonly #routerRestart = new Map<string, GracefulRestart>();

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
    if (message.type === MESSAGE_TYPE.notification) this.notified(timeS, speaker, message);
    else if (message.type === MESSAGE_TYPE.open) this.#opened(timeS, speaker, message);
    else {
      const known = this.#speaker(speaker, timeS);
      known.heardS = timeS;
      // it is back, though its OPEN is not in the capture
      known.awayUntilS = null;
      if (message.type === MESSAGE_TYPE.update) this.#update(known, timeS, message);
    }
  }

  /** The router's own OPEN to a speaker: whether it keeps that one's routes when it restarts. */
  routerOpened(speaker: string, open: OpenMessage): void {
    const restart = gracefulRestart(open);
    if (restart === null) this.#routerRestart.delete(speaker);
    else this.#routerRestart.set(speaker, restart);
  }

  /** A NOTIFICATION ended the session of `speaker`, whoever sent it. */
  notified(timeS: number, speaker: string, { code, subcode }: NotificationMessage): void {
    const known = this.#speakers.get(speaker);
    // one that is away has no session that could end: an attempt of its was refused
    if (known?.awayUntilS !== null) return;
    const isHard = code === ERROR_CODE.cease && subcode === CEASE.hardReset;
    if (isHard || !this.#outlivesNotification(known)) known.restart = null;
    this.closed(timeS, speaker);
  }

  /** The speaker's session has ended. */
  closed(timeS: number, speaker: string): void {
    const known = this.#speakers.get(speaker);
    if (known?.awayUntilS === null) this.#end(known, timeS, `the session of ${speaker} ended`);
  }

  /** Gives up speakers that have been silent for their hold time, or away for longer than their restart time. */
  advance(timeS: number): void {
    for (const speaker of [...this.#speakers.values()]) {
      const { name, awayUntilS, holdTimeS, restart } = speaker;
      const endsS = awayUntilS ?? (holdTimeS === 0 ? Number.POSITIVE_INFINITY : speaker.heardS + holdTimeS);
      if (endsS >= timeS) continue;
      if (awayUntilS !== null) {
        const because = `${name} did not come back within its restart time of ${restart!.restartTimeS} s`;
        this.#giveUp(speaker, endsS, because);
        continue;
      }
      if (!this.#outlivesNotification(speaker)) speaker.restart = null;
      this.#end(speaker, endsS, `${name} was silent for its hold time of ${holdTimeS} s`);
      this.advance(timeS);
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
      const fresh = { holdTimeS: 0, restart: null, awayUntilS: null, stale: new Set<string>() };
      speaker = { name, routes: new Map(), heardS: timeS, ...fresh };
      this.#speakers.set(name, speaker);
    }
    return speaker;
  }

  /** A new session begins with nothing, but for what waits for it and whose forwarding it has preserved. */
  #opened(timeS: number, name: string, open: OpenMessage): void {
    const before = this.#speakers.get(name);
    const because = `${name} opened a new session`;
    if (before?.awayUntilS === null) this.#end(before, timeS, because);
    const speaker = this.#speaker(name, timeS);
    speaker.heardS = timeS;
    speaker.holdTimeS = open.holdTimeS;
    speaker.restart = gracefulRestart(open);
    speaker.awayUntilS = null;
    const preserved =
      speaker.restart?.families.filter(({ forwardingPreserved }) => forwardingPreserved) ?? [];
    this.#drop(
      speaker,
      timeS,
      because,
      (key) => !preserved.some(({ family }) => family === familyOf(speaker, key)),
    );
  }

  /** RFC 8538 section 4: both sides say so. */
  #outlivesNotification({ name, restart }: Speaker): boolean {
    return restart?.notification === true && this.#routerRestart.get(name)?.notification === true;
  }

  /** The session is over: routes of the families that restart gracefully wait for the next one. */
  #end(speaker: Speaker, timeS: number, because: string): void {
    const restart = this.#routerRestart.has(speaker.name) ? speaker.restart : null;
    if (restart === null || restart.families.length === 0) {
      this.#giveUp(speaker, timeS, because);
      return;
    }
    speaker.awayUntilS = timeS + restart.restartTimeS;
    const keeps = (key: string) => restart.families.some(({ family }) => family === familyOf(speaker, key));
    // what was stale already is deleted: RFC 4724 section 4.2
    this.#drop(speaker, timeS, because, (key) => speaker.stale.has(key) || !keeps(key));
    for (const key of speaker.routes.keys()) speaker.stale.add(key);
  }

  #giveUp(speaker: Speaker, timeS: number, because: string): void {
    this.#drop(speaker, timeS, because, () => true);
    this.#speakers.delete(speaker.name);
  }

  /** Those routes of the speaker go whose key `isGone`. */
  #drop(speaker: Speaker, timeS: number, because: string, isGone: (key: string) => boolean): void {
    const gone = [...speaker.routes].filter(([key]) => isGone(key));
    for (const [key] of gone) this.#forget(speaker, key);
    for (const [, { prefix }] of gone) this.#changed(timeS, prefix, because);
  }

  #forget(speaker: Speaker, key: string): boolean {
    speaker.stale.delete(key);
    return speaker.routes.delete(key);
  }

  #update(speaker: Speaker, timeS: number, update: UpdateMessage): void {
    const { attributes } = update;
    const unreach = attributeValue(attributes, MP_UNREACH_NLRI);
    const reach = attributeValue(attributes, MP_REACH_NLRI);
    const withdrawn = [...update.withdrawn, ...prefixesOf(unreach?.nlri)];
    for (const nlri of withdrawn) {
      if (!this.isWanted(nlri.prefix) || !this.#forget(speaker, keyOf(nlri))) continue;
      this.#changed(timeS, nlri.prefix, `${speaker.name} withdrew it`);
    }
    const ended = endOfRib(update);
    if (ended !== null) {
      const isLeft = (key: string) => speaker.stale.has(key) && familyOf(speaker, key) === ended;
      this.#drop(speaker, timeS, `${speaker.name} did not announce it again`, isLeft);
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
      speaker.stale.delete(keyOf(nlri));
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

function gracefulRestart({ capabilities }: OpenMessage): GracefulRestart | null {
  return capabilities.findLast((c) => c.kind === 'graceful-restart') ?? null;
}

function familyOf({ routes }: Speaker, key: string): FamilyKey {
  return routes.get(key)!.prefix.address.family === 4 ? IPV4_UNICAST : IPV6_UNICAST;
}

/** Family whose End-of-RIB the UPDATE is (RFC 4724 section 2), or null. */
function endOfRib({ withdrawn, attributes, nlri }: UpdateMessage): FamilyKey | null {
  if (withdrawn.length > 0 || nlri.length > 0 || attributes.length > 1) return null;
  if (attributes.length === 0) return IPV4_UNICAST;
  const unreach = attributeValue(attributes, MP_UNREACH_NLRI);
  return unreach !== undefined && prefixesOf(unreach.nlri).length === 0 ? unreach.family : null;
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
