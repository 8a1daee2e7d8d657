/**
 * Where the router really sent each flow, and when its client was really reset: read from the wire on either side of it.
 * A client's process hears of a reset late on a busy machine; the wire's clock is the truth.
 */
import { type Frame, framesOf, RST } from './frames.js';
import { type Layout, ROUTER } from './layout.js';

export interface PathStep {
  /** seconds since 1970 */
  readonly atS: number;
  readonly node: string;
}

/** By `src srcPort dst dstPort`, addresses as hex: every packet of the flow that left the router's node side. */
export function observedPaths(file: string, layout: Layout): Map<string, PathStep[]> {
  const nodes = new Map(layout.nodes.map(({ mac, name }) => [macHex(mac), name]));
  const routerMac = macHex(ROUTER.mac);
  const paths = new Map<string, PathStep[]>();
  for (const { key, atS, srcMac, dstMac } of framesOf(file)) {
    // a node that has no use for a packet may send it back: that is not the router's choice
    if (srcMac !== routerMac) continue;
    const node = nodes.get(dstMac);
    if (node === undefined)
      throw new Error('the router sent a packet for the service to nobody the lab knows');
    push(paths, key, { atS, node });
  }
  return paths;
}

/** By the client's `src srcPort dst dstPort`: moments (seconds since 1970) at which a RST from the VIP came by. */
export function observedResets(file: string, vips: ReadonlySet<string>): Map<string, number[]> {
  const resets = new Map<string, number[]>();
  const fromVip = ({ key }: Frame): boolean => vips.has(key.slice(0, key.indexOf(' ')));
  for (const frame of framesOf(file)) {
    if ((frame.tcpFlags & RST) !== 0 && fromVip(frame)) push(resets, frame.reverseKey, frame.atS);
  }
  return resets;
}

function push<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

const macHex = (mac: string): string => mac.replaceAll(':', '');
