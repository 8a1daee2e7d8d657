/**
 * What a connection's neighbours did: all connections of the same server address and port, and all of the same client.
 * A doctor asks who else has it. One pass over the rows; a diagnosis of one row then asks here.
 */
import * as protocols from '../wire/ip-protocol.js';
import { Connection } from './connection.js';
import * as t from './connection-table.js';

const ACK = 0x10;

/** A server closes this many connections within {@link MASS_END_NS}: it is being stopped, or died. */
const MASS_END_LEAST = 3;
const MASS_END_NS = 250e6;
/** of the connections open at that moment */
const MASS_END_SHARE = 0.8;
/** a killed process closes all its sockets at once */
const AT_ONCE_NS = 10e6;
/** Ages tell forgotten connections from others only where this many were forgotten. */
const FORGOTTEN_LEAST = 3;
/** the youngest forgotten connection was idle for this many times what others survived */
const AGE_MARGIN = 1.1;
/** a silence that could mean anything to a table */
const AGE_LEAST_NS = 1e9;
const SCAN_TARGETS = 10;
const SCAN_SHARE = 0.8;
/** targets of one client that are told apart */
const MOST_TARGETS = 4096;
/** a server that ends connections all the time, one by one, is not being stopped */
const MOST_MASS_END_TRIES = 2000;
const SERIES_LEAST = 3;
const SERIES_SHARE = 0.8;
/** the spread of a monitor's intervals over their mean */
const REGULAR_SPREAD = 0.35;

/** A moment at which a server ended (nearly) everything that it held. */
export interface MassEnd {
  readonly fromNs: number;
  readonly toNs: number;
  readonly connections: number;
  readonly open: number;
  /** all within a moment that only the end of a process explains */
  readonly atOnce: boolean;
  /** connections refused or unanswered afterwards, and answered ones */
  readonly refusedAfter: number;
  readonly answeredAfter: number;
}

/** Silences after which connections were gone, against those that others survived. */
interface Ages {
  /** the shortest that a forgotten connection had, and the longest that one survived */
  readonly forgottenFromNs: number;
  readonly survivedToNs: number;
  readonly forgotten: number;
  readonly survivors: number;
}

/** How many connections of a server showed which TTL. A server has few: a list is smaller and faster than a table. */
export class TtlCounts {
  private readonly ttls: number[] = [];
  private readonly counts: number[] = [];

  add(ttl: number): void {
    const at = this.ttls.indexOf(ttl);
    if (at >= 0) this.counts[at]!++;
    else {
      this.ttls.push(ttl);
      this.counts.push(1);
    }
  }

  has(ttl: number): boolean {
    return this.ttls.includes(ttl);
  }

  /** connections counted, lowest and highest TTL */
  range(): { connections: number; low: number; high: number } {
    return {
      connections: this.counts.reduce((sum, n) => sum + n, 0),
      low: Math.min(...this.ttls),
      high: Math.max(...this.ttls),
    };
  }
}

/** The answers to a server's SYNs. */
interface SynAnswers {
  readonly accepted: number;
  readonly refused: number;
  readonly none: number;
}

interface ServerFigures {
  readonly massEnds: readonly MassEnd[];
  readonly ages: Ages | null;
  readonly syns: SynAnswers;
  readonly survivorsOfHits: number;
  readonly firstSilenceNs: number;
}

/** All connections of one server address and port. Figures are worked out when somebody asks. */
export class ServerGroup {
  readonly rows: number[] = [];
  /** TTLs that the server's segments came with, resets aside */
  readonly ttls = new TtlCounts();
  /** rows that were reset by a stack that did not know them, and rows that wait in vain */
  readonly resetHits: number[] = [];
  readonly silentHits: number[] = [];
  /** the longest silence that any connection survived, and in how many one was survived */
  survivedToNs = 0;
  survivors = 0;
  /** connections that their server ended first */
  readonly ends: number[] = [];
  lastServerNs = -1;
  private known: ServerFigures | null = null;

  figures(table: t.ConnectionTable, endNs: number): ServerFigures {
    this.known ??= weigh(this, new Connection(table), endNs);
    return this.known;
  }
}

/** What one client address did without ever sending an octet of data. */
interface ClientGroup {
  connections: number;
  dataless: number;
  readonly targets: Set<number | string>;
}

