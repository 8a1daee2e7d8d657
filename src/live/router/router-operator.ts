/**
 * What an operator may see and do at a running router beyond its view (router-view.ts): sessions with all that was
 * agreed on, what each peer was told, groups of next hops; end, shut down and drain sessions.
 */
import { type Address, formatAddress, formatIpv4 } from '../../addr/address.js';
import { formatPrefix, type Prefix } from '../../addr/prefix.js';
import { nextHopTexts } from '../../bgp/attribute/014-mp-reach-nlri.js';
import type { BfdGuard } from '../../bgp/bfd/bfd-guard.js';
import { familyName } from '../../bgp/codec/address-family.js';
import { capabilityName } from '../../bgp/codec/capability.js';
import { OFFLINE } from '../../bgp/codec/codec-context.js';
import { decodeAttributeList } from '../../bgp/codec/update-message.js';
import type { AnnouncedRoute } from '../../bgp/rib/adj-rib-out.js';
import type { FamilyRib } from '../../bgp/rib/family-rib.js';
import { NO_HOPS } from '../../bgp/rib/next-hop-set-table.js';
import type { Policy } from '../../bgp/rib/policy.js';
import type { RibPeer } from '../../bgp/rib/rib-peer.js';
import { findPrefix, prefixOfRow, ribOf } from '../../bgp/rib/rib-reader.js';
import { hostNameOf } from '../../bgp/session/open-exchange.js';
import type { Peer } from '../../bgp/session/peer.js';
import type { SessionInfo } from '../../bgp/session/session-handler.js';
import type { Speaker } from '../../bgp/session/speaker.js';
import { nearest } from '../../cluster/yaml/nearest.js';
import { FlowfateError } from '../../errors.js';
import type { NeighborRecord } from '../control/control-request.js';
import type { FibEntryView, Page } from '../router-view.js';
import type { RouteRecord } from '../web/api-records.js';
import { peerRecord } from '../web/live-status.js';
import type { LiveRouter } from './live-router.js';
import { attributeTexts } from './route-views.js';
import { policyOf } from './router-config.js';
import type { RouterReader } from './router-reader.js';

/** A group of next hops, under the first entry of the FIB that uses it. */
export interface GroupView extends FibEntryView {
  readonly id: number;
  readonly prefixes: number;
}

export class RouterOperator {
  constructor(
    private readonly router: LiveRouter,
    private readonly speaker: Speaker,
    private readonly guard: BfdGuard,
    readonly view: RouterReader,
    private readonly nowMs: () => number,
  ) {}

  /** Peers of that name: an id, an address, or the host name of its OPEN; `*` and `all` are every peer. */
  find(name: string): readonly Peer[] {
    const peers = this.speaker.peers();
    if (name === '*' || name === 'all') return peers;
    const byId = peers.filter(({ settings }) => settings.id === name);
    if (byId.length > 0) return byId;
    const found = peers.filter(
      ({ settings, remote }) =>
        formatAddress(settings.address) === name || (remote !== null && hostNameOf(remote) === name),
    );
    if (found.length > 0) return found;
    const known = peers.map(({ settings }) => settings.id);
    const meant = nearest(name, known);
    const hint =
      known.length === 0
        ? 'it has none'
        : meant === null
          ? 'show bgp summary lists them'
          : `did you mean ${meant}?`;
    throw new FlowfateError('usage', `the router has no peer "${name}"; ${hint}`);
  }

  neighbors(name: string | null): NeighborRecord[] {
    return (name === null ? this.speaker.peers() : this.find(name)).map((peer) => this.neighbor(peer));
  }

  /** The longest prefix that covers all of `prefix` and has a best path, or at least a path; null = none. */
  longestMatch(prefix: Prefix): Prefix | null {
    const { rib } = this.router;
    const of = ribOf(rib, prefix);
    const exact = findPrefix(rib, prefix);
    if (exact >= 0) return prefix;
    const { w0, w1, w2, w3 } = prefix.address;
    const row = of.table.longestMatch(w0, w1, w2, w3, prefix.length, (one) => of.best[one] !== 0);
    if (row >= 0) return prefixOfRow(of, row);
    const unused = of.table.longestMatch(w0, w1, w2, w3, prefix.length, (one) => of.first[one] !== 0);
    return unused < 0 ? null : prefixOfRow(of, unused);
  }

