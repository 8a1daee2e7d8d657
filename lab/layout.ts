/**
 * Who is who in the lab: addresses and names, nothing that acts.
 *
 *     clients 198.51.100.0/24 ── c0 ── router ── br0 10.0.0.0/24 ┬── n1 ── cni0 10.244.1.0/24 ── pods
 *             2001:db8:51::/64          .254        fd00:a::/64  ├── n2 …
 */
export const POD_PORT = 8080;
export const FAMILIES = ['ipv4', 'ipv6'] as const;
export type Family = (typeof FAMILIES)[number];
export type TrafficPolicy = 'Cluster' | 'Local';

/** length of a host's prefix */
export const HOST_BITS: Readonly<Record<Family, number>> = { ipv4: 32, ipv6: 128 };
export const NODE_NAMES = ['n1', 'n2', 'n3', 'n4'] as const;
export const NODE_ASN = 64_512;
export const ROUTER_ASN = 64_513;

export const ROUTER = {
  mac: '02:00:0a:00:00:fe',
  ipv4: '10.0.0.254',
  ipv6: 'fd00:a::fe',
  clientSide: { ipv4: '198.51.100.1', ipv6: '2001:db8:51::1' },
} as const;

/** A load-balancer service; one family or both. */
export interface LabService {
  readonly name: string;
  readonly protocol: 'tcp' | 'udp';
  readonly vip: Readonly<Partial<Record<Family, string>>>;
  readonly port: number;
  readonly policy: TrafficPolicy;
  /** seconds of ClientIP affinity, or null */
  readonly affinityS: number | null;
  /** names of its pods; null: all */
  readonly pods: readonly string[] | null;
}

/** The service of the stories: both families, port 80, every pod. */
export const webService = (policy: TrafficPolicy, more: Partial<LabService> = {}): LabService => ({
  ...{ name: 'web', protocol: 'tcp', vip: { ipv4: '203.0.113.10', ipv6: '2001:db8:113::10' }, port: 80 },
  ...{ policy, affinityS: null, pods: null },
  ...more,
});

export interface Vip {
  readonly family: Family;
  readonly address: string;
  /** with its length: a host's route */
  readonly prefix: string;
}

export interface PodPlan {
  readonly name: string;
  readonly node: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly mac: string;
}

export interface NodePlan {
  readonly name: string;
  readonly index: number;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly mac: string;
  /** of the bridge that its pods are attached to */
  readonly bridgeMac: string;
  readonly podCidr: Readonly<Record<Family, string>>;
  readonly podGateway: Readonly<Record<Family, string>>;
  readonly pods: readonly PodPlan[];
}

export interface Layout {
  readonly nodes: readonly NodePlan[];
  readonly pods: readonly PodPlan[];
  readonly services: readonly LabService[];
  /** every VIP once */
  readonly vips: readonly Vip[];
}

const hex2 = (value: number): string => value.toString(16).padStart(2, '0');

/** `podsPerNode` by node name, in the order of the nodes' numbers; a node has its number from its place. */
export function layoutOf(podsPerNode: ReadonlyMap<string, number>, services: readonly LabService[]): Layout {
  const nodes = [...podsPerNode].map(([name, pods], i): NodePlan => {
    const index = i + 1;
    const hex = index.toString(16);
    return {
      ...{
        name,
        index,
        ipv4: `10.0.0.${index}`,
        ipv6: `fd00:a::${hex}`,
        mac: `02:00:0a:00:00:${hex2(index)}`,
      },
      bridgeMac: `02:00:cc:00:00:${hex2(index)}`,
      podCidr: { ipv4: `10.244.${index}.0/24`, ipv6: `fd00:244:${hex}::/64` },
      podGateway: { ipv4: `10.244.${index}.1`, ipv6: `fd00:244:${hex}::1` },
      pods: Array.from({ length: pods }, (_, j) => podOf(name, index, j)),
    };
  });
  return { nodes, pods: nodes.flatMap(({ pods }) => pods), services, vips: vipsOf(services) };
}

/** The endpoints of a service among these pods. */
export function endpointsOf(service: LabService, pods: readonly PodPlan[]): PodPlan[] {
  return pods.filter(({ name }) => service.pods === null || service.pods.includes(name));
}

function vipsOf(services: readonly LabService[]): Vip[] {
  const vips = FAMILIES.flatMap((family) =>
    services.flatMap(({ vip }) => {
      const address = vip[family];
      return address === undefined ? [] : [{ family, address, prefix: `${address}/${HOST_BITS[family]}` }];
    }),
  );
  return vips.filter(({ address }, i) => vips.findIndex((other) => other.address === address) === i);
}

function podOf(node: string, nodeIndex: number, podIndex: number): PodPlan {
  const host = 10 + podIndex;
  return {
    name: `${node}-p${podIndex}`,
    node,
    ipv4: `10.244.${nodeIndex}.${host}`,
    ipv6: `fd00:244:${nodeIndex.toString(16)}::${host.toString(16)}`,
    mac: `02:00:f4:00:${hex2(nodeIndex)}:${hex2(host)}`,
  };
}

/** Fifty IPv4 and twenty IPv6 addresses that the clients connect from. */
export const CLIENT_ADDRESSES: Readonly<Record<Family, readonly string[]>> = {
  ipv4: Array.from({ length: 50 }, (_, i) => `198.51.100.${10 + i}`),
  ipv6: Array.from({ length: 20 }, (_, i) => `2001:db8:51::${(0x10 + i).toString(16)}`),
};
