/**
 * Where a flow's source address went: every place on its path that changes what the endpoint sees.
 *
 * With externalTrafficPolicy Cluster the node masquerades: the new source is the primary address of the
 * interface the packet leaves through, so the pod bridge's address towards a pod of the same node (where the
 * node has such a bridge) and the node's own address otherwise; the port is drawn at random (--random-fully),
 * or kept where the rule does not say so and it is free.
 */
import { type Address, formatAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { portClassFirst, portClassSize } from '../conntrack/port-range.js';
import { addressOf } from '../path/cluster-state.js';
import { draw, Stream, scale } from '../path/draw.js';
import { ENTRY_SNAT } from './entry-pool.js';
import type { FlowEngine } from './flow-engine.js';
import type { SourceStep, SourceVerdict } from './verdict.js';

export function sourceProvenance(engine: FlowEngine, model: ClusterModel, f: number): SourceVerdict {
  const { plan, walk, cluster } = engine;
  const client = plan.clientAddress(f);
  const atClient = formatAddress(client);
  const e = walk.connectedBy[f]!;
  const known = e >= 0 && walk.guessed[f] === 0;
  if (!known) {
    // the endpoint is unknown, but whether its node masquerades is not
    const snat = model.services[plan.service[f]!]!.externalTrafficPolicy === 'Cluster';
    const reached = e >= 0;
    return { atClient, atEndpoint: null, preserved: reached ? !snat : null, steps: [], recoverable: null };
  }
  const { entries } = walk;
  if ((entries.marks[e]! & ENTRY_SNAT) === 0) {
    return { atClient, atEndpoint: atClient, preserved: true, steps: [], recoverable: null };
  }
  const node = entries.node[e]!;
  const source = masqueradeAddress(model, node, cluster.pods[entries.pod[e]!]!.node, client.family);
  const port = plan.clientPort[f]!;
  const random = model.dataplane.masqueradeRandomFully;
  const drawn = draw(model.seed, node, Stream.sourcePort, plan.key[f]!, entries.ordinal[e]!);
  const toPort = random ? portClassFirst(port) + scale(drawn, portClassSize(port)) : port;
  const atEndpoint = source === null ? null : formatAddress(source);
  const step: SourceStep = {
    hop: `node ${model.nodes[node]!.name}`,
    mechanism: 'masquerade',
    from: endpointText(atClient, port),
    to: endpointText(atEndpoint ?? 'unknown', toPort),
    ...(random ? { random: true as const } : {}),
  };
  return { atClient, atEndpoint, preserved: false, steps: [step], recoverable: null };
}

/** The address MASQUERADE takes on `node` towards a pod on `podNode`. */
export function masqueradeAddress(
  model: ClusterModel,
  node: number,
  podNode: number,
  family: number,
): Address | null {
  const { addresses, podGateways } = model.nodes[node]!;
  const own = addressOf(addresses, family);
  return node === podNode ? (addressOf(podGateways, family) ?? own) : own;
}

function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
