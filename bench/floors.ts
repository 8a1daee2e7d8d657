/**
 * Where the floor is on this machine: what the packets of a capture cost if nothing were done with them. Reading with
 * read(2), moving memory, and one cache miss.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { CaptureSize } from './made-capture.js';
import { madeCapture } from './made-capture.js';

export interface Floor {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

const RUNS = 5;
const READ_BYTES = 1 << 20;
const COPIED_BYTES = 64 << 20;
/** larger than a cache of the last level that one core gets */
const WALKED_ROWS = 1 << 24;
const WALKED_STEPS = 1 << 20;

/** CPU time, so that what else the machine does counts little. */
function leastS(body: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const start = process.cpuUsage();
    body();
    const { user, system } = process.cpuUsage(start);
    least = Math.min(least, (user + system) / 1e6);
  }
  return least;
}

export function measureFloors(size: CaptureSize): readonly Floor[] {
  const { path, packets, bytes } = madeCapture(size);
  const buffer = new Uint8Array(READ_BYTES);
  const readS = leastS(() => {
    const descriptor = openSync(path, 'r');
    while (readSync(descriptor, buffer, 0, READ_BYTES, null) > 0);
    closeSync(descriptor);
  });
  const [from, to] = [new Uint8Array(COPIED_BYTES).fill(1), new Uint8Array(COPIED_BYTES)];
  const copyS = leastS(() => to.set(from));
  const missNs = (leastS(walkOf(WALKED_ROWS)) * 1e9) / WALKED_STEPS;
  return [
    { name: 'read(2) from the page cache', value: bytes / readS / 1e9, unit: 'GB/s' },
    { name: 'read(2), a packet of this capture', value: (readS * 1e9) / packets, unit: 'ns' },
    { name: 'copying memory', value: COPIED_BYTES / copyS / 1e9, unit: 'GB/s' },
    { name: 'one access to memory that no cache holds', value: missNs, unit: 'ns' },
  ];
}

/** Follows a cycle through all rows in an order that nothing can foresee. */
function walkOf(rows: number): () => void {
  const next = new Uint32Array(rows);
  // a full-period linear congruential sequence: multiplier 1 modulo 4, odd increment
  for (let row = 0; row < rows; row++) next[row] = (Math.imul(row, 0x19660d) + 0x3c6ef35f) & (rows - 1);
  let at = 0;
  return () => {
    for (let step = 0; step < WALKED_STEPS; step++) at = next[at]!;
    if (at < 0) throw new Error('unreachable: keeps the walk from being optimised away');
  };
}

export function printFloors(floors: readonly Floor[]): void {
  for (const { name, value, unit } of floors) {
    console.log(`${name.padEnd(44)}${value.toFixed(1).padStart(10)} ${unit}`);
  }
}
