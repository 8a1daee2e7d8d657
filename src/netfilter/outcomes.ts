/**
 * All that can become of a packet, with probabilities. The walk is run once for every way that draws can fall: each run
 * follows a script of answers as far as it goes, takes the first answer beyond, and the script's last answer that has
 * another is changed for the next run.
 *
 * Counters of rules (`statistic --mode nth`, `numgen inc`) make a packet's fate depend on the packets before it. They are
 * played as a stream of such packets: from all counters at their start, each state leads to others, and an outcome's
 * probability is its share in the long run.
 *
 * Where nobody can answer, both answers are followed. What comes out either way is certain; the rest is `unknown`.
 */
import type { Decisions } from './decisions.js';
import { longRunShares } from './long-run.js';

export interface Leaf<Result> {
  readonly key: string;
  readonly result: Result;
}

interface Share<Result> {
  readonly probability: number;
  readonly result: Result;
}

export interface Distribution<Result> {
  readonly shares: readonly Share<Result>[];
  /** probability of what nobody can say, and why */
  readonly unknown: number;
  readonly why: readonly string[];
  /** some answer came from a counter or a draw */
  readonly drawn: boolean;
  /** more ways than were followed */
  readonly truncated: boolean;
}

type Asked =
  | { readonly kind: 'draw'; readonly probabilities: readonly number[] }
  | { readonly kind: 'unknown'; readonly why: string };

interface Path<Result> {
  readonly asked: readonly Asked[];
  readonly answers: readonly number[];
  readonly leaf: Leaf<Result>;
  /** counters behind it */
  readonly next: readonly number[];
}

/** More ways than this are not followed: the rest is unknown. */
const MOST_PATHS = 20_000;
/** More states of counters than this: each counter is then taken to stand anywhere, independently. */
const MOST_STATES = 200;

export function distribution<Result>(walk: (decisions: Decisions) => Leaf<Result>): Distribution<Result> {
  const counters = new Counters();
  const first = explore(walk, counters, []);
  if (!counters.any) return finished(mixed(first.paths, 0), first, false);
  const states = new Map<string, number>([[counters.keyOf([]), 0]]);
  const explored = [first];
  const steps: [from: number, to: number, probability: number][] = [];
  for (let at = 0; at < explored.length; at++) {
    for (const path of explored[at]!.paths) {
      const key = counters.keyOf(path.next);
      let to = states.get(key);
      if (to === undefined) {
        if (states.size >= MOST_STATES) {
          counters.independent = true;
          const all = explore(walk, counters, []);
          return finished(mixed(all.paths, 0), all, true);
        }
        to = states.size;
        states.set(key, to);
        explored.push(explore(walk, counters, path.next));
      }
      steps.push([at, to, probabilityOf(path)]);
    }
  }
  const shares = longRunShares(states.size, steps);
  const sum = new Mixture<Result>();
  explored.forEach(({ paths }, at) => {
    if (shares[at]! > 0) sum.add(mixed(paths, 0), shares[at]!);
  });
  return finished(sum, explored.find(({ truncated }) => truncated) ?? first, true);
}

interface Explored<Result> {
  readonly paths: readonly Path<Result>[];
  readonly truncated: boolean;
}

/** Every way from this state of the counters. */
function explore<Result>(
  walk: (decisions: Decisions) => Leaf<Result>,
  counters: Counters,
  state: readonly number[],
): Explored<Result> {
  const paths: Path<Result>[] = [];
  let script: number[] = [];
  for (;;) {
    const run = new Run(counters, state, script);
    const leaf = walk(run);
    paths.push({ asked: run.asked, answers: run.answers, leaf, next: run.state });
    let at = run.asked.length - 1;
    while (at >= 0 && run.answers[at]! + 1 >= optionsOf(run.asked[at]!)) at--;
    if (at < 0) return { paths, truncated: false };
    if (paths.length >= MOST_PATHS) return { paths, truncated: true };
    script = [...run.answers.slice(0, at), run.answers[at]! + 1];
  }
}

function optionsOf(asked: Asked): number {
  return asked.kind === 'unknown' ? 2 : asked.probabilities.length;
}

function probabilityOf<Result>({ asked, answers }: Path<Result>): number {
  return asked.reduce(
    (so, each, at) => so * (each.kind === 'draw' ? each.probabilities[answers[at]!]! : 0.5),
    1,
  );
}

/** Answers from a script, and the first of each beyond it. */
class Run implements Decisions {
  readonly asked: Asked[] = [];
  readonly answers: number[] = [];
  readonly state: number[];

