/**
 * A router's tables as facts about the scenario's router: the FIB at t = 0 for the services' addresses, next hops in the
 * router's order, and how it hashes. Of several tables that speak of one address the one nearest to the hardware counts:
 * kernel, then a daemon's FIB, then its RIB; a link-local next hop of one is known by the global address another gives it.
 */
import { type Address, formatAddress } from '../../addr/address.js';
import { formatPrefix, type Prefix, prefixContains } from '../../addr/prefix.js';
import type { EcmpSettings } from '../model.js';
import type { ClusterFacts, Place, RouteFacts } from '../scenario/facts.js';
import type { RouterTable, TableHop, TableRoute } from './router-table.js';

const LAYERS = ['kernel', 'fib', 'rib'] as const;
const NOWHERE: Place['document'] = { positionOf: () => ({ file: '--router-state' }) };

export interface RouterFacts {
  readonly facts: ClusterFacts;
  readonly notes: readonly string[];
  /** what the tables say and cannot be used */
  readonly unread: readonly string[];
}

/** @param known nodes and services, as everything else says them */
export function routerFacts(tables: readonly RouterTable[], known: ClusterFacts): RouterFacts {
  const owners = new Map<string, string>();
  for (const { name, addresses = [] } of known.nodes ?? [])
    for (const one of addresses) owners.set(formatAddress(one), name);
  const aliases = new Map<string, Address>();
  for (const hop of tables.flatMap(({ routes }) => routes).flatMap(({ hops }) => hops)) {
    if (hop.alias !== undefined) aliases.set(formatAddress(hop.address), hop.alias);
  }
  const nodeOf = ({ address, alias }: TableHop): string | undefined =>
    owners.get(formatAddress(alias ?? aliases.get(formatAddress(address)) ?? address)) ??
    owners.get(formatAddress(address));

  const notes = new Set(tables.flatMap((table) => table.notes));
  const unread: string[] = [];
  const routes = new Map<string, RouteFacts>();
  let group: Partial<EcmpSettings> = {};
  const kernel = tables.some(({ layer, routes: own }) => layer === 'kernel' && own.length > 0);
  for (const { name, vips = [] } of known.services ?? []) {
    for (const vip of vips) {
      const text = formatAddress(vip);
      const found = bestRoute(tables, vip);
      if (found === null) {
        if (!tables.some(({ routes: own }) => own.some(({ prefix }) => prefix.address.family === vip.family)))
          continue;
        notes.add(`The router has no route to ${text} of service ${name}: what is sent there is dropped.`);
        const prefix = { address: vip, length: vip.family === 4 ? 32 : 128 };
        routes.set(text, { place: placeOf(), prefix, nextHops: [] });
        continue;
      }
      const { route, table } = found;
      const hops = route.hops.map((hop) => ({ node: nodeOf(hop), hop }));
      const strangers = hops
        .filter(({ node }) => node === undefined)
        .map(({ hop }) => formatAddress(hop.address));
      const key = formatPrefix(route.prefix);
      if (strangers.length > 0 || hops.length === 0) {
        const via =
          hops.length === 0
            ? 'has no next hop'
            : `goes to ${strangers.join(', ')}, which ${strangers.length === 1 ? 'is' : 'are'} no node's address`;
        unread.push(
          `Route ${key} of ${table.source} (to ${text} of service ${name}) ${via}: it is not used, who announces decides.`,
        );
        continue;
      }
      routes.set(key, { place: placeOf(), prefix: route.prefix, nextHops: mergedHops(hops) });
      group = { ...group, ...route.ecmp };
    }
  }
  const settings: Partial<EcmpSettings> = Object.assign({}, group, ...tables.map(({ ecmp }) => ecmp));
  if (kernel) notes.delete([...notes].find((note) => note.startsWith('FRR prints')) ?? '');
  if (kernel) notes.delete([...notes].find((note) => note.startsWith('bgpd says')) ?? '');
  return {
    facts: { ecmp: withSelect(settings, kernel), routes: [...routes.values()] },
    notes: [...notes],
    unread,
  };
}

/** The longest match in the table that is nearest to what forwards. A default route leads out, not in. */
function bestRoute(
  tables: readonly RouterTable[],
  vip: Address,
): { route: TableRoute; table: RouterTable } | null {
  const ofFamily = tables.filter(({ routes }) =>
    routes.some(({ prefix }) => prefix.address.family === vip.family),
  );
  const layer = LAYERS.find((one) => ofFamily.some((table) => table.layer === one));
  let best: { route: TableRoute; table: RouterTable } | null = null;
  for (const table of ofFamily.filter((one) => one.layer === layer)) {
    for (const route of table.routes) {
      if (route.prefix.length === 0 || !prefixContains(route.prefix, vip)) continue;
      if (best === null || isLonger(route.prefix, best.route.prefix)) best = { route, table };
    }
  }
  return best;
}

function isLonger(a: Prefix, b: Prefix): boolean {
  return a.length > b.length;
}

/** Two ways to one node are one way of their common weight. */
function mergedHops(hops: readonly { node: string | undefined; hop: TableHop }[]): RouteFacts['nextHops'] {
  const weights = new Map<string, number>();
  for (const { node, hop } of hops) weights.set(node!, (weights.get(node!) ?? 0) + hop.weight);
  return [...weights].map(([node, weight]) => ({ node, weight }));
}

/** A kernel that shows no resilient group has groups by threshold. */
function withSelect(ecmp: Partial<EcmpSettings>, isKernel: boolean): Partial<EcmpSettings> {
  return isKernel && ecmp.select === undefined && ecmp.nexthops === 'legacy'
    ? { select: 'hash-threshold', ...ecmp }
    : ecmp;
}

function placeOf(): Place {
  return { document: NOWHERE, path: [] };
}
