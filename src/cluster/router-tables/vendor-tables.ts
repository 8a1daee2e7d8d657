/**
 * Tables of routers whose kernel nobody sees: Cisco NX-OS (`show ip route | json`) and Arista EOS (`show ip route | json`).
 * How they hash is not in them: it stays assumed. Shapes as the vendors document them; not held against a device.
 */
import {
  type Raw,
  type RouterTable,
  raw,
  rawList,
  type TableRoute,
  tableHop,
  tablePrefix,
} from './router-table.js';

const UNKNOWN_HASH =
  'Its hash, its seed and the order of next hops in its hardware are not in it and stay assumed.';

export function isNxos(value: Raw): boolean {
  return 'TABLE_vrf' in value;
}

export function nxosTable(value: Raw): RouterTable {
  const vrfs = rawList(raw(value.TABLE_vrf)?.ROW_vrf);
  const vrf = vrfs.find((one) => one['vrf-name-out'] === 'default') ?? vrfs[0] ?? {};
  const prefixes = rawList(raw(vrf.TABLE_addrf)?.ROW_addrf).flatMap((family) =>
    rawList(raw(family.TABLE_prefix)?.ROW_prefix),
  );
  const routes = prefixes.flatMap((row): TableRoute[] => {
    const prefix = typeof row.ipprefix === 'string' ? tablePrefix(row.ipprefix) : null;
    if (prefix === null) return [];
    const paths = rawList(raw(row.TABLE_path)?.ROW_path).filter(
      (path) => String(path.ubest ?? 'true') === 'true',
    );
    return [{ prefix, hops: paths.flatMap((path) => tableHop(path.ipnexthop)) }];
  });
  return {
    source: 'NX-OS show ip route | json',
    layer: 'fib',
    routes,
    ecmp: {},
    notes: [`The router is a Cisco NX-OS. ${UNKNOWN_HASH}`],
  };
}

export function isEos(value: Raw): boolean {
  const vrfs = Object.values(raw(value.vrfs) ?? {});
  return vrfs.length > 0 && vrfs.every((vrf) => raw(raw(vrf)?.routes) !== null);
}

export function eosTable(value: Raw): RouterTable {
  const vrfs = raw(value.vrfs)!;
  const vrf = raw(vrfs.default) ?? raw(Object.values(vrfs)[0])!;
  const routes = Object.entries(raw(vrf.routes) ?? {}).flatMap(([text, route]): TableRoute[] => {
    const prefix = tablePrefix(text);
    if (prefix === null) return [];
    const vias = rawList(raw(route)?.vias);
    return [{ prefix, hops: vias.flatMap((via) => tableHop(via.nexthopAddr, via.weight)) }];
  });
  return {
    source: 'EOS show ip route | json',
    layer: 'fib',
    routes,
    ecmp: {},
    notes: [`The router is an Arista EOS. ${UNKNOWN_HASH}`],
  };
}