  /** Peers that have been told of exactly that prefix. */
  advertisedTo(prefix: Prefix): string[] {
    const { rib } = this.router;
    const of = ribOf(rib, prefix);
    const row = findPrefix(rib, prefix);
    if (row < 0) return [];
    return this.speaker
      .peers()
      .map(({ settings }) => settings.id)
      .filter((id) => rib.outOf(this.router.rowOf(id), of.family)?.hasAnnounced(row) === true);
  }

  /** What one peer was told, by prefix, as it got it. */
  advertised(id: string, prefix: Prefix | null, offset: number, limit: number): Page<RouteRecord> {
    const rows: RouteRecord[] = [];
    let total = 0;
    const { rib } = this.router;
    const row = this.router.rowOf(id);
    const peer = rib.peers[row] ?? null;
    for (const of of rib.families) {
      const out = row < 0 ? null : rib.outOf(row, of.family);
      if (out === null || peer === null) continue;
      for (let at = 0; at < of.table.rows; at++) {
        if (!of.table.isUsed(at) || !out.hasAnnounced(at) || !isInside(of, at, prefix)) continue;
        const routes = total < offset + limit ? out.announced(at) : [];
        for (const route of routes) {
          if (total >= offset && rows.length < limit) rows.push(this.toldRecord(of, at, id, peer, route));
          total++;
        }
        if (routes.length === 0) total++;
      }
    }
    return { total, rows };
  }

  /** Groups of next hops in use, or those of the entries inside of `prefix`. */
  groups(prefix: Prefix | null, offset: number, limit: number): Page<GroupView> {
    const { rib, fib } = this.router;
    const found = new Map<string, { id: number; of: FamilyRib; row: number; prefixes: number }>();
    for (const of of rib.families) {
      for (let row = 0; row < of.table.rows; row++) {
        const set = of.hops[row]!;
        if (set === NO_HOPS || !of.table.isUsed(row) || !isInside(of, row, prefix)) continue;
        // where tables are migrated in place, each prefix has a group of its own
        const key = fib.isShared ? String(set) : `${of.family} ${row}`;
        const group = found.get(key);
        if (group === undefined) found.set(key, { id: fib.isShared ? set : row, of, row, prefixes: 1 });
        else group.prefixes++;
      }
    }
    const rows = [...found.values()].slice(offset, offset + limit);
    return {
      total: found.size,
      rows: rows.map(({ id, of, row, prefixes }) => ({ id, prefixes, ...this.view.entry(of, row) })),
    };
  }

  /** Ends the session, which comes back by itself. */
  reset(peer: Peer): string {
    if (peer.isShutDown) return `${peer.settings.id}: is shut down; enable lets it come up again`;
    const had = peer.session !== null;
    peer.stop({ kind: 'reset', text: '' });
    return `${peer.settings.id}: ${had ? 'session ended; it comes back by itself' : 'had no session'}`;
  }

  /** Exchanges routes anew without ending the session. */
  refresh(peer: Peer, direction: 'in' | 'out' | 'both'): string {
    const { id } = peer.settings;
    if (peer.session === null) return `${id}: has no session`;
    const told = direction !== 'in' && this.router.tellAgain(id);
    const asked = direction !== 'out' && this.router.askAgain(id);
    const did = [
      ...(asked ? ['asked for all its routes again'] : []),
      ...(told ? ['is told all of ours again'] : []),
      ...(direction !== 'out' && !asked ? ['does not take ROUTE-REFRESH (RFC 2918)'] : []),
    ];
    return `${id}: ${did.join(', ')}`;
  }

  shutDown(peer: Peer, text: string): string {
    const { id } = peer.settings;
    if (peer.isShutDown) return `${id}: is shut down already`;
    const had = peer.session !== null;
    peer.stop({ kind: 'shutdown', text });
    return `${id}: shut down${had ? '' : ', had no session'}; enable lets it come up again`;
  }

  enable(peer: Peer): string {
    const { id } = peer.settings;
    if (!peer.isShutDown) return `${id}: is not shut down`;
    peer.start();
    return `${id}: may come up again`;
  }

