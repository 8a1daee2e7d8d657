/** The forwarding kernel's module, memory and exports: dist/forward-kernel.wasm. The memory is shared so that views stay valid when it grows. */
import { readFileSync } from 'node:fs';
import { FlowfateError } from '../errors.js';
import { kernelPath } from '../flow/kernel-path.js';

const KERNEL = 'forward-kernel.wasm';

export interface ForwardKernel {
  layout(what: number): number;
  recordCount(): number;
  timeS(): number;
  setOffsetNs(ns: number): void;
  setDueS(at: number): void;
  setWords(zero: number, every: number): void;
  nextEpoch(): void;
  currentEpoch(): number;
  /** 0: memory ends */
  reserve(count: number): number;
  forward(count: number): void;
  draft(row: number, back: number): void;
  commit(): number;
  emit(
    count: number,
    pcapng: number,
    classes: number,
    only: number,
    baseNs: bigint,
    baseS: number,
    restNs: number,
  ): number;
}

/** What the kernel asks of its owner; see kernel/forward-kernel.as.ts. */
export interface ForwardImports {
  slow(row: number, record: number, back: number): number;
  advance(row: number): void;
  ended(record: number): void;
  stamp(record: number): number;
}

interface Memory {
  readonly buffer: SharedArrayBuffer;
}
/** The part of WebAssembly used here; TypeScript describes it in its DOM library only. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => Memory;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

const INITIAL_PAGES = 256;
const MAX_PAGES = 65536;
let compiled: object | undefined;

export function instantiateForwardKernel(imports: ForwardImports): { kernel: ForwardKernel; memory: Memory } {
  const wasm = (globalThis as unknown as { readonly WebAssembly?: Wasm }).WebAssembly;
  if (wasm === undefined) {
    throw new FlowfateError('config', 'this JavaScript engine has no WebAssembly, which forwarding needs');
  }
  compiled ??= new wasm.Module(readFileSync(kernelPath(KERNEL)));
  const memory = new wasm.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES, shared: true });
  const abort = (): never => {
    throw new Error('the forwarding kernel stopped at an assertion: this is a bug');
  };
  const instance = new wasm.Instance(compiled, { env: { memory, abort }, 'forward-kernel.as': imports });
  return { kernel: instance.exports as ForwardKernel, memory };
}
