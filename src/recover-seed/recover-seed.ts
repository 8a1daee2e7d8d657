/**
 * The seed of a Linux router's multipath hash, recovered from which flow went to which next hop.
 *
 * Where net.ipv4.fib_multipath_hash_seed is not set, the kernel (6.11 and later) draws 32 bits at boot and tells
 * nobody. A flow that was seen to take one of N equal next hops says log2(N) bits about them, so that a few dozen
 * flows leave one candidate of 2^32; all of them are tried (recover-seed.as.ts). The most telling flows filter, the
 * others verify. Observations must be of one set of next hops each: flows seen while it changed do not belong here.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Address } from '../addr/address.js';
import { SILENT_WORKER } from '../flow/silent-worker.js';
import {
  createFlowHash,
  FIELD_DST,
  FIELD_DST_PORT,
  FIELD_LABEL,
  FIELD_PROTO,
  FIELD_SRC,
  FIELD_SRC_PORT,
  type FlowHash,
  type FlowHashName,
  swap32,
} from '../hash/flow-hash.js';
import { writeFlowKey } from '../hash/linux-flow-keys.js';
import { cumulativeShares } from '../route/weighted-shares.js';
import {
  type SeedConstraint,
  type SeedImage,
  SeedKernel,
  type SeedsFound,
  seedImage,
} from './recover-seed-kernel.js';

/** How the router selected: by thresholds over weights in table order, or from a table (resilient, modulo). */
export type ObservedGroup =
  | { readonly kind: 'hash-threshold'; readonly weights: readonly number[] }
  | { readonly kind: 'table'; readonly table: Int32Array };

export interface Observation {
  readonly src: Address;
  readonly dst: Address;
  readonly proto: number;
  /** 0 where the packet has no ports (ICMP, fragments) */
  readonly srcPort: number;
  readonly dstPort: number;
  /** IPv6 flow label */
  readonly label: number;
  /** row in `groups` */
  readonly group: number;
  /** which next hop it took: its place in `weights`, or its number in `table` */
  readonly chosen: number;
}

export interface RecoverOptions {
  readonly hash: Extract<FlowHashName, `linux-${string}`>;
  /** for linux-custom */
  readonly fields: number;
  readonly groups: readonly ObservedGroup[];
  /** first seed to try; default 0 */
  readonly from?: number;
  /** one past the last; default 2^32 */
  readonly to?: number;
  /** default: one a core */
  readonly threads?: number;
  readonly onProgress?: (progress: RecoverProgress) => void;
}

interface RecoverProgress {
  readonly done: number;
  readonly total: number;
  readonly seedsPerS: number;
  readonly candidates: readonly number[];
}

export interface RecoverResult {
  /** the only candidate that the other flows confirm, or null */
  readonly seed: number | null;
  /** seeds that fit every filtering flow (the first 4096) */
  readonly candidates: readonly number[];
  /** flows that the hash can tell apart */
  readonly distinctFlows: number;
  /** how many of them filtered, and what they say in bits */
  readonly usedFlows: number;
  readonly usedBits: number;
  /** flows that did not filter, and how many of them took the way that `seed` predicts */
  readonly verified: { readonly agree: number; readonly of: number };
  readonly seedsTried: number;
  /** one sentence or two: what came out, and if nothing, why that can be */
  readonly verdict: string;
}

/** Below this many bits no search is made: hundreds of seeds would fit. */
const LEAST_BITS = 26;
/** With this many bits a wrong seed fits once in 4000 searches. */
const AMPLE_BITS = 44;
const SEEDS = 2 ** 32;
const CHUNK_SEEDS = 2 ** 22;
/** Of the flows that verify, so many must agree: a capture may hold a few that were on their way as routes changed. */
const LEAST_AGREEMENT = 0.95;

