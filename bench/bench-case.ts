/** One thing to measure. A body does a batch: single operations are below what a timer sees. */
export interface BenchCase {
  /** room and question, e.g. "conntrack hit"; the unit is a packet unless `unit` says otherwise */
  readonly name: string;
  readonly unit?: string;
  /** units that one call of the body does */
  readonly batch: number;
  /** makes the body; what it needs is made here, outside the measured time */
  setup(): () => unknown;
}
