/**
 * The flow kernel's module, memory and exports: dist/flow-kernel.wasm as the threads of one reading see it.
 *
 * The memory is shared: views stay valid when it grows, and two instances of the module may work on it at once, one
 * that decodes and one that accounts.
 */
import { readFileSync } from 'node:fs';
import { kernelPath } from './kernel-path.js';

export const KERNEL = 'flow-kernel.wasm';

export interface KernelExports {
  batchRows(): number;
  bufferAt(): number;
  bufferBytes(): number;
  columnsAt(): number;
  ringAt(): number;
  ringBatches(): number;
  ringBytes(): number;
  slowAt(): number;
  outAt(): number;
  portsAt(): number;
  flowRecordsAt(): number;
  flowCount(): number;
  decode(count: number, wary: number, place: number): number;
  account(count: number, firstNumber: number, index: number, place: number): number;
}

/** The part of WebAssembly used here; TypeScript describes it in its DOM library only. */
interface Wasm {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (limits: {
    initial: number;
    maximum: number;
    shared: true;
  }) => { readonly buffer: SharedArrayBuffer };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}
const wasm = (globalThis as unknown as { readonly WebAssembly: Wasm }).WebAssembly;

/** WebAssembly.Memory of a reading; may be sent to a worker. */
export type KernelMemory = InstanceType<Wasm['Memory']>;

const INITIAL_PAGES = 128;
const MAX_PAGES = 65536;

export function newKernelMemory(): KernelMemory {
  return new wasm.Memory({ initial: INITIAL_PAGES, maximum: MAX_PAGES, shared: true });
}

/** An instance with state of its own (the flow table belongs to the one that accounts) over the given memory. */
export function instantiateKernel(memory: KernelMemory, module: object = kernelModule()): KernelExports {
  return new wasm.Instance(module, { env: { memory, abort: kernelAbort } }).exports as KernelExports;
}

let compiled: object | undefined;

/** WebAssembly.Module of dist/flow-kernel.wasm. */
export function kernelModule(): object {
  compiled ??= new wasm.Module(readFileSync(kernelPath(KERNEL)));
  return compiled;
}

function kernelAbort(): never {
  throw new Error('the flow kernel stopped at an assertion: this is a bug');
}
