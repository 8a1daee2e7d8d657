/**
 * The post-mortem of a capture: a finding for every connection in it, with confidence, alternatives and evidence; what
 * broke together; and what to fetch next. It looks at answers and resets, as a replay never does.
 *
 * One pass over the file fills the connection table; one over the rows asks what neighbours did; then each row is
 * judged by itself, and again whenever it is printed, so that a million ordinary connections cost a byte each.
 */
import { captureLoss, type Gaps, lossSentences } from '../flow/capture-loss.js';
import * as protocols from '../wire/ip-protocol.js';
import { type Break, type Burst, findBursts, type Traits } from './bursts.js';
import { type LossSigns, NO_LOSS, surveyLoss } from './capture-loss.js';
import { Connection } from './connection.js';
import * as t from './connection-table.js';
import { diagnose } from './diagnose.js';
import { type Diagnosis, FINDING_NAMES, type FindingName, isBroken } from './finding.js';
import { isDataless, type Neighbours, surveyNeighbours } from './neighbours.js';
import type { IcmpNotice, ReadConnections } from './read-connections.js';
import { RehashSigns } from './rehash-signs.js';
import type { RouteEvidence } from './route-evidence.js';
import { PATIENCE_NS, type Situation } from './situation.js';
import { type NextStep, whatWouldTell } from './tell-apart.js';

export interface ExplainOptions {
  /** t = 0 in nanoseconds since the capture's first record */
  readonly originNs?: number;
  readonly routes?: RouteEvidence | null;
}

export interface ExplainSummary {
  /** connections in the report */
  readonly flows: number;
  /** those with a finding other than cannot-tell */
  readonly judged: number;
  readonly broken: number;
  /** broken / judged; null where nothing was judged */
  readonly brokenShare: number | null;
  readonly byFinding: Partial<Record<FindingName, number>>;
  readonly notes: readonly string[];
  readonly nextSteps: readonly NextStep[];
}

export class Explanation {
  readonly summary: ExplainSummary;
  readonly bursts: readonly Burst[];
  /** rows of the report, by the first packet */
  readonly rows: Int32Array;
  readonly originNs: number;
  private readonly connection: Connection;
  private readonly neighbours: Neighbours;
  private readonly signs: RehashSigns;
  /** what was lost in capturing */
  readonly loss: LossSigns;

  constructor(
    private readonly read: ReadConnections,
    { originNs = 0, routes = null }: ExplainOptions = {},
  ) {
    const { table, endNs } = read;
    this.originNs = originNs;
    this.connection = new Connection(table);
    this.rows = rowsOf(read, this.connection);
    this.neighbours = surveyNeighbours(this.connection, this.rows, endNs, PATIENCE_NS);
    this.signs = new RehashSigns(routes, this.connection, this.rows, endNs, PATIENCE_NS);
    // a filtered capture lacks what it was told to leave out
    this.loss = this.neighbours.filtered
      ? NO_LOSS
      : surveyLoss(this.connection, this.rows, read.summary.packets, read.summary.dropped ?? null);
    const counts = new Float64Array(FINDING_NAMES.length);
    const found = new Set<FindingName>();
    const alternatives = new Map<FindingName, Set<FindingName>>();
    const breaks: Break[] = [];
    const firstNs = new Float64Array(this.rows.length);
    const lastNs = new Float64Array(this.rows.length);
    let lives = 0;
    for (const row of this.rows) {
      const connection = this.connection.moveTo(row);
      if (connection.proto === protocols.TCP && connection.server.packets > 0) {
        firstNs[lives] = connection.firstNs;
        lastNs[lives++] = connection.endNs;
      }
      if (isPlainlyOrdinary(connection, this.neighbours)) {
        counts[0]!++;
        continue;
      }
      const diagnosis = diagnose(this.situation(connection));
      counts[FINDING_NAMES.indexOf(diagnosis.finding)]!++;
      found.add(diagnosis.finding);
      const known = alternatives.get(diagnosis.finding) ?? new Set();
      for (const name of diagnosis.alternatives) known.add(name);
      alternatives.set(diagnosis.finding, known);
      if (BURSTING.has(diagnosis.finding)) {
        const { finding, atNs } = diagnosis;
        breaks.push({ row, atNs, finding, reset: connection.resetNs >= 0 });
      }
    }
    this.bursts =
      breaks.length === 0
        ? []
        : findBursts(
            breaks,
            (row) => traitsOf(this.connection.moveTo(row)),
            { firstNs: firstNs.subarray(0, lives).sort(), lastNs: lastNs.subarray(0, lives).sort() },
            routes?.changes ?? [],
            originNs,
          );
    this.summary = this.summarise(counts, whatWouldTell(found, alternatives));
  }

  /** What connections show of packets that were lost in capturing. */
  get gaps(): Gaps {
    return { flows: this.loss.connections, bytes: null, headersCut: 0 };
  }

  /** The connection at `row`; a view that the next call moves on. */
  connectionAt(row: number): Connection {
    return this.connection.moveTo(row);
  }

