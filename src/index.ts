/**
 * The library: what the command line does, as typed functions.
 *
 * ```ts
 * import { readFileSync } from 'node:fs';
 * import { loadScenario, readCapture, replay } from 'flowfate';
 *
 * const { model } = loadScenario([{ name: 's.yaml', text: readFileSync('s.yaml', 'utf8') }]);
 * const result = replay(readCapture('web.pcap.gz'), model);
 * console.log(result.summary.byFate);
 * ```
 */

export type { ClusterModel, EcmpSettings, TimelineEvent } from './cluster/model.js';
export {
  type LoadedScenario,
  type LoadOptions,
  loadScenario,
  type ScenarioInput,
} from './cluster/scenario/load-scenario.js';
export { printScenario } from './cluster/scenario/print-scenario.js';
export { scenarioFromCapture } from './cluster/scenario/scenario-from-capture.js';
export { withEvents } from './cluster/scenario/with-events.js';
export { DataPlane, type PlaneCounters } from './dataplane/data-plane.js';
export { type ForwardOutput, forwardCapture } from './dataplane/forward-capture.js';
export {
  CLASS_NAMES,
  type ClassName,
  classOf,
  hopOf,
  noteOf,
  PacketClass,
} from './dataplane/verdict-codes.js';
export { type ErrorCode, type ErrorPosition, FlowfateError } from './errors.js';
export { type ExplainOptions, Explanation } from './explain/explain.js';
export { type Diagnosis, FINDINGS, type FindingName } from './explain/finding.js';
export { readConnections } from './explain/read-connections.js';
export type { CaptureIndex, CaptureSummary, FlowColumns } from './flow/flow-columns.js';
export { type FlowRow, flowRow } from './flow/flow-rows.js';
export { type ReadCaptureOptions, type ReadProgress, readCapture } from './flow/read-capture.js';
export { createFlowHash, type FlowHash, type FlowHashSettings } from './hash/flow-hash.js';
export { type Observed, observeNextHops } from './recover-seed/observe-next-hops.js';
export {
  type Observation,
  type RecoverOptions,
  type RecoverResult,
  recoverSeed,
} from './recover-seed/recover-seed.js';
export { annotateCapture } from './report/annotate.js';
export { type Budget, exceeded, parseBudget } from './report/budget.js';
export { writeHtml } from './report/html.js';
export type { Timing } from './report/records.js';
export type { Sink } from './report/sink.js';
export { ANSI, type Palette, PLAIN } from './report/terminal.js';
export { type TextView, writeText } from './report/text.js';
export { createNextHopGroup } from './route/create-group.js';
export type { GroupSettings, NextHopGroup, WeightedNextHop } from './route/next-hop-group.js';
export { type ReplayOptions, replay } from './verdict/replay.js';
export * from './verdict/verdict.js';
export { type CompareOptions, compare, type Matrix, type MatrixRow } from './what-if/compare.js';
export { type DrainOptions, type DrainPlan, planDrain } from './what-if/drain-plan.js';
export { type Combination, parseVariation, type Variation } from './what-if/variation.js';

import type { CaptureIndex } from './flow/flow-columns.js';
import { type FlowRow, flowRow } from './flow/flow-rows.js';
import { writeJson as writeJsonOctets } from './report/json.js';
import { writeNdjson as writeNdjsonOctets } from './report/ndjson.js';
import { asText } from './report/octet-writer.js';
import type { Timing } from './report/records.js';
import type { Sink } from './report/sink.js';
import type { ReplayResult } from './verdict/verdict.js';

/** The flows of a capture as objects, one at a time, in the order of their first packets. */
export function* flows(index: CaptureIndex): Generator<FlowRow, void, undefined> {
  for (let f = 0; f < index.flows.count; f++) yield flowRow(index.flows, f, null);
}

/** What `replay --format json` prints, piece by piece. */
export function writeJson(result: ReplayResult, sink: Sink, timing: Timing | null = null): void {
  writeJsonOctets(result, asText(sink), timing);
}

/** What `replay --format ndjson` prints, in pieces of whole lines. */
export function writeNdjson(result: ReplayResult, sink: Sink, timing: Timing | null = null): void {
  writeNdjsonOctets(result, asText(sink), timing);
}
