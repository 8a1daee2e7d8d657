/**
 * Calico's address management as far as it decides which address a pod and a node's tunnel get.
 *
 * Source: projectcalico/libcalico-go ipam (blocks, affinity, handles) and issue projectcalico/calico #3589.
 *
 * - A pool is cut into blocks (/26: 64 addresses). A node takes its addresses from blocks with an affinity to it,
 *   and claims the next free block when they are full; with no block left it borrows from others' blocks.
 * - A block hands out its addresses in order, and an address that is given back goes to the end of the queue.
 * - A node has one tunnel address per tunnel type, not one per block: handle `ipip-tunnel-addr-<node>`. It is
 *   an address of a block like a pod's.
 * - Garbage collection of a deleted node releases by handle. A node of the same name that has come back meanwhile
 *   holds the same handle: its tunnel device keeps an address that is free now, and the queue will reach it.
 */

export interface IpamSettings {
  /** length of a block's prefix: 20 to 32 */
  readonly blockSize: number;
  /** number of blocks that the pool has */
  readonly blocks: number;
}

export const DEFAULT_BLOCK_SIZE = 26;

/** An address as its number in the pool, from 0. */
export type PoolAddress = number;

interface Block {
  readonly first: PoolAddress;
  affinity: string | null;
  /** addresses in the order in which they will be given out */
  readonly free: PoolAddress[];
}

export class CalicoIpam {
  readonly blockAddresses: number;
  private readonly blocks: Block[] = [];
  private readonly held = new Map<string, PoolAddress>();
  private readonly devices = new Map<string, PoolAddress>();

  constructor(settings: IpamSettings) {
    const { blockSize, blocks } = settings;
    if (!Number.isInteger(blockSize) || blockSize < 20 || blockSize > 32) {
      throw new RangeError(`CalicoIpam: expected a block size from 20 to 32, got ${blockSize}`);
    }
    this.blockAddresses = 2 ** (32 - blockSize);
    for (let i = 0; i < blocks; i++) {
      const first = i * this.blockAddresses;
      const free = Array.from({ length: this.blockAddresses }, (_, n) => first + n);
      this.blocks.push({ first, affinity: null, free });
    }
  }

  /** calico-node starts: the address that the node's handle holds, or a new one, goes onto its tunnel device. */
  startTunnel(node: string): PoolAddress | null {
    const handle = tunnelHandle(node);
    const address = this.held.get(handle) ?? this.assign(node, handle);
    if (address !== null) this.devices.set(node, address);
    return address;
  }

  /** The node's tunnel device is gone (the node was deleted); what its handle holds stays recorded. */
  stopTunnel(node: string): void {
    this.devices.delete(node);
  }

  /** The address on the node's tunnel device, whatever IPAM believes of it. */
  tunnelOf(node: string): PoolAddress | null {
    return this.devices.get(node) ?? null;
  }

  /** A pod's address; null where the pool is exhausted. */
  startPod(node: string, pod: string): PoolAddress | null {
    return this.assign(node, pod);
  }

  stopPod(pod: string): void {
    this.release(pod);
  }

  /** kube-controllers cleans up after a node that it saw deleted: what the handle holds now is released. */
  collectTunnel(node: string): void {
    this.release(tunnelHandle(node));
  }

  /** The address of a pod that a tunnel device has as well: that node answers for it, and refuses. */
  collides(pod: string): boolean {
    const address = this.held.get(pod);
    return address !== undefined && [...this.devices.values()].includes(address);
  }

  /** Blocks that have an affinity to `node`. */
  blocksOf(node: string): number {
    return this.blocks.filter((block) => block.affinity === node).length;
  }

  private assign(node: string, handle: string): PoolAddress | null {
    const block =
      this.blocks.find(({ affinity, free }) => affinity === node && free.length > 0) ??
      this.claim(node) ??
      this.blocks.find(({ free }) => free.length > 0);
    const address = block?.free.shift();
    if (address === undefined) return null;
    this.held.set(handle, address);
    return address;
  }

  private claim(node: string): Block | undefined {
    const block = this.blocks.find(({ affinity }) => affinity === null);
    if (block !== undefined) block.affinity = node;
    return block;
  }

  private release(handle: string): void {
    const address = this.held.get(handle);
    if (address === undefined) return;
    this.held.delete(handle);
    this.blocks[Math.floor(address / this.blockAddresses)]!.free.push(address);
  }
}

function tunnelHandle(node: string): string {
  return `ipip-tunnel-addr-${node}`;
}
