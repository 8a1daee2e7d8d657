/**
 * The node order that breaks the fewest flows when every node is taken out and brought back in turn.
 *
 * Each order is a timeline of its own (withdraw, `downS` later announce, `everyS` later the next node), replayed
 * over the same index; nothing is estimated. Up to {@link EXACT_NODES} nodes every order is tried. Beyond that
 * the search is a heuristic and says so: greedy (the node that adds fewest broken flows next), then swaps of two
 * neighbours as long as one helps; worst and average then come from random orders.
 */
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { replay } from '../verdict/replay.js';
import { Dice } from './dice.js';

/** 720 orders */
export const EXACT_NODES = 6;
/** random orders that stand for all of them where not all are tried */
const SAMPLED_ORDERS = 60;

export interface DrainOptions {
  /** between the beginnings of two drains; default: the capture's length shared among the nodes */
  readonly everyS?: number;
  /** how long a node is out; default: half of that */
  readonly downS?: number;
  /** when the first drain begins; default: one tenth into the capture */
  readonly startS?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface DrainStep {
  readonly node: string;
  readonly at: number;
  /** flows broken by taking the node out, and by bringing it back */
  readonly brokenOut: number;
  readonly brokenBack: number;
  readonly movedOut: number;
  readonly movedBack: number;
  /** place of its (first) next hop in the router's table, from 0, and how many there are; null = not in it */
  readonly place: number | null;
  readonly of: number;
}

export interface DrainPlan {
  readonly order: readonly string[];
  readonly broken: number;
  readonly flows: number;
  readonly steps: readonly DrainStep[];
  readonly worst: { readonly order: readonly string[]; readonly broken: number };
  readonly averageBroken: number;
  readonly ordersTried: number;
  /** every order was tried */
  readonly exact: boolean;
  readonly everyS: number;
  readonly downS: number;
  /** sentences */
  readonly why: readonly string[];
}

export function planDrain(index: CaptureIndex, model: ClusterModel, options: DrainOptions = {}): DrainPlan {
  const nodes = model.nodes.flatMap(({ announces }, node) => (announces === false ? [] : [node]));
  if (nodes.length < 2) {
    throw new FlowfateError(
      'config',
      'plan drain needs at least two nodes that announce; the scenario has fewer',
    );
  }
  const { duration } = index.summary;
  const startS = options.startS ?? duration / 10;
  const everyS = options.everyS ?? (duration - startS) / nodes.length;
  const downS = options.downS ?? everyS / 2;
  if (downS >= everyS) {
    throw new FlowfateError(
      'config',
      `--down ${downS}s must be shorter than --every ${everyS}s: nodes would be out together`,
    );
  }
  const prices = new Map<string, number>();
  const search = new OrderSearch(nodes, (order) => {
    const name = order.join(' ');
    const known = prices.get(name);
    if (known !== undefined) return known;
    const broken = brokenBy(index, drained(model, order, startS, everyS, downS));
    prices.set(name, broken);
    options.onProgress?.(prices.size, search.expected);
    return broken;
  });
  const best = search.run();
  const names = (order: readonly number[]): string[] => order.map((node) => model.nodes[node]!.name);
  const tried = [...prices].map(([name, broken]) => ({ order: name.split(' ').map(Number), broken }));
  const full = tried.filter(({ order }) => order.length === nodes.length);
  const worst = full.reduce((a, b) => (b.broken > a.broken ? b : a));
  const sample = search.exact ? full.map(({ broken }) => broken) : search.sample;
  const plan = stepsOf(index, model, best, startS, everyS, downS);
  return {
    order: names(best),
    broken: prices.get(best.join(' '))!,
    flows: plan.flows,
    steps: plan.steps,
    worst: { order: names(worst.order), broken: worst.broken },
    averageBroken: sample.reduce((sum, broken) => sum + broken, 0) / sample.length,
    ordersTried: full.length,
    exact: search.exact,
    everyS,
    downS,
    why: [...outside(plan.steps, duration), ...reasons(model, plan.steps, search.exact, full.length)],
  };
}

/** The model with this drain as its whole timeline. */
function drained(
  model: ClusterModel,
  order: readonly number[],
  startS: number,
  everyS: number,
  downS: number,
): ClusterModel {
  const timeline = order.flatMap((node, turn): TimelineEvent[] => {
    const at = startS + turn * everyS;
    return [
      { at, kind: 'withdraw', node },
      { at: at + downS, kind: 'announce', node },
    ];
  });
  return { ...model, epochNs: null, timeline: timeline.sort((a, b) => a.at - b.at) };
}

function brokenBy(index: CaptureIndex, model: ClusterModel): number {
  const { byFate } = replay(index, model).summary;
  return byFate.reset + byFate.refused + byFate.timeout + byFate['endpoint-closed'] + byFate.misdelivered;
}

class OrderSearch {
  readonly exact: boolean;
  readonly expected: number;
  /** what random orders cost, where not all are tried */
  readonly sample: number[] = [];

  constructor(
    private readonly nodes: readonly number[],
    private readonly price: (order: readonly number[]) => number,
  ) {
    const n = nodes.length;
    this.exact = n <= EXACT_NODES;
    this.expected = this.exact ? factorial(n) : (n * (n + 1)) / 2 + SAMPLED_ORDERS + n;
  }

