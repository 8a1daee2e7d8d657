/**
 * The load balancer's monitors on the timeline's clock. Each member of a pool with a monitor is asked every
 * `intervalS`: a first success makes it up, `timeoutS` without one makes it down, whatever it was before. A member
 * that is added is asked at once; those of t = 0 are asked in turn, spread over the interval.
 */
import { Availability, type EdgeMember, type EdgeState } from '../state/edge-state.js';

/** What happens when a monitor gives a member up. */
export interface EdgeListener {
  memberDown(member: EdgeMember, atS: number): void;
}

/** Asks the timeline to run something at a moment. */
export type Schedule = (atS: number, run: () => void) => void;

export class EdgeSchedule {
  /** by member: which of its additions is watched */
  private readonly watched = new Map<number, number>();

  constructor(
    private readonly state: EdgeState,
    private readonly listener: EdgeListener,
    private readonly schedule: Schedule,
  ) {
    const watched = state.members.filter((member) => state.pool(member).monitor !== null);
    watched.forEach((member, i) => {
      const { intervalS } = state.pool(member).monitor!;
      this.watched.set(member.row, member.turn);
      this.ask(member, member.turn, (intervalS * i) / watched.length);
    });
  }

  /** A line of the timeline has acted on a member. */
  acted(member: EdgeMember, atS: number): void {
    const isNew = member.present && this.watched.get(member.row) !== member.turn;
    if (!isNew || this.state.pool(member).monitor === null) return;
    this.watched.set(member.row, member.turn);
    this.probe(member, member.turn, atS);
  }

  private ask(member: EdgeMember, turn: number, atS: number): void {
    this.schedule(atS, () => this.probe(member, turn, atS));
  }

  private probe(member: EdgeMember, turn: number, atS: number): void {
    if (!member.present || member.turn !== turn) return;
    const { intervalS, timeoutS } = this.state.pool(member).monitor!;
    if (this.state.answers(member)) {
      member.successS = atS;
      if (member.availability !== Availability.up) this.state.setAvailability(member, Availability.up, atS);
    } else if (member.availability !== Availability.down) {
      const givesUpS = member.successS + timeoutS;
      if (givesUpS <= atS) this.giveUp(member, turn, atS);
      else if (givesUpS <= atS + intervalS)
        this.schedule(givesUpS, () => this.giveUp(member, turn, givesUpS));
    }
    this.ask(member, turn, atS + intervalS);
  }

  /** The timeout has passed; a success in between makes it void. */
  private giveUp(member: EdgeMember, turn: number, atS: number): void {
    const { timeoutS } = this.state.pool(member).monitor!;
    const stale = !member.present || member.turn !== turn || member.availability === Availability.down;
    if (stale || member.successS + timeoutS > atS) return;
    this.state.setAvailability(member, Availability.down, atS);
    this.listener.memberDown(member, atS);
  }
}
