/**
 * MetalLB's configuration in one shape, from its objects, from AddressPools, or from the ConfigMap of before 0.13.
 *
 * A pool of protocol bgp (layer2) has its advertisement inside itself there: it becomes one that names the pool.
 */
import { parse } from 'yaml';
import { type Address, compareAddresses, parseAddress } from '../../addr/address.js';
import { parsePrefix, prefixContains } from '../../addr/prefix.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';
import type { LabelSelector } from './kubernetes-schemas.js';
import type { Labels } from './label-selector.js';

interface MetalLbPool {
  readonly name: string;
  readonly ranges: readonly string[];
  readonly labels: Labels;
}

export interface MetalLbPeer {
  readonly name: string;
  readonly address: Address | null;
  /** LOCAL_PREF is sent within an AS only */
  readonly internal: boolean;
  readonly nodeSelectors: readonly LabelSelector[];
}

export interface MetalLbAdvertisement {
  readonly name: string;
  readonly kind: 'bgp' | 'l2';
  /** empty, with no selectors beside it: every pool */
  readonly pools: readonly string[];
  readonly poolSelectors: readonly LabelSelector[];
  readonly serviceSelectors: readonly LabelSelector[];
  readonly nodeSelectors: readonly LabelSelector[];
  /** empty: every peer */
  readonly peers: readonly string[];
  readonly localPref: number | null;
  readonly aggregation: { readonly 4: number; readonly 6: number };
}

export interface MetalLbConfig {
  readonly pools: readonly MetalLbPool[];
  readonly peers: readonly MetalLbPeer[];
  readonly advertisements: readonly MetalLbAdvertisement[];
}

const HOST = { 4: 32, 6: 128 } as const;

/** Null: nothing of MetalLB is among the objects. */
export function metalLbConfig(objects: KubernetesObjects, remarks: Remarks): MetalLbConfig | null {
  const legacy = legacyConfig(objects, remarks);
  const config: MetalLbConfig = {
    pools: [
      ...objects.addressPool.map(({ name, object }) => ({
        name,
        ranges: object.spec.addresses ?? [],
        labels: object.metadata.labels ?? {},
      })),
      ...objects.oldAddressPool.map(({ name, object }) => ({
        name,
        ranges: object.spec.addresses ?? [],
        labels: object.metadata.labels ?? {},
      })),
      ...legacy.pools,
    ],
    peers: [
      ...objects.bgpPeer.map(({ name, object: { spec } }) => ({
        name,
        address: spec.peerAddress ?? null,
        internal: spec.myASN !== undefined && spec.myASN === spec.peerASN,
        nodeSelectors: spec.nodeSelectors ?? [],
      })),
      ...legacy.peers,
    ],
    advertisements: [
      ...objects.bgpAdvertisement.map(({ name, object: { spec = {} } }) => ({
        ...advertisement(name, 'bgp', []),
        pools: spec.ipAddressPools ?? [],
        poolSelectors: spec.ipAddressPoolSelectors ?? [],
        serviceSelectors: spec.serviceSelectors ?? [],
        nodeSelectors: spec.nodeSelectors ?? [],
        peers: spec.peers ?? [],
        localPref: spec.localPref ?? null,
        aggregation: { 4: spec.aggregationLength ?? HOST[4], 6: spec.aggregationLengthV6 ?? HOST[6] },
      })),
      ...objects.l2Advertisement.map(({ name, object: { spec = {} } }) => ({
        ...advertisement(name, 'l2', []),
        pools: spec.ipAddressPools ?? [],
        poolSelectors: spec.ipAddressPoolSelectors ?? [],
        serviceSelectors: spec.serviceSelectors ?? [],
        nodeSelectors: spec.nodeSelectors ?? [],
      })),
      ...objects.oldAddressPool.flatMap(({ name, object: { spec } }) =>
        inPool(name, spec.protocol ?? '', spec.bgpAdvertisements ?? []),
      ),
      ...legacy.advertisements,
    ],
  };
  const count = config.pools.length + config.peers.length + config.advertisements.length;
  return count === 0 ? null : config;
}

