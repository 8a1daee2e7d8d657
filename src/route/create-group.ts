/** A next-hop group by the name of its selection. Impossible settings are a RangeError that gives the reason. */
import { DocumentedResilientGroup } from './documented-resilient.js';
import { HashThresholdGroup } from './hash-threshold.js';
import { MAGLEV_SIZES, MaglevGroup } from './maglev.js';
import { ModuloGroup } from './modulo.js';
import type { GroupSettings, NextHopGroup, SelectName, WeightedNextHop } from './next-hop-group.js';
import { RendezvousGroup } from './rendezvous.js';
import { ResilientGroup } from './resilient.js';
import { RingGroup } from './ring.js';

/** Buckets where nobody says how many: Cilium's Maglev table, 160 points a next hop on a ring, 64 otherwise. */
export function defaultBuckets(select: SelectName): number {
  return select === 'maglev' ? MAGLEV_SIZES.cilium : select === 'ring' ? 160 : 64;
}

export function createNextHopGroup(
  settings: GroupSettings,
  nextHops: readonly WeightedNextHop[],
  nowS: number,
): NextHopGroup {
  switch (settings.select) {
    case 'hash-threshold':
      return new HashThresholdGroup(settings.hashBits, nextHops);
    case 'modulo':
      return new ModuloGroup(nextHops);
    case 'resilient':
      return new ResilientGroup(settings, nextHops, nowS);
    case 'resilient-cumulus':
    case 'resilient-arista':
    case 'resilient-juniper':
      return new DocumentedResilientGroup(settings.select, settings, nextHops);
    case 'maglev':
      return new MaglevGroup(settings.buckets, nextHops);
    case 'rendezvous':
      return new RendezvousGroup(nextHops);
    case 'ring':
      return new RingGroup(settings.buckets, nextHops);
  }
}
