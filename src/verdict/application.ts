/**
 * What the client's application got where the network delivered.
 *
 * A process that hangs is not a network that fails: its kernel completes the handshake and acknowledges the request, and
 * nobody answers. So an `unhealthy` or throttled pod leaves the fate `delivered` and shows here: `no-answer` where its
 * answer would come after the capture's end or never, `slow` where it comes later than the client's patience. What an
 * L7 proxy makes of a request's origin shows here as well.
 */
import { l7ProxyOf } from '../cluster/l7-model.js';
import type { ClusterModel } from '../cluster/model.js';
import { META_PAYLOAD } from '../flow/packet-index.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
import { answersOf, type HealthEvent } from '../timeline/pod-health.js';
import type { RequestHeads } from './request-heads.js';
import { sourceProvenance } from './source-provenance.js';
import type { ApplicationTrouble } from './verdict.js';

/** How long a client waits before it calls an answer slow, where nobody says. */
export const DEFAULT_PATIENCE_S = 5;

/** A request this short before the capture's end says nothing yet: Linux's least retransmission timeout. */
const TOO_LATE_S = 0.2;

const Trouble = { none: 0, slow: 1, noAnswer: 2 } as const;

export class ApplicationSide {
  /** by row of the plan, see {@link Trouble} */
  private readonly answers: Uint8Array | null;

  constructor(
    private readonly outcome: ReplayOutcome,
    private readonly model: ClusterModel,
    private readonly heads: RequestHeads,
    patienceS: number,
    endS: number,
  ) {
    this.answers = lateAnswers(outcome, model, patienceS, endS);
  }

  /** Of a row of the plan whose fate is `delivered`. */
  trouble(f: number): ApplicationTrouble | null {
    const { outcome, model } = this;
    const { service, port } = outcome.plan;
    const hasProxy = l7ProxyOf(model.services[service[f]!]!, port[f]!) !== null;
    const application = hasProxy ? sourceProvenance(outcome, model, f, this.heads).application : undefined;
    if (application !== undefined && application.fault !== null) return 'bad-request';
    if (this.answers?.[f] === Trouble.noAnswer) return 'no-answer';
    if (this.answers?.[f] === Trouble.slow) return 'slow';
    const isMistaken = application !== undefined && application.sees !== null && !application.preserved;
    return isMistaken ? 'wrong-client-address' : null;
  }
}

/** What each flow's requests got from pods that answer late or not at all; null where there are none. */
function lateAnswers(
  outcome: ReplayOutcome,
  model: ClusterModel,
  patienceS: number,
  endS: number,
): Uint8Array | null {
  const ailing = ailingPods(outcome, model);
  if (ailing.size === 0) return null;
  const { plan } = outcome;
  const troubles = new Uint8Array(plan.count);
  const { flow, meta, timeNs, count } = plan.packets;
  for (let i = 0; i < count; i++) {
    if ((meta[i]! & META_PAYLOAD) === 0) continue;
    const f = flow[i]!;
    if (outcome.homeNode(f) < 0 || outcome.isGuessed(f)) continue;
    const spells = ailing.get(outcome.homePod(f));
    if (spells === undefined) continue;
    const atS = outcome.seconds(timeNs[i]!);
    for (const spell of spells) {
      if (atS < spell.at || atS >= spell.at + spell.forS) continue;
      const delayS = Math.min(spell.delayS(atS), spell.at + spell.forS - atS);
      const trouble =
        atS + delayS > endS && endS - atS > TOO_LATE_S
          ? Trouble.noAnswer
          : delayS > patienceS
            ? Trouble.slow
            : Trouble.none;
      if (trouble > troubles[f]!) troubles[f] = trouble;
    }
  }
  return troubles;
}

interface Spell {
  readonly at: number;
  readonly forS: number;
  /** seconds until the answer to what comes at `atS`; what waits is answered at the end of the spell */
  readonly delayS: (atS: number) => number;
}

/** By row of the pod. */
function ailingPods({ cluster }: ReplayOutcome, model: ClusterModel): Map<number, Spell[]> {
  const spells = new Map<number, Spell[]>();
  for (const event of model.timeline) {
    if (!isHealthEvent(event)) continue;
    const pod = cluster.podByName.get(event.pod);
    if (pod === undefined) continue;
    const answer = answersOf(model, event);
    // a restarted process is another question: such connections end with it
    const delayS = (atS: number): number => answer(atS, Number.NEGATIVE_INFINITY);
    const spell = { at: event.at, forS: event.forS, delayS };
    spells.set(pod.row, [...(spells.get(pod.row) ?? []), spell]);
  }
  return spells;
}

function isHealthEvent(event: { readonly kind: string }): event is HealthEvent {
  return event.kind === 'unhealthy' || event.kind === 'throttle';
}
