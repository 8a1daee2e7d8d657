/**
 * Positive evidence that a connection's packets were sent to another next hop. Without any, `of` is null, and nothing
 * may be called a re-hash.
 */
import { formatAddress } from '../addr/address.js';
import { TCP } from '../wire/ip-protocol.js';
import type { Connection } from './connection.js';
import * as t from './connection-table.js';
import { findHashSubset, type HashSubset } from './hash-subset.js';
import { isUnknowing, silentSince } from './neighbours.js';
import { chanceOf, moveKey, type RouteEvidence } from './route-evidence.js';
import { chance, milliseconds } from './words.js';

/** A move may be predicted this much after what it caused: clocks of routers and captures differ. */
const SLACK_NS = 50e6;
/** How long after a change of the route its resets begin at most: clients have to send first. */
const AFTER_CHANGE_NS = 5e9;
/** Chance must be this unlikely to have hit the moved connections. */
const CHANCE_MOST = 1e-3;
/** fewer connections prove nothing either way */
const PROOF_LEAST = 3;

export interface RehashSign {
  readonly score: number;
  readonly evidence: readonly string[];
}

/** How well the predicted moves explain who was hit. */
export interface MoveFit {
  readonly moved: number;
  readonly movedHit: number;
  readonly stayed: number;
  readonly stayedHit: number;
  readonly chance: number;
}

export class RehashSigns {
  /** of predicted moves; null where nothing predicts any, or nobody was hit */
  readonly fit: MoveFit | null;
  /** of moves that the capture shows */
  private readonly seenFit: MoveFit | null;
  /** hashes over next hops that explain who broke */
  private readonly subsets: readonly HashSubset[];

  constructor(
    private readonly routes: RouteEvidence | null,
    connection: Connection,
    rows: Int32Array,
    endNs: number,
    patienceNs: number,
  ) {
    const isHitNow = (): boolean => isHit(connection, endNs, patienceNs);
    this.fit =
      routes === null
        ? null
        : fitOf(connection, rows, isHitNow, () => {
            const moves = routes.movesOf(keyOf(connection));
            return moves === null ? null : moves.length > 0;
          });
    const anyMoved = rows.some((row) => connection.moveTo(row).movedNs >= 0);
    this.subsets = this.fit === null ? hashSubsets(connection, rows, isHitNow) : [];
    this.seenFit = anyMoved ? fitOf(connection, rows, isHitNow, () => connection.movedNs >= 0) : null;
  }

  /** What shows that this connection moved before it broke; null where nothing does. */
  of(connection: Connection): RehashSign | null {
    const atNs = brokenAt(connection);
    const evidence: string[] = [];
    let score = 0;
    const predicted = this.predicted(connection, atNs);
    if (predicted !== null) {
      evidence.push(...predicted.evidence);
      score = predicted.score;
    }
    const seen = this.seen(connection, atNs);
    if (seen !== null) {
      evidence.push(seen);
      score = Math.max(score, 88);
    }
    const subset = this.subsets.find(({ moved }) => moved.has(connection.row));
    if (subset !== undefined) {
      evidence.push(subset.sentence);
      score = Math.max(score, 86);
    }
    if (score === 0) {
      const change = this.routes?.changes
        .filter(
          ({ atNs: at, covers }) =>
            at <= atNs + SLACK_NS &&
            atNs - at <= AFTER_CHANGE_NS &&
            covers(formatAddress(connection.address(t.SERVER_ADDRESS))),
        )
        .at(-1);
      if (change !== undefined && this.routes?.movesOf(keyOf(connection)) === null) {
        evidence.push(
          `${milliseconds(Math.max(0, atNs - change.atNs))} before, by ${this.routes.source}: ${change.detail}`,
        );
        score = 70;
      }
    }
    return score === 0 ? null : { score, evidence };
  }

  private predicted(connection: Connection, atNs: number): RehashSign | null {
    const { routes, fit } = this;
    const moves = routes?.movesOf(keyOf(connection)) ?? null;
    const move = moves?.filter(({ atNs: at }) => at <= atNs + SLACK_NS).at(-1);
    if (routes === null || move === undefined) return null;
    const evidence = [
      `by ${routes.source}, its packets went to ${move.from} before and to ${move.to} from ${(move.atNs / 1e9).toFixed(3)} s on`,
    ];
    if (fit === null || fit.movedHit + fit.stayedHit < PROOF_LEAST) return { score: 84, evidence };
    evidence.push(
      `of ${fit.moved} connections that moved ${fit.movedHit} broke, of ${fit.stayed} that stayed ${fit.stayedHit}: by chance with probability ${chance(fit.chance)}`,
    );
    return { score: fit.chance <= CHANCE_MOST ? 96 : fit.stayed === 0 ? 84 : 40, evidence };
  }

