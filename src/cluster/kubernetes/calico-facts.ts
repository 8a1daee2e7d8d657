/**
 * Calico's pools and blocks as facts: which blocks are a node's, whether pods of different nodes meet in a tunnel, and
 * what Calico itself would refuse.
 *
 * Source: docs.tigera.io, IPPool (blockSize: 20 to 32, for IPv6 116 to 128; the pool holds a block at least).
 */
import { type Address, ipv4, ipv6 } from '../../addr/address.js';
import { formatPrefix, type Prefix, prefixContains } from '../../addr/prefix.js';
import { type ClusterFacts, positionIn } from '../scenario/facts.js';
import type { Problems } from '../yaml/problems.js';
import type { KubernetesObjects } from './kubernetes-objects.js';

const BLOCK_SIZES = { 4: [20, 32], 6: [116, 128] } as const;
const DEFAULT_BLOCK_SIZE = { 4: 26, 6: 122 } as const;

/** The blocks whose affinity is this node: `host:n1`. */
export function calicoBlocks(node: string, { ipamBlock }: KubernetesObjects): Prefix[] {
  return ipamBlock.flatMap(({ object: { spec } }) =>
    spec.affinity === `host:${node}` && spec.deleted !== true ? [spec.cidr] : [],
  );
}

/**
 * What the blocks of a node would give out, in their order: a place that is given back goes to the end of its block's
 * queue. Undefined where no block of the node states its queue.
 */
export function freeAddresses(node: string, { ipamBlock }: KubernetesObjects): Address[] | undefined {
  const own = ipamBlock.filter(
    ({ object: { spec } }) => spec.affinity === `host:${node}` && spec.deleted !== true,
  );
  if (own.length === 0 || own.some(({ object: { spec } }) => spec.unallocated === undefined))
    return undefined;
  return own.flatMap(({ object: { spec } }) =>
    spec.unallocated!.map((place) => {
      const { family, w0, w1, w2, w3 } = spec.cidr.address;
      return family === 4 ? ipv4(w0 + place) : ipv6(w0, w1, w2, w3 + place);
    }),
  );
}

/** Tunnels of a pool in use. CrossSubnet tunnels only between subnets; nodes on one router's segment share theirs. */
export function tunnels({ ipPool }: KubernetesObjects): NonNullable<ClusterFacts['dataplane']>['overlay'] {
  for (const { place, object } of ipPool) {
    if (object.spec.disabled === true) continue;
    if (object.spec.ipipMode === 'Always') return { kind: 'ipip', place };
    if (object.spec.vxlanMode === 'Always') return { kind: 'vxlan', place };
  }
  return undefined;
}

export function checkCalico(objects: KubernetesObjects, problems: Problems): void {
  checkPools(objects, problems);
  refuseSharedBlocks(objects, problems);
}

function checkPools({ ipPool }: KubernetesObjects, problems: Problems): void {
  for (const { name, place, object } of ipPool) {
    const { cidr, blockSize: stated } = object.spec;
    const blockSize = stated ?? DEFAULT_BLOCK_SIZE[cidr.address.family];
    const [widest, narrowest] = BLOCK_SIZES[cidr.address.family];
    const at = positionIn(place, 'spec', stated === undefined ? 'cidr' : 'blockSize');
    if (!Number.isInteger(blockSize) || blockSize < widest || blockSize > narrowest) {
      const family = `IPv${cidr.address.family}`;
      problems.add(
        at,
        `pool ${name}: blockSize of an ${family} pool is from ${widest} to ${narrowest}, not ${blockSize}`,
      );
    } else if (blockSize < cidr.length) {
      const sentence = `pool ${name}: blocks of /${blockSize} are larger than the pool, which is ${formatPrefix(cidr)}`;
      problems.add(at, sentence);
    }
  }
}

/** An address is that of one block. */
function refuseSharedBlocks({ ipamBlock }: KubernetesObjects, problems: Problems): void {
  const living = ipamBlock.filter(({ object }) => object.spec.deleted !== true);
  const sorted = living.toSorted((a, b) => a.object.spec.cidr.length - b.object.spec.cidr.length);
  for (const [i, { place, object }] of sorted.entries()) {
    const { cidr } = object.spec;
    const wider = sorted.slice(0, i).find((other) => holds(other.object.spec.cidr, cidr));
    if (wider === undefined) continue;
    const sentence = `the block ${formatPrefix(cidr)} lies in the block ${formatPrefix(wider.object.spec.cidr)}; an address belongs to one of them`;
    problems.add(positionIn(place, 'spec', 'cidr'), sentence);
  }
}

function holds(outer: Prefix, inner: Prefix): boolean {
  return outer.address.family === inner.address.family && prefixContains(outer, inner.address);
}
