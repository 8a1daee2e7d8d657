/** Answers of a running router as text, in the columns of vtysh's `show bgp`. */
import type {
  ConfigChange,
  GroupRecord,
  NeighborRecord,
  RouterAnswer,
} from '../live/control/control-request.js';
import type { FibRecord, LiveEvent, LiveFlow, PeerRecord, RouteRecord } from '../live/web/api-records.js';
import { padEnd, padStart, printable } from '../report/terminal.js';

export function answerText(answer: RouterAnswer): string {
  switch (answer.kind) {
    case 'summary':
      return summaryText(answer);
    case 'neighbors':
      return answer.neighbors.map(neighborText).join('\n');
    case 'prefix':
      return prefixText(answer);
    case 'routes':
    case 'fib':
    case 'nexthop-groups':
    case 'flows':
      return `${listHeader(answer)}${listRows(answer)}${listFooter(answer)}`;
    case 'events':
      return answer.events.map(eventLine).join('');
    case 'done':
      return answer.lines.map((line) => `${printable(line)}\n`).join('');
    case 'reload':
      return reloadText(answer);
    default:
      return answer satisfies never;
  }
}

/** Answers that come in pages. */
export type ListAnswer = Extract<RouterAnswer, { readonly rows: readonly unknown[] }>;

export function listHeader(answer: ListAnswer): string {
  switch (answer.kind) {
    case 'routes':
      return `Status: * usable, > best, = multipath, S stale\n\n   ${columns(ROUTE_COLUMNS, ROUTE_NAMES)}\n`;
    case 'fib':
    case 'nexthop-groups':
      return '';
    case 'flows':
      return `${columns(FLOW_COLUMNS, FLOW_NAMES)}\n`;
    default:
      return answer satisfies never;
  }
}

export function listRows(answer: ListAnswer): string {
  switch (answer.kind) {
    case 'routes':
      return answer.rows.map((row) => routeLine(row)).join('');
    case 'fib':
      return answer.rows.map(fibText).join('');
    case 'nexthop-groups':
      return answer.rows.map(groupText).join('');
    case 'flows':
      return answer.rows.map(flowLine).join('');
    default:
      return answer satisfies never;
  }
}

export function listFooter(answer: ListAnswer): string {
  switch (answer.kind) {
    case 'routes':
      return `\nTotal ${counted(answer.total, 'route')}\n`;
    case 'fib':
      return `\nTotal ${counted(answer.total, 'entry', 'entries')}\n`;
    case 'nexthop-groups':
      return `\nTotal ${counted(answer.total, 'group')}\n`;
    case 'flows': {
      const { traffic } = answer;
      if (traffic === null) return 'The router plays no traffic; give it a capture with --capture\n';
      const { flowsActive, flowsStalled, flowsBroken, flowsStarted } = traffic;
      return `\n${counted(flowsStarted, 'flow')} begun: ${flowsActive} open, ${flowsStalled} without answer now, ${flowsBroken} broke\n`;
    }
    default:
      return answer satisfies never;
  }
}

type Column = readonly ['left' | 'right', number];

function columns(widths: readonly Column[], values: readonly string[]): string {
  return widths
    .map(([side, width], i) => {
      const value = printable(values[i] ?? '');
      return side === 'left' ? padEnd(value, width) : padStart(value, width);
    })
    .join(' ')
    .trimEnd();
}

const SUMMARY_COLUMNS: readonly Column[] = [
  ['left', 18],
  ['right', 1],
  ['right', 10],
  ['right', 9],
  ['right', 9],
  ['right', 6],
  ['right', 9],
  ['right', 12],
  ['right', 8],
  ['right', 8],
  ['left', 0],
];
const SUMMARY_NAMES = [
  'Neighbor',
  'V',
  'AS',
  'MsgRcvd',
  'MsgSent',
  'OutQ',
  'Up/Down',
  'State/PfxRcd',
  'PfxAcc',
  'PfxSnt',
  'Desc',
];