  /** The destination MAC address of the client's packets changed, and just those broke whose did. */
  private seen(connection: Connection, atNs: number): string | null {
    const { movedNs } = connection;
    const fit = this.seenFit;
    if (fit === null || movedNs < 0 || movedNs > atNs + SLACK_NS) return null;
    if (fit.chance > CHANCE_MOST || fit.movedHit < PROOF_LEAST) return null;
    return `the client's packets went to another next hop (destination MAC address) from ${(movedNs / 1e9).toFixed(3)} s on; of ${fit.moved} connections with such a change ${fit.movedHit} broke, of ${fit.stayed} without ${fit.stayedHit}`;
  }
}

/** Who moved, against who was hit. `hasMoved`: null where that is not known of the connection. */
function fitOf(
  connection: Connection,
  rows: Int32Array,
  isHitNow: () => boolean,
  hasMoved: () => boolean | null,
): MoveFit | null {
  const counts = { moved: 0, movedHit: 0, stayed: 0, stayedHit: 0 };
  for (let i = 0; i < rows.length; i++) {
    connection.moveTo(rows[i]!);
    if (connection.proto !== TCP || connection.client.packets === 0) continue;
    const moved = hasMoved();
    if (moved === null) continue;
    const hit = isHitNow() ? 1 : 0;
    if (moved) {
      counts.moved++;
      counts.movedHit += hit;
    } else {
      counts.stayed++;
      counts.stayedHit += hit;
    }
  }
  const { moved, movedHit, stayed, stayedHit } = counts;
  const hits = movedHit + stayedHit;
  return hits === 0 ? null : { ...counts, chance: chanceOf(movedHit, hits, moved, moved + stayed) };
}

/** For the servers with most hits: a hash that explains which of their connections broke. */
function hashSubsets(connection: Connection, rows: Int32Array, isHitNow: () => boolean): HashSubset[] {
  const hitsOf = new Map<number | string, number[]>();
  for (let i = 0; i < rows.length; i++) {
    connection.moveTo(rows[i]!);
    if (connection.proto !== TCP || !isHitNow()) continue;
    const hits = hitsOf.get(connection.serverKey);
    if (hits === undefined) hitsOf.set(connection.serverKey, [rows[i]!]);
    else hits.push(rows[i]!);
  }
  const servers = [...hitsOf].filter(([, { length }]) => length >= LEAST_HITS);
  servers.sort(([, a], [, b]) => b.length - a.length);
  return servers.slice(0, MOST_SERVERS).flatMap(([serverKey, hits]) => {
    const firstNs = hits.reduce(
      (first, row) => Math.min(first, brokenAt(connection.moveTo(row))),
      Number.POSITIVE_INFINITY,
    );
    const hit = new Set(hits);
    // those that could have been hit: begun before, used after
    const others = [...rows].filter((row) => {
      connection.moveTo(row);
      return (
        connection.serverKey === serverKey &&
        connection.proto === TCP &&
        !hit.has(row) &&
        connection.firstNs < firstNs &&
        connection.client.lastNs > firstNs
      );
    });
    const found = findHashSubset(connection, hits, others);
    return found === null ? [] : [found];
  });
}

/** A hash is looked for behind so many servers at most, and where at least so many connections broke. */
const MOST_SERVERS = 4;
const LEAST_HITS = 10;

function keyOf(connection: Connection): string {
  return moveKey(connection.clientText, connection.clientPort, connection.serverText, connection.serverPort);
}

function isHit(connection: Connection, endNs: number, patienceNs: number): boolean {
  if (isUnknowing(connection)) return !connection.resetIs(t.RST_AFTER_CLOSE);
  return connection.has(t.SAW_SYNACK | t.BEGAN_MID) && silentSince(connection, endNs, patienceNs) >= 0;
}

function brokenAt(connection: Connection): number {
  if (connection.resetNs >= 0) return connection.resetNs;
  return Math.max(connection.client.openSinceNs, connection.server.openSinceNs, connection.firstNs);
}
