/** Flows that broke, newest first, with their causes; by fate. */
import { useEffect, useState } from 'preact/hooks';
import type { Listing, LiveFlow } from '../web/api-records.js';
import { count, hostPort } from './figures.js';

interface Props {
  /** grows when flows break */
  readonly breaks: number;
}

const CHOICES = ['reset', 'refused', 'timeout', 'endpoint-closed', 'misdelivered', 'delivered'] as const;
const SHOWN = 20;
/** a list that changes faster than one can read is asked for no more often */
const AT_MOST_MS = 1000;

export function Flows({ breaks }: Props) {
  const [fate, setFate] = useState<(typeof CHOICES)[number]>('reset');
  const flows = useFlows(`fate=${fate}&limit=${SHOWN}`, breaks);
  return (
    <section class="card" aria-labelledby="flows-title">
      <h2 id="flows-title">
        Flows <span class="soft">{flows === null ? '' : `${count(flows.total)} ${fate}, newest first`}</span>
      </h2>
      <fieldset class="choices" aria-label="fate">
        {CHOICES.map((choice) => (
          <button key={choice} type="button" aria-pressed={choice === fate} onClick={() => setFate(choice)}>
            <i class={`dot ${choice}`} aria-hidden="true" />
            {choice}
          </button>
        ))}
      </fieldset>
      {flows === null ? (
        <p class="empty">…</p>
      ) : flows.total === 0 ? (
        <p class="empty">No flow is known that is {fate}.</p>
      ) : (
        <FlowRows flows={flows} />
      )}
    </section>
  );
}

/** The answer of /api/v1/flows, asked again when `version` changes. */
export function useFlows(query: string, version: number): Listing<LiveFlow> | null {
  const [answer, setAnswer] = useState<{ query: string; flows: Listing<LiveFlow>; askedMs: number } | null>(
    null,
  );
  const known = answer?.query === query ? answer : null;
  useEffect(() => {
    const stop = new AbortController();
    const waitMs = known === null ? 0 : Math.max(0, known.askedMs + AT_MOST_MS - Date.now());
    const timer = setTimeout(async () => {
      try {
        const response = await fetch(`/api/v1/flows?${query}`, { signal: stop.signal });
        if (!response.ok) return;
        setAnswer({ query, flows: (await response.json()) as Listing<LiveFlow>, askedMs: Date.now() });
      } catch {
        // gone, or another question: the next one is on its way
      }
    }, waitMs);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [query, version]);
  return known?.flows ?? null;
}

export function FlowRows({ flows }: { readonly flows: Listing<LiveFlow> }) {
  const [open, setOpen] = useState<number | null>(null);
  return (
    <ul class="flows">
      {flows.rows.map((flow) => (
        <li key={flow.id}>
          <button
            type="button"
            aria-expanded={open === flow.id}
            onClick={() => setOpen(open === flow.id ? null : flow.id)}
          >
            <span class="fate">
              <i class={`dot ${flow.fate}`} aria-hidden="true" />
              {flow.open === true ? 'no answer' : flow.fate}
            </span>
            <span class="tuple">
              {flow.proto} {hostPort(flow.src, flow.srcPort)} → {hostPort(flow.dst, flow.dstPort)}
            </span>
            <span class="soft why">
              {flow.cause === null
                ? (flow.path.at(-1)?.node ?? '')
                : `${flow.cause.reason}${flow.cause.event === null ? '' : ` ${flow.cause.event}`}`}
            </span>
          </button>
          {open === flow.id && (
            <div class="opened">
              {flow.chain.length > 0 && (
                <ol>
                  {flow.chain.map((sentence) => (
                    <li key={sentence}>{sentence}</li>
                  ))}
                </ol>
              )}
              <p class="soft">
                {flow.path.length === 0
                  ? 'It reached no node.'
                  : `Path: ${flow.path.map(({ node, endpoint }) => (endpoint === null ? node : `${node} (${endpoint})`)).join(' → ')}`}
                {`, round ${flow.round}`}
              </p>
            </div>
          )}
        </li>
      ))}
      {flows.total > flows.rows.length && (
        <li class="soft more">and {count(flows.total - flows.rows.length)} more</li>
      )}
    </ul>
  );
}
