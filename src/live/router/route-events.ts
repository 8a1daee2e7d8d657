/**
 * Changes of next hops as events: everything that one cause of one peer brings within a short while is one event
 * (router-view.ts). Another cause, or another peer, ends the event before: so each is told while the tables are as
 * its cause left them.
 */
import type { FamilyRib } from '../../bgp/rib/family-rib.js';
import type { Rib } from '../../bgp/rib/rib.js';
import { prefixOfRow } from '../../bgp/rib/rib-reader.js';
import type { Clock } from '../../bgp/session/wire.js';
import {
  MAX_LISTED_CHANGES,
  type NextHopView,
  type RouteCause,
  type RouteChange,
  type RoutesChanged,
} from '../router-view.js';

/** how long UPDATEs of a bulk load are joined */
const JOIN_MS = 50;
/** next hops that an event's list of changes may name: 64 changes of 64 next hops each would be half a megabyte */
const MAX_LISTED_HOPS = 512;

export class RouteEvents {
  private peer: string | null = null;
  private cause: RouteCause = 'loaded';
  private total = 0;
  private changes: RouteChange[] = [];
  private listedHops = 0;
  private cancel: (() => void) | null = null;

  constructor(
    private readonly rib: Rib,
    private readonly clock: Clock,
    private readonly emit: (event: RoutesChanged) => void,
    /** hears of every change at once: the FIB */
    private readonly changed: (family: FamilyRib, prefix: number, after: number) => void,
  ) {
    rib.onRoute((family, prefix, before, after) => this.changedPrefixes(family, prefix, before, after));
  }

  /** What changes from now on changes because of this. */
  because(peer: string | null, cause: RouteCause): void {
    if (peer === this.peer && cause === this.cause) return;
    this.flush();
    this.peer = peer;
    this.cause = cause;
  }

  /** Tells what has been gathered. */
  flush(): void {
    this.cancel?.();
    this.cancel = null;
    if (this.total === 0) return;
    const changes = this.changes;
    const total = this.total;
    this.changes = [];
    this.listedHops = 0;
    this.total = 0;
    const atMs = this.clock.epochMs();
    this.emit({ kind: 'routes', atMs, peer: this.peer, cause: this.cause, total, changes });
  }

  private changedPrefixes(family: FamilyRib, prefix: number, before: number, after: number): void {
    this.changed(family, prefix, after);
    this.total++;
    if (this.changes.length < MAX_LISTED_CHANGES && this.listedHops < MAX_LISTED_HOPS) {
      const change = {
        prefix: prefixOfRow(family, prefix),
        before: this.hops(before),
        after: this.hops(after),
      };
      this.listedHops += change.before.length + change.after.length;
      this.changes.push(change);
    }
    this.cancel ??= this.clock.after(JOIN_MS, () => this.flush());
  }

  private hops(set: number): NextHopView[] {
    return nextHopViews(this.rib, set);
  }
}

export function nextHopViews({ hopSets, nextHops }: Rib, set: number): NextHopView[] {
  return hopSets.hopsOf(set).map((row) => ({ address: nextHops.addresses[row]!, weight: 1 }));
}
