/**
 * Streams of servers that stopped with the path, and half-closed connections whose servers can no longer close: noticed
 * when the traffic is over, because nothing that the client sends tells of them. Both engines ask here; whether the path
 * still carries what a server sends is each engine's own to say.
 */
import type { EventSource } from '../timeline/timeline.js';
import type { Blame } from './blame.js';
import type { ClientSide } from './client-side.js';
import type { FlowPlan } from './flow-plan.js';
import { streamsOf } from './server-streams.js';
import { Life, type VerdictTracker } from './verdict-tracker.js';

/** `cutOff`: why what the server of a flow sends no longer arrives; null where it would. Read before the next call. */
export function noticeStops(
  plan: FlowPlan,
  client: ClientSide,
  tracker: VerdictTracker,
  timeline: EventSource,
  endS: number,
  cutOff: (f: number) => Blame | null,
): void {
  for (const f of client.mayHaveStopped()) {
    const lost = client.unheard.get(f);
    const lastS = client.heardS[f]!;
    if (lost !== undefined) {
      const streams = streamsOf(plan);
      if (!streams.isStream(f) || !streams.hasStopped(f, lastS, endS)) continue;
      tracker.serverDataLost(f, lost.reason, lost.event, lost.hop, lastS);
      continue;
    }
    const blamed = cutOff(f);
    if (blamed === null) continue;
    const { reason, event, hop } = blamed;
    if (tracker.life[f] === Life.open && !ranUntil(plan, timeline, f, event, lastS, endS)) continue;
    tracker.serverDataLost(f, reason, event, hop, lastS);
  }
}

/** Whether the stream of `f` ran until the event that cut it off, and no longer. */
function ranUntil(
  plan: FlowPlan,
  timeline: EventSource,
  f: number,
  event: number,
  lastS: number,
  endS: number,
): boolean {
  const entry = timeline.entries[event];
  if (entry === undefined) return false;
  const streams = streamsOf(plan);
  return streams.ranAt(f, lastS, entry.at) && streams.hasStopped(f, lastS, endS);
}