  constructor(
    private readonly counters: Counters,
    state: readonly number[],
    private readonly script: readonly number[],
  ) {
    this.state = [...state];
  }

  draw(probabilities: readonly number[]): number {
    return this.answer({ kind: 'draw', probabilities });
  }

  unknown(why: string): boolean {
    // asked again in the same walk, it is still the same
    const before = this.asked.findIndex((each) => each.kind === 'unknown' && each.why === why);
    return (before >= 0 ? this.answers[before]! : this.answer({ kind: 'unknown', why })) === 1;
  }

  counted(counter: object, modulus: number, first: number): number {
    if (modulus <= 1) return 0;
    if (this.counters.independent) return this.draw(new Array(modulus).fill(1 / modulus));
    const at = this.counters.placeOf(counter);
    const value = this.state[at] ?? first;
    for (let each = this.state.length; each < at; each++) this.state[each] = 0;
    this.state[at] = (value + 1) % modulus;
    return value;
  }

  private answer(asked: Asked): number {
    const answer = this.script[this.asked.length] ?? 0;
    this.asked.push(asked);
    this.answers.push(answer);
    return answer;
  }
}

/** Counters by the order in which walks met them. */
class Counters {
  independent = false;
  private readonly places = new Map<object, number>();

  get any(): boolean {
    return this.places.size > 0;
  }

  placeOf(counter: object): number {
    let place = this.places.get(counter);
    if (place === undefined) {
      place = this.places.size;
      this.places.set(counter, place);
    }
    return place;
  }

  /** Counters never met stand at their start. */
  keyOf(state: readonly number[]): string {
    const values = [...state];
    while (values.length > 0 && !values.at(-1)) values.pop();
    return values.map((value) => value ?? 0).join(' ');
  }
}

/** Outcomes with probabilities, and the mass that is unknown. */
class Mixture<Result> {
  readonly by = new Map<string, { result: Result; probability: number }>();
  unknown = 0;
  readonly why = new Set<string>();

  add(other: Mixture<Result>, weight: number): void {
    for (const [key, { result, probability }] of other.by) this.addOne(key, result, probability * weight);
    this.unknown += other.unknown * weight;
    for (const each of other.why) this.why.add(each);
  }

  addOne(key: string, result: Result, probability: number): void {
    const own = this.by.get(key);
    if (own === undefined) this.by.set(key, { result, probability });
    else own.probability += probability;
  }
}

function mixed<Result>(paths: readonly Path<Result>[], depth: number): Mixture<Result> {
  const out = new Mixture<Result>();
  const asked = paths[0]!.asked[depth];
  if (asked === undefined) {
    const { key, result } = paths[0]!.leaf;
    out.addOne(key, result, 1);
    return out;
  }
  const groups = new Map<number, Path<Result>[]>();
  for (const path of paths) {
    const answer = path.answers[depth]!;
    const group = groups.get(answer);
    if (group === undefined) groups.set(answer, [path]);
    else group.push(path);
  }
  if (asked.kind === 'draw') {
    let sum = 0;
    for (const [answer, group] of groups) {
      const weight = asked.probabilities[answer]!;
      sum += weight;
      out.add(mixed(group, depth + 1), weight);
    }
    // ways that were not followed
    if (groups.size < asked.probabilities.length) out.unknown += Math.max(0, 1 - sum);
    return out;
  }
  const both = [...groups.values()].map((group) => mixed(group, depth + 1));
  const [one, other] = both;
  if (one === undefined || other === undefined) {
    out.unknown = 1;
    out.why.add(asked.why);
    return out;
  }
  // certain is what comes out whichever way the answer falls
  let certain = 0;
  for (const [key, { result, probability }] of one.by) {
    const shared = Math.min(probability, other.by.get(key)?.probability ?? 0);
    if (shared > 0) out.addOne(key, result, shared);
    certain += shared;
  }
  out.unknown = Math.max(0, 1 - certain);
  for (const each of [...one.why, ...other.why]) out.why.add(each);
  if (out.unknown > 1e-12) out.why.add(asked.why);
  return out;
}

function finished<Result>(
  mixture: Mixture<Result>,
  { truncated, paths }: Explored<Result>,
  counted: boolean,
): Distribution<Result> {
  const shares = [...mixture.by.values()]
    .filter(({ probability }) => probability > 1e-12)
    .map(({ result, probability }) => ({ result, probability }))
    .sort((a, b) => b.probability - a.probability);
  const unknown = mixture.unknown > 1e-9 ? mixture.unknown : 0;
  return {
    shares,
    unknown,
    why: unknown > 0 ? [...mixture.why] : [],
    drawn: counted || paths.length > 1,
    truncated,
  };
}