function summaryText(answer: Extract<RouterAnswer, { kind: 'summary' }>): string {
  const { routerId, asn, tables, peers, listen, uptime } = answer;
  const tableLines = tables.map(
    ({ family, prefixes, routes, fib }) =>
      `${family}: ${prefixes} prefixes, ${routes} routes, ${fib} in the FIB`,
  );
  const head = [
    `BGP router identifier ${routerId}, local AS number ${asn}, up ${ageText(uptime)}`,
    `listening on ${listen.join(' ')}`,
    ...tableLines,
  ];
  const rows = peers.map((peer) =>
    columns(SUMMARY_COLUMNS, [
      peer.peer,
      '4',
      String(peer.asn ?? '-'),
      String(peer.messages.in),
      String(peer.messages.out),
      String(peer.queued),
      upDown(peer),
      peer.state === 'Established' ? String(peer.received) : stateText(peer),
      String(peer.accepted),
      String(peer.sent),
      ` ${peer.hostName ?? ''}${peer.draining ? ' (drained)' : ''}`,
    ]),
  );
  const table =
    peers.length === 0
      ? ['No peer is configured or connected']
      : [columns(SUMMARY_COLUMNS, SUMMARY_NAMES), ...rows];
  return `${[...head, '', ...table, '', `Total number of neighbors ${peers.length}`].join('\n')}\n`;
}

function stateText({ state, shutDown }: PeerRecord): string {
  return shutDown ? 'Idle (Admin)' : state;
}

function upDown({ uptime, stateFor, flaps }: PeerRecord): string {
  if (uptime !== null) return ageText(uptime);
  return flaps === 0 ? 'never' : ageText(stateFor);
}

/** `00:01:07`, `2d03h15m`, `03w4d02h`, as vtysh has it. */
function ageText(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n: number): string => String(n).padStart(2, '0');
  const [days, hours, minutes] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
  if (days >= 7) return `${two(Math.floor(days / 7))}w${days % 7}d${two(hours)}h`;
  if (days > 0) return `${days}d${two(hours)}h${two(minutes)}m`;
  return `${two(hours)}:${two(minutes)}:${two(s % 60)}`;
}

