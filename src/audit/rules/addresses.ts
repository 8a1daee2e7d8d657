/**
 * Addresses that two have: Calico's tunnel addresses and pods (calico 3589). A node has one tunnel address a type, in its
 * annotations; the block it is from knows it by a handle. A pod that gets the same address is answered by the node's own
 * kernel. Where the block has forgotten the handle and the node still uses the address, IPAM may give it to the next pod.
 */
import { compareAddresses, parseAddress } from '../../addr/address.js';
import { type Prefix, parsePrefix, prefixContains } from '../../addr/prefix.js';
import type { Finding } from '../finding.js';
import { canonical, type Inventory, type Thing } from '../inventory.js';

const TUNNELS = [
  'projectcalico.org/IPv4IPIPTunnelAddr',
  'projectcalico.org/IPv4VXLANTunnelAddr',
  'projectcalico.org/IPv6VXLANTunnelAddr',
  'projectcalico.org/IPv4WireguardInterfaceAddr',
  'projectcalico.org/IPv6WireguardInterfaceAddr',
] as const;

interface Owner {
  readonly thing: Thing;
  readonly says: string;
  readonly path: readonly (string | number)[];
}

export function addressFindings(inventory: Inventory): Finding[] {
  const pods = podAddresses(inventory);
  return [...tunnelFindings(inventory, pods), ...duplicates(pods)];
}

/** Who says that a pod has an address: the pod itself, else a slice. */
function podAddresses({ pods, services }: Inventory): Map<string, Map<string, Owner>> {
  const owners = new Map<string, Map<string, Owner>>();
  const add = (address: string, pod: string, owner: Owner): void => {
    const known = owners.get(canonical(address)) ?? new Map<string, Owner>();
    if (!known.has(pod)) known.set(pod, owner);
    owners.set(canonical(address), known);
  };
  for (const pod of pods) {
    if (pod.at('spec', 'hostNetwork') === true) continue;
    const addresses = [
      pod.text('status', 'podIP'),
      ...pod.list('status', 'podIPs').map((_, i) => pod.text('status', 'podIPs', i, 'ip')),
    ];
    for (const address of new Set(addresses)) {
      if (address !== undefined)
        add(address, `${pod.namespace}/${pod.name}`, {
          thing: pod,
          says: `status.podIP: ${address}`,
          path: ['status', 'podIP'],
        });
    }
  }
  for (const { members } of services) {
    for (const { addresses, pod, thing } of members) {
      if (pod === null) continue;
      for (const address of addresses) {
        add(address, `${thing.namespace}/${pod}`, {
          thing,
          says: `the endpoint of pod ${pod} has ${address}`,
          path: ['endpoints'],
        });
      }
    }
  }
  return owners;
}

function tunnelFindings(
  inventory: Inventory,
  pods: ReadonlyMap<string, ReadonlyMap<string, Owner>>,
): Finding[] {
  const findings: Finding[] = [];
  const blocks = inventory.of('IPAMBlock').filter((block) => block.at('spec', 'deleted') !== true);
  for (const node of inventory.nodes) {
    for (const key of TUNNELS) {
      const address = node.text('metadata', 'annotations', key);
      if (address === undefined) continue;
      const tunnel = node.evidence(`${key}: ${address}`, 'metadata', 'annotations', key);
      const holders = [...(pods.get(canonical(address)) ?? [])];
      for (const [pod, owner] of holders) {
        findings.push({
          rule: 'tunnel-address-collision',
          severity: 'high',
          finding: `Pod ${pod} has ${address}, the tunnel address of node ${node.name}.`,
          mechanism: `The kernel of ${node.name} holds the address on its tunnel interface and answers for it itself: nothing that is meant for the pod arrives.`,
          breaks:
            'Every connection to this endpoint: refused, or reset where the node listens on the port. The kubelet’s probes meet the node, too.',
          remedy:
            'Delete the pod so that it gets another address, then check that the node’s handle stands in its IPAM block (calicoctl ipam check). Blocks of /24 make a second block, and the race for it, rare.',
          evidence: [tunnel, owner.thing.evidence(owner.says, ...owner.path)],
        });
      }
      if (holders.length === 0) findings.push(...freeTunnel(node, address, blocks, tunnel));
    }
  }
  return findings;
}

