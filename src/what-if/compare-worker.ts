/** A thread of the survival matrix: takes jobs one at a time, sends back figures. See compare.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Job, jobRunner, type WorkerStart } from './compare.js';

const run = jobRunner(workerData as WorkerStart);
parentPort?.on('message', (job: Job) => parentPort?.postMessage(run(job)));
