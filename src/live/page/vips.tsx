/** VIPs with their next hops: the table of buckets, or the regions of the hash space, coloured by node. */
import type { FibNextHop, FibRecord, TrafficRecord, VipRecord } from '../web/api-records.js';
import { count, counted, percent } from './figures.js';
import { markOf } from './node-marks.js';

interface Props {
  readonly vips: readonly VipRecord[];
  readonly traffic: TrafficRecord;
}

export function Vips({ vips, traffic }: Props) {
  // letters go by the order of the router's tables
  for (const { route } of vips) for (const { nextHop } of route?.nextHops ?? []) markOf(nextHop);
  return (
    <section id="vips" class="card" aria-labelledby="vips-title" tabIndex={-1}>
      <h2 id="vips-title">
        VIPs{' '}
        <span class="soft">
          {traffic.madeFromCapture ? 'servers of' : `scenario ${traffic.scenario}, traffic of`}{' '}
          {fileName(traffic.capture)}
        </span>
      </h2>
      {vips.length === 0 ? (
        <p class="empty">
          No route of the FIB covers a server of {fileName(traffic.capture)} yet. The traffic begins with the
          first one.
        </p>
      ) : (
        <ul class="vips">
          {vips.map((vip) => (
            <Vip key={vip.vip} vip={vip} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Vip({ vip }: { readonly vip: VipRecord }) {
  const { route } = vip;
  return (
    <li class="vip">
      <div class="line">
        <h3>{vip.vip}</h3>
        <span class="soft">
          {vip.service}
          {route !== null && route.prefix !== `${vip.vip}/32` && route.prefix !== `${vip.vip}/128`
            ? ` via ${route.prefix}`
            : ''}
        </span>
        <span class="tally">
          <b>{count(vip.flowsActive)}</b> alive
          {vip.flowsStalled > 0 && (
            <span class="warn">
              {' '}
              · <b>{count(vip.flowsStalled)}</b> no answer
            </span>
          )}
          {vip.flowsBroken > 0 && (
            <span class="bad">
              {' '}
              · <b>{count(vip.flowsBroken)}</b> broken
            </span>
          )}
        </span>
      </div>
      {route === null ? (
        <p class="noroute">No route: whatever is sent to it is refused.</p>
      ) : (
        <>
          <Strip name={vip.vip} route={route} />
          <ul class="hops">
            {route.nextHops.map((hop) => (
              <Hop
                key={hop.nextHop}
                hop={hop}
                buckets={bucketsOf(route, hop.nextHop)}
                flows={hop.flowsActive}
              />
            ))}
          </ul>
        </>
      )}
    </li>
  );
}

/** Entries of a FIB through which no traffic runs. */
export function FibEntries({ entries }: { readonly entries: readonly FibRecord[] }) {
  return (
    <section class="card" aria-labelledby="fib-title">
      <h2 id="fib-title">
        FIB <span class="soft">its first entries; with --capture, traffic runs through them</span>
      </h2>
      {entries.length === 0 ? (
        <p class="empty">There is no route yet.</p>
      ) : (
        <ul class="vips">
          {entries.map((entry) => (
            <li class="vip" key={entry.prefix}>
              <h3>{entry.prefix}</h3>
              <Strip name={entry.prefix} route={entry} />
              <ul class="hops">
                {entry.nextHops.map((hop) => (
                  <Hop key={hop.nextHop} hop={hop} buckets={bucketsOf(entry, hop.nextHop)} flows={null} />
                ))}
              </ul>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

interface HopProps {
  readonly hop: FibNextHop;
  readonly buckets: number | null;
  /** null where no traffic runs */
  readonly flows: number | null;
}

function Hop({ hop, buckets, flows }: HopProps) {
  const { letter, colour } = markOf(hop.nextHop);
  return (
    <li>
      <span class={`mark ${colour}`} aria-hidden="true">
        {letter}
      </span>
      <span class="who">
        {hop.node ?? hop.nextHop}
        {hop.node !== null && hop.node !== hop.nextHop && <span class="soft"> {hop.nextHop}</span>}
        {hop.weight !== 1 && <span class="soft"> weight {hop.weight}</span>}
      </span>
      <span class="n">
        {buckets !== null && <span class="spacious">{counted(buckets, 'bucket')}, </span>}
        {percent(hop.share)}
      </span>
      <span class="n">
        {flows !== null && (
          <>
            <b>{count(flows)}</b> <span class="soft">flows</span>
          </>
        )}
      </span>
    </li>
  );
}

interface Segment {
  /** position of the owner in the list of next hops, -1: nobody */
  readonly owner: number;
  readonly size: number;
}

function Strip({ name, route }: { readonly name: string; readonly route: FibRecord }) {
  const segments = segmentsOf(route);
  const whole = segments.reduce((sum, { size }) => sum + size, 0);
  const words = route.nextHops
    .map(({ nextHop, node, share }) => `${node ?? nextHop} ${percent(share)}`)
    .join(', ');
  let from = 0;
  return (
    <svg
      class={route.buckets === null ? 'strip' : 'strip cells'}
      viewBox={`0 0 ${whole} 1`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${name}: ${route.buckets === null ? 'hash space' : `${route.buckets.length} buckets`}: ${words}`}
    >
      {segments.map(({ owner, size }) => {
        const at = from;
        from += size;
        const hop = route.nextHops[owner];
        const colour = hop === undefined ? 'nobody' : markOf(hop.nextHop).colour;
        return <rect key={at} class={colour} x={at} y="0" width={size} height="1" />;
      })}
      {route.buckets?.map((_, bucket) =>
        bucket === 0 || route.buckets!.length > 256 ? null : (
          <line key={bucket} x1={bucket} x2={bucket} y1="0" y2="1" />
        ),
      )}
    </svg>
  );
}

/** Neighbouring buckets of one owner are one segment; without buckets each next hop has one region. */
function segmentsOf({ nextHops, buckets }: FibRecord): Segment[] {
  if (buckets === null) return nextHops.map(({ share }, owner) => ({ owner, size: share * 1000 }));
  const segments: { owner: number; size: number }[] = [];
  for (const owner of buckets) {
    const last = segments.at(-1);
    if (last !== undefined && last.owner === owner) last.size++;
    else segments.push({ owner, size: 1 });
  }
  return segments;
}

function bucketsOf({ buckets, nextHops }: FibRecord, nextHop: string): number | null {
  if (buckets === null) return null;
  const place = nextHops.findIndex((hop) => hop.nextHop === nextHop);
  return buckets.filter((owner) => owner === place).length;
}

function fileName(path: string): string {
  return path.split('/').at(-1)!;
}