interface Series {
  connections: number;
  readonly datalessNs: number[];
  regular: boolean | null;
}

export interface Neighbours {
  serverOf(connection: Connection): ServerGroup;
  /** targets tried by its client without data, where that is a scan; 0 otherwise */
  scanOf(connection: Connection): number;
  /** dataless connections of its client to the same port, where they are a series; 0 otherwise */
  seriesOf(connection: Connection): { count: number; regular: boolean; everyNs: number };
  /** TCP connections with both sides in the capture, and all */
  readonly twoSided: number;
  /** UDP rows with both sides */
  readonly udpTwoSided: number;
  readonly tcp: number;
  /** no segment but SYN, FIN, RST in the whole capture, and octets missing between them */
  readonly filtered: boolean;
  /** data in the capture, but not one segment that only acknowledges: these were filtered out */
  readonly withoutAcks: boolean;
}

/** Whether nobody ever sent an octet, and nothing else than opening and closing happened. */
export function isDataless(connection: Connection): boolean {
  return (
    connection.client.payload === 0 &&
    connection.server.payload === 0 &&
    !connection.has(t.MISSING_IN | t.MISSING_OUT)
  );
}

/** A reset that only a stack without the connection sends: RST without ACK, at the number just acknowledged. */
export function isUnknowing(connection: Connection): boolean {
  return (
    connection.resetNs >= 0 &&
    connection.resetIs(t.RST_BY_SERVER) &&
    (connection.resetFlags & ACK) === 0 &&
    connection.resetIs(t.RST_SEQ_IS_ACK) &&
    !connection.resetIs(t.RST_UNPROVOKED)
  );
}

/** The time since which one side waited in vain until the end of the capture, -1 where none did. */
export function silentSince(connection: Connection, endNs: number, patienceNs: number): number {
  if (connection.resetNs >= 0) return -1;
  const { client, server } = connection;
  let since = -1;
  if (client.openSinceNs >= 0 && !server.windowShut) since = client.openSinceNs;
  if (server.openSinceNs >= 0 && !client.windowShut && (since < 0 || server.openSinceNs < since))
    since = server.openSinceNs;
  return since >= 0 && endNs - since >= patienceNs ? since : -1;
}

export function surveyNeighbours(
  connection: Connection,
  rows: Int32Array,
  endNs: number,
  patienceNs: number,
): Neighbours {
  const servers = new Map<number | string, ServerGroup>();
  const clients = new Map<number | string, ClientGroup>();
  const series = new Map<string, Series>();
  let twoSided = 0;
  let udpTwoSided = 0;
  let tcp = 0;
  let marks = 0;
  for (let i = 0; i < rows.length; i++) {
    connection.moveTo(rows[i]!);
    const bothSides = connection.client.packets > 0 && connection.server.packets > 0;
    if (connection.proto !== protocols.TCP) {
      if (bothSides && connection.proto === protocols.UDP) udpTwoSided++;
      continue;
    }
    tcp++;
    if (bothSides) twoSided++;
    marks |= connection.marks;
    addToServer(groupOf(servers, connection), connection, endNs, patienceNs);
    if (isDataless(connection) || connection.has(t.PROBE_FLAGS)) addDataless(clients, series, connection);
  }
  countRest(connection, rows, clients, series);
  return {
    serverOf: (c) => groupOf(servers, c),
    scanOf: (c) => scanTargets(clients.get(c.clientKey)),
    seriesOf: (c) => seriesFigures(series.get(seriesKey(c))),
    twoSided,
    udpTwoSided,
    tcp,
    filtered: tcp > 0 && (marks & t.SAW_PLAIN) === 0 && (marks & (t.MISSING_IN | t.MISSING_OUT)) !== 0,
    withoutAcks:
      tcp > 1 && (marks & t.SAW_BARE_ACK) === 0 && (marks & (t.SAW_DATA_IN | t.SAW_DATA_OUT)) !== 0,
  };
}

function seriesKey(connection: Connection): string {
  return `${connection.clientKey} ${connection.serverKey} ${connection.serverPort}`;
}

