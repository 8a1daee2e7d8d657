/** The causal chain of a broken flow, a sentence a step: what was, what happened, what that did, what came of it. */
import { formatAddress } from '../addr/address.js';
import type { ClusterModel, DataplaneModel } from '../cluster/model.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
import { Asks, type Ending, FateCode } from '../outcome/verdict-tracker.js';
import { REASON_NAMES } from '../state/disposition.js';
import { proxyPlane } from '../state/proxy-plane.js';

/** How long before a route change its cause may lie (hold time and the like are shorter). */
const CAUSE_WITHIN_S = 200;

export function causalChain(outcome: ReplayOutcome, model: ClusterModel, f: number): string[] {
  const { tracker } = outcome;
  const end = tracker.ending(f);
  if (end === null) return [];
  const nodeName = (node: number): string => (node < 0 ? 'no node' : model.nodes[node]!.name);
  const podName = (pod: number): string => outcome.cluster.pods[pod]!.name;
  const chain: string[] = [];
  const { atS, event } = end;
  const steps = outcome.paths.steps(f);
  const before = steps.filter((step) => step.atS < atS);
  const first = steps[0];
  if (first !== undefined && before.length > 0) {
    const began =
      tracker.midway[f] === 1 ? 'was open when the capture began' : `began at ${seconds(first.atS)}`;
    const whereTo = first.pod < 0 ? '' : `, and its endpoint was ${podName(first.pod)}`;
    const sender = outcome.isViaEdge(f) ? 'the load balancer' : 'the router';
    chain.push(`The flow ${began}; ${sender} sent it to ${nodeName(first.node)}${whereTo}.`);
  }
  if (event >= 0) chain.push(...eventSentences(outcome, event));
  const reason = REASON_NAMES[end.reason]!;
  const here = [...steps].reverse().find((step) => step.atS <= atS);
  const node = nodeName(here?.node ?? -1);
  const pod = here !== undefined && here.pod >= 0 ? podName(here.pod) : null;
  const denied = reason === 'policy-denied' ? outcome.denial(f) : null;
  if (denied !== null) {
    const { policies, source } = denied;
    const mask =
      source.place === 'node' && source.node >= 0 ? `, the address of ${nodeName(source.node)}` : '';
    chain.push(
      `The network policies of ${pod ?? 'its endpoint'} do not let in ${formatAddress(source.address)}${mask}: ${policies}.`,
    );
  }
  chain.push(...ending(end, reason, node, pod, model.dataplane));
  return chain;
}

/** Why nothing is said of a connection whose endpoint's network policies are not known in full; empty elsewhere. */
export function policyDoubt(outcome: ReplayOutcome, f: number): string[] {
  const unsure = outcome.policyDoubt(f);
  return unsure === null
    ? []
    : [`Whether its endpoint's network policies let it in is not known: ${unsure}.`];
}

/** The event, preceded by what caused it where that is another line of the timeline. */
function eventSentences(outcome: ReplayOutcome, event: number): string[] {
  const { entries } = outcome.timeline;
  const entry = entries[event];
  if (entry === undefined) return [`The event that did it (e${event + 1}) is no longer kept.`];
  const sentence = (e: number): string => `At ${seconds(entries[e]!.at)} ${entries[e]!.detail} (e${e + 1}).`;
  if (entry.kind !== 'route') return [sentence(event)];
  for (let e = event - 1; e >= 0; e--) {
    const before = entries[e];
    if (before === undefined || entry.at - before.at > CAUSE_WITHIN_S) break;
    const { kind, node } = before;
    if (kind !== 'route' && node !== null) return [sentence(e), sentence(event)];
  }
  return [sentence(event)];
}

/** What a data plane other than kube-proxy's tables does with the middle of a connection that the node does not know. */
function byPlane(
  dataplane: DataplaneModel,
  node: string,
  pod: string | null,
): { fate: number; sentence: string } | null {
  const { midFlow, answersFromVip } = proxyPlane(dataplane);
  const who = pod ?? 'an endpoint';
  if (midFlow === 'stack-reset') {
    const sentence = `${node} has the VIP as its own and no such connection: its own stack answered with a RST.`;
    return { fate: FateCode.reset, sentence };
  }
  if (midFlow === 'drop') {
    const sentence = `${node} drops the middle of a connection that it does not know.`;
    return { fate: FateCode.timeout, sentence };
  }
  if (answersFromVip) return null;
  const sentence = `${node} sent it to ${who}, which does not know it; the RST left with the pod's address, and the client ignored it.`;
  return { fate: FateCode.timeout, sentence };
}

