/**
 * What a capture lost of the traffic it shows: what its own counters say, what connections acknowledge and it does not
 * hold, and layer-4 headers that its snap length cuts. It lowers what may be said; a total of nothing is not proof that
 * nothing was lost, as most files have no counters.
 */
import type { CaptureGaps } from './capture-gaps.js';
import type { CaptureSummary } from './flow-columns.js';

export interface CaptureLoss {
  /** packets that the capturing system says it lost; null: the file does not say */
  readonly dropped: number | null;
  /** TCP connections (five-tuples) whose acknowledged octets are not all in the capture; null: not looked at */
  readonly gapFlows: number | null;
  /** how many octets; null: not known */
  readonly gapBytes: number | null;
  /** packets whose layer-4 header is cut: they belong to no flow, or their flags are unknown */
  readonly headersCut: number;
}

/** What is known of gaps; where a reader does not count octets, `bytes` is null. */
export interface Gaps extends Pick<CaptureGaps, 'flows' | 'headersCut'> {
  readonly bytes: number | null;
}

/** Null where there is no sign of a loss. */
export function captureLoss(
  { dropped = null, decodeFaults }: Pick<CaptureSummary, 'dropped' | 'decodeFaults'>,
  gaps: Gaps | null,
): CaptureLoss | null {
  const headersCut = (decodeFaults['l4-header-cut'] ?? 0) + (gaps?.headersCut ?? 0);
  if ((dropped ?? 0) === 0 && (gaps?.flows ?? 0) === 0 && headersCut === 0) return null;
  return { dropped, gapFlows: gaps?.flows ?? null, gapBytes: gaps?.bytes ?? null, headersCut };
}

/** As sentences, for notes. */
export function lossSentences(loss: CaptureLoss | null, packets: number): string[] {
  if (loss === null) return [];
  const { dropped, gapFlows, gapBytes, headersCut } = loss;
  const sentences: string[] = [];
  if (dropped !== null && dropped > 0) {
    const share = ((dropped / (dropped + packets)) * 100).toPrecision(2);
    sentences.push(
      `The capturing system says that it lost ${dropped} packets beside these ${packets} (${share} %)`,
    );
  }
  if (gapFlows !== null && gapFlows > 0) {
    const octets = gapBytes === null ? 'octets' : `${gapBytes} octets`;
    sentences.push(
      `In ${gapFlows} TCP connection${gapFlows === 1 ? '' : 's'} ${octets} were acknowledged that the capture does not hold: it lost packets`,
    );
  }
  if (headersCut > 0) {
    sentences.push(
      `The capture cut the layer-4 header of ${headersCut} packets: capture with a larger snap length (tcpdump -s 128)`,
    );
  }
  return sentences;
}