function freeTunnel(
  node: Thing,
  address: string,
  blocks: readonly Thing[],
  tunnel: Finding['evidence'][number],
): Finding[] {
  const parsed = parseAddress(address);
  for (const block of blocks) {
    const cidr = parsePrefix(block.text('spec', 'cidr') ?? '');
    if (parsed === null || cidr === null || !prefixContains(cidr, parsed)) continue;
    const allocations = block.list('spec', 'allocations');
    const ordinal = ordinalIn(cidr, address);
    if (ordinal === null || ordinal >= allocations.length) continue;
    const slot = allocations[ordinal];
    const handle =
      slot === null || slot === undefined
        ? null
        : block.text('spec', 'attributes', Number(slot), 'handle_id');
    if (
      slot !== null &&
      (handle === undefined ||
        handle?.includes('tunnel-addr') === true ||
        handle?.startsWith('wireguard') === true)
    )
      continue;
    const who = handle === null ? 'counts as free' : `belongs to the handle ${handle}`;
    return [
      {
        rule: handle === null ? 'tunnel-address-free' : 'tunnel-address-collision',
        severity: handle === null ? 'medium' : 'high',
        finding: `Node ${node.name} uses ${address} for its tunnel, and in the IPAM block it ${who}.`,
        mechanism:
          handle === null
            ? 'The handle was released while the node went on with the address (a node that was deleted and came back, calico 3589): IPAM may give it to the next pod on the block.'
            : 'IPAM has given the address to a workload while the node holds it on its tunnel interface.',
        breaks: 'The pod that has the address answers nobody: the node’s kernel does in its place.',
        remedy: `Restart calico-node on ${node.name} so that it claims an address anew, and check with calicoctl ipam check.`,
        evidence: [
          tunnel,
          block.evidence(
            `spec.allocations[${ordinal}]: ${JSON.stringify(slot)}${handle === null ? '' : ` (${handle})`}`,
            'spec',
            'allocations',
            ordinal,
          ),
        ],
      },
    ];
  }
  return [];
}

/** Which address of the block it is; blocks hold at most a few thousand. */
function ordinalIn(cidr: Prefix, address: string): number | null {
  const parsed = parseAddress(address);
  if (parsed === null || parsed.family !== cidr.address.family || compareAddresses(parsed, cidr.address) < 0)
    return null;
  const words = (one: typeof parsed): bigint =>
    [one.w0, one.w1, one.w2, one.w3].reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
  const distance = words(parsed) - words(cidr.address);
  const steps = parsed.family === 4 ? distance >> 96n : distance;
  return steps < 65536n ? Number(steps) : null;
}

function duplicates(pods: ReadonlyMap<string, ReadonlyMap<string, Owner>>): Finding[] {
  return [...pods].flatMap(([address, owners]): Finding[] => {
    // a pod of the same name as another's slice is the same pod: only pods by themselves are held against each other
    const alive = [...owners].filter(
      ([, { thing }]) => thing.kind === 'Pod' && thing.at('metadata', 'deletionTimestamp') === undefined,
    );
    if (alive.length < 2) return [];
    return [
      {
        rule: 'duplicate-pod-address',
        severity: 'high',
        finding: `Pods ${alive.map(([pod]) => pod).join(' and ')} both have ${address}.`,
        mechanism: 'Routes and neighbours lead to one of them at a time.',
        breaks: 'Connections to the other reach a stranger or nobody.',
        remedy: 'Delete one of the pods and check the IPAM that gave the address twice.',
        evidence: alive.map(([, { thing, says, path }]) => thing.evidence(says, ...path)),
      },
    ];
  });
}
