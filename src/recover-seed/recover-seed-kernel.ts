/**
 * The seed kernel from outside: lays observations into the memory of dist/seed-kernel.wasm (recover-seed.as.ts
 * describes the layout) and searches ranges of seeds.
 */
import { readFileSync } from 'node:fs';
import { FlowfateError } from '../errors.js';
import { kernelPath } from '../flow/kernel-path.js';

const KERNEL = 'seed-kernel.wasm';

/** What an observation says about the hash, ready for the kernel. */
export interface SeedConstraint {
  /** key block as little-endian words: 12 or 18 (hash/linux-flow-keys.ts) */
  readonly key: Int32Array;
  /** policy 3 mixes once more */
  readonly mixes: boolean;
  readonly accepts:
    | { readonly kind: 'interval'; readonly low: number; readonly high: number }
    | { readonly kind: 'table'; readonly table: Int32Array; readonly chosen: number };
}

/** The kernel's memory from its records on; can be sent to a thread. */
export interface SeedImage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly records: number;
}

export interface SeedsFound {
  readonly count: number;
  /** the first of them, unsigned */
  readonly seeds: readonly number[];
}

const RECORDS_AT = 32768;
const RECORD_BYTES = 128;
const WORDS_AT = 32;
/** the words whose state is computed once a seed */
const PREFIX_WORDS = 6;

/** The part of WebAssembly used here; TypeScript describes it in its DOM library only. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}
const wasm = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  foundAt(): number;
  foundMax(): number;
  recordsAt(): number;
  search(first: number, seeds: number, records: number): number;
}

/** Records in the order in which they are tried, then the tables they name, each once. */
export function seedImage(constraints: readonly SeedConstraint[]): SeedImage {
  const tables = new Map<Int32Array, number>();
  let end = RECORD_BYTES * constraints.length;
  for (const { accepts } of constraints) {
    if (accepts.kind !== 'table' || tables.has(accepts.table)) continue;
    tables.set(accepts.table, end);
    end += 4 * accepts.table.length;
  }
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  constraints.forEach((constraint, row) => {
    writeRecord(view, row, constraint, constraints[0]!, tables);
  });
  for (const [table, at] of tables) table.forEach((id, i) => void view.setInt32(at + 4 * i, id, true));
  return { bytes, records: constraints.length };
}

function writeRecord(
  view: DataView,
  row: number,
  { key, mixes, accepts }: SeedConstraint,
  first: SeedConstraint,
  tables: ReadonlyMap<Int32Array, number>,
): void {
  const at = row * RECORD_BYTES;
  const keyBytes = 4 * key.length;
  const sharesPrefix = key.subarray(0, PREFIX_WORDS).every((word, i) => word === first.key[i]);
  // the length block, then the two zero words of the finalisation
  view.setUint32(at, WORDS_AT + keyBytes + 24, true);
  view.setUint32(at + 4, WORDS_AT + keyBytes + 8, true);
  view.setUint32(at + 8, sharesPrefix ? 1 : 0, true);
  view.setUint32(at + 12, mixes ? 1 : 0, true);
  if (accepts.kind === 'interval') {
    view.setUint32(at + 20, accepts.low, true);
    view.setUint32(at + 24, accepts.high - accepts.low, true);
  } else {
    view.setUint32(at + 16, 1, true);
    view.setUint32(at + 20, RECORDS_AT + tables.get(accepts.table)!, true);
    view.setUint32(at + 24, accepts.table.length, true);
    view.setInt32(at + 28, accepts.chosen, true);
  }
  key.forEach((word, i) => void view.setInt32(at + WORDS_AT + 4 * i, word, true));
  view.setUint8(at + WORDS_AT + keyBytes + 7, keyBytes);
}

export class SeedKernel {
  private readonly kernel: KernelExports;

  constructor(private readonly image: SeedImage) {
    const module = new wasm.Module(readFileSync(kernelPath(KERNEL)));
    this.kernel = new wasm.Instance(module, { env: {} }).exports as KernelExports;
    const { memory } = this.kernel;
    if (this.kernel.recordsAt() !== RECORDS_AT) {
      throw new FlowfateError(
        'input',
        `${kernelPath(KERNEL)} is of another version: run "npm run build" once`,
      );
    }
    const missing = RECORDS_AT + image.bytes.length - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    new Uint8Array(memory.buffer).set(image.bytes, RECORDS_AT);
  }

  /** The seeds of [first, first + seeds) that fit every record. Blocks until done. */
  search(first: number, seeds: number): SeedsFound {
    const count = this.kernel.search(first, seeds, this.image.records) >>> 0;
    const kept = Math.min(count, this.kernel.foundMax());
    return { count, seeds: [...new Uint32Array(this.kernel.memory.buffer, this.kernel.foundAt(), kept)] };
  }
}
