/**
 * The rows of a report: one a connection. Five-tuples stand in the order of the flow table, the connections of one in
 * order of time; what goes to no VIP, and what has no connections, is one row a five-tuple.
 */
import type { FlowPlan } from '../outcome/flow-plan.js';

export class Records {
  readonly count: number;
  /** by row of the flow table: its first record; null where every five-tuple has one */
  private readonly first: Int32Array | null = null;
  private readonly flow: Int32Array | null = null;

  constructor(
    private readonly plan: FlowPlan,
    flows: number,
  ) {
    this.count = flows + plan.count - plan.tuples;
    if (this.count === flows) return;
    this.first = new Int32Array(flows);
    this.flow = new Int32Array(this.count);
    let row = 0;
    for (let flow = 0; flow < flows; flow++) {
      this.first[flow] = row;
      const records = Math.max(1, plan.connectionsOf(flow));
      this.flow.fill(flow, row, row + records);
      row += records;
    }
  }

  /** Row of the flow table. */
  flowOf(record: number): number {
    return this.flow === null ? record : this.flow[record]!;
  }

  /** Row of the plan, or -1. */
  planRowOf(record: number): number {
    const flow = this.flowOf(record);
    const f = this.plan.of(flow);
    return f < 0 || this.first === null ? f : f + record - this.first[flow]!;
  }

  /** The record of a row of the plan. */
  of(f: number): number {
    const flow = this.plan.row[f]!;
    return this.first === null ? flow : this.first[flow]! + this.plan.connection[f]!;
  }
}
