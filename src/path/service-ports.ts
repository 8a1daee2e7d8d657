/** Which service a destination belongs to: KUBE-SERVICES' match on address, protocol and port. */
import { type Address, formatAddress } from '../addr/address.js';
import type { ServiceModel } from '../cluster/model.js';
import { TUPLE_DST, TUPLE_SRC, type Tuple } from '../conntrack/tuple.js';

export interface ServicePort {
  readonly service: number;
  readonly targetPort: number;
}

interface Row extends ServicePort {
  readonly vip: Address;
  readonly proto: number;
  readonly port: number;
}

export class ServicePorts {
  private readonly rows: readonly Row[];

  constructor(services: readonly ServiceModel[]) {
    this.rows = services.flatMap(({ vips, ports }, service) =>
      ports.flatMap(({ proto, port, targetPort }) =>
        vips.map((vip) => ({ vip, proto, port, service, targetPort })),
      ),
    );
  }

  /** The service that the destination of `tuple` belongs to, or null. */
  find(tuple: Tuple): ServicePort | null {
    const { words, proto, dstPort, family } = tuple;
    for (const row of this.rows) {
      const { vip } = row;
      if (row.port !== dstPort || row.proto !== proto || vip.family !== family) continue;
      if (vip.w0 !== words[TUPLE_DST] || vip.w1 !== words[TUPLE_DST + 1]) continue;
      if (vip.w2 === words[TUPLE_DST + 2] && vip.w3 === words[TUPLE_DST + 3]) return row;
    }
    return null;
  }

  /** The client's address as text, the key of sessionAffinity ClientIP. */
  clientText({ family, words }: Tuple): string {
    const [w0, w1, w2, w3] = words.subarray(TUPLE_SRC, TUPLE_SRC + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    return formatAddress({ family: family as 4 | 6, w0, w1, w2, w3 });
  }
}
