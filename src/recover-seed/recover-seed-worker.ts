/** A thread of the seed search: takes ranges of seeds one at a time, sends back what it found. See recover-seed.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { type SeedImage, SeedKernel } from './recover-seed-kernel.js';

const kernel = new SeedKernel(workerData as SeedImage);
parentPort?.on('message', ({ first, seeds }: { first: number; seeds: number }) =>
  parentPort?.postMessage(kernel.search(first, seeds)),
);
