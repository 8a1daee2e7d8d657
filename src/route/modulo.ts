/** Plain modulo: hash % N over the next hops in order, each as often as its weight says. Almost everything moves at a change. */
import type { WeightedNextHop } from './next-hop-group.js';
import { TableGroup } from './table-group.js';

export class ModuloGroup extends TableGroup {
  readonly select = 'modulo';

  constructor(nextHops: readonly WeightedNextHop[]) {
    super();
    this.replace(nextHops);
  }

  protected build(nextHops: readonly WeightedNextHop[]): Int32Array<ArrayBuffer> {
    return Int32Array.from(nextHops.flatMap(({ id, weight }) => new Array<number>(weight).fill(id)));
  }
}
