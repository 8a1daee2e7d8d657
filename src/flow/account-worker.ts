/** The thread that accounts: takes batch after batch from the ring. See account-thread.ts. */
import { type MessagePort, workerData } from 'node:worker_threads';
import { type AccountStart, Control, FINISHED_FULL, FINISHED_WELL } from './account-thread.js';
import { FlowAccount } from './flow-account.js';
import { instantiateKernel } from './kernel-module.js';

const { module, memory, content, control, counts, firstNumbers, port } = workerData as AccountStart & {
  readonly port: MessagePort;
};
const kernel = instantiateKernel(memory, module);
const account = new FlowAccount(memory, kernel, content, 'shared');

function finish(how: number): void {
  Atomics.store(control, Control.flows, kernel.flowCount());
  Atomics.store(control, Control.flowsAt, kernel.flowRecordsAt() | 0);
  if (how === FINISHED_WELL) port.postMessage(account.index.segments);
  Atomics.store(control, Control.finished, how);
  Atomics.notify(control, Control.finished);
  Atomics.notify(control, Control.consumed);
}

try {
  for (let consumed = 0; ; ) {
    const produced = Atomics.load(control, Control.produced);
    if (produced === consumed) {
      if (Atomics.load(control, Control.closed) === 1 && Atomics.load(control, Control.produced) === consumed)
        break;
      Atomics.wait(control, Control.produced, consumed, 100);
      continue;
    }
    const place = (consumed >>> 0) % counts.length;
    account.add(counts[place]!, firstNumbers[place]!, place);
    consumed = (consumed + 1) | 0;
    Atomics.store(control, Control.consumed, consumed);
    Atomics.notify(control, Control.consumed);
  }
  finish(FINISHED_WELL);
} catch {
  // the table is full: the reading thread says so
  finish(FINISHED_FULL);
}
port.close();
