/**
 * The order and the pace in which every node is taken out and brought back, and what that costs on traffic that goes on
 * (drain-cost.ts says how a drain is measured).
 *
 * Where a router remembers nothing of a node that has come back (its table is ordered by address, its hash has no state),
 * a drain costs the same whatever came before: then no order is better than another, which the plan says, and the
 * cheapest node stands first, so that whoever stops half way has broken the least. Where it does remember (next hops in
 * order of arrival, resilient groups) orders are searched: all of them up to {@link EXACT_NODES} nodes, beyond that
 * greedily and then by swaps of two neighbours.
 */
import type { ClusterModel } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { isDocumented } from '../route/documented-resilient.js';
import { DrainCost, type DrainPace, type DrainSample } from './drain-cost.js';

/** 24 orders */
const EXACT_NODES = 4;
/** moments of the capture at which each drain is measured */
const MOMENTS = 5;
/** a drain shortly before the end of the capture could not show what it breaks */
const LAST_SHARE = 0.85;
const FIRST_SHARE = 0.1;
const DEFAULT_EVERY_S = 600;
/** other lengths of an outage to compare with, as multiples of the one asked for, and one that idle clients may miss */
const OTHER_DOWNS = [0.1, 0.5, 2] as const;
const SHORT_DOWN_S = 5;

export interface DrainOptions {
  /** between the beginnings of two drains; default: ten minutes, or twice `downS` */
  readonly everyS?: number;
  /** how long a node is out; default: half of `everyS` */
  readonly downS?: number;
  /** the first moment of the capture at which drains are measured; default: one tenth into it */
  readonly startS?: number;
  readonly onProgress?: (replays: number, total: number) => void;
}

