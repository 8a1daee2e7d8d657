/**
 * Do the connections that broke form a set that some hash and some change of the next hops would have moved?
 *
 * Only hashes without a secret can be tried: published ones, with seeds 0 and 1. Linux's
 * own depends on 32 bits drawn at boot; for that, `recover-seed` searches. A candidate is a hash, a number of next hops, the
 * one that goes (or comes), and a way to choose: modulo or hash-threshold, dealt anew or with only the orphans moved.
 */
import { createFlowHash, DEFAULT_FIELDS, type FlowHashName } from '../hash/flow-hash.js';
import type { Connection } from './connection.js';
import { CLIENT_ADDRESS, SERVER_ADDRESS } from './connection-table.js';
import { chanceOf } from './route-evidence.js';
import { chance } from './words.js';

/** not xor: modulo 2 it is the parity of ports, which operating systems choose by parity, too */
const HASHES: readonly FlowHashName[] = ['crc32c', 'crc16', 'toeplitz', 'jenkins', 'murmur3'];
const SEEDS = [0, 1];
const MOST_HOPS = 8;
const SELECTS = ['modulo', 'hash-threshold'] as const;
/** fewer hits, or fewer that live on, prove nothing about a hash */
const LEAST = 10;
/** connections looked at; more do not make it surer */
const MOST = 4000;
/** of those that a candidate moves, and of those that broke, at least this share must be the other as well */
const SHARE = 0.9;
/** the chance, times the number of candidates, must be below this */
const CHANCE_MOST = 1e-6;

export interface HashSubset {
  readonly moved: ReadonlySet<number>;
  readonly sentence: string;
}

/** `hits` broke, `others` began before and were used after; rows of one server address. Null: no candidate fits. */
export function findHashSubset(
  connection: Connection,
  hits: readonly number[],
  others: readonly number[],
): HashSubset | null {
  if (hits.length < LEAST || others.length < LEAST) return null;
  const broke = hits.slice(0, MOST);
  const rows = [...broke, ...others.slice(0, MOST)];
  let best: { moved: Uint8Array; movedHit: number; movedAll: number; p: number; name: string } | null = null;
  let candidates = 0;
  for (const hash of HASHES) {
    for (const seed of SEEDS) {
      const shares = sharesOf(connection, rows, hash, seed);
      for (let hops = 2; hops <= MOST_HOPS; hops++) {
        for (let gone = 0; gone < hops; gone++) {
          for (const select of SELECTS) {
            for (const anew of [true, false]) {
              candidates++;
              const moved = movedBy(shares, hops, gone, select, anew);
              const movedHit = sum(moved, 0, broke.length);
              const movedAll = sum(moved, 0, rows.length);
              if (movedHit < SHARE * broke.length || movedHit < SHARE * movedAll) continue;
              const p = chanceOf(movedHit, broke.length, movedAll, rows.length);
              if (best !== null && p >= best.p) continue;
              const way = anew ? 'dealt anew' : 'only its own share moved';
              const name = `${hash} (seed ${seed}), ${select} over ${hops} next hops, number ${gone + 1} gone or added, ${way}`;
              best = { moved, movedHit, movedAll, p, name };
            }
          }
        }
      }
    }
  }
  if (best === null || best.p * candidates > CHANCE_MOST) return null;
  const { moved, movedHit, movedAll, p, name } = best;
  return {
    moved: new Set(rows.filter((_, i) => moved[i] === 1)),
    sentence:
      `${name}, moves ${movedHit} of the ${broke.length} that broke and ${movedAll - movedHit} of ${rows.length - broke.length} that lived on: ` +
      `chance ${chance(Math.min(1, p * candidates))} for the best of ${candidates} candidates`,
  };
}

interface Shares {
  readonly hash: Float64Array;
  /** 2 to the number of the hash's bits */
  readonly span: number;
}

function sharesOf(connection: Connection, rows: readonly number[], hash: FlowHashName, seed: number): Shares {
  const flowHash = createFlowHash({ hash, seed, fields: DEFAULT_FIELDS });
  const hashes = new Float64Array(rows.length);
  const words = new Uint32Array(8);
  rows.forEach((row, i) => {
    const { family, proto, clientPort, serverPort } = connection.moveTo(row);
    connection.copyAddresses(words);
    const value = flowHash.hashTuple(
      family,
      words,
      CLIENT_ADDRESS,
      SERVER_ADDRESS,
      proto,
      clientPort,
      serverPort,
      0,
    );
    hashes[i] = value;
  });
  return { hash: hashes, span: 2 ** flowHash.bits };
}

/** 1 for those that go to another next hop once number `gone` of `hops` is no more. */
function movedBy(
  { hash, span }: Shares,
  hops: number,
  gone: number,
  select: (typeof SELECTS)[number],
  anew: boolean,
): Uint8Array {
  const moved = new Uint8Array(hash.length);
  const choose = (value: number, n: number): number =>
    select === 'modulo' ? value % n : Math.floor((value * n) / span);
  for (let i = 0; i < hash.length; i++) {
    const before = choose(hash[i]!, hops);
    if (!anew) {
      moved[i] = before === gone ? 1 : 0;
      continue;
    }
    const place = hops === 2 ? 0 : choose(hash[i]!, hops - 1);
    moved[i] = before === (place < gone ? place : place + 1) ? 0 : 1;
  }
  return moved;
}

function sum(values: Uint8Array, from: number, to: number): number {
  let total = 0;
  for (let i = from; i < to; i++) total += values[i]!;
  return total;
}
