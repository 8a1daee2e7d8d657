/** What network policies said to each connection, as the hops heard it. */
import type { Denial } from '../outcome/outcome.js';
import { type PolicySource, PolicyVerdict } from '../state/policy-gate.js';

export class PolicyRecord {
  readonly denials = new Map<number, Denial>();
  readonly doubts = new Map<number, string>();
  /** by node and entry: the connection that made it */
  private readonly makers = new Map<string, number>();

  note(f: number, verdict: PolicyVerdict, because: string, source: PolicySource): void {
    if (verdict === PolicyVerdict.denied) this.denials.set(f, { policies: because, source });
    else if (verdict === PolicyVerdict.unknown) this.doubts.set(f, because);
  }

  made(f: number, node: number, entry: number): void {
    this.makers.set(`${node} ${entry}`, f);
  }

  /** Another connection of the five-tuple goes on through an entry: what was said to its maker holds for it. */
  passes(f: number, node: number, entry: number): void {
    const maker = this.makers.get(`${node} ${entry}`);
    if (maker === undefined || maker === f) return;
    const denial = this.denials.get(maker);
    if (denial !== undefined) this.denials.set(f, denial);
    const doubt = this.doubts.get(maker);
    if (doubt !== undefined) this.doubts.set(f, doubt);
  }
}