interface Spread {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

interface DrainStep {
  readonly node: string;
  /** seconds since t = 0: the first of the moments at which this drain was measured */
  readonly at: number;
  readonly measuredAt: readonly number[];
  /** seconds after the first drain of the rollout at which this one begins */
  readonly after: number;
  /** connections broken by it: means over the moments */
  readonly broken: number;
  readonly spread: Spread;
  readonly out: number;
  readonly back: number;
  readonly movedOut: number;
  readonly movedBack: number;
  readonly byService: Readonly<Record<string, number>>;
  /** place of its first next hop in the router's table, from 0, and how many there are; null = not in it */
  readonly place: number | null;
  readonly of: number;
}

interface DrainSummary {
  readonly broken: number;
  readonly spread: Spread;
  /** of the connections that the capture shows and that could be judged */
  readonly judged: number;
  readonly perMinute: number;
  readonly worstDrain: { readonly node: string; readonly broken: number };
  readonly byService: Readonly<Record<string, number>>;
}

export interface DrainPlan {
  readonly order: readonly string[];
  readonly steps: readonly DrainStep[];
  /** connections broken by the whole rollout */
  readonly total: number;
  readonly summary: DrainSummary;
  /** other orders, best first; empty where the order changes nothing */
  readonly alternatives: readonly { readonly order: readonly string[]; readonly broken: number }[];
  /** the same order with nodes out for longer or shorter */
  readonly pace: readonly {
    readonly every: number;
    readonly down: number;
    readonly broken: number;
    readonly perMinute: number;
  }[];
  /** the order changes what the rollout costs */
  readonly orderMatters: boolean;
  /** every order was tried, or none needs to be */
  readonly exact: boolean;
  readonly everyS: number;
  readonly downS: number;
  /** what the figures rest on, in sentences */
  readonly assumed: readonly string[];
  readonly why: readonly string[];
}

interface Priced {
  readonly order: readonly number[];
  readonly broken: number;
}

export function planDrain(index: CaptureIndex, model: ClusterModel, options: DrainOptions = {}): DrainPlan {
  const nodes = model.nodes.flatMap(({ announces }, node) => (announces === false ? [] : [node]));
  if (nodes.length < 2) {
    throw new FlowfateError(
      'config',
      'plan drain needs at least two nodes that announce; the scenario has fewer',
    );
  }
  const pace = paceOf(options);
  const moments = momentsOf(index.summary.duration, options.startS);
  const cost = new DrainCost(index, model, pace, moments.at(-1)!);
  const orderMatters = remembers(model);
  const exact = !orderMatters || nodes.length <= EXACT_NODES;
  const expected = 2 * MOMENTS * nodes.length * (orderMatters ? nodes.length : 1);
  const samplesOf = (node: number, before: readonly number[]): readonly DrainSample[] =>
    moments.map((atS) => {
      const sample = cost.at(node, orderMatters ? before : [], atS);
      options.onProgress?.(Math.min(cost.replays, expected), expected);
      return sample;
    });
  const priceOf = (order: readonly number[]): number =>
    sum(order.map((node, turn) => meanBroken(samplesOf(node, order.slice(0, turn)))));

  const orders = orderMatters ? searchedOrders(nodes, priceOf) : [cheapestFirst(nodes, samplesOf)];
  const priced = orders
    .map((order): Priced => ({ order, broken: priceOf(order) }))
    .sort((a, b) => a.broken - b.broken);
  const best = priced[0]!;
  const names = (order: readonly number[]): string[] => order.map((node) => model.nodes[node]!.name);
  const table = model.router.routes[0]?.nextHops.map(({ node }) => node) ?? [...nodes].sort((a, b) => a - b);
  const drains = best.order.map((node, turn) => ({
    node,
    samples: samplesOf(node, best.order.slice(0, turn)),
  }));
  const judged = drains[0]!.samples[0]!.judged;
  if (judged === 0) {
    throw new FlowfateError(
      'config',
      'plan drain has nothing to judge: no connection of the capture goes to a VIP of the scenario; "flowfate flows --summary" shows where they go',
    );
  }
  const steps = drains.map(({ node, samples }, turn) =>
    stepOf(model.nodes[node]!.name, samples, turn * pace.everyS, table.indexOf(node), table.length),
  );
  const summary = summaryOf(steps, pace, judged);
  const downs = [SHORT_DOWN_S, ...OTHER_DOWNS.map((factor) => round(pace.downS * factor, 3))];
  const others = [...new Set(downs)].filter((downS) => downS < pace.everyS && downS !== pace.downS);
  return {
    order: names(best.order),
    steps,
    total: summary.broken,
    summary,
    alternatives: priced
      .slice(1)
      .map(({ order, broken }) => ({ order: names(order), broken: round(broken, 1) })),
    pace: [pace.downS, ...others]
      .sort((a, b) => a - b)
      .map((downS) =>
        downS === pace.downS
          ? paceOfRollout(pace, summary.broken, nodes.length)
          : paceRow(index, model, { ...pace, downS }, best.order, moments),
      ),
    ...{ orderMatters, exact, ...pace },
    assumed: assumptions(moments, index.summary.duration),
    why: reasons(model, steps, priced, orderMatters, exact),
  };
}

function paceOf({ everyS, downS }: DrainOptions): DrainPace {
  const every = everyS ?? Math.max(DEFAULT_EVERY_S, 2 * (downS ?? 0));
  const down = downS ?? every / 2;
  if (down >= every) {
    throw new FlowfateError(
      'config',
      `--down ${down}s must be shorter than --every ${every}s: nodes would be out together`,
    );
  }
  return { everyS: every, downS: down };
}

function momentsOf(durationS: number, startS = durationS * FIRST_SHARE): number[] {
  const lastS = durationS * LAST_SHARE;
  if (!(startS < lastS)) {
    throw new FlowfateError(
      'config',
      `--start ${startS}s is too late: the capture lasts ${durationS.toFixed(1)} s, and a drain is measured within its first ${lastS.toFixed(1)} s`,
    );
  }
  return Array.from({ length: MOMENTS }, (_, i) => round(startS + ((lastS - startS) * i) / (MOMENTS - 1), 3));
}

/** Whether the router's table, or its hash, still shows that a node was away after it has come back. */
function remembers({ router: { ecmp } }: ClusterModel): boolean {
  return ecmp.order === 'arrival' || ecmp.select === 'resilient' || isDocumented(ecmp.select);
}

function cheapestFirst(
  nodes: readonly number[],
  samplesOf: (node: number, before: readonly number[]) => readonly DrainSample[],
): number[] {
  return [...nodes].sort((a, b) => meanBroken(samplesOf(a, [])) - meanBroken(samplesOf(b, [])) || a - b);
}

function searchedOrders(
  nodes: readonly number[],
  price: (order: readonly number[]) => number,
): (readonly number[])[] {
  if (nodes.length <= EXACT_NODES) return [...permutations(nodes)];
  let order: readonly number[] = [];
  while (order.length < nodes.length) {
    const next = nodes.filter((node) => !order.includes(node)).map((node) => [...order, node]);
    order = next.reduce((best, one) => (price(one) < price(best) ? one : best));
  }
  const seen = [order, nodes];
  for (let i = 0; i + 1 < order.length; ) {
    const swapped = [...order];
    [swapped[i], swapped[i + 1]] = [order[i + 1]!, order[i]!];
    seen.push(swapped);
    if (price(swapped) < price(order)) {
      order = swapped;
      i = 0;
    } else i++;
  }
  return seen;
}

function stepOf(
  node: string,
  samples: readonly DrainSample[],
  after: number,
  place: number,
  of: number,
): DrainStep {
  const mean = (value: (sample: DrainSample) => number): number =>
    round(sum(samples.map(value)) / samples.length, 1);
  const each = samples.map(({ out, back }) => out + back);
  const services = new Set(samples.flatMap(({ byService }) => [...byService.keys()]));
  const byService = [...services]
    .sort()
    .map((name): [string, number] => [name, mean((sample) => sample.byService.get(name) ?? 0)]);
  return {
    ...{ node, at: samples[0]!.atS, measuredAt: samples.map(({ atS }) => atS), after },
    broken: round(sum(each) / each.length, 1),
    spread: { mean: round(sum(each) / each.length, 1), low: Math.min(...each), high: Math.max(...each) },
    ...{ out: mean(({ out }) => out), back: mean(({ back }) => back) },
    ...{ movedOut: mean(({ movedOut }) => movedOut), movedBack: mean(({ movedBack }) => movedBack) },
    byService: Object.fromEntries(byService),
    ...{ place: place < 0 ? null : place, of },
  };
}

function summaryOf(steps: readonly DrainStep[], { everyS }: DrainPace, judged: number): DrainSummary {
  const broken = round(sum(steps.map((step) => step.broken)), 1);
  const byService: Record<string, number> = {};
  for (const step of steps) {
    for (const [name, cost] of Object.entries(step.byService)) {
      byService[name] = round((byService[name] ?? 0) + cost, 1);
    }
  }
  const worst = steps.reduce((a, b) => (b.broken > a.broken ? b : a));
  return {
    broken,
    spread: {
      mean: broken,
      low: sum(steps.map(({ spread }) => spread.low)),
      high: sum(steps.map(({ spread }) => spread.high)),
    },
    ...{ judged, perMinute: round((broken * 60) / (steps.length * everyS), 2), byService },
    worstDrain: { node: worst.node, broken: worst.broken },
  };
}

/** The whole rollout with nodes out for as long as `pace` says, measured as the plan itself. */
function paceRow(
  index: CaptureIndex,
  model: ClusterModel,
  pace: DrainPace,
  order: readonly number[],
  moments: readonly number[],
): DrainPlan['pace'][number] {
  const cost = new DrainCost(index, model, pace, moments.at(-1)!);
  const before = (turn: number): readonly number[] => (remembers(model) ? order.slice(0, turn) : []);
  const broken = sum(
    order.map((node, turn) => meanBroken(moments.map((atS) => cost.at(node, before(turn), atS)))),
  );
  return paceOfRollout(pace, broken, order.length);
}

function paceOfRollout(
  { everyS, downS }: DrainPace,
  broken: number,
  drains: number,
): DrainPlan['pace'][number] {
  const perMinute = round((broken * 60) / (drains * everyS), 2);
  return { every: everyS, down: downS, broken: round(broken, 1), perMinute };
}

function assumptions(moments: readonly number[], durationS: number): string[] {
  const list = moments.map((atS) => atS.toFixed(1)).join(', ');
  return [
    `Traffic goes on as in the capture (${durationS.toFixed(1)} s): each drain is measured by itself at ${list} s, its cost is the mean, and clients that it broke are back before the next.`,
  ];
}

function reasons(
  model: ClusterModel,
  steps: readonly DrainStep[],
  priced: readonly Priced[],
  orderMatters: boolean,
  exact: boolean,
): string[] {
  const said: string[] = [];
  if (!orderMatters) {
    said.push(
      'The order changes nothing: a node that is back stands where it stood, and the hash has no memory. The cheapest node goes first, so that whoever stops half way has broken the least.',
    );
  } else {
    const [best, worst] = [priced[0]!, priced.at(-1)!];
    const tried = exact
      ? `All ${priced.length} orders were replayed`
      : `${priced.length} orders were replayed, chosen greedily and by swaps of neighbours`;
    said.push(`${tried}: from ${best.broken.toFixed(0)} to ${worst.broken.toFixed(0)} broken connections.`);
  }
  const { select } = model.router.ecmp;
  const ends = steps.filter(({ place, of }) => place === 0 || place === of - 1);
  const middles = steps.filter(({ place, of }) => place !== null && place > 0 && place < of - 1);
  if (select === 'hash-threshold' && ends.length > 0 && middles.length > 0) {
    const moved = (list: readonly DrainStep[]): string =>
      (sum(list.map(({ movedOut }) => movedOut)) / list.length).toFixed(0);
    said.push(
      `Under hash-threshold the ends of the router's table cost more than its middle (RFC 2992): taking out ${namesOf(ends)} moved ${moved(ends)} connections each, taking out ${namesOf(middles)} ${moved(middles)}.`,
    );
  }
  if (select === 'modulo') {
    said.push('Under modulo almost every connection moves at every change.');
  }
  const back = sum(steps.map((step) => step.back));
  if (back > 0) {
    said.push(
      `Bringing nodes back breaks ${back.toFixed(0)} connections in all: an addition re-hashes as a removal does.`,
    );
  }
  return said;
}

const namesOf = (steps: readonly DrainStep[]): string => steps.map(({ node }) => node).join(', ');
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const meanBroken = (samples: readonly DrainSample[]): number =>
  sum(samples.map(({ out, back }) => out + back)) / samples.length;

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function* permutations(items: readonly number[]): IterableIterator<readonly number[]> {
  if (items.length < 2) {
    yield items;
    return;
  }
  for (let i = 0; i < items.length; i++) {
    const others = [...items.slice(0, i), ...items.slice(i + 1)];
    for (const rest of permutations(others)) yield [items[i]!, ...rest];
  }
}
