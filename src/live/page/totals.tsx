/** The figures that one looks at first: flows alive, without answer, broken. */
import type { TrafficRecord, TrafficSample } from '../web/api-records.js';
import { count, percent, short, span } from './figures.js';

interface Props {
  readonly traffic: TrafficRecord;
  readonly history: readonly TrafficSample[];
}

const LATELY_S = 60;

/** Fates in the order of the report, with what a person calls them. */
const FATES = [
  'reset',
  'refused',
  'timeout',
  'endpoint-closed',
  'misdelivered',
  'unknown',
  'delivered',
] as const;

export function Totals({ traffic, history }: Props) {
  const last = history.at(-1);
  const before = history.findLast(({ time }) => last !== undefined && time <= last.time - LATELY_S * 1000);
  const lately = last === undefined ? 0 : last.flowsBroken - (before ?? history[0])!.flowsBroken;
  return (
    <section class="totals" aria-label="Flows">
      <Figure name="alive" value={traffic.flowsActive} tone="good" note={stateNote(traffic)} />
      <Figure
        name="no answer"
        value={traffic.flowsStalled}
        tone={traffic.flowsStalled > 0 ? 'warn' : 'calm'}
        note="at this moment; may still heal"
      />
      <Figure
        name="broken, last minute"
        value={lately}
        tone={lately > 0 ? 'bad' : 'calm'}
        note={`${count(traffic.flowsBroken)} since the start`}
      />
      <Figure name="begun" value={traffic.flowsStarted} tone="calm" note={shareNote(traffic)} />
      <Fates traffic={traffic} />
    </section>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: number;
  readonly tone: 'good' | 'warn' | 'bad' | 'calm';
  readonly note: string;
}

function Figure({ name, value, tone, note }: FigureProps) {
  return (
    <div class={`figure ${tone}`}>
      <span class="name">{name}</span>
      <b title={count(value)}>{short(value)}</b>
      <span class="note">{note}</span>
    </div>
  );
}

function stateNote({ state, round, speed, loop, at, duration }: TrafficRecord): string {
  if (state === 'waiting') return 'waiting for the first route';
  if (state === 'ended') return 'the capture is over';
  const into = span(at - Math.floor(at / duration + 1e-9) * duration);
  const fast = speed === 1 ? '' : `, speed ${speed}`;
  return loop ? `round ${count(round)}, ${into} in${fast}` : `${span(at)} of ${span(duration)}${fast}`;
}

/** Shares are over judged flows, as in every report. */
function shareNote({ flowsStarted, flowsJudged, flowsBroken }: TrafficRecord): string {
  if (flowsStarted === 0) return 'none so far';
  if (flowsJudged === 0) return 'none of them judged';
  const judged = flowsJudged === flowsStarted ? 'of them' : `of ${count(flowsJudged)} judged`;
  return `${percent(flowsBroken / flowsJudged)} ${judged} broke`;
}

/** How the flows that are over ended, as a strip and in words. */
function Fates({ traffic }: { readonly traffic: TrafficRecord }) {
  const fates = FATES.filter((fate) => traffic.byFate[fate] > 0);
  const causes = Object.entries(traffic.byCause).slice(0, 3);
  return (
    <div class="figure fates">
      <span class="name">fates</span>
      {fates.length === 0 ? (
        <span class="note">no flow is over yet</span>
      ) : (
        <ul>
          {fates.map((fate) => (
            <li key={fate}>
              <i class={`dot ${fate}`} aria-hidden="true" />
              {fate} <b>{short(traffic.byFate[fate])}</b>
            </li>
          ))}
        </ul>
      )}
      {causes.length > 0 && (
        <span class="note">
          because of {causes.map(([reason, flows]) => `${reason} (${short(flows)})`).join(', ')}
        </span>
      )}
    </div>
  );
}
