/**
 * Scores a replay against what the clients of a recorded run saw (truth.tsv): fate, node path, moment of the
 * break, source preserved. Flows whose path changes within 30 ms of a route change are left out (the moment the
 * kernel announced the change is a few tenths of a millisecond late), and so is what hangs on a random draw. Steps of
 * a path in the capture's last moments are the client program's exit, after truth was taken.
 */
import { readFileSync } from 'node:fs';
import type { ClusterModel } from '../../src/cluster/model.js';
import type { FlowVerdict, ReplayResult } from '../../src/replay/verdict.js';

const NEAR_ROUTE_CHANGE_S = 0.03;
const BREAK_WITHIN_S = 0.05;
const EXIT_S = 0.3;

/** fate by the client's outcome */
const FATE: Record<string, readonly string[]> = {
  ok: ['delivered'],
  closed: ['delivered'],
  rst: ['reset'],
  eof: ['endpoint-closed'],
  timeout: ['timeout'],
  'fin-unacked': ['timeout'],
  'connect-timeout': ['timeout'],
  'connect-refused': ['refused'],
  'connect-rst': ['refused'],
  'connect-error': ['refused'],
};

export interface LabScore {
  readonly flows: number;
  /** compared flow by flow */
  readonly scored: number;
  readonly nearRouteChange: number;
  /** sentences */
  readonly wrong: string[];
}

export function scoreLabRun(result: ReplayResult, model: ClusterModel, truthFile: string): LabScore {
  const verdicts = new Map<string, FlowVerdict>();
  for (let f = 0; f < result.flowCount; f++) {
    const v = result.flowVerdict(f);
    verdicts.set(`${v.src} ${v.srcPort} ${v.dst} ${v.dstPort}`, v);
  }
  const changes = model.timeline.filter((e) => e.kind === 'route').map((e) => e.at);
  const wrong: string[] = [];
  let scored = 0;
  let near = 0;
  const rows = tsv(truthFile);
  const endS = Math.max(...[...verdicts.values()].map((v) => v.end));
  for (const row of rows) {
    const key = `${row.src} ${row.sport} ${row.dst} ${row.dport}`;
    const v = verdicts.get(key);
    if (v === undefined) {
      wrong.push(`${key}: no such flow in the report`);
      continue;
    }
    const moments = [...v.path.map((step) => step.at), Number(row.t_break || Number.NaN)];
    if (moments.some((at) => changes.some((t) => Math.abs(at - t) <= NEAR_ROUTE_CHANGE_S))) {
      near++;
      continue;
    }
    scored++;
    const complaint = compare(row, v, endS);
    if (complaint !== null) wrong.push(`${key} (${row.class}): ${complaint}`);
  }
  return { flows: rows.length, scored, nearRouteChange: near, wrong };
}

function compare(row: Record<string, string>, v: FlowVerdict, endS: number): string | null {
  const outcome = row.outcome!;
  if (!FATE[outcome]?.includes(v.fate)) return `fate ${v.fate}, the client saw ${outcome} at ${row.t_break}`;
  const path = v.path
    .filter((step) => step.at < endS - EXIT_S)
    .map((step) => step.node)
    .join('>');
  if (path !== row.node_path) return `path ${path}, really ${row.node_path}`;
  if (row.t_break !== '' && v.fate !== 'delivered') {
    const late = Math.abs(v.brokenAt! - Number(row.t_break));
    if (late > BREAK_WITHIN_S) return `broke at ${v.brokenAt}, really at ${row.t_break}`;
  }
  const preserved = row.source_preserved;
  if (preserved !== '' && v.source?.preserved !== (preserved === '1')) {
    return `source preserved ${v.source?.preserved}, really ${preserved}`;
  }
  return null;
}

export function tsv(file: string): Record<string, string>[] {
  const [head, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  const names = head!.split('\t');
  return lines.map((line) => Object.fromEntries(line.split('\t').map((value, i) => [names[i]!, value])));
}