  run(): readonly number[] {
    if (this.exact) return this.cheapest(permutations(this.nodes));
    const dice = new Dice(1);
    const orders = Array.from({ length: SAMPLED_ORDERS }, () => dice.shuffled(this.nodes));
    for (const order of orders) this.sample.push(this.price(order));
    const improved = this.improve(this.greedy());
    return this.cheapest([improved, ...orders]);
  }

  private cheapest(orders: Iterable<readonly number[]>): readonly number[] {
    let best: readonly number[] = [];
    let lowest = Number.POSITIVE_INFINITY;
    for (const order of orders) {
      const price = this.price(order);
      if (price < lowest) [best, lowest] = [order, price];
    }
    return best;
  }

  private greedy(): readonly number[] {
    let order: readonly number[] = [];
    let left = [...this.nodes];
    while (left.length > 0) {
      order = this.cheapest(left.map((node) => [...order, node]));
      left = left.filter((node) => !order.includes(node));
    }
    return order;
  }

  private improve(order: readonly number[]): readonly number[] {
    let best = order;
    for (let i = 0; i + 1 < best.length; ) {
      const swapped = [...best];
      [swapped[i], swapped[i + 1]] = [best[i + 1]!, best[i]!];
      if (this.price(swapped) < this.price(best)) {
        best = swapped;
        i = 0;
      } else {
        i++;
      }
    }
    return best;
  }
}

function stepsOf(
  index: CaptureIndex,
  model: ClusterModel,
  order: readonly number[],
  startS: number,
  everyS: number,
  downS: number,
): { flows: number; steps: DrainStep[] } {
  const { events, summary } = replay(index, drained(model, order, startS, everyS, downS));
  const { yes, no, unknown } = summary.sourcePreserved;
  const table = model.router.routes[0]?.nextHops.map(({ node }) => node) ?? order.toSorted((a, b) => a - b);
  const steps = order.map((node, turn): DrainStep => {
    const out = events.find(
      (e) => e.kind === 'withdraw' && e.detail.startsWith(`${model.nodes[node]!.name} `),
    )!;
    const back = events.find(
      (e) => e.kind === 'announce' && e.detail.startsWith(`${model.nodes[node]!.name} `),
    )!;
    const place = table.indexOf(node);
    return {
      node: model.nodes[node]!.name,
      at: startS + turn * everyS,
      brokenOut: out.flowsBroken,
      brokenBack: back.flowsBroken,
      movedOut: out.flowsMoved,
      movedBack: back.flowsMoved,
      place: place < 0 ? null : place,
      of: table.length,
    };
  });
  return { flows: yes + no + unknown, steps };
}

/** Drains that no packet of the capture meets: what they would break is not in the figures. */
function outside(steps: readonly DrainStep[], durationS: number): string[] {
  const late = steps.filter(({ at }) => at >= durationS);
  if (late.length === 0) return [];
  return [
    `The drain${late.length === 1 ? '' : 's'} of ${names(late)} lie${late.length === 1 ? 's' : ''} after the end of the capture (${durationS.toFixed(0)} s) and break${late.length === 1 ? 's' : ''} nothing of it: a shorter --every, or a longer capture.`,
  ];
}

function reasons(model: ClusterModel, steps: readonly DrainStep[], exact: boolean, tried: number): string[] {
  const out = [
    exact
      ? `Every order of the ${steps.length} nodes was replayed (${tried}).`
      : `${steps.length} nodes have too many orders to try them all: greedy choice, then swaps of neighbours; worst and average are those of ${SAMPLED_ORDERS} random orders.`,
  ];
  const { select } = model.router.ecmp;
  if (select === 'hash-threshold') {
    const ends = steps.filter(({ place, of }) => place === 0 || place === of - 1);
    const middles = steps.filter(({ place, of }) => place !== null && place > 0 && place < of - 1);
    if (ends.length > 0 && middles.length > 0) {
      const mean = (list: readonly DrainStep[]): number =>
        list.reduce((sum, { movedOut }) => sum + movedOut, 0) / list.length;
      out.push(
        `Under hash-threshold the ends of the router's table cost more than its middle (RFC 2992): taking out ${names(ends)} moved ${mean(ends).toFixed(0)} flows each, taking out ${names(middles)} ${mean(middles).toFixed(0)}.`,
      );
    }
  }
  if (select === 'modulo')
    out.push('Under modulo almost every flow moves at every change, whatever the order.');
  const again = steps.reduce((sum, step) => sum + step.movedBack, 0);
  if (again > 0)
    out.push(`Bringing nodes back moved ${again} flows in all: an addition re-hashes as a removal does.`);
  return out;
}

function names(steps: readonly DrainStep[]): string {
  return steps.map(({ node }) => node).join(', ');
}

function* permutations(items: readonly number[]): IterableIterator<readonly number[]> {
  if (items.length < 2) {
    yield items;
    return;
  }
  for (let i = 0; i < items.length; i++) {
    for (const rest of permutations([...items.slice(0, i), ...items.slice(i + 1)]))
      yield [items[i]!, ...rest];
  }
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}
