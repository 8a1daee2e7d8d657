/** Which virtual server a destination belongs to, and which port of its service: the load balancer's match. */
import { type Address, sameAddress } from '../addr/address.js';
import type { EdgeModel } from '../cluster/edge-model.js';
import type { ServiceModel } from '../cluster/model.js';
import { TUPLE_DST, type Tuple } from '../conntrack/tuple.js';

export interface EdgeServer {
  /** row in the edge's virtual servers */
  readonly server: number;
  /** row in the ports of its service; -1: the service has no such port */
  readonly port: number;
}

interface Row extends EdgeServer {
  readonly vip: Address;
  readonly proto: number;
  readonly number: number;
}

export class EdgeServers {
  private readonly ports: readonly Row[];
  /** addresses that it holds, for ports that it does not */
  private readonly bare: readonly Row[];

  constructor({ virtualServers }: EdgeModel, services: readonly ServiceModel[]) {
    this.ports = virtualServers.flatMap(({ service, vips }, server) =>
      services[service]!.ports.flatMap(({ proto, port: number }, port) =>
        vips.map((vip) => ({ vip, proto, number, server, port })),
      ),
    );
    // a port that no service has is refused by whoever holds the address for the first of its services
    this.bare = virtualServers.flatMap(({ service, vips }, server) =>
      vips
        .filter((vip) => services.findIndex((one) => one.vips.some((v) => sameAddress(v, vip))) === service)
        .map((vip) => ({ vip, proto: 0, number: 0, server, port: -1 })),
    );
  }

  /**
   * The virtual server of a flow to a port of a service, or null where the load balancer is not in its way.
   *
   * @param known whether the service has that port
   */
  of(
    vip: Address,
    service: number,
    proto: number,
    port: number,
    known: boolean,
    edge: EdgeModel,
  ): EdgeServer | null {
    const exact = this.ports.find(
      (row) =>
        row.number === port &&
        row.proto === proto &&
        edge.virtualServers[row.server]!.service === service &&
        sameAddress(row.vip, vip),
    );
    if (exact !== undefined || known) return exact ?? null;
    return this.bare.find((row) => sameAddress(row.vip, vip)) ?? null;
  }

  /** The same for the destination of a packet. `taken`: a service beside the load balancer has this port. */
  find(tuple: Tuple, taken: boolean): EdgeServer | null {
    const { proto, dstPort } = tuple;
    for (const row of this.ports) {
      if (row.number === dstPort && row.proto === proto && isDestination(tuple, row.vip)) return row;
    }
    if (taken) return null;
    for (const row of this.bare) if (isDestination(tuple, row.vip)) return row;
    return null;
  }
}

function isDestination({ words, family }: Tuple, { family: f, w0, w1, w2, w3 }: Address): boolean {
  return (
    f === family &&
    w0 === words[TUPLE_DST] &&
    w1 === words[TUPLE_DST + 1] &&
    w2 === words[TUPLE_DST + 2] &&
    w3 === words[TUPLE_DST + 3]
  );
}
