/**
 * The source ports that a load balancer's SNAT takes towards its members: the client's own port where nobody else has
 * had it towards that member (BIG-IP's source-port preserve), otherwise one drawn from 1024 upwards.
 *
 * A port that another connection has had is taken again only when no other is left: a node's connection tracking
 * may still know it. Connections are known by the key of their flow (draw.ts).
 */
import { draw, Stream, scale } from './draw.js';

const FIRST_PORT = 1024;
const PORTS = 65536 - FIRST_PORT;
/** the load balancer draws as a node of its own */
const EDGE_NODE = -2;

interface Holder {
  key: number;
  open: boolean;
}

export class EdgePorts {
  private readonly holders = new Map<number, Holder>();

  constructor(private readonly seed: number) {}

  /** A source port for the flow `key` towards a member, or -1: every one is in use. */
  take(member: number, family: number, proto: number, key: number, clientPort: number): number {
    const place = placeOf(member, family, proto);
    const port = this.find(place, key, clientPort);
    if (port >= 0) this.holders.set(place + port, { key, open: true });
    return port;
  }

  /** The flow's connection through this port is over. */
  release(member: number, family: number, proto: number, key: number, port: number): void {
    const holder = this.holders.get(placeOf(member, family, proto) + port);
    if (holder !== undefined && holder.key === key) holder.open = false;
  }

  private find(place: number, key: number, clientPort: number): number {
    if (this.isOwn(place + clientPort, key)) return clientPort;
    const start = scale(draw(this.seed, EDGE_NODE, Stream.edgePort, key, 0), PORTS);
    let closed = -1;
    for (let i = 0; i < PORTS; i++) {
      const port = FIRST_PORT + ((start + i) % PORTS);
      if (this.isOwn(place + port, key)) return port;
      if (closed < 0 && this.holders.get(place + port)!.open === false) closed = port;
    }
    return closed;
  }

  private isOwn(place: number, key: number): boolean {
    const holder = this.holders.get(place);
    return holder === undefined || holder.key === key;
  }
}

function placeOf(member: number, family: number, proto: number): number {
  return ((member * 2 + (family === 6 ? 1 : 0)) * 256 + proto) * 65536;
}