/** `203.0.113.0/24` or `203.0.113.10-203.0.113.20` */
export function rangeHolds(range: string, address: Address): boolean {
  const [from, to] = range.split('-').map((part) => parseAddress(part.trim()));
  if (from && to) return compareAddresses(from, address) <= 0 && compareAddresses(address, to) <= 0;
  const prefix = parsePrefix(range.trim());
  return prefix !== null && prefixContains(prefix, address);
}

function advertisement(name: string, kind: 'bgp' | 'l2', pools: readonly string[]): MetalLbAdvertisement {
  return {
    name,
    kind,
    pools,
    poolSelectors: [],
    serviceSelectors: [],
    nodeSelectors: [],
    peers: [],
    localPref: null,
    aggregation: HOST,
  };
}

/** The advertisements that a pool has inside itself. */
function inPool(
  pool: string,
  protocol: string,
  stated: readonly { localPref?: number | undefined; aggregationLength?: number | undefined }[],
): MetalLbAdvertisement[] {
  if (protocol === 'layer2') return [advertisement(pool, 'l2', [pool])];
  if (protocol !== 'bgp') return [];
  const list = stated.length === 0 ? [{}] : stated;
  return list.map(({ localPref, aggregationLength }) => ({
    ...advertisement(pool, 'bgp', [pool]),
    localPref: localPref ?? null,
    aggregation: { 4: aggregationLength ?? HOST[4], 6: HOST[6] },
  }));
}

// -- the ConfigMap of before 0.13

interface LegacySelector {
  'match-labels'?: Record<string, string>;
  'match-expressions'?: { key: string; operator: string; values?: string[] }[];
}

interface LegacyConfig {
  peers?: {
    'peer-address'?: string;
    'peer-asn'?: number;
    'my-asn'?: number;
    'node-selectors'?: LegacySelector[];
  }[];
  'address-pools'?: {
    name?: string;
    protocol?: string;
    addresses?: string[];
    'bgp-advertisements'?: { localpref?: number; 'aggregation-length'?: number }[];
  }[];
}

const NOTHING: MetalLbConfig = { pools: [], peers: [], advertisements: [] };

function legacyConfig({ configMap }: KubernetesObjects, { unread }: Remarks): MetalLbConfig {
  const map = configMap.find(
    ({ name, namespace, object }) =>
      typeof object.data?.config === 'string' &&
      (namespace === 'metallb-system' || name === 'metallb-config' || name === 'metallb') &&
      /address-pools|peer-address/.test(object.data.config),
  );
  if (map === undefined) return NOTHING;
  try {
    const config = (parse(String(map.object.data!.config), { maxAliasCount: 0 }) ?? {}) as LegacyConfig;
    const pools = config['address-pools'] ?? [];
    return {
      pools: pools.map(({ name = '', addresses = [] }) => ({
        name,
        ranges: addresses.map(String),
        labels: {},
      })),
      peers: (config.peers ?? []).map((peer, i) => ({
        name: `peer ${i + 1} of ConfigMap ${map.name}`,
        address: parseAddress(String(peer['peer-address'])),
        internal: peer['my-asn'] !== undefined && peer['my-asn'] === peer['peer-asn'],
        nodeSelectors: (peer['node-selectors'] ?? []).map((selector) => ({
          matchLabels: selector['match-labels'],
          matchExpressions: selector['match-expressions'],
        })),
      })),
      advertisements: pools.flatMap(({ name = '', protocol = '', ...pool }) =>
        inPool(
          name,
          protocol,
          (pool['bgp-advertisements'] ?? []).map((one) => ({
            localPref: one.localpref,
            aggregationLength: one['aggregation-length'],
          })),
        ),
      ),
    };
  } catch {
    unread.push(`ConfigMap ${map.name}: config cannot be read as MetalLB’s configuration.`);
    return NOTHING;
  }
}
