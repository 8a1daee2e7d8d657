/** A look into the RIB: the routes to a prefix, or to all that lie inside it. */
import { useState } from 'preact/hooks';
import type { Listing, RouteRecord } from '../web/api-records.js';
import { count, span } from './figures.js';

type Answer =
  | { readonly kind: 'routes'; readonly prefix: string; readonly routes: Listing<RouteRecord> }
  | { readonly kind: 'error'; readonly sentence: string };

export function Lookup() {
  const [prefix, setPrefix] = useState('');
  const [longer, setLonger] = useState(false);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const ask = async (event: Event): Promise<void> => {
    event.preventDefault();
    setAnswer(await routesTo(prefix.trim(), longer));
  };
  return (
    <section class="card" aria-labelledby="lookup-title">
      <h2 id="lookup-title">RIB</h2>
      <form class="lookup" onSubmit={ask}>
        <input
          aria-label="prefix"
          placeholder="203.0.113.0/24"
          autocomplete="off"
          spellcheck={false}
          value={prefix}
          onInput={(event) => setPrefix(event.currentTarget.value)}
        />
        <label>
          <input
            type="checkbox"
            checked={longer}
            onChange={(event) => setLonger(event.currentTarget.checked)}
          />{' '}
          longer
        </label>
        <button type="submit">Look up</button>
      </form>
      <div role="status">
        {answer?.kind === 'error' && <p class="bad">{answer.sentence}</p>}
        {answer?.kind === 'routes' && answer.routes.total === 0 && (
          <p class="soft">The RIB has no route to {answer.prefix}.</p>
        )}
        {answer?.kind === 'routes' && answer.routes.total > 0 && <Routes routes={answer.routes} />}
      </div>
    </section>
  );
}

function Routes({ routes }: { readonly routes: Listing<RouteRecord> }) {
  return (
    <ul class="routes">
      {routes.rows.map((route) => (
        <li key={`${route.prefix} ${route.peer} ${route.nextHop}`}>
          <span>
            <b>{route.prefix}</b> <span class="soft">by</span> {route.nextHop ?? 'no next hop'}{' '}
            <span class={route.best ? 'tag best' : route.multipath ? 'tag' : 'unseen'}>
              {route.best ? 'best' : 'multipath'}
            </span>
            {route.stale && <span class="tag">{route.longLivedStale ? 'long-lived stale' : 'stale'}</span>}
            {route.excluded !== 'no' && <span class="tag">not used: {route.excluded}</span>}
          </span>
          <span class="soft">
            from {route.peer} for {span(route.age)}, AS path {route.asPath === '' ? 'empty' : route.asPath},{' '}
            {route.origin}
            {route.localPref === null ? '' : `, local preference ${route.localPref}`}
            {route.med === null ? '' : `, MED ${route.med}`}
            {[...route.communities, ...route.largeCommunities, ...route.extendedCommunities].map(
              (community) => ` ${community}`,
            )}
          </span>
        </li>
      ))}
      {routes.total > routes.rows.length && (
        <li class="soft">and {count(routes.total - routes.rows.length)} more</li>
      )}
    </ul>
  );
}

async function routesTo(prefix: string, longer: boolean): Promise<Answer> {
  try {
    const query = `prefix=${encodeURIComponent(prefix)}${longer ? '&longer' : ''}&limit=50`;
    const response = await fetch(`/api/v1/rib?${query}`);
    const body: unknown = await response.json();
    if (!response.ok) return { kind: 'error', sentence: (body as { error: string }).error };
    return { kind: 'routes', prefix, routes: body as Listing<RouteRecord> };
  } catch {
    return { kind: 'error', sentence: 'The router does not answer.' };
  }
}
