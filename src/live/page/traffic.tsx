/** Flows alive and broken over time, with a line for every event that moved or broke some. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import type { LiveEvent, TrafficSample } from '../web/api-records.js';
import { clock, count } from './figures.js';

interface Props {
  readonly history: readonly TrafficSample[];
  readonly events: readonly LiveEvent[];
}

const RANGES = [
  { name: '1 min', seconds: 60 },
  { name: '5 min', seconds: 300 },
  { name: '15 min', seconds: 900 },
] as const;
/** A router that has just begun is not shown as a strip at the edge. */
const LEAST_SPAN_S = 60;

export function Traffic({ history, events }: Props) {
  const [seconds, setSeconds] = useState<number>(RANGES[1].seconds);
  const columns = useMemo(() => columnsOf(history, seconds), [history, seconds]);
  return (
    <section class="card over-time" aria-labelledby="traffic-title">
      <div class="line">
        <h2 id="traffic-title">Flows over time</h2>
        <ul class="legend" aria-hidden="true">
          <li class="alive">alive</li>
          <li class="stalled">no answer</li>
          <li class="broken">broken each second</li>
        </ul>
        <fieldset class="choices" aria-label="span of time">
          {RANGES.map((range) => (
            <button
              key={range.name}
              type="button"
              aria-pressed={range.seconds === seconds}
              onClick={() => setSeconds(range.seconds)}
            >
              {range.name}
            </button>
          ))}
        </fieldset>
      </div>
      <Chart columns={columns} events={events} seconds={seconds} words={wordsOf(columns)} />
    </section>
  );
}

type Columns = [number[], number[], number[], number[]];

/** Times in seconds; alive; without answer; broken since the sample before. */
function columnsOf(history: readonly TrafficSample[], seconds: number): Columns {
  const last = history.at(-1)?.time ?? 0;
  const from = history.findIndex(({ time }) => time >= last - seconds * 1000);
  const columns: Columns = [[], [], [], []];
  for (let i = Math.max(0, from); i < history.length; i++) {
    const sample = history[i]!;
    const before = history[i - 1];
    columns[0].push(sample.time / 1000);
    columns[1].push(sample.flowsActive);
    columns[2].push(sample.flowsStalled);
    columns[3].push(before === undefined ? 0 : Math.max(0, sample.flowsBroken - before.flowsBroken));
  }
  return columns;
}

function wordsOf([times, alive, stalled, broken]: Columns): string {
  if (times.length === 0) return 'No sample yet.';
  const sum = broken.reduce((total, n) => total + n, 0);
  return `From ${clock(times[0]! * 1000)} to ${clock(times.at(-1)! * 1000)}: ${count(alive.at(-1)!)} flows alive now, at most ${count(Math.max(...alive))}; ${count(stalled.at(-1)!)} without answer; ${count(sum)} broke.`;
}

interface ChartProps {
  readonly columns: Columns;
  readonly events: readonly LiveEvent[];
  readonly seconds: number;
  readonly words: string;
}

function Chart({ columns, events, seconds, words }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef(events);
  shown.current = events;
  const theme = useTheme();
  useEffect(() => {
    const box = place.current!;
    const made = new uPlot(
      options(box, () => shown.current),
      columns,
      box,
    );
    plot.current = made;
    const resize = new ResizeObserver(() => made.setSize(sizeOf(box)));
    resize.observe(box);
    return () => {
      resize.disconnect();
      made.destroy();
    };
  }, [theme]);
  useEffect(() => {
    const last = columns[0].at(-1) ?? Date.now() / 1000;
    plot.current?.setData(columns, false);
    plot.current?.batch(() => {
      const highest = Math.max(4, ...columns[1], ...columns[2]);
      const most = Math.max(4, ...columns[3]);
      const covered = last - (columns[0][0] ?? last);
      plot.current!.setScale('x', {
        min: last - Math.min(seconds, Math.max(LEAST_SPAN_S, covered)),
        max: last,
      });
      plot.current!.setScale('y', { min: 0, max: highest * 1.08 });
      // bars keep to the lower part, so that they do not hide the line
      plot.current!.setScale('broken', { min: 0, max: most * 1.6 });
    });
  }, [columns, seconds, theme]);
  return <div class="chart" ref={place} role="img" aria-label={words} />;
}

function sizeOf({ clientWidth, clientHeight }: HTMLElement): { width: number; height: number } {
  return { width: clientWidth, height: clientHeight };
}

function options(box: HTMLElement, events: () => readonly LiveEvent[]): uPlot.Options {
  const style = getComputedStyle(box);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const font = `11px ${style.fontFamily}`;
  const axis = {
    stroke: colour('--soft'),
    font,
    ticks: { show: false },
    grid: { stroke: colour('--line'), width: 1 },
  };
  return {
    ...sizeOf(box),
    legend: { show: false },
    cursor: { show: false },
    padding: [12, 0, 0, 0],
    scales: { x: { time: true, auto: false }, y: { auto: false }, broken: { auto: false } },
    axes: [
      {
        ...axis,
        size: 26,
        grid: { show: false },
        values: (_, ticks) => ticks.map((s) => clock(s * 1000).slice(0, 8)),
        space: 80,
      },
      {
        ...axis,
        size: 46,
        space: 36,
        values: (_, ticks) => ticks.map((n) => (Number.isInteger(n) ? count(n) : '')),
      },
      {
        ...axis,
        scale: 'broken',
        side: 1,
        size: 36,
        space: 36,
        stroke: colour('--reset'),
        grid: { show: false },
        values: (_, ticks) => ticks.map((n) => (Number.isInteger(n) ? count(n) : '')),
      },
    ],
    series: [
      {},
      {
        label: 'alive',
        stroke: colour('--delivered'),
        width: 2,
        fill: `${colour('--delivered')}22`,
        points: { show: false },
      },
      { label: 'no answer', stroke: colour('--timeout'), width: 2, dash: [5, 4], points: { show: false } },
      {
        label: 'broken',
        scale: 'broken',
        stroke: colour('--reset'),
        fill: colour('--reset'),
        width: 0,
        paths: uPlot.paths.bars!({ size: [0.9, 14, 2], align: -1 }),
        points: { show: false },
      },
    ],
    hooks: { drawClear: [(u) => drawEvents(u, events(), colour('--ink'), font)] },
  };
}

/** A dotted line, with the event's id above, for each event that moved or broke flows. */
function drawEvents(u: uPlot, events: readonly LiveEvent[], ink: string, font: string): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ink;
  ctx.fillStyle = ink;
  ctx.globalAlpha = 0.55;
  ctx.setLineDash([2 * ratio, 3 * ratio]);
  ctx.font = font.replace(/^11px/, `${10 * ratio}px`);
  let freeTo = Number.POSITIVE_INFINITY;
  for (const { id, time, flowsBroken, flowsMoved } of events) {
    if (flowsBroken + flowsMoved === 0) continue;
    const x = Math.round(u.valToPos(time / 1000, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const width = ctx.measureText(id).width;
    if (x + width > freeTo) continue;
    ctx.fillText(id, x + 3 * ratio, bbox.top + 9 * ratio);
    freeTo = x - 4 * ratio;
  }
  ctx.restore();
}

/** "dark" or "light", as the system has it at the moment. */
function useTheme(): string {
  const query = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), []);
  const [dark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = (): void => setDark(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, [query]);
  return dark ? 'dark' : 'light';
}
