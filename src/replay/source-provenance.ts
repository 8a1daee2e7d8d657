/**
 * Where a flow's source address went: every place on its path that changes what the endpoint sees.
 *
 * With externalTrafficPolicy Cluster the node masquerades: the new source is the primary address of the
 * interface the packet leaves through, so the pod bridge's address towards a pod of the same node (where the
 * node has such a bridge) and the node's own address otherwise; the port is drawn at random (--random-fully),
 * or kept where the rule does not say so and it is free.
 */
import { formatAddress } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import { masqueradeAddress } from '../path/masquerade.js';
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
  const atEndpoint = source === null ? null : formatAddress(source);
  const step: SourceStep = {
    hop: `node ${model.nodes[node]!.name}`,
    mechanism: 'masquerade',
    from: endpointText(atClient, port),
    to: endpointText(atEndpoint ?? 'unknown', entries.port[e]!),
    ...(random ? { random: true as const } : {}),
  };
  return { atClient, atEndpoint, preserved: false, steps: [step], recoverable: null };
}

function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
