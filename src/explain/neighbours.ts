/**
 * What a connection's neighbours did: all connections of the same server address and port, and all of the same client.
 * A doctor asks who else has it. One pass over the rows; a diagnosis of one row then asks here.
 */
import * as protocols from '../wire/ip-protocol.js';
import type { Connection } from './connection.js';
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
export interface Ages {
  /** the shortest that a forgotten connection had, and the longest that one survived */
  readonly forgottenFromNs: number;
  readonly survivedToNs: number;
  readonly forgotten: number;
  readonly survivors: number;
}

export class ServerGroup {
  connections = 0;
  /** TTLs that the server's segments came with, resets aside; by TTL, in how many connections */
  readonly ttls = new Uint32Array(256);
  /** connections reset by a stack that did not know them, or silent: with their age, in order of rows */
  readonly hits: { row: number; atNs: number; gapNs: number; reset: boolean }[] = [];
  readonly survived: number[] = [];
  readonly ends: { atNs: number; firstNs: number }[] = [];
  readonly lives: { row: number; firstNs: number; lastNs: number; answeredNs: number }[] = [];
  /** SYNs: when, and whether they were accepted */
  readonly syns: { atNs: number; answer: 'accepted' | 'refused' | 'none' }[] = [];
  lastServerNs = -1;
  massEnds: readonly MassEnd[] = [];
  ages: Ages | null = null;
  /** connections that had begun before the first of the hits that are resets, and were answered after it */
  survivorsOfHits = 0;
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
  rows: Iterable<number>,
  endNs: number,
  patienceNs: number,
): Neighbours {
  const servers = new Map<number | string, ServerGroup>();
  const clients = new Map<number | string, ClientGroup>();
  const series = new Map<string, Series>();
  let twoSided = 0;
  let udpTwoSided = 0;
  let tcp = 0;
  let plain = false;
  let missing = false;
  for (const row of rows) {
    connection.moveTo(row);
    if (connection.proto === protocols.UDP && connection.client.packets > 0 && connection.server.packets > 0)
      udpTwoSided++;
    if (connection.proto !== protocols.TCP) continue;
    tcp++;
    const { client, server } = connection;
    if (client.packets > 0 && server.packets > 0) twoSided++;
    if (connection.has(t.SAW_PLAIN)) plain = true;
    if (connection.has(t.MISSING_IN | t.MISSING_OUT)) missing = true;
    addToServer(groupOf(servers, connection), connection, endNs, patienceNs);
    addToClient(clients, series, connection);
  }
  for (const group of servers.values()) weigh(group);
  return {
    serverOf: (c) => groupOf(servers, c),
    scanOf: (c) => scanTargets(clients.get(clientKey(c))),
    seriesOf: (c) => seriesFigures(series.get(seriesKey(c))),
    twoSided,
    udpTwoSided,
    tcp,
    filtered: tcp > 0 && !plain && missing,
  };
}

function serverGroupKey(connection: Connection): number | string {
  const { family, serverPort } = connection;
  return family === 4
    ? Number(connection.serverKey) * 65536 + serverPort
    : `${connection.serverKey} ${serverPort}`;
}

function clientKey(connection: Connection): number | string {
  return connection.family === 4 ? Number(connection.clientKey) : connection.clientKey;
}

function seriesKey(connection: Connection): string {
  return `${connection.clientKey} ${connection.serverKey} ${connection.serverPort}`;
}

function groupOf(servers: Map<number | string, ServerGroup>, connection: Connection): ServerGroup {
  const key = serverGroupKey(connection);
  let group = servers.get(key);
  if (group === undefined) {
    group = new ServerGroup();
    servers.set(key, group);
  }
  return group;
}

