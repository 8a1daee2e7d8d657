/** Where the numbers of each connection begin, as its client's packets show them: what tells two lives of a port apart. */
import { META_FLAGS_CUT } from '../flow/packet-index.js';
import { TCP } from '../wire/ip-protocol.js';
import { TCP_ACK } from '../wire/tcp.js';
import type { FlowPlan } from './flow-plan.js';

export class ConnectionNumbers {
  /** sequence number of the client's first packet */
  readonly firstSeq: Uint32Array;
  /** what the client acknowledged first; 0: nothing */
  readonly firstAck: Uint32Array;

  constructor(plan: FlowPlan) {
    this.firstSeq = new Uint32Array(plan.count);
    this.firstAck = new Uint32Array(plan.count);
    const begun = new Uint8Array(plan.count);
    const { count, flow, meta, seq, ack } = plan.packets;
    for (let i = 0; i < count; i++) {
      const f = flow[i]!;
      if (plan.proto[f] !== TCP || (meta[i]! & META_FLAGS_CUT) !== 0) continue;
      if (begun[f] === 0) {
        begun[f] = 1;
        this.firstSeq[f] = seq[i]!;
      }
      if (this.firstAck[f] === 0 && (meta[i]! & TCP_ACK) !== 0) this.firstAck[f] = ack[i]!;
    }
  }
}

const known = new WeakMap<FlowPlan, ConnectionNumbers>();

/** Made when a port that is used again first meets an earlier entry, and once for every plan. */
export function connectionNumbers(plan: FlowPlan): ConnectionNumbers {
  let numbers = known.get(plan);
  if (numbers === undefined) {
    numbers = new ConnectionNumbers(plan);
    known.set(plan, numbers);
  }
  return numbers;
}
