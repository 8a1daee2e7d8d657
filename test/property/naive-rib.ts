/**
 * A RIB as a textbook would write it: maps of objects, everything worked out anew for every question. Written from
 * RFC 4271 section 9, RFC 4456 section 9, RFC 1997, RFC 8326 and RFC 9234 alone, as an oracle for `bgp/rib`.
 */
import type { RouteText } from '../support/rib-session.js';

export interface NaivePeer {
  readonly name: string;
  readonly asn: number;
  /** as numbers, so that they compare as such */
  readonly address: number;
  readonly bgpId: number;
  readonly role: 'provider' | 'customer' | 'peer' | 'rs' | 'rs-client' | null;
  readonly addPathSend: 'yes' | 'no';
}

interface NaivePath {
  readonly peer: NaivePeer | null;
  readonly pathId: number;
  readonly route: RouteText;
  /** announced before its session was interrupted */
  isStale: boolean;
}

/** What an import policy makes of a route; `null` = refused. */
export type NaivePolicy = (prefix: string, route: RouteText) => RouteText | null;

const WELL_KNOWN = { noExport: 0xffffff01, noAdvertise: 0xffffff02, noExportSubconfed: 0xffffff03 };
const GRACEFUL_SHUTDOWN = 0xffff0000;

export class NaiveRib {
  /** prefix → `peer#pathId` → as received */
  readonly received = new Map<string, Map<string, NaivePath>>();

  /** by peer; every route as it is where none stands */
  readonly imports = new Map<NaivePeer, NaivePolicy>();

  constructor(
    readonly asn: number,
    readonly ownHop4: string,
    readonly ownHop6: string,
    readonly maxPaths: number,
    readonly asPaths: 'relax' | 'same-neighbour',
  ) {}

  announce(peer: NaivePeer | null, prefix: string, pathId: number, route: RouteText): void {
    const paths = this.received.get(prefix) ?? new Map<string, NaivePath>();
    paths.set(`${peer?.name}#${pathId}`, { peer, pathId, route, isStale: false });
    this.received.set(prefix, paths);
  }

  withdraw(peer: NaivePeer | null, prefix: string, pathId: number): void {
    this.received.get(prefix)?.delete(`${peer?.name}#${pathId}`);
  }

  peerDown(peer: NaivePeer): void {
    for (const paths of this.received.values()) {
      for (const [key, path] of paths) if (path.peer === peer) paths.delete(key);
    }
  }

  markStale(peer: NaivePeer): void {
    for (const path of this.pathsOf(peer)) path.isStale = true;
  }

  sweepStale(peer: NaivePeer): void {
    for (const paths of this.received.values()) {
      for (const [key, path] of paths) if (path.peer === peer && path.isStale) paths.delete(key);
    }
  }

  private pathsOf(peer: NaivePeer): NaivePath[] {
    return [...this.received.values()].flatMap((paths) => [...paths.values()].filter((p) => p.peer === peer));
  }

  /** Next hops of the prefix, ascending. */
  hops(prefix: string): string[] {
    const ranked = this.equalPaths(prefix);
    const best = ranked[0];
    if (best === undefined || best.peer === null) return [];
    const hops: string[] = [];
    for (const path of ranked) {
      if (hops.length === this.maxPaths) break;
      if (this.asPaths === 'same-neighbour') {
        const isInternal = path.peer!.asn === this.asn;
        const [a, b] = [path.route.path, best.route.path];
        if (isInternal ? a.join() !== b.join() : a[0] !== b[0]) continue;
      }
      if (!hops.includes(path.route.nextHop)) hops.push(path.route.nextHop);
    }
    return hops.sort();
  }

  /** Paths received from `peer` for these prefixes, how many of them may be used, and how many are the best. */
  counts(peer: NaivePeer, prefixes: readonly string[]): { received: number; accepted: number; best: number } {
    const ofPeer = (path: NaivePath | undefined): boolean => path?.peer === peer;
    const all = prefixes.flatMap((prefix) => [...(this.received.get(prefix)?.values() ?? [])]);
    return {
      received: all.filter(ofPeer).length,
      accepted: prefixes.flatMap((prefix) => this.usable(prefix)).filter(ofPeer).length,
      best: prefixes.filter((prefix) => ofPeer(this.equalPaths(prefix)[0])).length,
    };
  }

