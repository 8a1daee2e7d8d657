/**
 * What draining one node costs, on traffic that goes on.
 *
 * A capture is short and a rollout is long, and a client that was reset in one drain is back for the next. So a drain is
 * not laid out after the others along the capture, where the last ones would find nobody left to break: each is replayed
 * by itself, at several moments of the capture, in the state in which the drains before it leave the router. Its cost is
 * the mean over those moments: what it costs in a cluster whose clients go on connecting at the rates of the capture.
 *
 * Taking a node out breaks those whom the router sends elsewhere (unless it sends them back before they say a word:
 * the replay has both events). Bringing it back breaks those who were moved by that, and those who reconnected
 * meanwhile: these are the victims of the way out who, in a replay that begins with the node already out, are broken by
 * its return. Where the outage lasts longer than the capture, that second replay alone says what the return breaks.
 */
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { isBroken } from '../verdict/fates.js';
import { replay } from '../verdict/replay.js';
import type { FlowVerdict, ReplayResult } from '../verdict/verdict.js';

export interface DrainPace {
  /** between the beginnings of two drains */
  readonly everyS: number;
  /** how long a node is out */
  readonly downS: number;
}

/** Connections broken by one drain at one moment. */
export interface DrainSample {
  /** seconds since t = 0 at which the node goes */
  readonly atS: number;
  readonly out: number;
  readonly back: number;
  readonly movedOut: number;
  readonly movedBack: number;
  /** connections that could be judged */
  readonly judged: number;
  /** by service name */
  readonly byService: ReadonlyMap<string, number>;
}

/** before t = 0: the node of a replay that begins with it out */
const ALREADY_S = -0.5;

/** Replays drains of one model over one capture; what it has replayed it remembers. */
export class DrainCost {
  private readonly samples = new Map<string, DrainSample>();
  /** replays so far */
  replays = 0;

  constructor(
    private readonly index: CaptureIndex,
    private readonly model: ClusterModel,
    private readonly pace: DrainPace,
    /** moment of the capture after which nothing would show what it breaks */
    private readonly lastS: number,
  ) {}

  /** @param before nodes that were drained before, each of them back again */
  at(node: number, before: readonly number[], atS: number): DrainSample {
    const name = `${before.join(' ')} > ${node} @ ${atS}`;
    const known = this.samples.get(name);
    if (known !== undefined) return known;
    const sample = this.measure(node, this.history(before), atS);
    this.samples.set(name, sample);
    return sample;
  }

  private measure(node: number, history: readonly TimelineEvent[], atS: number): DrainSample {
    const away = { at: atS, kind: 'withdraw', node } as const;
    // an outage that lasts longer than the capture shows its return at the same moment, to other connections
    const within = atS + this.pace.downS < this.lastS;
    const home = { at: within ? atS + this.pace.downS : atS, kind: 'announce', node } as const;
    const both = this.replay(within ? [...history, away, home] : [...history, away]);
    const returned = this.replay([...history, { ...away, at: ALREADY_S }, home]);
    const goes = both.events.filter(({ kind }) => kind === 'withdraw').at(-1)!;
    const comes = within ? both.events.filter(({ kind }) => kind === 'announce').at(-1)! : null;
    const again = returned.events.filter(({ kind }) => kind === 'announce').at(-1)!;
    const byService = new Map<string, number>();
    const count = (service: string | null, times: number): void => {
      byService.set(service ?? '', (byService.get(service ?? '') ?? 0) + times);
    };
    const lostAgain = new Map(
      [...brokenRows(returned)].flatMap(([row, { cause, service }]) =>
        cause?.event === again.id ? [[row, service] as const] : [],
      ),
    );
    let [out, back] = [0, 0];
    for (const [row, { cause, service }] of brokenRows(both)) {
      const wentOut = cause?.event === goes.id;
      const cameBack = comes !== null && cause?.event === comes.id;
      const twice = comes !== null && wentOut && lostAgain.has(row);
      out += Number(wentOut);
      back += Number(cameBack || twice);
      if (wentOut || cameBack) count(service, twice ? 2 : 1);
    }
    if (comes === null) {
      back = lostAgain.size;
      for (const service of lostAgain.values()) count(service, 1);
    }
    return {
      ...{ atS, out, back, movedOut: goes.flowsMoved, movedBack: again.flowsMoved },
      ...{ judged: both.summary.judged, byService },
    };
  }

  /** Drains that are over when the capture begins, at the same pace. */
  private history(before: readonly number[]): TimelineEvent[] {
    const { everyS, downS } = this.pace;
    return before.flatMap((node, turn): TimelineEvent[] => {
      const at = -1 - (before.length - turn) * everyS;
      return [
        { at, kind: 'withdraw', node },
        { at: at + downS, kind: 'announce', node },
      ];
    });
  }

  private replay(timeline: readonly TimelineEvent[]): ReplayResult {
    this.replays++;
    return replay(this.index, { ...this.model, epochNs: null, timeline });
  }
}

function* brokenRows(result: ReplayResult): IterableIterator<[number, FlowVerdict]> {
  for (let row = 0; row < result.flowCount; row++) {
    if (isBroken(result.fateOf(row))) yield [row, result.flowVerdict(row)];
  }
}
