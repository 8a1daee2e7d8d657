/** What a live engine counts per event: it goes to the event's record at once. */

import { EventCounts } from '../../outcome/event-counts.js';
import type { ClusterState } from '../../state/cluster-state.js';
import type { EventBook } from '../event-book.js';
import type { LiveWorld } from './live-world.js';

export class LiveCounts extends EventCounts {
  constructor(
    { model, cluster }: LiveWorld & { readonly cluster: ClusterState },
    private readonly book: EventBook,
  ) {
    super(model, 0, cluster);
  }

  override active(event: number, flows: number): void {
    this.book.set(event, 'flowsActive', flows);
  }

  override moved(event: number): void {
    this.book.increment(event, 'flowsMoved');
  }

  override dropped(event: number): void {
    this.book.increment(event, 'dropped');
  }

  /** Load is counted by flows of the moment, not by bytes of the past. */
  override load(): void {}
}
