/**
 * Which servers send by themselves: downloads, pushes, half-closed answers. Seen in the client's acknowledgements that
 * advance although it has asked for nothing since the one before.
 *
 * A capture that was taken while a path died holds nothing of what the server went on to send: that a stream was
 * flowing is all that tells a download that froze from a client that is content. This is a model, and cautious: a
 * stream is one of {@link STREAM_PUSHES} pushes or more, and it has stopped after three times its longest gap.
 */

import { META_PAYLOAD } from '../flow/packet-index.js';
import { TCP } from '../wire/ip-protocol.js';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../wire/tcp.js';
import type { FlowPlan } from './flow-plan.js';

const STREAM_PUSHES = 2;
/** the parts of one answer come closer together than this */
const APART_S = 0.02;
const SLACK_S = 0.25;

export class ServerStreams {
  private readonly pushes: Uint16Array;
  private readonly gapS: Float64Array;

  constructor(plan: FlowPlan) {
    this.pushes = new Uint16Array(plan.count);
    this.gapS = new Float64Array(plan.count);
    const heard = new Uint32Array(plan.count);
    const lastNs = new Float64Array(plan.count);
    const asked = new Uint8Array(plan.count);
    const { count, flow, meta, ack, timeNs } = plan.packets;
    for (let i = 0; i < count; i++) {
      const f = flow[i]!;
      const m = meta[i]!;
      if (plan.proto[f] !== TCP || (m & (TCP_SYN | TCP_RST)) !== 0 || (m & TCP_ACK) === 0) continue;
      const news = (ack[i]! - heard[f]!) | 0;
      if (heard[f] === 0 || news > 0) {
        const gapS = (timeNs[i]! - lastNs[f]!) / 1e9;
        if (heard[f] !== 0 && asked[f] === 0 && news > 1 && gapS > APART_S) {
          this.pushes[f] = Math.min(0xffff, this.pushes[f]! + 1);
          this.gapS[f] = Math.max(this.gapS[f]!, gapS);
        }
        heard[f] = ack[i]!;
        lastNs[f] = timeNs[i]!;
        asked[f] = 0;
      }
      if ((m & (META_PAYLOAD | TCP_FIN)) !== 0) asked[f] = 1;
    }
  }

  /** Whether data flowed to the client of `f` that it had not asked for one by one. */
  isStream(f: number): boolean {
    return this.pushes[f]! >= STREAM_PUSHES;
  }

  /** Whether a stream whose last data came at `lastS` ran when its path died at `diedS`. */
  ranAt(f: number, lastS: number, diedS: number): boolean {
    return this.isStream(f) && diedS - lastS <= 2 * this.gapS[f]!;
  }

  /** Whether so long a silence is no gap of the stream. */
  hasStopped(f: number, lastS: number, endS: number): boolean {
    return endS - lastS > 3 * this.gapS[f]! + SLACK_S;
  }
}

const known = new WeakMap<FlowPlan, ServerStreams>();

/** Made when a verdict first depends on it, and once for every plan. */
export function streamsOf(plan: FlowPlan): ServerStreams {
  let streams = known.get(plan);
  if (streams === undefined) {
    streams = new ServerStreams(plan);
    known.set(plan, streams);
  }
  return streams;
}
