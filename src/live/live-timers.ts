/** The one file of live/ that holds timers and reads a clock. */
import type { LiveService } from './live-service.js';

const TICK_MS = 50;
const SECOND_MS = 1000;

/** Milliseconds since 1970 that never run backwards, whatever happens to the system's clock. */
export function steadyClockMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Runs the service; returns what stops it. */
export function runService(service: LiveService): () => void {
  service.start();
  const timers = [setInterval(() => service.tick(), TICK_MS), setInterval(() => service.second(), SECOND_MS)];
  return () => {
    for (const timer of timers) clearInterval(timer);
    service.stop();
  };
}
