/** The page as a whole: who the router is, whether the page is up to date, and its panels. */
import { useEffect, useState } from 'preact/hooks';
import type { SummaryRecord } from '../web/api-records.js';
import { Events } from './events.js';
import { span } from './figures.js';
import { Flows } from './flows.js';
import { type LiveState, useLiveState } from './live-state.js';
import { Lookup } from './lookup.js';
import { Peers } from './peers.js';
import { Tables } from './tables.js';
import { Totals } from './totals.js';
import { Traffic } from './traffic.js';
import { FibEntries, Vips } from './vips.js';

export function App() {
  const state = useLiveState();
  const nowMs = useNow();
  const { summary } = state;
  if (summary === null) {
    return (
      <>
        <Masthead summary={null} state={state} nowMs={nowMs} />
        <main>
          <p class="empty">
            {state.link === 'lost' ? 'The router does not answer; trying again.' : 'Asking the router …'}
          </p>
        </main>
      </>
    );
  }
  // what the router said of times, carried on by this machine's clock
  const aheadS = state.link === 'live' ? Math.max(0, (nowMs - state.summaryAtMs) / 1000) : 0;
  return (
    <>
      <a class="skip" href="#vips">
        Skip to VIPs
      </a>
      <Masthead summary={summary} state={state} nowMs={nowMs} />
      <main class={state.link === 'lost' ? 'stale' : ''}>
        {summary.traffic !== null && <Totals traffic={summary.traffic} history={state.history} />}
        <div class="columns">
          {summary.traffic !== null && (
            <div class="stack">
              <Vips vips={summary.vips} traffic={summary.traffic} />
              <Traffic history={state.history} events={state.events} />
            </div>
          )}
          {summary.traffic === null && <FibEntries entries={summary.fib} />}
          <div class="stack">
            <Peers peers={summary.peers} aheadS={aheadS} />
            <Events events={state.events} hasTraffic={summary.traffic !== null} />
          </div>
          {summary.traffic !== null && <Flows breaks={state.breaks} />}
          <div class="stack">
            <Tables families={summary.families} />
            <Lookup />
          </div>
        </div>
      </main>
    </>
  );
}

interface MastheadProps {
  readonly summary: SummaryRecord | null;
  readonly state: LiveState;
  readonly nowMs: number;
}

function Masthead({ summary, state, nowMs }: MastheadProps) {
  const router = summary?.router;
  return (
    <header class="masthead">
      <h1>
        flowfate <span class="soft">router</span>
      </h1>
      {router !== undefined && (
        <dl class="identity">
          <div>
            <dt>AS</dt>
            <dd>{router.asn}</dd>
          </div>
          <div>
            <dt>ID</dt>
            <dd>{router.routerId}</dd>
          </div>
          <div>
            <dt>BGP</dt>
            <dd>{router.listen.join(', ') || 'not listening'}</dd>
          </div>
          <div>
            <dt>ECMP</dt>
            <dd>
              {router.ecmp.hash} · {router.ecmp.select}
            </dd>
          </div>
          <div>
            <dt>up</dt>
            <dd>{span(router.uptime)}</dd>
          </div>
        </dl>
      )}
      <p class={`link ${state.link}`} role="status">
        <i aria-hidden="true" />
        {state.link === 'live' && 'live'}
        {state.link === 'connecting' && 'connecting'}
        {state.link === 'lost' && (
          <>
            disconnected
            <span aria-hidden="true"> for {span(Math.max(0, (nowMs - state.linkSinceMs) / 1000))}</span>,
            reconnecting
          </>
        )}
      </p>
    </header>
  );
}

/** This machine's clock, once a second. */
function useNow(): number {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return nowMs;
}
