/** How the flows of a round stand at one moment, counted in one pass over the engine's columns. */
import type { FlowEngine } from '../../engine/flow-engine.js';
import { FateCode, Life } from '../../outcome/verdict-tracker.js';

export interface FlowCensus {
  /** flows that have begun */
  readonly started: number;
  /** open, and not waiting for an answer in vain */
  readonly active: number;
  /** of these, begun before the capture */
  readonly activeMidway: number;
  /** waiting for an answer in vain */
  readonly stalled: number;
  /** over, and nothing broke them */
  readonly delivered: number;
  /** over without harm, but begun before the capture */
  readonly unknown: number;
  /** by number of the event that they wait because of */
  readonly stalledBy: ReadonlyMap<number, number>;
  readonly vips: {
    readonly active: Float64Array;
    readonly stalled: Float64Array;
    /** by row of the VIP and of the node, "<vip> <node>" */
    readonly byNode: ReadonlyMap<string, number>;
  };
}

export function censusOf(engine: FlowEngine | null, nowS: number, vips: number): FlowCensus {
  const active = new Float64Array(vips);
  const stalled = new Float64Array(vips);
  const stalledBy = new Map<number, number>();
  const totals = { started: 0, active: 0, activeMidway: 0, stalled: 0, delivered: 0, unknown: 0 };
  const nodes = engine?.cluster.nodeUp.length ?? 0;
  const byRow = new Float64Array(vips * nodes);
  for (let f = 0; engine !== null && f < engine.plan.count; f++) {
    const { tracker, plan } = engine;
    if (tracker.life[f] === Life.unborn) continue;
    totals.started++;
    if (tracker.fate[f] !== FateCode.none) continue;
    const vip = plan.vip[f]!;
    const end = tracker.waiting[f] === 0 ? null : tracker.ending(f);
    if (end !== null) {
      totals.stalled++;
      stalled[vip]!++;
      stalledBy.set(end.event, (stalledBy.get(end.event) ?? 0) + 1);
    } else if (engine.isActive(f, nowS)) {
      totals.active++;
      totals.activeMidway += tracker.midway[f]!;
      active[vip]!++;
      const node = engine.nodeOf(f);
      if (node >= 0) byRow[vip * nodes + node]!++;
    } else if (tracker.midway[f] === 1) {
      totals.unknown++;
    } else {
      totals.delivered++;
    }
  }
  const byNode = new Map<string, number>();
  byRow.forEach((flows, at) => {
    if (flows > 0) byNode.set(`${Math.floor(at / nodes)} ${at % nodes}`, flows);
  });
  return { ...totals, stalledBy, vips: { active, stalled, byNode } };
}
