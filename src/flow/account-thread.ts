/**
 * Accounting in a thread of its own: while this thread reads and decodes, a worker adds what was decoded to the flow
 * table. The two share the kernel's memory and a ring of batches in it; control words say how far each has come.
 *
 * Nothing here is asynchronous: both sides wait on the control words (Atomics.wait), so that reading a capture stays
 * one plain call. The worker ends by itself.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { type Accounted, readFlows, tableFull } from './flow-account.js';
import type { FlowKernel } from './flow-kernel.js';
import type { KernelMemory } from './kernel-module.js';
import { kernelModule } from './kernel-module.js';
import { PacketIndex, type PacketSegment } from './packet-index.js';
import { SILENT_WORKER } from './silent-worker.js';

/** Control words; counts of batches wrap around. */
export const Control = {
  produced: 0,
  consumed: 1,
  closed: 2,
  finished: 3,
  flows: 4,
  flowsAt: 5,
  words: 6,
} as const;
/** values of {@link Control}.finished */
export const FINISHED_WELL = 1;
export const FINISHED_FULL = 2;

/** What the worker is told at its start. */
export interface AccountStart {
  readonly module: object;
  readonly memory: KernelMemory;
  readonly content: 'flows' | 'packets';
  readonly control: Int32Array;
  /** per place of the ring: records of the batch, and the number of its first record */
  readonly counts: Int32Array;
  readonly firstNumbers: Float64Array;
}

export class AccountThread {
  private readonly control: Int32Array;
  private readonly counts: Int32Array;
  private readonly firstNumbers: Float64Array;
  private readonly places: number;
  private readonly channel = new MessageChannel();

  constructor(
    private readonly kernel: FlowKernel,
    program: URL,
    content: 'flows' | 'packets',
  ) {
    this.places = kernel.kernel.ringBatches();
    this.control = new Int32Array(new SharedArrayBuffer(4 * Control.words));
    this.counts = new Int32Array(new SharedArrayBuffer(4 * this.places));
    this.firstNumbers = new Float64Array(new SharedArrayBuffer(8 * this.places));
    const { control, counts, firstNumbers } = this;
    const start: AccountStart = {
      module: kernelModule(),
      memory: kernel.memory,
      content,
      control,
      counts,
      firstNumbers,
    };
    const { port2 } = this.channel;
    const worker = new Worker(program, {
      workerData: { ...start, port: port2 },
      transferList: [port2],
      ...SILENT_WORKER,
    });
    worker.unref();
    this.channel.port1.unref();
  }

  /** Hands on the batch at the kernel's place and moves the kernel to the next free one. */
  add(count: number, firstNumber: number): void {
    const { control, kernel } = this;
    this.counts[kernel.place] = count;
    this.firstNumbers[kernel.place] = firstNumber;
    const produced = Atomics.add(control, Control.produced, 1) + 1;
    Atomics.notify(control, Control.produced);
    kernel.place = (kernel.place + 1) % this.places;
    for (;;) {
      const consumed = Atomics.load(control, Control.consumed);
      if (((produced - consumed) | 0) < this.places) break;
      this.checkFull();
      Atomics.wait(control, Control.consumed, consumed, 1000);
    }
  }

  /** Waits for the worker to have added everything. */
  finish(): Accounted {
    const { control } = this;
    Atomics.store(control, Control.closed, 1);
    Atomics.notify(control, Control.produced);
    while (Atomics.load(control, Control.finished) === 0) Atomics.wait(control, Control.finished, 0);
    this.checkFull();
    const received = receiveMessageOnPort(this.channel.port1) as { message: PacketSegment[] };
    const packets = new PacketIndex('shared');
    for (const segment of received.message) {
      packets.segments.push(segment);
      packets.count += segment.count;
    }
    const flowsAt = Atomics.load(control, Control.flowsAt) >>> 0;
    return { flows: readFlows(this.kernel.memory, Atomics.load(control, Control.flows), flowsAt), packets };
  }

  private checkFull(): void {
    if (Atomics.load(this.control, Control.finished) !== FINISHED_FULL) return;
    throw tableFull(Atomics.load(this.control, Control.flows));
  }
}

/** The worker's program: beside this file as built, or from a source file in the build. Null: nothing is built. */
export function accountProgram(): URL | null {
  const places = ['./account-worker.js', '../../dist/src/bin/account-worker.js'];
  const programs = places.map((relative) => new URL(relative, import.meta.url));
  return programs.find((program) => existsSync(fileURLToPath(program))) ?? null;
}
