/**
 * Which next hop each flow took, read off a capture from behind the router: the Ethernet destination of a frame is
 * the next hop's address there. A capture of both sides will do as well (several interfaces in one file): frames to
 * other destinations are no observation.
 *
 * Fragments, tunnels and ICMP errors are left out: what they hash to differs from their flow. The first frame of a
 * flow counts; a flow that is seen on two next hops was moved by a route change and is left out altogether.
 */
import { type Address, ipv4, ipv6 } from '../addr/address.js';
import type { IpLayer } from '../flow/ip-layer.js';
import { walkPackets } from '../flow/walk-packets.js';
import type { Observation } from './recover-seed.js';

const ETHERNET = 1;

export interface Observed {
  readonly observations: readonly Observation[];
  /** flows seen on more than one next hop */
  readonly moved: number;
  /** frames to destinations that are none of the next hops, by destination, most frequent first */
  readonly others: readonly { readonly mac: string; readonly frames: number }[];
}

/**
 * @param macs Ethernet address of each next hop, in the order of the router's table, as "02:00:0a:00:00:01"
 * @param beforeS frames from this time on (seconds since the first) are not looked at: the next hops changed there
 */
export function observeNextHops(path: string, macs: readonly string[], beforeS: number): Observed {
  const chosenBy = new Map(macs.map((mac, i) => [mac.toLowerCase(), i]));
  const flows = new Map<string, Observation | null>();
  const others = new Map<string, number>();
  walkPackets(path, 'outer', ({ view, at, capLen, linkType, timeNs, decoder }) => {
    const { outer } = decoder;
    if (timeNs >= beforeS * 1e9) return;
    if (linkType !== ETHERNET || capLen < 14 || outer === null || !outer.hasPorts || outer.isFragment) return;
    const mac = macAt(view, at);
    const chosen = chosenBy.get(mac);
    if (chosen === undefined) {
      others.set(mac, (others.get(mac) ?? 0) + 1);
      return;
    }
    const name = `${outer.words.join(' ')} ${outer.proto} ${outer.srcPort} ${outer.dstPort}`;
    const known = flows.get(name);
    if (known === undefined) flows.set(name, observation(outer, chosen));
    else if (known !== null && known.chosen !== chosen) flows.set(name, null);
  });
  const all = [...flows.values()];
  const observations = all.filter((seen) => seen !== null);
  return {
    observations,
    moved: all.length - observations.length,
    others: [...others]
      .map(([mac, frames]) => ({ mac, frames }))
      .sort((a, b) => b.frames - a.frames || (a.mac < b.mac ? -1 : 1)),
  };
}

function observation(layer: IpLayer, chosen: number): Observation {
  const { proto, srcPort, dstPort, flowLabel } = layer;
  return {
    src: addressAt(layer, 0),
    dst: addressAt(layer, 4),
    proto,
    srcPort,
    dstPort,
    label: flowLabel,
    group: 0,
    chosen,
  };
}

function addressAt({ family, words }: IpLayer, at: number): Address {
  if (family === 4) return ipv4(words[at]!);
  return ipv6(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!);
}

function macAt(view: DataView, at: number): string {
  return Array.from({ length: 6 }, (_, i) =>
    view
      .getUint8(at + i)
      .toString(16)
      .padStart(2, '0'),
  ).join(':');
}