function neighborText(peer: NeighborRecord): string {
  const lines = [
    `BGP neighbor is ${peer.peer}, remote AS ${peer.asn ?? '?'}`,
    ...(peer.hostName === null ? [] : [`  Hostname: ${peer.hostName}`]),
    `  BGP state = ${stateText(peer)}, ${peer.uptime === null ? `for ${ageText(peer.stateFor)}` : `up for ${ageText(peer.uptime)}`}${peer.draining ? ', drained (RFC 8326)' : ''}`,
    `  Remote router ID ${peer.routerId ?? 'not known'}${peer.passive ? ', passive' : ''}`,
    `  Hold time ${peer.holdTime ?? peer.configuredHoldTime} s${peer.holdTime === null ? ' (proposed)' : ''}`,
    ...(peer.local === null
      ? []
      : [
          `  Local ${peer.local.address}:${peer.local.port}, remote ${peer.address}:${peer.port}, opened by ${peer.openedBy === 'us' ? 'us' : 'the peer'}`,
        ]),
    ...capabilityLines(peer),
    ...(peer.gracefulRestart === null
      ? []
      : [
          `  Graceful restart: ${peer.gracefulRestart.families.join(', ') || 'no family'}, ${peer.gracefulRestart.restartTime} s`,
        ]),
    ...(peer.bfd === null ? [] : [`  BFD: ${peer.bfd.state}, detection time ${peer.bfd.detectionTimeMs} ms`]),
    `  Messages: ${peer.messages.in} received, ${peer.messages.out} sent; UPDATEs: ${peer.updates.in} received, ${peer.updates.out} sent`,
    `  NOTIFICATIONs: ${notificationsText(peer.notifications.in)} received, ${notificationsText(peer.notifications.out)} sent`,
    `  Policy: import ${peer.import}, export ${peer.export}${peer.maxPrefixes === null ? '' : `, ${peer.maxPrefixes} prefixes at most`}`,
    ...peer.families.map(
      ({ family, received, accepted, sent, stale }) =>
        `  ${family}: ${received} prefixes received, ${accepted} accepted, ${sent} sent${stale > 0 ? `, ${stale} stale` : ''}`,
    ),
    ...(peer.queued > 0 ? [`  ${peer.queued} prefixes are still to be told`] : []),
    `  Sessions lost: ${peer.flaps}`,
    ...resetLines(peer),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function capabilityLines({ capabilities }: NeighborRecord): string[] {
  if (capabilities === null) return [];
  const { sent, received } = capabilities;
  const both = sent.filter((name) => received.includes(name));
  const only = (names: readonly string[]): string[] => names.filter((name) => !both.includes(name));
  const line = (what: string, names: readonly string[]): string[] =>
    names.length === 0 ? [] : [`    ${what}: ${names.join(', ')}`];
  return [
    '  Capabilities:',
    ...line('of both', both),
    ...line('sent only', only(sent)),
    ...line('received only', only(received)),
  ];
}

function resetLines({ lastReset, lastError, state }: NeighborRecord): string[] {
  if (lastReset !== null) {
    const { time, reason, notification, sentBy } = lastReset;
    const who = sentBy === null ? '' : sentBy === 'us' ? ' sent by us' : ' sent by the peer';
    const code = notification === null ? '' : ` (NOTIFICATION ${notification}${who})`;
    return [`  Last reset ${new Date(time).toISOString()}, ${reason}${code}`];
  }
  return state !== 'Established' && lastError !== null ? [`  Last error: ${lastError}`] : [];
}

function notificationsText(counts: Readonly<Record<string, number>>): string {
  const codes = Object.entries(counts);
  const total = codes.reduce((sum, [, count]) => sum + count, 0);
  return total === 0
    ? '0'
    : `${total} (${codes.map(([code, count]) => `${code}${count > 1 ? ` × ${count}` : ''}`).join(', ')})`;
}

const ROUTE_COLUMNS: readonly Column[] = [
  ['left', 24],
  ['left', 24],
  ['right', 10],
  ['right', 7],
  ['left', 0],
];
const ROUTE_NAMES = ['Network', 'Next Hop', 'Metric', 'LocPrf', ' Path'];

function routeLine(route: RouteRecord): string {
  const usable = route.excluded === 'no' ? '*' : ' ';
  const chosen = route.best ? '>' : route.multipath ? '=' : ' ';
  const values = [
    route.prefix,
    route.nextHop ?? '-',
    route.med === null ? '' : String(route.med),
    route.localPref === null ? '' : String(route.localPref),
    ` ${route.asPath}${route.asPath === '' ? '' : ' '}${originCode(route.origin)}`,
  ];
  return `${route.stale ? 'S' : usable}${chosen} ${columns(ROUTE_COLUMNS, values)}\n`;
}

function originCode(origin: string): string {
  return origin === 'igp' ? 'i' : origin === 'egp' ? 'e' : '?';
}

function prefixText(answer: Extract<RouterAnswer, { kind: 'prefix' }>): string {
  const { asked, prefix, routes, advertisedTo, fib } = answer;
  if (prefix === null) return `% Network not in table: ${printable(asked)}\n`;
  const best = routes.findIndex((route) => route.best);
  const shared = routes.filter(({ multipath, best: isBest }) => multipath || isBest).length;
  const facts = [
    counted(routes.length, 'path'),
    best < 0 ? 'no best path' : `best #${best + 1}`,
    ...(shared > 1 ? [`${shared} share the traffic`] : []),
  ];
  const lines = [
    `BGP routing table entry for ${prefix}, ${facts.join(', ')}`,
    `  ${advertisedTo.length === 0 ? 'Not advertised to any peer' : `Advertised to ${advertisedTo.join(' ')}`}`,
    ...routes.flatMap(pathLines),
    ...(fib === null ? ['  Not in the FIB'] : [`  FIB: ${hopsText(fib)}`]),
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function pathLines(route: RouteRecord): string[] {
  const { asPath, nextHop, peer, origin, med, localPref } = route;
  const lists = [
    ['Community', route.communities],
    ['Large community', route.largeCommunities],
    ['Extended community', route.extendedCommunities],
  ] as const;
  const facts = [
    `Origin ${origin === 'incomplete' ? origin : origin.toUpperCase()}`,
    ...(med === null ? [] : [`metric ${med}`]),
    ...(localPref === null ? [] : [`localpref ${localPref}`]),
    ...(route.excluded === 'no' ? ['valid'] : ['not valid']),
    ...(route.stale ? [route.longLivedStale ? 'long-lived stale' : 'stale'] : []),
  ];
  return [
    `  ${asPath === '' ? 'Local' : asPath}`,
    `    ${nextHop ?? '-'} from ${peer}${route.pathId === 0 ? '' : `, path id ${route.pathId}`}`,
    `      ${facts.join(', ')}`,
    `      ${route.why}`,
    ...lists.flatMap(([name, values]) => (values.length === 0 ? [] : [`      ${name}: ${values.join(' ')}`])),
    `      Last update: ${ageText(route.age)} ago`,
  ];
}

function fibText(entry: FibRecord): string {
  return `${printable(entry.prefix)}\n${hopLines(entry, '  ')}`;
}

function groupText(group: GroupRecord): string {
  const { id, select, prefixes, first, buckets } = group;
  const users = `${first}${prefixes > 1 ? ` and ${prefixes - 1} more` : ''}`;
  const table = buckets === null ? '' : bucketLines(buckets);
  const head = `group ${id}, ${select}, used by ${users}`;
  return `${printable(head)}\n${hopLines(group, '  ')}${table}`;
}

function hopLines({ nextHops }: Pick<FibRecord, 'nextHops'>, indent: string): string {
  return nextHops
    .map(({ nextHop, weight, node, share }, i) => {
      const values = [
        `${i}`,
        nextHop,
        weight === 1 ? '' : `weight ${weight}`,
        `${(100 * share).toFixed(1)} %`,
        node === null ? '' : ` ${node}`,
      ];
      return `${indent}${columns(HOP_COLUMNS, values)}\n`;
    })
    .join('');
}

const HOP_COLUMNS: readonly Column[] = [
  ['right', 2],
  ['left', 26],
  ['left', 9],
  ['right', 7],
  ['left', 0],
];
const BUCKETS_A_LINE = 16;

/** The position of each bucket's owner, 16 a line. */
function bucketLines(buckets: readonly number[]): string {
  const lines: string[] = [];
  for (let at = 0; at < buckets.length; at += BUCKETS_A_LINE) {
    const owners = buckets
      .slice(at, at + BUCKETS_A_LINE)
      .map((owner) => (owner < 0 ? ' -' : padStart(`${owner}`, 2)));
    lines.push(`  buckets ${padStart(String(at), 4)}: ${owners.join(' ')}\n`);
  }
  return lines.join('');
}

function hopsText({ nextHops }: FibRecord): string {
  return nextHops.map(({ nextHop, share }) => `${nextHop} (${(100 * share).toFixed(1)} %)`).join(', ');
}

const FLOW_COLUMNS: readonly Column[] = [
  ['left', 5],
  ['left', 24],
  ['left', 24],
  ['left', 15],
  ['right', 10],
  ['left', 0],
];
const FLOW_NAMES = ['Proto', 'Source', 'Destination', 'Fate', 'Broke at', ' Cause'];

function flowLine(flow: LiveFlow): string {
  const { proto, src, srcPort, dst, dstPort, fate, brokenAt, cause, open } = flow;
  const end = (host: string, port: number): string =>
    host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const values = [
    String(proto),
    end(src, srcPort),
    end(dst, dstPort),
    open === true ? 'no answer' : fate,
    brokenAt === null || brokenAt === undefined ? '' : `${brokenAt.toFixed(3)} s`,
    cause === null || cause === undefined
      ? ''
      : ` ${cause.reason}${cause.event === null ? '' : ` (${cause.event})`}`,
  ];
  return `${columns(FLOW_COLUMNS, values)}\n`;
}

function eventLine({ id, time, detail, flowsBroken, flowsStalled, flowsMoved }: LiveEvent): string {
  const did =
    flowsBroken + flowsStalled + flowsMoved === 0
      ? ''
      : `; flows: ${flowsMoved} moved, ${flowsBroken} broke, ${flowsStalled} without answer`;
  return `${padEnd(id, 6)} ${new Date(time).toISOString()}  ${printable(detail)}${did}\n`;
}

function reloadText({ applied, changes }: Extract<RouterAnswer, { kind: 'reload' }>): string {
  if (changes.length === 0)
    return `The configuration says nothing new${applied ? '' : '; nothing would change'}\n`;
  const lines = changes.flatMap(changeLines);
  return `${[...lines, applied ? 'Reloaded' : 'Nothing was reloaded; say reload without check'].map(printable).join('\n')}\n`;
}

function changeLines({ of, change, keys, effect }: ConfigChange): string[] {
  const sign = change === 'added' ? '+' : change === 'removed' ? '-' : '~';
  return [
    `${sign} ${of}: ${effect}`,
    ...keys.flatMap(({ key, before, after }) => [
      `  - ${key}: ${JSON.stringify(before)}`,
      `  + ${key}: ${JSON.stringify(after)}`,
    ]),
  ];
}

function counted(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
