/**
 * The router, packet by packet: TTL, flow hash from the packet's own bytes, longest prefix match, next-hop group.
 * Answers run the other way without it: the model has one route to the clients.
 */
import { TUPLE_DST, TUPLE_SRC, Tuple } from '../conntrack/tuple.js';
import type { NextHopGroup } from '../route/next-hop-group.js';
import type { Packet } from '../state/packet.js';
import type { RouterState } from '../state/router-state.js';

export class RouterHop {
  private readonly tuple = new Tuple();

  constructor(private readonly router: RouterState) {}

  /** Node the packet goes to, or -1: no route, or the TTL ended. */
  forward(packet: Packet, nowS: number): number {
    const group = this.groupFor(packet);
    if (group === null || !packet.decrementTtl()) return -1;
    return group.choose(this.hashOf(packet), nowS);
  }

  /** Node the packet would go to now; changes nothing. */
  peek(packet: Packet): number {
    const group = this.groupFor(packet);
    return group === null ? -1 : group.peek(this.hashOf(packet));
  }

  hashOf(packet: Packet): number {
    packet.readTuple(this.tuple);
    const { words, proto, srcPort, dstPort } = this.tuple;
    const label = packet.family === 6 ? packet.view.getUint32(packet.l3) & 0xfffff : 0;
    const { hash } = this.router;
    return hash.hashTuple(
      packet.family as 4 | 6,
      words,
      TUPLE_SRC,
      TUPLE_DST,
      proto,
      packet.isFragment ? 0 : srcPort,
      packet.isFragment ? 0 : dstPort,
      label,
    );
  }

  private groupFor(packet: Packet): NextHopGroup | null {
    const { family, w0, w1, w2, w3 } = packet.destination();
    return this.router.fib.lookup(family, w0, w1, w2, w3);
  }
}
