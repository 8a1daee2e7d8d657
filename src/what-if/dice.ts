/** A small seeded generator for searches of our own; what a real system draws comes from state/draw.ts. */

export class Dice {
  constructor(private state: number) {}

  /** 0 .. 1; Weyl sequence through a multiply-xor finaliser (mulberry32) */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t ^= t + Math.imul(t ^ (t >>> 7), 61 | t);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** 0 .. n-1 */
  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  shuffled<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  }
}
