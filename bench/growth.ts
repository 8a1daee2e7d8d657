/**
 * How the cost of a packet grows with the size of the question: packets, flows, next hops, services, events, draws, and
 * further scenarios over the same index. Each point is the least CPU time
 * of a few runs in this process.
 */
import { scenarioFromCapture } from '../src/cluster/scenario/scenario-from-capture.js';
import { withEvents } from '../src/cluster/scenario/with-events.js';
import type { CaptureIndex } from '../src/flow/flow-columns.js';
import { readCapture } from '../src/flow/read-capture.js';
import { replay } from '../src/verdict/replay.js';
import { seenTraffic } from '../src/verdict/seen-traffic.js';
import { madeCapture } from './made-capture.js';

export interface Curve {
  /** what grows */
  readonly axis: string;
  readonly measured: string;
  readonly points: readonly { readonly x: number; readonly nsPerPacket: number }[];
}

const RUNS = 2;
const PACKETS = 500_000;
const FLOWS = 20_000;
const DURATION_S = 18;

/** Least CPU time of a few runs, all threads together, nanoseconds. */
function leastNs(body: () => unknown): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const start = process.cpuUsage();
    body();
    const { user, system } = process.cpuUsage(start);
    least = Math.min(least, user + system);
  }
  return least * 1e3;
}

interface Setting {
  readonly nodes?: number;
  readonly services?: number;
  readonly events?: number;
  readonly draws?: number;
}

/** A replay of a made scenario: nodes that are withdrawn and announced again in turn. */
function replayNs(index: CaptureIndex, { nodes = 3, services, events = 1, draws = 1 }: Setting): number {
  const { model } = scenarioFromCapture(seenTraffic(index), {
    event: 'none',
    podsPerNode: Array.from({ length: nodes }, () => 1),
    ...(services === undefined ? {} : { vips: services }),
  });
  const texts = Array.from({ length: events }, (_, i) => {
    const verb = i % 2 === 0 ? 'withdraw' : 'announce';
    const node = model.nodes[(i >> 1) % nodes]!.name;
    return `${(((i + 1) * DURATION_S) / (events + 1)).toFixed(3)}s ${verb} ${node}`;
  });
  const whole = withEvents(model, texts);
  return leastNs(() => replay(index, whole, { draws }).summary.broken);
}

function curve(
  axis: string,
  measured: string,
  xs: readonly number[],
  nsOf: (x: number) => { readonly ns: number; readonly packets: number },
): Curve {
  const points = xs.map((x) => {
    const { ns, packets } = nsOf(x);
    return { x, nsPerPacket: ns / packets };
  });
  return { axis, measured, points };
}

export function measureGrowth(): readonly Curve[] {
  const path = (packets: number, flows: number): string => madeCapture({ packets, flows }).path;
  const index = readCapture(path(PACKETS, FLOWS));
  const packets = index.packets.count;
  const overIndex = (settingOf: (x: number) => Setting) => (x: number) => ({
    ns: replayNs(index, settingOf(x)),
    packets,
  });
  return [
    curve('packets', 'reading, 25 packets a flow', [125_000, 250_000, 500_000, 1_000_000], (x) => ({
      ns: leastNs(() => readCapture(path(x, x / 25)).packets.count),
      packets: x,
    })),
    curve('flows', 'reading, 1 M packets', [1000, 10_000, 100_000, 500_000], (x) => ({
      ns: leastNs(() => readCapture(path(1_000_000, x)).packets.count),
      packets: 1_000_000,
    })),
    curve('flows', 'a replay over the index, 1 M packets', [1000, 10_000, 100_000, 500_000], (x) => {
      const wide = readCapture(path(1_000_000, x));
      return { ns: replayNs(wide, {}), packets: 1_000_000 };
    }),
    curve(
      'next hops',
      'a replay over the index',
      [2, 8, 32, 128, 512],
      overIndex((nodes) => ({ nodes })),
    ),
    curve(
      'events',
      'a replay over the index',
      [1, 10, 100, 1000],
      overIndex((events) => ({ events })),
    ),
    curve(
      'draws',
      'a replay over the index',
      [1, 2, 4, 8, 16, 32],
      overIndex((draws) => ({ draws })),
    ),
  ];
}

export function printGrowth(curves: readonly Curve[]): void {
  for (const { axis, measured, points } of curves) {
    console.log(`${axis}: ns a packet, ${measured}`);
    console.log(points.map(({ x, nsPerPacket }) => `  ${x}: ${nsPerPacket.toFixed(1)}`).join(''));
  }
}
