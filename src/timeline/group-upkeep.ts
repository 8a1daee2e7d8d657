/** Next-hop groups that change by themselves (resilient ones move idle buckets): when the next does, and doing it. */
import type { Route, RouterState } from '../state/router-state.js';

export class GroupUpkeep {
  /** when the next group is due; Infinity = none is */
  dueS = Number.POSITIVE_INFINITY;

  constructor(private readonly router: RouterState) {}

  /** A group was changed, or had packets: its deadline may have moved. */
  note(): void {
    this.dueS = Number.POSITIVE_INFINITY;
    for (const { group } of this.router.routes) {
      if (group !== null && group.deadlineS < this.dueS) this.dueS = group.deadlineS;
    }
  }

  /** Does what is due by `nowS`; returns the routes whose flows may go elsewhere now. */
  run(nowS: number): Route[] {
    return this.router.routes.filter(({ group }) => {
      return group !== null && group.deadlineS <= nowS && group.advance(nowS);
    });
  }
}
