/**
 * What the page knows: the summary, kept fresh by the stream of events. The stream says what happened at once; tables
 * and VIPs are asked for again when it says that they changed, and every few seconds while traffic runs through them.
 */
import { useEffect, useReducer } from 'preact/hooks';
import type { LiveEvent, StreamMessages, SummaryRecord, TrafficSample } from '../web/api-records.js';

const EVENTS_SHOWN = 60;
const SAMPLES_SHOWN = 900;
const ASK_AGAIN_MS = 3000;
const ASK_TOGETHER_MS = 150;

type Link = 'connecting' | 'live' | 'lost';

export interface LiveState {
  readonly link: Link;
  /** since when it is what it is, by this machine's clock */
  readonly linkSinceMs: number;
  readonly summary: SummaryRecord | null;
  /** this machine's clock when the summary came: what has run on since */
  readonly summaryAtMs: number;
  readonly events: readonly LiveEvent[];
  readonly history: readonly TrafficSample[];
  /** grows whenever flows may have broken: lists of flows ask again */
  readonly breaks: number;
}

type Action =
  | { readonly kind: 'link'; readonly link: Link }
  | { readonly kind: 'summary'; readonly summary: SummaryRecord }
  | { readonly kind: 'event' | 'impact'; readonly event: LiveEvent }
  | { readonly kind: 'sample'; readonly message: StreamMessages['sample'] };

const INITIAL: LiveState = {
  link: 'connecting',
  linkSinceMs: Date.now(),
  summary: null,
  summaryAtMs: 0,
  events: [],
  history: [],
  breaks: 0,
};

function reduce(state: LiveState, action: Action): LiveState {
  switch (action.kind) {
    case 'link':
      return state.link === action.link ? state : { ...state, link: action.link, linkSinceMs: Date.now() };
    case 'summary': {
      const { summary } = action;
      // after a gap, or another run of the router, its own record is the whole truth
      return {
        ...state,
        summary,
        summaryAtMs: Date.now(),
        events: summary.events,
        history: summary.history,
        breaks: state.breaks + (summary.traffic?.flowsBroken === state.summary?.traffic?.flowsBroken ? 0 : 1),
      };
    }
    case 'event':
      if (state.events.some(({ id }) => id === action.event.id)) return state;
      return { ...state, events: [action.event, ...state.events].slice(0, EVENTS_SHOWN) };
    case 'impact':
      return {
        ...state,
        events: state.events.map((event) => (event.id === action.event.id ? action.event : event)),
        breaks: state.breaks + 1,
      };
    case 'sample': {
      if (state.summary === null) return state;
      const { sample, traffic } = action.message;
      if (sample.time <= (state.history.at(-1)?.time ?? 0)) return state;
      return {
        ...state,
        summary: { ...state.summary, traffic },
        history: [...state.history, sample].slice(-SAMPLES_SHOWN),
      };
    }
  }
}

export function useLiveState(): LiveState {
  const [state, tell] = useReducer(reduce, INITIAL);
  useEffect(() => follow(tell), []);
  return state;
}

/** Follows the router until the returned function is called. */
function follow(tell: (action: Action) => void): () => void {
  let asking = false;
  let overtaken = false;
  let soon: ReturnType<typeof setTimeout> | undefined;
  const ask = async (): Promise<void> => {
    soon = undefined;
    if (asking) return askSoon();
    asking = true;
    overtaken = false;
    try {
      const response = await fetch('/api/v1/summary');
      if (response.ok) tell({ kind: 'summary', summary: (await response.json()) as SummaryRecord });
    } catch {
      // the stream says that the router cannot be reached, and comes back by itself
    } finally {
      asking = false;
      // what the stream told meanwhile may be newer than the answer that replaced it
      if (overtaken) askSoon();
    }
  };
  const askSoon = (): void => {
    soon ??= setTimeout(() => void ask(), ASK_TOGETHER_MS);
  };
  const source = new EventSource('/api/v1/events');
  const on = <K extends keyof StreamMessages>(name: K, act: (data: StreamMessages[K]) => void): void =>
    source.addEventListener(name, (message) => act(JSON.parse(message.data as string) as StreamMessages[K]));
  source.addEventListener('error', () => tell({ kind: 'link', link: 'lost' }));
  on('hello', () => {
    tell({ kind: 'link', link: 'live' });
    askSoon();
  });
  for (const kind of ['event', 'impact'] as const) {
    on(kind, (event) => {
      overtaken ||= asking;
      tell({ kind, event });
    });
  }
  on('sample', (message) => tell({ kind: 'sample', message }));
  on('changed', askSoon);
  const again = setInterval(() => {
    if (document.visibilityState === 'visible' && source.readyState === EventSource.OPEN) askSoon();
  }, ASK_AGAIN_MS);
  void ask();
  return () => {
    source.close();
    clearInterval(again);
    clearTimeout(soon);
  };
}
