/**
 * Replays what a run of the lab left behind, under several seeds, and scores it. Only what the clients sent is replayed:
 * a what-if must not need the answers.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatAddress } from '../src/addr/address.js';
import type { ClusterModel } from '../src/cluster/model.js';
import { loadScenario } from '../src/cluster/scenario/load-scenario.js';
import { readCapture } from '../src/flow/read-capture.js';
import { replay } from '../src/verdict/replay.js';
import type { ReplayResult } from '../src/verdict/verdict.js';
import { addressHex, keepClientSide } from './frames.js';
import { type LabScore, scoreLabRun } from './score.js';

/** More are drawn while some connection has not gone as in any of them: two draws in a row may be needed. */
const FIRST_SEEDS = 32;
const MOST_SEEDS = 128;

export function replayRun(dir: string): LabScore {
  const scratch = mkdtempSync(join(tmpdir(), 'flowfate-score-'));
  try {
    return scored(dir, scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function scored(dir: string, scratch: string): LabScore {
  const file = join(dir, 'scenario.yaml');
  const { model } = loadScenario([{ name: file, text: readFileSync(file, 'utf8') }]);
  const clientSide = join(scratch, 'client-side.pcap');
  keepClientSide(join(dir, 'capture.pcap'), clientSide, vipsOf(model));
  const index = readCapture(clientSide);
  const results: ReplayResult[] = [];
  for (let seeds = FIRST_SEEDS; ; seeds *= 2) {
    while (results.length < seeds) results.push(replay(index, withSeed(model, results.length + 1)));
    const score = scoreLabRun(results, model, join(dir, 'truth.tsv'));
    if (score.wrong.length === 0 || seeds >= MOST_SEEDS) return score;
  }
}

/** The first one's timers are in time, as everybody's are who does not draw them. */
function withSeed(model: ClusterModel, seed: number): ClusterModel {
  if (seed === 1) return { ...model, seed };
  const { router } = model;
  return { ...model, seed, router: { ...router, ecmp: { ...router.ecmp, timerSeed: seed } } };
}

const vipsOf = ({ services }: ClusterModel): Set<string> =>
  new Set(services.flatMap(({ vips }) => vips.map((vip) => addressHex(formatAddress(vip)))));

/** The score in sentences for a person. */
export function scoreText(score: LabScore): string {
  const { flows, scored, nearChange, divided, shares, wrong } = score;
  const right = scored - wrong.length;
  return [
    `${flows} connections; ${nearChange} met a change while it happened and are left out`,
    `flowfate's replay says fate, path, moment and source right for ${right} of ${scored}`,
    ...(divided === 0
      ? []
      : [
          `${divided} of them depend on a draw; seen, and expected from the draws:`,
          ...shares.map(
            (s) => `  ${s.fate}: ${s.seen}, ${s.expected.toFixed(1)} ± ${s.deviation.toFixed(1)}`,
          ),
        ]),
    ...wrong.map((sentence) => `wrong: ${sentence}`),
  ].join('\n');
}
