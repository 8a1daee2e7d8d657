/** The `capture` record of a report: facts about the file itself, and the moment from which the report counts. */
import type { ClusterModel } from '../cluster/model.js';
import { captureLoss, type Gaps } from '../flow/capture-loss.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import type { CaptureRecord } from './verdict.js';

/**
 * `model` is the scenario that says what t = 0 is; null: there is none, and t = 0 is the first packet. `gaps`: what the
 * connections show of packets that were lost in capturing; null: nobody looked.
 */
export function captureRecord(
  { summary }: Pick<CaptureIndex, 'summary'>,
  model: Pick<ClusterModel, 'epochNs'> | null = null,
  gaps: Gaps | null = null,
): CaptureRecord {
  const { file, format, linkTypes, packets, bytes, baseNs, duration, truncated, decodeFaults } = summary;
  return {
    file,
    format,
    linkTypes,
    packets,
    bytes,
    startTime: secondsOf(baseNs),
    t0: secondsOf(model?.epochNs ?? baseNs),
    duration: Math.round(duration * 1e9) / 1e9,
    level: summary.level ?? 'outer',
    truncated,
    decodeFaults,
    captureLoss: captureLoss(summary, gaps),
  };
}

/** Nanoseconds since 1970 as seconds, to the microsecond that a Float64 can hold. */
function secondsOf(ns: bigint): number {
  return Number(ns / 1000n) / 1e6;
}