export async function recoverSeed(
  observations: readonly Observation[],
  options: RecoverOptions,
): Promise<RecoverResult> {
  const { distinct, contradiction } = distinguish(observations, options);
  if (contradiction !== null) return nothing(distinct.length, 0, 0, contradiction);
  const telling = distinct
    .map((observation) => ({ observation, bits: bitsOf(observation, options.groups) }))
    .sort((a, b) => b.bits - a.bits);
  let usedBits = 0;
  let used = 0;
  while (used < telling.length && usedBits < AMPLE_BITS) usedBits += telling[used++]!.bits;
  if (usedBits < LEAST_BITS) {
    return nothing(distinct.length, used, usedBits, tooFew(distinct.length, usedBits));
  }
  const ordered = telling.map(({ observation }) => observation);
  const rest = ordered.slice(used);
  const image = seedImage(ordered.slice(0, used).map((observation) => constraintOf(observation, options)));
  const { candidates, seedsTried } = await searchSeeds(
    image,
    options,
    (candidate) => usedBits >= AMPLE_BITS && confirms(candidate, rest, options),
  );
  const confirmed = candidates.filter((candidate) => confirms(candidate, rest, options));
  const seed = confirmed.length === 1 ? confirmed[0]! : null;
  const verified = { agree: seed === null ? 0 : agreement(seed, rest, options), of: rest.length };
  const verdict =
    seed !== null
      ? `The seed is ${seed}: ${used} flows (${usedBits.toFixed(1)} bits) left this one candidate, and it predicts ${verified.agree} of ${rest.length} flows that were not used.`
      : confirmed.length > 1
        ? `${confirmed.length} seeds fit: ${tooFew(distinct.length, usedBits)}`
        : candidates.length > 0
          ? `A seed fits the ${used} filtering flows, but not the other ${rest.length}: some observations are wrong, or the next hops changed meanwhile.`
          : noSeed(seedsTried);
  return {
    seed,
    candidates,
    distinctFlows: distinct.length,
    usedFlows: used,
    usedBits,
    verified,
    seedsTried,
    verdict,
  };
}

function nothing(distinctFlows: number, usedFlows: number, usedBits: number, verdict: string): RecoverResult {
  return {
    seed: null,
    candidates: [],
    distinctFlows,
    usedFlows,
    usedBits,
    verified: { agree: 0, of: 0 },
    seedsTried: 0,
    verdict,
  };
}

function tooFew(flows: number, bits: number): string {
  const needed = bits > 0 ? Math.ceil((AMPLE_BITS * flows) / bits) : 0;
  const how = needed > 0 ? `about ${needed} such flows` : 'flows over at least two next hops';
  return `${flows} distinguishable flows say ${bits.toFixed(1)} bits about the 32 of the seed; ${how} are needed.`;
}

function noSeed(seedsTried: number): string {
  const tried = seedsTried === SEEDS ? 'No seed of all 2^32' : `None of the ${seedsTried} seeds tried`;
  return (
    `${tried} fits. Either the router hashes with something else (a receive hash set by its NIC or by RPS, a kernel ` +
    'before 6.11, which has a 128-bit key, or no Linux), or what was assumed is not so: hash policy or fields, ' +
    'the order or weights of the next hops, or some of the observations.'
  );
}

/** Flows that hash alike say nothing new; if they went different ways, the assumed policy is wrong. */
function distinguish(
  observations: readonly Observation[],
  options: RecoverOptions,
): { distinct: Observation[]; contradiction: string | null } {
  const first = new Map<string, Observation>();
  let contrary = 0;
  for (const observation of observations) {
    const name = `${observation.group} ${keyOf(observation, options).join(' ')}`;
    const known = first.get(name);
    if (known === undefined) first.set(name, observation);
    else if (known.chosen !== observation.chosen) contrary++;
  }
  const contradiction =
    contrary === 0
      ? null
      : `${contrary} flows that ${options.hash} cannot tell apart from others took another next hop: the router's ` +
        'policy looks at more than that, its hash comes from elsewhere (NIC, RPS), or the next hops changed meanwhile.';
  return { distinct: [...first.values()], contradiction };
}

function keyOf(observation: Observation, { hash, fields }: RecoverOptions): Int32Array {
  const { src, dst, proto, srcPort, dstPort, label } = observation;
  const v6 = src.family === 6;
  const has = (field: number): boolean => hash !== 'linux-custom' || (fields & field) !== 0;
  const ports = hash === 'linux-l4' || hash === 'linux-custom';
  const words = new Uint32Array(8);
  if (has(FIELD_SRC)) words.set([src.w0, src.w1, src.w2, src.w3]);
  if (has(FIELD_DST)) words.set([dst.w0, dst.w1, dst.w2, dst.w3], 4);
  const key = new Int32Array(18);
  const count = writeFlowKey(
    key,
    src.family,
    words,
    0,
    4,
    (v6 || ports) && has(FIELD_PROTO) ? proto : 0,
    ports && has(FIELD_SRC_PORT) ? srcPort : 0,
    ports && has(FIELD_DST_PORT) ? dstPort : 0,
    v6 && hash !== 'linux-l4' && has(FIELD_LABEL) ? (hash === 'linux-l3' ? label : swap32(label)) : 0,
  );
  return key.slice(0, count);
}

function constraintOf(observation: Observation, options: RecoverOptions): SeedConstraint {
  const group = groupOf(observation, options.groups);
  const { chosen } = observation;
  const shared = { key: keyOf(observation, options), mixes: options.hash === 'linux-custom' };
  if (group.kind === 'table') return { ...shared, accepts: { kind: 'table', table: group.table, chosen } };
  const bounds = boundsOf(group.weights);
  return {
    ...shared,
    accepts: { kind: 'interval', low: bounds[chosen - 1] ?? 0, high: bounds[chosen]! - 1 },
  };
}