function addToServer(group: ServerGroup, connection: Connection, endNs: number, patienceNs: number): void {
  const { client, server, row } = connection;
  group.connections++;
  if (server.packets > 0 && server.ttlHigh > 0) {
    group.ttls[server.ttlLow]!++;
    if (server.ttlHigh !== server.ttlLow) group.ttls[server.ttlHigh]!++;
  }
  if (server.lastNs > group.lastServerNs) group.lastServerNs = server.lastNs;
  if (connection.has(t.SAW_SYN)) {
    const answer = connection.has(t.SAW_SYNACK)
      ? 'accepted'
      : connection.resetNs >= 0 && connection.resetIs(t.RST_OF_SYN)
        ? 'refused'
        : 'none';
    group.syns.push({ atNs: connection.firstNs, answer });
  }
  if (connection.survivedNs > 0) group.survived.push(connection.survivedNs);
  if (server.packets > 0) {
    const lastNs = Math.max(client.lastNs, server.lastNs);
    group.lives.push({ row, firstNs: connection.firstNs, lastNs, answeredNs: server.lastNs });
  }
  const closedFirst = server.finNs >= 0 && (client.finNs < 0 || client.finNs >= server.finNs);
  const abortedByServer =
    connection.resetNs >= 0 &&
    connection.resetIs(t.RST_BY_SERVER) &&
    (connection.resetFlags & ACK) !== 0 &&
    server.packets > 1;
  if (closedFirst) group.ends.push({ atNs: server.finNs, firstNs: connection.firstNs });
  else if (abortedByServer) group.ends.push({ atNs: connection.resetNs, firstNs: connection.firstNs });
  if (isUnknowing(connection) && !connection.resetIs(t.RST_AFTER_CLOSE) && !isDataless(connection)) {
    group.hits.push({ row, atNs: connection.resetNs, gapNs: connection.gapNs, reset: true });
  } else if (connection.has(t.SAW_SYNACK | t.BEGAN_MID) && client.sawData) {
    const since = silentSince(connection, endNs, patienceNs);
    if (since >= 0) group.hits.push({ row, atNs: since, gapNs: connection.gapNs, reset: false });
  }
}

function addToClient(
  clients: Map<number | string, ClientGroup>,
  series: Map<string, Series>,
  connection: Connection,
): void {
  const key = clientKey(connection);
  let group = clients.get(key);
  if (group === undefined) {
    group = { connections: 0, dataless: 0, targets: new Set() };
    clients.set(key, group);
  }
  group.connections++;
  if (!isDataless(connection) && !connection.has(t.PROBE_FLAGS)) {
    const known = series.get(seriesKey(connection));
    if (known !== undefined) known.connections++;
    return;
  }
  group.dataless++;
  if (group.targets.size < 4096) group.targets.add(serverGroupKey(connection));
  if (!connection.has(t.SAW_SYNACK)) return;
  const name = seriesKey(connection);
  let one = series.get(name);
  if (one === undefined) {
    one = { connections: 0, datalessNs: [], regular: null };
    series.set(name, one);
  }
  one.connections++;
  one.datalessNs.push(connection.firstNs);
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
function weigh(group: ServerGroup): void {
  group.massEnds = massEnds(group);
  const firstReset = group.hits.reduce(
    (first, { atNs, reset }) => (reset && atNs < first ? atNs : first),
    Number.POSITIVE_INFINITY,
  );
  if (Number.isFinite(firstReset)) {
    const hit = new Set(group.hits.map(({ row }) => row));
    for (const { row, firstNs, answeredNs } of group.lives) {
      if (firstNs < firstReset && answeredNs > firstReset && !hit.has(row)) group.survivorsOfHits++;
    }
  }
  if (group.hits.length < FORGOTTEN_LEAST || group.survived.length === 0) return;
  const survivedToNs = group.survived.reduce((most, gap) => Math.max(most, gap), 0);
  let forgottenFromNs = Number.POSITIVE_INFINITY;
  let forgotten = 0;
  for (const { gapNs } of group.hits) {
    if (gapNs < AGE_LEAST_NS) return;
    forgotten++;
    if (gapNs < forgottenFromNs) forgottenFromNs = gapNs;
  }
  if (forgottenFromNs < survivedToNs * AGE_MARGIN) return;
  group.ages = { forgottenFromNs, survivedToNs, forgotten, survivors: group.survived.length };
}

function massEnds({ ends, lives, syns }: ServerGroup): MassEnd[] {
  if (ends.length < MASS_END_LEAST) return [];
  const sorted = [...ends].sort((a, b) => a.atNs - b.atNs);
  const found: MassEnd[] = [];
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    while (to + 1 < sorted.length && sorted[to + 1]!.atNs - sorted[from]!.atNs <= MASS_END_NS) to++;
    const connections = to - from + 1;
    if (connections >= MASS_END_LEAST) {
      const fromNs = sorted[from]!.atNs;
      const toNs = sorted[to]!.atNs;
      let open = 0;
      for (const life of lives) if (life.firstNs < fromNs && life.lastNs >= fromNs) open++;
      if (connections >= MASS_END_SHARE * open) {
        const after = syns.filter(({ atNs }) => atNs > toNs);
        const answeredAfter = after.filter(({ answer }) => answer === 'accepted').length;
        found.push({
          fromNs,
          toNs,
          connections,
          open,
          atOnce: toNs - fromNs <= AT_ONCE_NS,
          refusedAfter: after.length - answeredAfter,
          answeredAfter,
        });
        from = to + 1;
        continue;
      }
    }
    from++;
  }
  return found;
}
