/**
 * Where a flow's source address went: every place on its path that changes what the endpoint sees.
 *
 * With externalTrafficPolicy Cluster the node masquerades: the new source is the primary address of the
 * interface the packet leaves through, so the pod bridge's address towards a pod of the same node (where the
 * node has such a bridge) and the node's own address otherwise; the port is drawn at random (--random-fully),
 * or kept where the rule does not say so and it is free.
 */

import { type Address, formatAddress, parseAddress, sameAddress } from '../addr/address.js';
import { l7ProxyOf } from '../cluster/l7-model.js';
import type { ClusterModel } from '../cluster/model.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
import { addressOf } from '../state/cluster-state.js';
import { entriesOf } from '../state/l7-proxy.js';
import { isTunnelled, masqueradeAddress } from '../state/masquerade.js';
import { TCP } from '../wire/ip-protocol.js';
import {
  type AddressPath,
  type ApplicationView,
  forgedClaims,
  restoringSettings,
  viewOf,
} from './client-address.js';
import type { RequestHeads } from './request-heads.js';
import type { ApplicationVerdict, SourceStep, SourceVerdict } from './verdict.js';

export function sourceProvenance(
  outcome: ReplayOutcome,
  model: ClusterModel,
  f: number,
  heads: RequestHeads = new Map(),
): SourceVerdict {
  const verdict = toEndpoint(outcome, model, f);
  const path = addressPathOf(outcome, model, f, heads);
  if (path === null) return verdict;
  return behindProxy(path, outcome.cluster.pods[outcome.homePod(f)]!.name, verdict);
}

function toEndpoint(outcome: ReplayOutcome, model: ClusterModel, f: number): SourceVerdict {
  const { plan, cluster } = outcome;
  const client = plan.clientAddress(f);
  const atClient = formatAddress(client);
  const node = outcome.homeNode(f);
  if (node < 0 || outcome.isGuessed(f)) {
    // the endpoint is unknown, but whether its node masquerades is not
    const preserved = node < 0 ? null : !losesSource(outcome, f);
    return { atClient, atEndpoint: null, preserved, steps: [], recoverable: null };
  }
  const steps = edgeSteps(outcome, model, f, atClient);
  const atNode = steps.at(-1)?.address ?? atClient;
  if (!outcome.isMasqueraded(f)) {
    const preserved = steps.length === 0;
    return {
      atClient,
      atEndpoint: atNode,
      preserved,
      steps: steps.map(({ step }) => step),
      recoverable: null,
    };
  }
  const podNode = cluster.pods[outcome.homePod(f)]!.node;
  const source = masqueradeAddress(model, node, podNode, client.family);
  const random = model.dataplane.masqueradeRandomFully;
  const atEndpoint = source === null ? null : formatAddress(source);
  const step: SourceStep = {
    hop: `node ${model.nodes[node]!.name}`,
    mechanism:
      node === podNode || !isTunnelled(model, client.family)
        ? 'masquerade'
        : `masquerade, into the ${model.dataplane.overlay} tunnel`,
    from: endpointText(atNode, outcome.edgePort(f)),
    to: endpointText(atEndpoint ?? 'unknown', outcome.sourcePort(f)),
    ...(random ? { random: true as const } : {}),
  };
  return {
    atClient,
    atEndpoint,
    preserved: false,
    steps: [...steps.map((before) => before.step), step],
    recoverable: null,
  };
}

/** What the load balancer before the cluster does to the source: SNAT automap, with the client's port where it is free. */
function edgeSteps(
  outcome: ReplayOutcome,
  model: ClusterModel,
  f: number,
  atClient: string,
): { address: string; step: SourceStep }[] {
  const address = outcome.edgeSource(f);
  if (address === null) return [];
  const [before, after] = [outcome.plan.clientPort[f]!, outcome.edgePort(f)];
  const step: SourceStep = {
    hop: `edge ${model.edge!.name}`,
    mechanism: 'snat-automap',
    from: endpointText(atClient, before),
    to: endpointText(address, after),
    ...(after === before ? {} : { random: true as const }),
  };
  return [{ address, step }];
}

/** Whether something on the way puts another source in the client's place; the flow has reached an endpoint. */
export function losesSource(outcome: ReplayOutcome, f: number): boolean {
  return outcome.edgeSource(f) !== null || outcome.isMasqueraded(f);
}

/**
 * What the client's address meets on its way to the application of a service with an L7 proxy; null where the flow
 * reaches no endpoint.
 */
export function addressPathOf(
  outcome: ReplayOutcome,
  model: ClusterModel,
  f: number,
  heads: RequestHeads,
): AddressPath | null {
  const { plan, cluster } = outcome;
  const l7Proxy = l7ProxyOf(model.services[plan.service[f]!]!, plan.port[f]!);
  const node = outcome.homeNode(f);
  // what an HTTP proxy writes stands in HTTP, and a datagram carries no header field
  if (node < 0 || l7Proxy === null || plan.proto[f] !== TCP) return null;
  const client = plan.clientAddress(f);
  const pod = cluster.pods[outcome.homePod(f)]!;
  const own = addressOf(pod.addresses, client.family);
  if (own === null) return null;
  const first = heads.get(plan.row[f]!);
  return {
    client,
    fields: first?.head.fields ?? [],
    announced: first?.proxyHeader?.source?.address ?? null,
    edge: outcome.isViaEdge(f)
      ? { source: edgeSource(outcome.edgeSource(f)), insert: outcome.edgeInsert(f) }
      : null,
    masquerade: outcome.isMasqueraded(f) ? masqueradeAddress(model, node, pod.node, client.family) : null,
    proxy: l7Proxy,
    own,
  };
}

function edgeSource(text: string | null): Address | null {
  return text === null ? null : parseAddress(text);
}

/** The proxy ends the connection: what is left of the address is in the request. */
function behindProxy(path: AddressPath, pod: string, verdict: SourceVerdict): SourceVerdict {
  const view = viewOf(path);
  const claims = forgedClaims(path);
  const sees = view.sees && formatAddress(view.sees);
  const step: SourceStep = {
    hop: `endpoint ${pod}`,
    mechanism: `${path.proxy.kind}, a connection of its own`,
    from: verdict.atEndpoint ?? verdict.atClient,
    to: formatAddress(path.own),
  };
  const application: ApplicationVerdict = {
    peer: formatAddress(view.peer),
    sees,
    preserved: sees === verdict.atClient,
    forged: claims[0] === undefined ? null : formatAddress(claims[0]),
    forgedWins: claims.some((claim) => formatAddress(claim) === sees),
    fault: view.fault,
    restoredBy: restoringSettings(path),
  };
  const recoverable = recoverableBy(path, view);
  return { ...verdict, steps: [...verdict.steps, step], recoverable, application };
}

/** What carries the client's address to the application, whether or not it looks there. */
function recoverableBy({ client, proxy }: AddressPath, { request, fault }: ApplicationView): string | null {
  if (fault !== null) return null;
  const entries = entriesOf(proxy.field, request.fields);
  if (entries.some(({ address }) => address !== null && sameAddress(address, client))) return proxy.field;
  return request.announced !== null && sameAddress(request.announced, client) ? 'proxy-protocol' : null;
}

export function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
