/** Typed views over the forwarding kernel's memory (kernel/forward-kernel.as.ts describes it). */
import type { RecordBatch } from '../capture/record-batch.js';
import { IGNORE, INVALID, nextTcpState, segmentOf, TCP_STATES } from '../conntrack/tcp-states.js';
import { tcpTimeouts } from '../conntrack/timeouts.js';
import type { ConntrackLimits } from '../oracle/conntrack-table.js';
import { type ForwardImports, type ForwardKernel, instantiateForwardKernel } from './kernel-module.js';

const RECORD_BYTES = 128;
const ROW_WORDS = 8;
const ROW_VERDICT = 4;
const TEXT_ROOM = 256 * 1024;
const COUNT_BYTES = 16;

/** fields of a connection's record; offsets in octets */
export const Field = {
  last: 0,
  state: 22,
  flags: 23,
  epoch: 24,
  hop: 28,
  newSrc: 32,
  newDst: 36,
  newPorts: 40,
  ipDelta: 44,
  l4Delta: 46,
  acked: 48,
  created: 56,
  newSrc6: 88,
  newDst6: 104,
  label: 120,
  end: 124,
} as const;

export const Flag = { replied: 1, assured: 2, live: 4, ended: 8, routed: 16, stamped: 32 } as const;

export class KernelMemory {
  readonly kernel: ForwardKernel;
  readonly batch: RecordBatch;
  /** over all of the memory, as it is now */
  view: DataView;
  /** what `emit` wrote lies here */
  readonly outAt: number;
  private readonly memory: { readonly buffer: SharedArrayBuffer };
  private readonly rows: Uint32Array;
  private readonly counts: Float64Array;
  private readonly notes: Uint32Array;
  private readonly texts: number;
  private readonly countHops: number;
  private readonly words: Uint32Array;
  private wordCount = 0;
  private everyWord = false;
  private zeroWord = false;
  private noteCount = 1;
  private textEnd = 0;

  constructor(imports: ForwardImports, conntrack: ConntrackLimits) {
    const { kernel, memory } = instantiateForwardKernel(imports);
    this.kernel = kernel;
    this.memory = memory;
    const { buffer } = memory;
    const at = (what: number): number => kernel.layout(what) >>> 0;
    const n = at(0);
    const bytes = new Uint8Array(buffer, at(1), at(2));
    this.view = new DataView(buffer);
    this.batch = {
      count: 0,
      bytes,
      view: new DataView(buffer, bytes.byteOffset, bytes.byteLength),
      at: new Uint32Array(buffer, at(3), n),
      capLen: new Uint32Array(buffer, at(3) + 4 * n, n),
      wireLen: new Uint32Array(buffer, at(3) + 8 * n, n),
      iface: new Uint32Array(buffer, at(3) + 12 * n, n),
      timeNs: new Float64Array(buffer, at(3) + 16 * n, n),
      linkType: new Uint16Array(buffer, at(3) + 24 * n, n),
    };
    this.rows = new Uint32Array(buffer, at(4), n * ROW_WORDS);
    this.words = new Uint32Array(buffer, at(5), at(6));
    this.notes = new Uint32Array(buffer, at(10), 2 * 1024);
    this.texts = at(11);
    this.countHops = at(13);
    this.counts = new Float64Array(buffer, at(12), (this.countHops * 4 * COUNT_BYTES) / 8);
    this.outAt = at(14);
    this.fillTables(at(7), at(8), at(9), conntrack);
  }

  /** The transition table and the timeouts, as the specification has them. */
  private fillTables(
    steps: number,
    segments: number,
    timeouts: number,
    { timeouts: t }: ConntrackLimits,
  ): void {
    const { buffer } = this.memory;
    const table = new Uint8Array(buffer, steps, 120);
    for (const direction of [0, 1] as const) {
      for (const segment of [0, 1, 2, 3, 4, 5] as const) {
        for (let state = 0; state < TCP_STATES; state++) {
          const next = nextTcpState(direction, segment, state as never);
          if (next > INVALID || IGNORE + 1 !== INVALID) throw new Error('the kernel knows other codes');
          table[(direction * 6 + segment) * TCP_STATES + state] = next;
        }
      }
    }
    const byFlags = new Uint8Array(buffer, segments, 64);
    for (let flags = 0; flags < 64; flags++) byFlags[flags] = segmentOf(flags) & 0xff;
    const seconds = new Float64Array(buffer, timeouts, 16);
    seconds.set(tcpTimeouts(t));
    seconds.set([t.unacknowledged, t.udp, t.udpStream], TCP_STATES);
  }

  /** Makes room for a batch's new connections. False where memory ends. */
  reserve(): boolean {
    if (this.kernel.reserve(this.batch.count) === 0) return false;
    const { buffer } = this.memory;
    if (buffer.byteLength !== this.view.byteLength) this.view = new DataView(buffer);
    return true;
  }

  /** Where a record begins in {@link view}. */
  recordAt(record: number): number {
    return (this.kernel.layout(15) >>> 0) + record * RECORD_BYTES;
  }

  /** Offsets of the packet of a row that the kernel parsed: headers, end of what was captured, family and protocol. */
  rowHeaders(row: number): { l3: number; l4: number; end: number; family: number; proto: number } {
    const at = row * ROW_WORDS;
    const kind = this.rows[at + 3]!;
    const { batch } = this;
    return {
      l3: this.rows[at]!,
      l4: this.rows[at + 1]!,
      end: batch.bytes.byteOffset + batch.at[row]! + batch.capLen[row]!,
      family: kind >>> 8,
      proto: kind & 0xff,
    };
  }

  verdictOf(row: number): number {
    return this.rows[row * ROW_WORDS + ROW_VERDICT]!;
  }

  count(kind: number, hop: number): { packets: number; bytes: number } {
    const at = (kind * this.countHops + hop) * 2;
    return { packets: this.counts[at]!, bytes: this.counts[at + 1]! };
  }

  /** The last word of an address that packets are looked at for; further ones than fit make the kernel look at all. */
  addWord(word: number): void {
    if (word === 0) this.zeroWord = true;
    else if (this.wordCount * 2 >= this.words.length) this.everyWord = true;
    else this.insertWord(word);
    this.kernel.setWords(Number(this.zeroWord), Number(this.everyWord));
  }

  private insertWord(word: number): void {
    let slot = Math.imul(word, 0x9e3779b1) >>> 16;
    while (this.words[slot] !== 0) {
      if (this.words[slot] === word) return;
      slot = (slot + 1) & (this.words.length - 1);
    }
    this.words[slot] = word;
    this.wordCount++;
  }

  /** Keeps an encoded list of options; returns its number, or 0 where no room is left: then without a comment. */
  addNote(options: Uint8Array): number {
    if (this.noteCount === 1024 || this.textEnd + options.length > TEXT_ROOM) return 0;
    const at = this.texts + this.textEnd;
    new Uint8Array(this.memory.buffer, at, options.length).set(options);
    this.textEnd += options.length;
    this.notes[2 * this.noteCount] = at;
    this.notes[2 * this.noteCount + 1] = options.length;
    return this.noteCount++;
  }

  /** What `emit` wrote. */
  out(bytes: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, this.outAt, bytes);
  }
}