function groupOf(servers: Map<number | string, ServerGroup>, connection: Connection): ServerGroup {
  const key = connection.serverPortKey;
  let group = servers.get(key);
  if (group === undefined) {
    group = new ServerGroup();
    servers.set(key, group);
  }
  return group;
}

function addToServer(group: ServerGroup, connection: Connection, endNs: number, patienceNs: number): void {
  const { client, server, row } = connection;
  group.rows.push(row);
  if (server.packets > 0 && server.ttlHigh > 0) {
    group.ttls.add(server.ttlLow);
    if (server.ttlHigh !== server.ttlLow) group.ttls.add(server.ttlHigh);
  }
  if (server.lastNs > group.lastServerNs) group.lastServerNs = server.lastNs;
  if (connection.survivedNs > 0) {
    group.survivors++;
    if (connection.survivedNs > group.survivedToNs) group.survivedToNs = connection.survivedNs;
  }
  if (endedByServerNs(connection) >= 0) group.ends.push(row);
  if (isUnknowing(connection) && !connection.resetIs(t.RST_AFTER_CLOSE) && !isDataless(connection)) {
    group.resetHits.push(row);
  } else if (client.sawData && connection.has(t.SAW_SYNACK | t.BEGAN_MID)) {
    if (silentSince(connection, endNs, patienceNs) >= 0) group.silentHits.push(row);
  }
}

/** When the server, and not the client, ended a connection; -1 where it did not. */
function endedByServerNs(connection: Connection): number {
  const { client, server } = connection;
  if (server.finNs >= 0 && (client.finNs < 0 || client.finNs >= server.finNs)) return server.finNs;
  const aborted =
    connection.resetNs >= 0 &&
    connection.resetIs(t.RST_BY_SERVER) &&
    (connection.resetFlags & ACK) !== 0 &&
    !connection.resetIs(t.RST_FIRST_WORD);
  return aborted ? connection.resetNs : -1;
}

function addDataless(
  clients: Map<number | string, ClientGroup>,
  series: Map<string, Series>,
  connection: Connection,
): void {
  const key = connection.clientKey;
  let group = clients.get(key);
  if (group === undefined) {
    group = { connections: 0, dataless: 0, targets: new Set() };
    clients.set(key, group);
  }
  group.dataless++;
  if (group.targets.size < MOST_TARGETS) group.targets.add(connection.serverPortKey);
  if (!connection.has(t.SAW_SYNACK)) return;
  const name = seriesKey(connection);
  let one = series.get(name);
  if (one === undefined) {
    one = { connections: 0, datalessNs: [], regular: null };
    series.set(name, one);
  }
  one.datalessNs.push(connection.firstNs);
}

/** All connections of the clients and series that may turn out to be scans and monitors. */
function countRest(
  connection: Connection,
  rows: Int32Array,
  clients: Map<number | string, ClientGroup>,
  series: Map<string, Series>,
): void {
  for (const [key, { targets }] of clients) if (targets.size < SCAN_TARGETS) clients.delete(key);
  for (const [key, { datalessNs }] of series) if (datalessNs.length < SERIES_LEAST) series.delete(key);
  if (clients.size === 0 && series.size === 0) return;
  for (let i = 0; i < rows.length; i++) {
    connection.moveTo(rows[i]!);
    if (connection.proto !== protocols.TCP) continue;
    const client = clients.get(connection.clientKey);
    if (client !== undefined) client.connections++;
    const one = series.size === 0 ? undefined : series.get(seriesKey(connection));
    if (one !== undefined) one.connections++;
  }
}

function scanTargets(group: ClientGroup | undefined): number {
  if (group === undefined || group.targets.size < SCAN_TARGETS) return 0;
  return group.dataless >= SCAN_SHARE * group.connections ? group.targets.size : 0;
}

function seriesFigures(one: Series | undefined): { count: number; regular: boolean; everyNs: number } {
  if (
    one === undefined ||
    one.datalessNs.length < SERIES_LEAST ||
    one.datalessNs.length < SERIES_SHARE * one.connections
  ) {
    return { count: 0, regular: false, everyNs: 0 };
  }
  const times = one.datalessNs;
  const everyNs = (times[times.length - 1]! - times[0]!) / (times.length - 1);
  if (one.regular === null) {
    let squares = 0;
    for (let i = 1; i < times.length; i++) squares += (times[i]! - times[i - 1]! - everyNs) ** 2;
    one.regular = everyNs > 0 && Math.sqrt(squares / (times.length - 1)) <= REGULAR_SPREAD * everyNs;
  }
  return { count: times.length, regular: one.regular, everyNs };
}