function groupOf({ group, chosen }: Observation, groups: readonly ObservedGroup[]): ObservedGroup {
  const found = groups[group];
  if (found === undefined) throw new RangeError(`recoverSeed: expected a row of groups, got ${group}`);
  if (found.kind === 'hash-threshold' ? found.weights[chosen] === undefined : !found.table.includes(chosen)) {
    throw new RangeError(`recoverSeed: expected a next hop of group ${group}, got ${chosen}`);
  }
  return found;
}

function boundsOf(weights: readonly number[]): Float64Array {
  return cumulativeShares(
    weights.map((weight, id) => ({ id, weight })),
    2 ** 31,
  );
}

/** What an observation says: the smaller the share of the next hop it took, the more. */
function bitsOf(observation: Observation, groups: readonly ObservedGroup[]): number {
  const group = groupOf(observation, groups);
  const [part, whole] =
    group.kind === 'table'
      ? [group.table.filter((id) => id === observation.chosen).length, group.table.length]
      : [group.weights[observation.chosen]!, group.weights.reduce((sum, weight) => sum + weight, 0)];
  return Math.log2(whole / part);
}

/** How many observations a seed predicts; through the router's own hash and bounds, not through the kernel's. */
function agreement(seed: number, observations: readonly Observation[], options: RecoverOptions): number {
  const flowHash = createFlowHash({ hash: options.hash, fields: options.fields, seed });
  const bounds = options.groups.map((group) => (group.kind === 'table' ? null : boundsOf(group.weights)));
  return observations.filter((observation) => {
    const hash = hashOf(flowHash, observation);
    const group = options.groups[observation.group]!;
    const predicted =
      group.kind === 'table'
        ? group.table[hash % group.table.length]
        : bounds[observation.group]!.findIndex((bound) => hash < bound);
    return predicted === observation.chosen;
  }).length;
}

function hashOf(flowHash: FlowHash, { src, dst, proto, srcPort, dstPort, label }: Observation): number {
  const words = Uint32Array.of(src.w0, src.w1, src.w2, src.w3, dst.w0, dst.w1, dst.w2, dst.w3);
  return flowHash.hashTuple(src.family, words, 0, 4, proto, srcPort, dstPort, label);
}

function confirms(seed: number, rest: readonly Observation[], options: RecoverOptions): boolean {
  return agreement(seed, rest, options) >= LEAST_AGREEMENT * rest.length;
}

/** Goes through the seeds in chunks until all are tried, or until one is `enough`. */
async function searchSeeds(
  image: SeedImage,
  options: RecoverOptions,
  enough: (candidate: number) => boolean,
): Promise<{ candidates: number[]; seedsTried: number }> {
  const from = options.from ?? 0;
  const to = options.to ?? SEEDS;
  const begunMs = performance.now();
  const candidates: number[] = [];
  let next = from;
  let done = 0;
  let over = false;
  const take = (): { first: number; seeds: number } | null => {
    if (over || next >= to) return null;
    const first = next;
    next = Math.min(to, first + CHUNK_SEEDS);
    return { first, seeds: next - first };
  };
  const collect = ({ seeds: found }: SeedsFound, tried: number): void => {
    done += tried;
    candidates.push(...found);
    over ||= found.some(enough);
    const seedsPerS = done / Math.max(1e-3, (performance.now() - begunMs) / 1000);
    options.onProgress?.({ done, total: to - from, seedsPerS, candidates });
  };
  const threads = options.threads ?? availableParallelism();
  const program = new URL('./recover-seed-worker.js', import.meta.url);
  if (threads > 1 && existsSync(fileURLToPath(program))) {
    await Promise.all(Array.from({ length: threads }, () => runThread(program, image, take, collect)));
  } else {
    const kernel = new SeedKernel(image);
    for (let chunk = take(); chunk !== null; chunk = take()) {
      collect(kernel.search(chunk.first, chunk.seeds), chunk.seeds);
      await nextTurn();
    }
  }
  candidates.sort((a, b) => a - b);
  return { candidates, seedsTried: done };
}

function runThread(
  program: URL,
  image: SeedImage,
  take: () => { first: number; seeds: number } | null,
  collect: (found: SeedsFound, tried: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(program, { workerData: image, ...SILENT_WORKER });
    let tried = 0;
    const feed = (): void => {
      const chunk = take();
      tried = chunk?.seeds ?? 0;
      if (chunk === null) void worker.terminate().then(() => resolve(), reject);
      else worker.postMessage(chunk);
    };
    worker.on('message', (found: SeedsFound) => {
      collect(found, tried);
      feed();
    });
    worker.on('error', reject);
    feed();
  });
}