  drain(peer: Peer, isDraining: boolean): string {
    const { id } = peer.settings;
    if (this.router.isDraining(id) === isDraining) {
      return `${id}: ${isDraining ? 'is drained already' : 'is not drained'}`;
    }
    this.router.drain(id, isDraining);
    return isDraining
      ? `${id}: its routes are the last choice now, and it is told GRACEFUL_SHUTDOWN with ours (RFC 8326)`
      : `${id}: is used as before`;
  }

  private neighbor(peer: Peer): NeighborRecord {
    const { settings, session, remote } = peer;
    const { id } = settings;
    const policy = policyOf(this.router.config, settings);
    const info = session?.info ?? null;
    const report = this.guard.report(id);
    const row = this.router.rowOf(id);
    const { rib } = this.router;
    return {
      ...peerRecord(this.view.peer(peer), this.nowMs()),
      hostName: remote === null ? null : hostNameOf(remote),
      local: info === null ? null : { address: formatAddress(info.localAddress), port: info.localPort },
      openedBy: info === null ? null : info.direction === 'active' ? 'us' : 'peer',
      passive: settings.mode === 'passive',
      configuredHoldTime: settings.holdTimeS,
      capabilities: info === null ? null : capabilitiesOf(info),
      gracefulRestart: info?.restart == null ? null : restartOf(info),
      bfd:
        report === null
          ? null
          : {
              state: report.state,
              transmitIntervalMs: report.transmitIntervalUs / 1000,
              detectionTimeMs: report.detectionTimeUs / 1000,
            },
      import: policyText(policy?.import ?? 'none'),
      export: policyText(policy?.export ?? 'none'),
      maxPrefixes: policy?.maxPrefixes ?? null,
      queued:
        row < 0
          ? 0
          : rib.families.reduce((sum, { family }) => sum + (rib.outOf(row, family)?.pendingCount ?? 0), 0),
    };
  }

  private toldRecord(
    of: FamilyRib,
    row: number,
    id: string,
    peer: RibPeer,
    route: AnnouncedRoute,
  ): RouteRecord {
    const { attributes, nextHop, pathId } = route;
    const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.length);
    // our own AS stands first in it: it is not judged as what the peer sends
    const context = { ...OFFLINE, asn4: peer.settings.context.asn4 };
    const decoded = decodeAttributeList(view, 0, attributes.length, context);
    return {
      prefix: formatPrefix(prefixOfRow(of, row)),
      family: familyName(of.family),
      peer: id,
      nextHop: typeof nextHop === 'number' ? formatIpv4(nextHop) : (nextHopTexts(nextHop)[0] ?? null),
      pathId,
      best: true,
      multipath: false,
      excluded: 'no',
      decidedBy: null,
      why: 'announced to the peer',
      stale: false,
      longLivedStale: false,
      age: 0,
      ...attributeTexts(decoded),
    };
  }
}

function isInside({ table }: FamilyRib, row: number, prefix: Prefix | null): boolean {
  if (prefix === null) return true;
  const { family, w0, w1, w2, w3 }: Address = prefix.address;
  return table.bits === (family === 4 ? 32 : 128) && table.isInside(row, w0, w1, w2, w3, prefix.length);
}

function capabilitiesOf({ local, remote }: SessionInfo): NonNullable<NeighborRecord['capabilities']> {
  const names = (open: SessionInfo['local']): string[] => [
    ...new Set(
      open.capabilities.map((one) =>
        one.kind === 'multiprotocol' ? familyName(one.family) : capabilityName(one.code),
      ),
    ),
  ];
  return { sent: names(local), received: names(remote) };
}

function restartOf({ restart }: SessionInfo): NeighborRecord['gracefulRestart'] {
  if (restart === null) return null;
  return {
    families: restart.families.map(({ family }) => familyName(family)),
    restartTime: restart.restartTimeS,
    longLived: restart.longLived.map(({ family }) => familyName(family)),
  };
}

function policyText(policy: Policy): string {
  return typeof policy === 'string' ? policy : `${policy.length} term${policy.length === 1 ? '' : 's'}`;
}
