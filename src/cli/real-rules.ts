/**
 * `--node-state <node>=<file>` for commands that run a scenario, and the files of the timeline's `rulesBecome`: read and
 * judged here, so that a mistake costs no reading of the capture.
 */
import type { ClusterModel, NodeStateModel, StateText } from '../cluster/model.js';
import type { LoadedScenario } from '../cluster/scenario/load-scenario.js';
import { nearest } from '../cluster/yaml/nearest.js';
import { FlowfateError } from '../errors.js';
import { dumpedNode } from '../state/node-dumps.js';
import type { Io } from './io.js';
import { parseNodeStates } from './node-state-option.js';
import { readStateFiles } from './state-files.js';

/** Data planes whose packets meet netfilter; the others translate in eBPF, before it. */
const MEET_NETFILTER = new Set(['iptables', 'nftables', 'ipvs']);

/** Verbs after which a modelled kube-proxy writes other rules. */
const CHANGE_ENDPOINTS = new Set([
  'drain', 'uncordon', 'scale', 'endpointReady', 'endpointUnready', 'endpointTerminating', 'endpointGone',
  'endpointCrashed', 'unhealthy', 'throttle', 'rollingRedeploy', 'nodeDown', 'nodeUp', 'proxyStall',
]); // biome-ignore format: a list of words

interface NodeStateOptions {
  readonly nodeState?: readonly string[];
}

/** Real rules belong to nodes, and without a scenario there are none. */
export function refuseNodeState({ nodeState = [] }: NodeStateOptions): void {
  if (nodeState.length === 0) return;
  throw new FlowfateError(
    'usage',
    '--node-state needs to know where the node stands and which pods there are: give --scenario or --cluster, too',
  );
}

export async function withRealRules(
  loaded: LoadedScenario,
  { nodeState = [] }: NodeStateOptions,
  io: Io,
): Promise<LoadedScenario> {
  const { model } = loaded;
  const nodeStates: NodeStateModel[] = [];
  for (const [name, paths] of parseNodeStates(nodeState)) {
    const node = nodeNamed(model, name);
    const files: StateText[] = [];
    for (const path of paths) files.push(...(await readStateFiles(path, name, io.stdin)));
    nodeStates.push({ node, files });
  }
  const read = await readRuleFiles(nodeStates.length === 0 ? model : { ...model, nodeStates }, io);
  const real = read.nodeStates ?? [];
  if (real.length === 0 && read === model) return loaded;
  refusePlane(read);
  const unread = real.flatMap(({ node, files }) =>
    dumpedNode(read, node, files).node.unread.map((each) => `Node ${read.nodes[node]!.name}: ${each}`),
  );
  const notes = stayNote(read);
  return {
    ...loaded,
    model: { ...read, unread: [...(read.unread ?? []), ...unread] },
    notes: [...loaded.notes, ...notes],
  };
}

/** The model with what the files of its `rulesBecome` hold. */
export async function readRuleFiles(model: ClusterModel, io: Io): Promise<ClusterModel> {
  if (!model.timeline.some((event) => event.kind === 'rulesBecome' && event.files.length === 0)) return model;
  const timeline = [];
  for (const event of model.timeline) {
    if (event.kind !== 'rulesBecome' || event.files.length > 0) {
      timeline.push(event);
      continue;
    }
    const files: StateText[] = [];
    for (const path of event.paths) {
      files.push(...(await readStateFiles(path, model.nodes[event.node]!.name, io.stdin)));
    }
    dumpedNode(model, event.node, files);
    timeline.push({ ...event, files });
  }
  return { ...model, timeline };
}

/** Whether any node has, or gets, real rules. */
export function hasRealRules({ nodeStates = [], timeline }: ClusterModel): boolean {
  return nodeStates.length > 0 || timeline.some(({ kind }) => kind === 'rulesBecome');
}

function nodeNamed({ nodes }: ClusterModel, name: string): number {
  const row = nodes.findIndex((node) => node.name === name);
  if (row >= 0) return row;
  const meant = nearest(
    name,
    nodes.map((node) => node.name),
  );
  const hint = meant === null ? '' : `; did you mean ${meant}?`;
  throw new FlowfateError('usage', `--node-state ${name}=…: the scenario has no node ${name}${hint}`);
}

/** What a replay over real rules does not do. */
function refusePlane({ edge, dataplane }: ClusterModel): void {
  if (edge !== null) {
    throw new FlowfateError(
      'config',
      '--node-state and rulesBecome do not go with spec.edge: what a load balancer sends to a node is not walked through real rules',
    );
  }
  if (MEET_NETFILTER.has(dataplane.proxy)) return;
  throw new FlowfateError(
    'config',
    `--node-state and rulesBecome do not go with dataplane.proxy ${dataplane.proxy}, which translates before packets meet netfilter`,
  );
}

/** Real rules do not follow the timeline: said once. */
function stayNote({ nodes, nodeStates = [], timeline }: ClusterModel): string[] {
  const first = timeline.find(({ kind }) => CHANGE_ENDPOINTS.has(kind));
  if (nodeStates.length === 0 || first === undefined) return [];
  const names = nodeStates.map(({ node }) => nodes[node]!.name).join(', ');
  return [
    `The rules on ${names} stay as they were dumped: ${first.kind} at ${first.at} s and what follows do not change them until a rulesBecome does.`,
  ];
}
