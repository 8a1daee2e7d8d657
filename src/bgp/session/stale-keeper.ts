/**
 * Performs what stale-routes.ts decides for one peer: its timers run on the clock it was given, so that a live session
 * and one that is read from a capture or a dump keep and drop the same routes at the same moments.
 */
import type { FamilyKey } from '../codec/address-family.js';
import { FRESH, type StaleAction, type StaleEvent, type StaleState, stepStale } from './stale-routes.js';
import type { Clock } from './wire.js';

/** What is done to the tables. */
export interface StaleTables {
  sweep(families: readonly FamilyKey[]): void;
  keepLongLived(families: readonly FamilyKey[]): void;
  /** a timer has run out, and what followed from it is done */
  timerRanOut(): void;
}

export class StaleKeeper {
  private state: StaleState = FRESH;
  private cancelRestart: (() => void) | null = null;
  private cancelStale: (() => void) | null = null;
  private readonly cancelLongLived = new Map<FamilyKey, () => void>();

  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly tables: StaleTables,
  ) {}

  get families(): readonly FamilyKey[] {
    return this.state.name === 'fresh' ? [] : this.state.families.map(({ family }) => family);
  }

  get isFresh(): boolean {
    return this.state.name === 'fresh';
  }

  /** The peer is gone and routes of it wait for its return. */
  get isAway(): boolean {
    return this.state.name === 'away';
  }

  step(event: StaleEvent): void {
    const { state, actions } = stepStale(this.state, event);
    this.state = state;
    for (const action of actions) this.perform(action);
  }

  /**
   * The session is lost. What was stale already goes before `goDown` makes the rest stale (RFC 4724 section 4.2, two
   * restarts in a row).
   */
  lost(event: Extract<StaleEvent, { kind: 'lost' }>, goDown: () => void): void {
    const { state, actions } = stepStale(this.state, event);
    this.state = state;
    const isSweep = (action: StaleAction): boolean => action.do === 'sweep';
    for (const action of actions.filter(isSweep)) this.perform(action);
    goDown();
    for (const action of actions) if (!isSweep(action)) this.perform(action);
  }

  private perform(action: StaleAction): void {
    switch (action.do) {
      case 'sweep':
        this.tables.sweep(action.families);
        break;
      case 'keepLongLived':
        this.tables.keepLongLived(action.families);
        break;
      case 'startRestartTimer':
        this.cancelRestart?.();
        this.cancelRestart = this.after(action.seconds, { kind: 'restartTimerExpired' });
        break;
      case 'stopRestartTimer':
        this.cancelRestart?.();
        break;
      case 'startLongLivedTimer': {
        const { family, seconds } = action;
        this.cancelLongLived.get(family)?.();
        this.cancelLongLived.set(family, this.after(seconds, { kind: 'longLivedTimerExpired', family }));
        break;
      }
      case 'stopLongLivedTimer':
        this.cancelLongLived.get(action.family)?.();
        break;
      case 'startStaleTimer':
        this.cancelStale?.();
        this.cancelStale = this.after(action.seconds, { kind: 'staleTimerExpired' });
        break;
      case 'stopStaleTimer':
        this.cancelStale?.();
        break;
      default:
        action satisfies never;
    }
  }

  private after(seconds: number, event: StaleEvent): () => void {
    return this.clock.after(seconds * 1000, () => {
      this.step(event);
      this.tables.timerRanOut();
    });
  }
}