function ending(
  end: Ending,
  reason: string,
  node: string,
  pod: string | null,
  dataplane: DataplaneModel,
): string[] {
  const at = seconds(end.atS);
  const { fate } = end;
  if (fate === FateCode.endpointClosed)
    return [`At ${at} the endpoint's FIN told the client that it had closed.`];
  const asked = end.unanswered;
  const what = asked === Asks.connection ? 'SYN' : asked === Asks.close ? 'FIN' : 'data';
  const nobody =
    asked === Asks.serverData
      ? 'What its server sent no longer reached the client.'
      : `Nobody answered its ${what}.`;
  if (reason === 'ecmp-rehash') {
    const reached = `At ${at} its next packet reached ${node}, which has no connection tracking entry for it.`;
    const otherwise = byPlane(dataplane, node, pod);
    if (otherwise?.fate === fate && asked !== Asks.close) return [reached, otherwise.sentence];
    if (fate === FateCode.reset) {
      const who = pod === null ? 'an endpoint' : pod;
      return [
        reached,
        `${node} took it for a new connection and sent it to ${who}, which does not know it and answered with a RST.`,
      ];
    }
    if (fate === FateCode.misdelivered)
      return [reached, `${node} chose ${pod ?? 'another endpoint'} for it.`];
    if (asked === Asks.close) {
      return [reached, 'A FIN cannot begin an entry: ctstate INVALID, not translated.', nobody];
    }
    return [reached, nobody];
  }
  const because = SENTENCES[reason]?.(node, pod) ?? '';
  const result =
    fate === FateCode.reset
      ? 'The client was reset.'
      : fate === FateCode.refused
        ? 'The connection was refused.'
        : fate === FateCode.misdelivered
          ? 'Its packets went to another endpoint from then on.'
          : nobody;
  return [`At ${at} ${because}.`, result];
}

const SENTENCES: Record<string, (node: string, pod: string | null) => string> = {
  'no-local-endpoint': (node) =>
    `${node} had no endpoint of its own and, under policy Local, dropped the packet`,
  'no-endpoint': (node) => `${node} rejected the packet: the service had no endpoint`,
  'endpoint-gone': (_, pod) =>
    `the packet was sent to ${pod ?? 'an endpoint'} that no longer had the connection`,
  'node-down': (node) => `the packet was lost at a node that did not answer (on its way through ${node})`,
  'no-route': () => 'the router had no route',
  'not-a-service': (node) =>
    `${node} had no rule for this port and sent the packet back to the router until its TTL ended`,
  'invalid-dropped': (node) => `${node} called the segment INVALID and dropped it`,
  'forwarding-loop': (node) =>
    `${node} did not translate the packet; it looped to the router until its TTL ended`,
  'entry-expired': (node) => `the entry on ${node} had expired while the flow was idle`,
  'loose-off': (node) => `${node} had no entry, and tcp_loose is off: the segment was INVALID`,
  'conntrack-full': (node) => `the connection tracking table of ${node} was full`,
  'snat-port-exhausted': (node) => `${node} found no free source port towards the endpoint`,
  'invalid-refused': (node) =>
    `${node} called the segment INVALID and left it to its own stack, which has no such socket`,
  'member-unknown': (node) =>
    `the load balancer sent the packet to ${node}, of which its monitor had not said anything yet`,
  'member-down': () => 'the load balancer took the pool member for down and ended the connection',
  'no-member': () => 'the load balancer had no pool member that may get a connection',
  'edge-unmatched': () => 'the load balancer had no such connection any more',
  'next-hop-failed': (node) => `the router lost the packet: its next hop ${node} could not be reached`,
  'tunnel-address-collision': (node, pod) =>
    `${node} sent the packet to ${pod ?? 'a pod'}, whose address the tunnel of its node has as well: the node refused`,
  'no-entry-reset': (node) =>
    `${node} has the VIP as its own and no such connection: its stack answered with a RST`,
  'mid-flow-dropped': (node) => `${node} dropped the middle of a connection that it does not know`,
  'reset-ignored': (_, pod) =>
    `${pod ?? 'an endpoint'} does not know the connection; its RST left with its own address, and the client ignored it`,
  'stale-entry': (node) =>
    `${node} still had the entry of an earlier connection from the same client port, and the segment is outside its window`,
  'policy-denied': (_, pod) => `the packet was dropped before ${pod ?? 'its endpoint'}`,
  'source-range': (node) =>
    `${node} dropped the packet: the source ranges of the service do not have the client`,
  'rule-dropped': (node) => `a rule or a route dropped the packet on its way through ${node}`,
  'rule-rejected': (node) => `a rule or a route rejected the packet on its way through ${node}`,
  'stack-refused': (node) => `${node} did not translate the packet, and its own stack has no such socket`,
  'answer-astray': (node, pod) =>
    `the answer of ${pod ?? 'the endpoint'} did not come back through ${node}, so that the client got it from an address it does not know`,
  'stale-rules': (node, pod) => `the rules on ${node} still named ${pod ?? 'an endpoint'}, which was gone`,
};

function seconds(s: number): string {
  return `${s.toFixed(3)} s`;
}
