/** The `capture` record of a report: facts about the file itself. */
import type { CaptureIndex } from '../flow/flow-columns.js';
import type { CaptureRecord } from './verdict.js';

export function captureRecord(index: Pick<CaptureIndex, 'summary'>): CaptureRecord {
  const { file, format, linkTypes, packets, bytes, baseNs, duration, truncated, decodeFaults } =
    index.summary;
  return {
    file,
    format,
    linkTypes,
    packets,
    bytes,
    startTime: Number(baseNs / 1000n) / 1e6,
    duration: Math.round(duration * 1e9) / 1e9,
    truncated,
    decodeFaults,
  };
}
