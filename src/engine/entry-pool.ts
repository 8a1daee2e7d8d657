/**
 * Conntrack entries of the fast engine, as columns: row `e` is what one node's table holds for one flow.
 *
 * Entries of one five-tuple (one a node at most that is alive) form a list from `head[tuple]`; `flow` is the
 * connection that made the entry. Rows are never reused, so
 * that a verdict can say at the end what an entry of long ago translated. A dead row has state {@link DEAD}.
 */

export const DEAD = 255;
/** state of UDP and other entries without TCP states */
export const STATELESS = 254;

export const ENTRY_REPLIED = 1;
export const ENTRY_ASSURED = 2;
/** the source is masqueraded */
export const ENTRY_SNAT = 4;
/** the client has said FIN or RST */
export const ENTRY_ENDED = 8;
/** picked up in mid-stream: windows are not kept (see stale-segment.ts) */
export const ENTRY_LOOSE = 16;
/**
 * The endpoint's RST closed it before any FIN. A SYN does not open it anew then, with a new draw: it passes through, to
 * the same endpoint by the same port (Linux 6.18: 20 of 20; after the client's own RST, or a FIN, it does).
 */
export const ENTRY_RESET = 32;
/** a network policy on the pod's node drops what comes through it */
export const ENTRY_DENIED = 64;
/** the table of the pod's node, another one, has an entry for it too; kept where a table can be full */
export const ENTRY_HOSTED = 128;

/** a row that is no entry: where the fast engine keeps the time of flows that need none */
export const NO_ENTRY = 0;

export class EntryPool {
  count = 1;
  flow: Int32Array;
  node: Int32Array;
  boot: Int32Array;
  pod: Int32Array;
  state: Uint8Array;
  marks: Uint8Array;
  /** which draw of the flow chose endpoint and port */
  ordinal: Int32Array;
  /** see NodeRules.departuresOf */
  departures: Int32Array;
  /** source port after masquerade */
  port: Int32Array;
  createdS: Float64Array;
  /** last packet that refreshed the entry */
  lastS: Float64Array;
  next: Int32Array;
  readonly head: Int32Array;

  constructor(tuples: number) {
    this.head = new Int32Array(tuples).fill(-1);
    const capacity = 1024;
    this.flow = new Int32Array(capacity);
    this.node = new Int32Array(capacity);
    this.boot = new Int32Array(capacity);
    this.pod = new Int32Array(capacity);
    this.state = new Uint8Array(capacity);
    this.marks = new Uint8Array(capacity);
    this.ordinal = new Int32Array(capacity);
    this.departures = new Int32Array(capacity);
    this.port = new Int32Array(capacity);
    this.createdS = new Float64Array(capacity);
    this.lastS = new Float64Array(capacity);
    this.next = new Int32Array(capacity);
    this.flow[NO_ENTRY] = -1;
    this.node[NO_ENTRY] = -1;
    this.state[NO_ENTRY] = DEAD;
  }

  /** A fresh row at the head of the tuple's list; state and marks are the caller's to set. */
  add(
    flow: number,
    tuple: number,
    node: number,
    boot: number,
    pod: number,
    ordinal: number,
    nowS: number,
  ): number {
    if (this.count === this.flow.length) this.grow();
    const e = this.count++;
    this.flow[e] = flow;
    this.node[e] = node;
    this.boot[e] = boot;
    this.pod[e] = pod;
    this.ordinal[e] = ordinal;
    this.createdS[e] = nowS;
    this.lastS[e] = nowS;
    this.next[e] = this.head[tuple]!;
    this.head[tuple] = e;
    return e;
  }

  /** The tuple's living entry on a node, or -1. */
  find(tuple: number, node: number): number {
    for (let e = this.head[tuple]!; e >= 0; e = this.next[e]!) {
      if (this.node[e] === node && this.state[e] !== DEAD) return e;
    }
    return -1;
  }

  /** The same where the packet's destination is a pod: an entry towards another pod is another tuple. */
  findTo(tuple: number, node: number, pod: number): number {
    for (let e = this.head[tuple]!; e >= 0; e = this.next[e]!) {
      if (this.node[e] === node && this.pod[e] === pod && this.state[e] !== DEAD) return e;
    }
    return -1;
  }

  private grow(): void {
    const capacity = this.flow.length * 2;
    const wider = (column: Int32Array): Int32Array => {
      const next = new Int32Array(capacity);
      next.set(column);
      return next;
    };
    this.flow = wider(this.flow);
    this.node = wider(this.node);
    this.boot = wider(this.boot);
    this.pod = wider(this.pod);
    this.ordinal = wider(this.ordinal);
    this.departures = wider(this.departures);
    this.port = wider(this.port);
    this.next = wider(this.next);
    const state = new Uint8Array(capacity);
    state.set(this.state);
    this.state = state;
    const marks = new Uint8Array(capacity);
    marks.set(this.marks);
    this.marks = marks;
    const createdS = new Float64Array(capacity);
    createdS.set(this.createdS);
    this.createdS = createdS;
    const lastS = new Float64Array(capacity);
    lastS.set(this.lastS);
    this.lastS = lastS;
  }
}