  diagnosisOf(row: number): Diagnosis {
    // a copy: its sentences are made now, while the view is on this row
    return { ...diagnose(this.situation(this.connection.moveTo(row))) };
  }

  private situation(connection: Connection): Situation {
    const { table, endNs, icmp } = this.read;
    const server = this.neighbours.serverOf(connection);
    return {
      connection,
      server,
      figures: () => server.figures(table, endNs),
      neighbours: this.neighbours,
      icmp: icmp.get(connection.row) ?? NO_NOTICES,
      rehash: this.signs,
      loss: this.loss,
      endNs,
    };
  }

  private summarise(counts: Float64Array, nextSteps: readonly NextStep[]): ExplainSummary {
    const byFinding: Partial<Record<FindingName, number>> = {};
    let broken = 0;
    FINDING_NAMES.forEach((name, i) => {
      if (counts[i]! === 0) return;
      byFinding[name] = counts[i]!;
      if (isBroken(name)) broken += counts[i]!;
    });
    const flows = this.rows.length;
    const judged = flows - (byFinding['cannot-tell'] ?? 0);
    return {
      flows,
      judged,
      broken,
      brokenShare: judged === 0 ? null : broken / judged,
      byFinding,
      notes: this.notes(byFinding),
      nextSteps,
    };
  }

  private notes(byFinding: Partial<Record<FindingName, number>>): string[] {
    const { tcp, twoSided, filtered } = this.neighbours;
    const { summary, layer, insidePackets, table } = this.read;
    const notes: string[] = [];
    if (layer === t.LAYER_INSIDE && insidePackets > 0) {
      notes.push(
        `Read by the inside of tunnels: ${insidePackets} of ${summary.packets} packets are copies or carried in one (--level outer looks at the outside).`,
      );
    } else if (insidePackets > 0) {
      notes.push(
        `${insidePackets} packets carry others inside a tunnel; this is about the outside (--level inner looks inside).`,
      );
    }
    if (tcp > 0 && twoSided === 0)
      notes.push('The capture shows one direction only: whether anybody answered cannot be told from it.');
    else if (tcp > 0 && twoSided < tcp / 2)
      notes.push(`Of ${tcp} TCP connections ${twoSided} have both sides in the capture.`);
    if (filtered)
      notes.push(
        'The capture was filtered to SYN, FIN and RST: what a reset or a silence answers is not in it.',
      );
    notes.push(
      ...lossSentences(captureLoss(summary, this.gaps), summary.packets).map((sentence) => `${sentence}.`),
    );
    if (summary.truncated || summary.damage !== null)
      notes.push('The capture ends early; what is unanswered at its end may have been answered.');
    const unjudged = byFinding['cannot-tell'] ?? 0;
    if (unjudged > 0)
      notes.push(
        `Not judged, because the capture does not show enough: ${unjudged} of ${this.rows.length} connections.`,
      );
    if (table.count === 0) notes.push('No TCP connection and no UDP exchange is in the capture.');
    return notes;
  }
}

const NO_NOTICES: readonly IcmpNotice[] = [];

/** Findings that may belong together in time. */
const BURSTING: ReadonlySet<FindingName> = new Set<FindingName>([
  'late-use',
  'idle-timeout',
  'middlebox',
  'endpoint-died',
  'endpoint-stopped',
  'rehash',
  'unknown-connection',
  'unanswered-data',
  'unanswered-fin',
  'pmtu-black-hole',
]);

/** What the longest look would find ordinary, too, and most connections are. */
function isPlainlyOrdinary(connection: Connection, { filtered }: Neighbours): boolean {
  if (connection.proto !== protocols.TCP || filtered || connection.resetNs >= 0) return false;
  const { client, server } = connection;
  if (client.packets === 0 || server.packets === 0 || isDataless(connection)) return false;
  if (client.openSinceNs >= 0 || server.openSinceNs >= 0 || !connection.has(t.SAW_PLAIN)) return false;
  if (connection.has(t.PROBE_FLAGS)) return false;
  return client.finNs >= 0 && server.finNs >= 0 ? true : connection.has(t.SAW_HANDSHAKE_ACK | t.SAW_DATA_OUT);
}

function traitsOf(connection: Connection): Traits {
  return {
    serverKey: connection.serverPortKey,
    clientKey: connection.clientKey,
    get server() {
      return `${connection.serverText} port ${connection.serverPort}`;
    },
    get client() {
      return connection.clientText;
    },
    family: connection.family,
    ttl: connection.resetNs >= 0 ? connection.resetTtl : -1,
    gapNs: connection.gapNs,
  };
}

/** Rows of the layer that is the traffic. */
function rowsOf({ table, layer }: ReadConnections, connection: Connection): Int32Array {
  const rows = new Int32Array(table.count);
  let count = 0;
  for (let row = 0; row < table.count; row++) {
    const of = connection.moveTo(row).layer;
    if (of === t.LAYER_PLAIN || of === layer) rows[count++] = row;
  }
  return rows.subarray(0, count);
}
