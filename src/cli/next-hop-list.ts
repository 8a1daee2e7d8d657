/** Next hops on the command line: `a,b,c*2`, names of the user's choice with weights. */
import { FlowfateError } from '../errors.js';
import type { WeightedNextHop } from '../route/next-hop-group.js';

export interface NamedNextHops {
  /** the name of next hop `id` */
  readonly names: readonly string[];
  /** in the order given; `id` is the place in the list */
  readonly nextHops: readonly WeightedNextHop[];
}

/** Linux keeps a next hop's weight in 8 bits on the wire, less one: 1 to 256. */
const MAX_WEIGHT = 256;

export function parseNextHops(text: string): NamedNextHops {
  const names: string[] = [];
  const nextHops: WeightedNextHop[] = [];
  for (const part of text.split(',')) {
    const [, name = '', weightText] = /^\s*([^*\s]+)\s*(?:\*\s*(\d+))?\s*$/.exec(part) ?? [];
    const weight = weightText === undefined ? 1 : Number(weightText);
    if (name === '') {
      throw new FlowfateError(
        'usage',
        `--next-hops: "${part}" is no next hop; write names with commas between, like a,b,c*2`,
      );
    }
    if (weight < 1 || weight > MAX_WEIGHT) {
      throw new FlowfateError(
        'usage',
        `--next-hops: the weight of ${name} must be 1 to ${MAX_WEIGHT}, not ${weightText}`,
      );
    }
    if (names.includes(name))
      throw new FlowfateError('usage', `--next-hops: ${name} is named twice; give it a weight`);
    nextHops.push({ id: names.push(name) - 1, weight });
  }
  return { names, nextHops };
}
