/**
 * Lists of `-m recent` over time (net/netfilter/xt_recent.c): which addresses a list has seen, and when. kube-proxy keeps
 * session affinity in them. No dump of rules shows them, so a replay begins with empty ones and fills them itself.
 */
import { type Address, formatAddress } from '../addr/address.js';

/** xt_recent's ip_list_tot and ip_pkt_list_tot: addresses a list, times an address */
const MOST_ADDRESSES = 100;
const MOST_TIMES = 20;

export class RecentLists {
  /** of the packet under way, seconds */
  nowS = 0;
  /** by list and address, the one seen longest ago first: times, ascending */
  private readonly lists = new Map<string, Map<string, number[]>>();

  /** How often the address was seen in the last `seconds` (0: ever); 0 where the list does not have it. */
  hits(list: string, address: Address, seconds: number): number {
    const times = this.lists.get(list)?.get(formatAddress(address)) ?? [];
    if (seconds === 0) return times.length;
    return times.filter((at) => at >= this.nowS - seconds).length;
  }

  note(list: string, address: Address): void {
    const addresses = this.lists.get(list) ?? new Map<string, number[]>();
    this.lists.set(list, addresses);
    const key = formatAddress(address);
    const times = addresses.get(key) ?? [];
    times.push(this.nowS);
    if (times.length > MOST_TIMES) times.shift();
    addresses.delete(key);
    addresses.set(key, times);
    if (addresses.size > MOST_ADDRESSES) addresses.delete(addresses.keys().next().value!);
  }

  remove(list: string, address: Address): void {
    this.lists.get(list)?.delete(formatAddress(address));
  }
}
