/** The last events, newest first, each with what it did to the flows; one can be opened. */
import { useState } from 'preact/hooks';
import type { LiveEvent, LiveNextHop } from '../web/api-records.js';
import { clock, count, counted } from './figures.js';
import { FlowRows, useFlows } from './flows.js';
import { markOf } from './node-marks.js';

interface Props {
  readonly events: readonly LiveEvent[];
  readonly hasTraffic: boolean;
}

const SIGNS: Readonly<Record<string, string>> = {
  announce: '▲',
  withdraw: '▼',
  update: '◆',
  'session-up': '●',
  'session-down': '✕',
  'session-failed': '○',
  'session-lost': '▼',
  'long-lived-stale': '◆',
  'stale-expired': '▼',
};

export function Events({ events, hasTraffic }: Props) {
  const [open, setOpen] = useState<string | null>(null);
  const newest = events[0];
  return (
    <section class="card" aria-labelledby="events-title">
      <h2 id="events-title">Events</h2>
      <p class="unseen" aria-live="polite">
        {newest === undefined ? '' : `${newest.id}: ${newest.detail}${killed(newest)}`}
      </p>
      {events.length === 0 ? (
        <p class="empty">Nothing has happened yet.</p>
      ) : (
        <ol class="events">
          {events.map((event) => (
            <li key={event.id} class={event.flowsBroken > 0 ? 'killer' : ''}>
              <button
                type="button"
                aria-expanded={open === event.id}
                onClick={() => setOpen(open === event.id ? null : event.id)}
              >
                <i class={`sign ${event.kind}`} aria-hidden="true">
                  {SIGNS[event.kind] ?? '◆'}
                </i>
                <time dateTime={new Date(event.time).toISOString()}>{clock(event.time)}</time>
                <span class="soft id">{event.id}</span>
                <span class="detail">{event.detail}</span>
                {hasTraffic && <Impact event={event} />}
              </button>
              {open === event.id && <Opened event={event} hasTraffic={hasTraffic} />}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function killed({ flowsBroken, flowsMoved }: LiveEvent): string {
  if (flowsBroken > 0) return `; ${counted(flowsBroken, 'flow')} broke`;
  return flowsMoved > 0 ? `; ${counted(flowsMoved, 'flow')} moved` : '';
}

function Impact({ event }: { readonly event: LiveEvent }) {
  const { flowsBroken, flowsStalled, flowsMoved } = event;
  if (flowsBroken + flowsStalled + flowsMoved === 0) return null;
  return (
    <span class="impact">
      {flowsBroken > 0 && (
        <span class="bad">
          <b>{count(flowsBroken)}</b> broken
        </span>
      )}
      {flowsStalled > 0 && (
        <span class="warn">
          <b>{count(flowsStalled)}</b> no answer
        </span>
      )}
      {flowsMoved > 0 && (
        <span class="soft">
          <b>{count(flowsMoved)}</b> moved
        </span>
      )}
    </span>
  );
}

function Opened({ event, hasTraffic }: { readonly event: LiveEvent; readonly hasTraffic: boolean }) {
  const more = event.total - event.changes.length;
  return (
    <div class="opened">
      {event.changes.length > 0 && (
        <ul class="changes">
          {event.changes.slice(0, 8).map(({ prefix, before, after }) => (
            <li key={prefix}>
              <code>{prefix}</code>
              <span class="soft">from</span> <Hops hops={before} other={after} />
              <span class="soft">to</span> <Hops hops={after} other={before} />
            </li>
          ))}
        </ul>
      )}
      {(event.changes.length > 8 || more > 0) && (
        <p class="soft">and {counted(event.total - Math.min(8, event.changes.length), 'more prefix')}…</p>
      )}
      {hasTraffic && <Victims event={event} />}
    </div>
  );
}

/** Next hops with their marks; one that the other side has not is set off. */
function Hops({
  hops,
  other,
}: {
  readonly hops: readonly LiveNextHop[];
  readonly other: readonly LiveNextHop[];
}) {
  if (hops.length === 0) return <em>nothing </em>;
  return (
    <span class="hoplist">
      {hops.map(({ nextHop, weight }) => {
        const { letter, colour } = markOf(nextHop);
        const alone = !other.some((hop) => hop.nextHop === nextHop);
        return (
          <span key={nextHop} class={alone ? 'hop alone' : 'hop'}>
            <span class={`mark small ${colour}`} aria-hidden="true">
              {letter}
            </span>
            {nextHop}
            {weight === 1 ? '' : `×${weight}`}
          </span>
        );
      })}
    </span>
  );
}

function Victims({ event }: { readonly event: LiveEvent }) {
  const flows = useFlows(`event=${event.id}&limit=12`, event.flowsBroken + event.flowsStalled);
  if (event.flowsBroken + event.flowsStalled === 0) {
    return (
      <p class="soft">
        {event.flowsActive > 0
          ? `None of ${counted(event.flowsActive, 'open flow')} broke.`
          : 'No flow broke.'}
      </p>
    );
  }
  if (flows === null) return <p class="soft">…</p>;
  if (flows.total === 0) return <p class="soft">The flows that it broke are no longer kept.</p>;
  return <FlowRows flows={flows} />;
}
