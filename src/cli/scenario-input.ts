/**
 * The scenario that a command runs: from files and options. What reads them is loaded when there is something to read:
 * the schemas alone take longer to set up than a help text takes to print.
 */
import type { Command } from 'commander';
import { formatAddress } from '../addr/address.js';
import type { Remarks } from '../cluster/kubernetes/kubernetes-objects.js';
import type { ClusterModel } from '../cluster/model.js';
import type { RouterText } from '../cluster/router-tables/read-router-tables.js';
import type { LoadedScenario, SourceFile } from '../cluster/scenario/load-scenario.js';
import type { SeenEnds } from '../cluster/scenario/narrow-model.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { flowAddress } from '../flow/flow-rows.js';
import type { Io } from './io.js';
import { parseUint32 } from './option-values.js';
import { warn } from './read-input.js';
import { readRuleFiles, refuseNodeState, withRealRules } from './real-rules.js';

export interface ScenarioOptions {
  readonly scenario: readonly string[];
  readonly cluster: readonly string[];
  readonly event: readonly string[];
  readonly routerState?: readonly string[];
  readonly nodeState?: readonly string[];
  readonly seed?: number;
}

const gather = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function addScenarioOptions(command: Command): Command {
  return command
    .option('--scenario <file>', 'scenario in YAML; may be repeated', gather, [])
    .option(
      '--cluster <path>',
      'Kubernetes objects: what kubectl, flowfate collect or must-gather wrote, as a file, folder or archive; may be repeated',
      gather,
      [],
    )
    .option(
      '--router-state <file>',
      'what the router prints: ip -j route, ip -j nexthop, sysctl, FRR, GoBGP, BIRD, NX-OS, EOS; may be repeated',
      gather,
      [],
    )
    .option(
      '--node-state <node=file>',
      'real rules of a node in the place of the modelled ones: iptables-save, nft -j list ruleset, ipset save, ipvsadm -Sn, conntrack -L, ip -j addr, ip -j route, ip -j rule; files, folders, archives; may be repeated',
      gather,
      [],
    )
    .option(
      '--event <event>',
      'a line of the timeline, like "5s withdraw n2" or "2026-11-23T06:00:15Z withdraw n2"; may be repeated',
      gather,
      [],
    )
    .option('--seed <n>', "source of every random draw, instead of the scenario's", parseUint32('--seed'));
}

/** What the files and options say, or null where there is no file. Throws on whatever is wrong with them. */
export async function statedScenario(options: ScenarioOptions, io: Io): Promise<LoadedScenario | null> {
  const { scenario, cluster, routerState = [] } = options;
  if (scenario.length + cluster.length === 0) {
    refuseNodeState(options);
    if (routerState.length === 0) return null;
    throw new FlowfateError(
      'usage',
      '--router-state needs to know whose addresses its next hops are: give --cluster or --scenario, too',
    );
  }
  if ([...scenario, ...cluster, ...routerState].filter((path) => path === '-').length > 1) {
    throw new FlowfateError(
      'usage',
      'only one of --scenario, --cluster and --router-state can be standard input',
    );
  }
  const { splitEvents } = await import('./clock-event.js');
  const { readRouterState, readSources } = await import('../input/read-sources.js');
  const files: SourceFile[] = [];
  const router: RouterText[] = [];
  for (const path of scenario)
    files.push(...(await readSources(path, { stdin: io.stdin, many: false })).files);
  for (const path of cluster) {
    const sources = await readSources(path, { stdin: io.stdin, many: true });
    files.push(...sources.files);
    router.push(...sources.router);
  }
  for (const path of routerState) router.push(...(await readRouterState(path, io.stdin)));
  const { readRouterTables } = await import('../cluster/router-tables/read-router-tables.js');
  const { loadScenario } = await import('../cluster/scenario/load-scenario.js');
  const remarks: Remarks = { notes: [], unread: [] };
  try {
    const loaded = loadScenario(files, {
      events: splitEvents(options.event).relative,
      routerTables: readRouterTables(router),
      remarks,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
    });
    return await withRealRules(loaded, options, io);
  } catch (error) {
    // they may say why
    for (const remark of [...remarks.notes, ...remarks.unread]) warn(io, remark);
    throw error;
  }
}

/** The scenario that a command runs over a capture, stated or made. */
export interface ChosenScenario extends LoadedScenario {
  readonly madeFromCapture: boolean;
}

/**
 * Judges what the user states at once, so that a mistake costs no reading, and returns what yields the scenario
 * once the capture is read: the stated one, or else one made from the capture. Notes go to standard error.
 */
export async function scenarioFor(
  options: ScenarioOptions,
  io: Io,
): Promise<(index: CaptureIndex) => Promise<ChosenScenario>> {
  const stated = await statedScenario(options, io);
  const chosen = async (scenario: ChosenScenario, index: CaptureIndex): Promise<ChosenScenario> => {
    for (const note of scenario.notes) warn(io, note);
    const model = reseeded(scenario.model, options.seed);
    const clocked = await withClockEvents(model, options.event, index);
    const timed = await readRuleFiles(clocked, io);
    const { narrowModel } = await import('../cluster/scenario/narrow-model.js');
    const narrowed = narrowModel(timed, () => seenEnds(index));
    if (narrowed.idle > 0) {
      warn(
        io,
        `The cluster is large: the endpoints of ${narrowed.idle} services that the capture does not touch were left out.`,
      );
    }
    return { ...scenario, model: narrowed.model };
  };
  if (stated !== null) return async (index) => chosen({ ...stated, madeFromCapture: false }, index);
  return async (index) => {
    const { scenarioFromCapture } = await import('../cluster/scenario/scenario-from-capture.js');
    const { withEvents } = await import('../cluster/scenario/with-events.js');
    const { seenTraffic } = await import('../verdict/seen-traffic.js');
    const { splitEvents } = await import('./clock-event.js');
    const event = options.event.length > 0 ? 'none' : 'withdraw-one';
    const { model, notes } = scenarioFromCapture(seenTraffic(index), { event });
    return chosen(
      { model: withEvents(model, splitEvents(options.event).relative), notes, madeFromCapture: true },
      index,
    );
  };
}

/** The model with those of the events that are stated by the clock: t = 0 is known once the capture is read. */
export async function withClockEvents(
  model: ClusterModel,
  events: readonly string[],
  { summary }: CaptureIndex,
): Promise<ClusterModel> {
  if (events.length === 0) return model;
  const { sinceT0, splitEvents } = await import('./clock-event.js');
  const { byClock } = splitEvents(events);
  if (byClock.length === 0) return model;
  const { withEvents } = await import('../cluster/scenario/with-events.js');
  const t0Ns = model.epochNs ?? summary.baseNs;
  return withEvents(
    model,
    byClock.map((event) => sinceT0(event, t0Ns)),
  );
}

function seenEnds({ flows }: CaptureIndex): SeenEnds {
  const addresses = new Set<string>();
  const ports = new Set<number>();
  for (let f = 0; f < flows.count; f++) {
    for (const side of ['a', 'b'] as const) addresses.add(formatAddress(flowAddress(flows, f, side)));
    ports.add(flows.aPort[f]!).add(flows.bPort[f]!);
  }
  return { addresses, ports };
}

function reseeded(model: ClusterModel, seed: number | undefined): ClusterModel {
  return seed === undefined ? model : { ...model, seed };
}

/** t = 0 in seconds after the capture's first record. */
export function originOf({ epochNs }: ClusterModel, { summary }: CaptureIndex): number {
  return epochNs === null ? 0 : Number(epochNs - summary.baseNs) / 1e9;
}
