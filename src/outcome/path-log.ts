/** The paths that packets really took: for each flow a list of changes (time, node, pod), as columns. */

export class PathLog {
  count = 0;
  private timeS = new Float64Array(1024);
  private node = new Int32Array(1024);
  private pod = new Int32Array(1024);
  private before = new Int32Array(1024);
  private readonly last: Int32Array;

  constructor(flows: number) {
    this.last = new Int32Array(flows).fill(-1);
  }

  /** Notes a packet of flow `f`; adds a step where node or pod differ from the last one. -1 = none. */
  note(f: number, atS: number, node: number, pod: number): void {
    const last = this.last[f]!;
    if (last >= 0 && this.node[last] === node && (pod < 0 || this.pod[last] === pod)) return;
    if (last >= 0 && this.node[last] === node && this.pod[last]! < 0) {
      this.pod[last] = pod;
      return;
    }
    if (this.count === this.timeS.length) this.grow();
    const row = this.count++;
    this.timeS[row] = atS;
    this.node[row] = node;
    this.pod[row] = pod;
    this.before[row] = last;
    this.last[f] = row;
  }

  /** Node of the last step, or -1. */
  lastNode(f: number): number {
    const last = this.last[f]!;
    return last < 0 ? -1 : this.node[last]!;
  }

  /** Node of the first step, or -1. */
  firstNode(f: number): number {
    let row = this.last[f]!;
    while (row >= 0 && this.before[row]! >= 0) row = this.before[row]!;
    return row < 0 ? -1 : this.node[row]!;
  }

  lastPod(f: number): number {
    const last = this.last[f]!;
    return last < 0 ? -1 : this.pod[last]!;
  }

  /** Steps of a flow in order of time. */
  steps(f: number): { atS: number; node: number; pod: number }[] {
    const out: { atS: number; node: number; pod: number }[] = [];
    for (let row = this.last[f]!; row >= 0; row = this.before[row]!) {
      out.push({ atS: this.timeS[row]!, node: this.node[row]!, pod: this.pod[row]! });
    }
    return out.reverse();
  }

  private grow(): void {
    const capacity = this.timeS.length * 2;
    const timeS = new Float64Array(capacity);
    timeS.set(this.timeS);
    this.timeS = timeS;
    const wider = (column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const next = new Int32Array(capacity);
      next.set(column);
      return next;
    };
    this.node = wider(this.node);
    this.pod = wider(this.pod);
    this.before = wider(this.before);
  }
}