  /** What `to` is to have of the prefix, as a list because of ADD-PATH. */
  told(to: NaivePeer, prefix: string): RouteText[] {
    const all = to.addPathSend === 'yes' ? this.usable(prefix) : this.equalPaths(prefix).slice(0, 1);
    return all.flatMap((path) => this.exported(path, to));
  }

  private usable(prefix: string): NaivePath[] {
    return [...(this.received.get(prefix)?.values() ?? [])].flatMap((path) => this.imported(prefix, path));
  }

  /** RFC 4271 section 9.1.2 and what peers' roles say; the route as it lies in the Loc-RIB. */
  private imported(prefix: string, path: NaivePath): NaivePath[] {
    const { peer, route } = path;
    if (peer === null) return [path];
    if (route.path.includes(this.asn)) return [];
    let changed = route;
    const { role } = peer;
    if (route.otc !== undefined) {
      if (role === 'provider' || role === 'rs') return [];
      if (role === 'peer' && route.otc !== peer.asn) return [];
    } else if (role === 'customer' || role === 'peer' || role === 'rs-client') {
      changed = { ...changed, otc: peer.asn };
    }
    const policy = this.imports.get(peer);
    const accepted = policy === undefined ? changed : policy(prefix, changed);
    if (accepted === null) return [];
    changed = accepted;
    const isExternal = peer.asn !== this.asn;
    if (isExternal && route.communities?.includes(GRACEFUL_SHUTDOWN)) changed = { ...changed, localPref: 0 };
    return [{ ...path, route: changed }];
  }

  /** Paths that tie before the last steps, in the order of the last steps. */
  private equalPaths(prefix: string): NaivePath[] {
    let left = this.usable(prefix);
    const keep = (rank: (path: NaivePath) => number): void => {
      const lowest = Math.min(...left.map(rank));
      left = left.filter((path) => rank(path) === lowest);
    };
    keep(({ peer }) => (peer === null ? 0 : 1));
    keep(({ route }) => -(route.localPref ?? 100));
    keep(({ route }) => route.path.length);
    keep(({ route }) => route.origin);
    const neighbour = ({ route }: NaivePath): number => route.path[0] ?? 0;
    const med = ({ route }: NaivePath): number => route.med ?? 0;
    const before = left;
    left = before.filter((p) => !before.some((o) => neighbour(o) === neighbour(p) && med(o) < med(p)));
    keep(({ peer }) => (peer?.asn === this.asn ? 1 : 0));
    const last = (path: NaivePath): number[] => [
      path.route.originatorId ?? path.peer?.bgpId ?? 0,
      path.route.clusterList?.length ?? 0,
      path.peer?.address ?? 0,
      path.pathId,
    ];
    return left.sort((a, b) => {
      const [la, lb] = [last(a), last(b)];
      const at = la.findIndex((value, i) => value !== lb[i]);
      return at < 0 ? 0 : la[at]! - lb[at]!;
    });
  }

  private exported({ peer, route }: NaivePath, to: NaivePeer): RouteText[] {
    if (peer === to) return [];
    const isExternal = to.asn !== this.asn;
    const has = (community: number): boolean => route.communities?.includes(community) === true;
    if (peer !== null) {
      if (!isExternal && peer.asn === this.asn) return [];
      if (has(WELL_KNOWN.noAdvertise)) return [];
      if (isExternal && (has(WELL_KNOWN.noExport) || has(WELL_KNOWN.noExportSubconfed))) return [];
      if (isExternal && route.path.includes(to.asn)) return [];
      if (route.otc !== undefined && ['customer', 'peer', 'rs-client'].includes(to.role ?? '')) return [];
    }
    const { localPref, med, originatorId, clusterList, otc, ...rest } = route;
    const marks = ['provider', 'peer', 'rs'].includes(to.role ?? '');
    const isIpv6 = route.nextHop.includes(':');
    const sent: RouteText = {
      ...rest,
      ...((!isExternal || peer === null) && med !== undefined && { med }),
      ...(otc !== undefined ? { otc } : marks ? { otc: this.asn } : {}),
    };
    if (!isExternal) {
      const hop = peer === null ? (isIpv6 ? this.ownHop6 : this.ownHop4) : route.nextHop;
      return [
        { ...sent, nextHop: hop, localPref: localPref ?? 100, ...optional({ originatorId, clusterList }) },
      ];
    }
    return [{ ...sent, path: [this.asn, ...route.path], nextHop: isIpv6 ? this.ownHop6 : this.ownHop4 }];
  }
}

function optional<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
