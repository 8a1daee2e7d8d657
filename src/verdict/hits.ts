/** Who is hit: judged and broken connections by client, by the node that they first went to, and by minute. */
import { formatAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import type { CaptureIndex, FlowColumns } from '../flow/flow-columns.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
import type { Hit, Hits } from './verdict.js';

/** Clients named in a report; how many there are is said beside them. */
const CLIENTS_NAMED = 50;
const MINUTE_S = 60;

interface Count {
  judged: number;
  broken: number;
}

interface ClientCount extends Count {
  /** a row of the plan that has this client */
  readonly f: number;
}

export class HitTally {
  private readonly clients = new Map<number, ClientCount>();
  private readonly nodes: Count[];
  private readonly minutes = new Map<number, Count>();
  private outcome: ReplayOutcome | null = null;

  constructor(private readonly model: ClusterModel) {
    this.nodes = model.nodes.map(() => ({ judged: 0, broken: 0 }));
  }

  /** A judged row of the plan; `brokenAtS` is null where it did not break. */
  add(index: CaptureIndex, outcome: ReplayOutcome, f: number, brokenAtS: number | null): void {
    this.outcome = outcome;
    const { plan } = outcome;
    const broken = brokenAtS === null ? 0 : 1;
    const key = clientKey(index.flows, plan.row[f]!, plan.clientIsB[f] === 1);
    const client = this.clients.get(key) ?? { f, judged: 0, broken: 0 };
    this.clients.set(key, client);
    client.judged++;
    client.broken += broken;
    const node = outcome.paths.firstNode(f);
    if (node >= 0) {
      this.nodes[node]!.judged++;
      this.nodes[node]!.broken += broken;
    }
    this.minute(outcome.seconds(plan.lives?.firstNs[f] ?? index.flows.firstNs[plan.row[f]!]!)).judged++;
    if (brokenAtS !== null) this.minute(brokenAtS).broken++;
  }

  hits(): Hits {
    const all = [...this.clients.values()];
    const hit = all.filter(({ broken }) => broken > 0).sort((x, y) => y.broken - x.broken || x.f - y.f);
    return {
      clients: hit.slice(0, CLIENTS_NAMED).map(({ f, judged, broken }) => ({
        name: formatAddress(this.outcome!.plan.clientAddress(f)),
        judged,
        broken,
      })),
      clientsJudged: all.length,
      clientsBroken: hit.length,
      nodes: this.nodes
        .map((count, node): Hit => ({ name: this.model.nodes[node]!.name, ...count }))
        .filter(({ judged }) => judged > 0)
        .sort((x, y) => y.broken - x.broken),
      minutes: [...this.minutes].sort(([a], [b]) => a - b).map(([minute, count]) => ({ minute, ...count })),
    };
  }

  private minute(atS: number): Count {
    const minute = Math.floor(atS / MINUTE_S);
    const count = this.minutes.get(minute) ?? { judged: 0, broken: 0 };
    this.minutes.set(minute, count);
    return count;
  }
}

/** The client's address as one number: exact for IPv4, 53 bits of a hash for IPv6. */
function clientKey({ family, addresses }: FlowColumns, row: number, isB: boolean): number {
  const at = 8 * row + (isB ? 4 : 0);
  if (family[row] === 4) return addresses[at]!;
  let low = 0x811c9dc5;
  let high = 0x9e3779b1;
  for (let i = 0; i < 4; i++) {
    low = Math.imul(low ^ addresses[at + i]!, 0x85ebca6b);
    high = Math.imul(high ^ low ^ (low >>> 15), 0xc2b2ae35);
    low ^= low >>> 13;
  }
  // above every IPv4 address
  return 2 ** 32 + (high >>> 12) * 2 ** 32 + (low >>> 0);
}