/** What can be said of a server once all its connections are known. */
function weigh(group: ServerGroup, connection: Connection, endNs: number): ServerFigures {
  let firstReset = Number.POSITIVE_INFINITY;
  for (const row of group.resetHits) firstReset = Math.min(firstReset, connection.moveTo(row).resetNs);
  const hit = new Set(group.resetHits);
  let survivorsOfHits = 0;
  const syns = { accepted: 0, refused: 0, none: 0 };
  for (const row of group.rows) {
    connection.moveTo(row);
    if (connection.firstNs < firstReset && connection.server.lastNs > firstReset && !hit.has(row))
      survivorsOfHits++;
    const answer = answerOf(connection);
    if (answer !== null) syns[answer]++;
  }
  let firstSilenceNs = Number.POSITIVE_INFINITY;
  for (const row of group.silentHits) {
    firstSilenceNs = Math.min(firstSilenceNs, silentSince(connection.moveTo(row), endNs, 0));
  }
  return {
    massEnds: massEnds(group, connection),
    ages: agesOf(group, connection),
    syns,
    survivorsOfHits,
    firstSilenceNs,
  };
}

function answerOf(connection: Connection): keyof SynAnswers | null {
  if (!connection.has(t.SAW_SYN)) return null;
  if (connection.has(t.SAW_SYNACK)) return 'accepted';
  return connection.resetNs >= 0 && connection.resetIs(t.RST_OF_SYN) ? 'refused' : 'none';
}

function agesOf(
  { resetHits, silentHits, survivedToNs, survivors }: ServerGroup,
  connection: Connection,
): Ages | null {
  const forgotten = resetHits.length + silentHits.length;
  if (forgotten < FORGOTTEN_LEAST || survivors === 0) return null;
  let forgottenFromNs = Number.POSITIVE_INFINITY;
  for (const hits of [resetHits, silentHits]) {
    for (const row of hits) forgottenFromNs = Math.min(forgottenFromNs, connection.moveTo(row).gapNs);
  }
  if (forgottenFromNs < AGE_LEAST_NS || forgottenFromNs < survivedToNs * AGE_MARGIN) return null;
  return { forgottenFromNs, survivedToNs, forgotten, survivors };
}

function massEnds({ ends, rows }: ServerGroup, connection: Connection): MassEnd[] {
  if (ends.length < MASS_END_LEAST) return [];
  const times = Float64Array.from(ends, (row) => endedByServerNs(connection.moveTo(row))).sort();
  const found: MassEnd[] = [];
  for (let from = 0; from < times.length; ) {
    let to = from;
    while (to + 1 < times.length && times[to + 1]! - times[from]! <= MASS_END_NS) to++;
    const end =
      to - from + 1 < MASS_END_LEAST
        ? null
        : massEnd(times[from]!, times[to]!, to - from + 1, rows, connection);
    if (end !== null) found.push(end);
    from = end === null ? from + 1 : to + 1;
    if (found.length === 0 && from > MOST_MASS_END_TRIES) break;
  }
  return found;
}

function massEnd(
  fromNs: number,
  toNs: number,
  connections: number,
  rows: readonly number[],
  connection: Connection,
): MassEnd | null {
  let open = 0;
  let refusedAfter = 0;
  let answeredAfter = 0;
  for (const row of rows) {
    const { firstNs, client, server } = connection.moveTo(row);
    if (server.packets > 0 && firstNs < fromNs && Math.max(client.lastNs, server.lastNs) >= fromNs) open++;
    if (firstNs <= toNs) continue;
    const answer = answerOf(connection);
    if (answer === 'accepted') answeredAfter++;
    else if (answer !== null) refusedAfter++;
  }
  if (connections < MASS_END_SHARE * open) return null;
  return {
    fromNs,
    toNs,
    connections,
    open,
    atOnce: toNs - fromNs <= AT_ONCE_NS,
    refusedAfter,
    answeredAfter,
  };
}
