/**
 * What a run leaves behind beside its captures: scenario.yaml (contract form), truth.tsv (one row a connection, what its
 * client saw and where the router sent it), events.json (what was done, and what the kernel then said).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Document, isCollection, visit } from 'yaml';
import type { ClientResult } from './client-record.js';
import { FAMILIES, type Layout, POD_PORT, ROUTER, SERVICE_PORT, VIP } from './layout.js';
import type { PathStep } from './observed-paths.js';
import type { RouteChange } from './route-watch.js';
import type { KernelRoute } from './router.js';
import type { LabOptions } from './run-lab.js';
import type { Step } from './story.js';
import type { PlannedConnection } from './traffic-plan.js';

/** A step of the story with the moment at which its effect was complete. */
export interface DoneStep extends Step {
  /** seconds since 1970 */
  readonly doneS: number;
}

export interface RunRecord {
  readonly options: LabOptions;
  readonly layout: Layout;
  /** seconds since 1970 of t = 0 */
  readonly epochS: number;
  readonly announcing: readonly string[];
  readonly initialRoutes: readonly KernelRoute[];
  readonly steps: readonly DoneStep[];
  readonly routeChanges: readonly RouteChange[];
  readonly plan: readonly PlannedConnection[];
  readonly results: readonly ClientResult[];
  readonly paths: ReadonlyMap<string, readonly PathStep[]>;
}

export function writeRun(dir: string, run: RunRecord): void {
  writeFileSync(join(dir, 'scenario.yaml'), scenarioText(run));
  writeFileSync(join(dir, 'events.json'), `${JSON.stringify(events(run), null, 1)}\n`);
  writeFileSync(join(dir, 'truth.tsv'), truthText(run));
}

const seconds = (value: number): string => `${value.toFixed(6)}s`;

function scenarioText({ options, layout, epochS, announcing, initialRoutes, ...run }: RunRecord): string {
  const resilient = {
    select: 'resilient',
    buckets: options.buckets,
    idleTimer: `${options.idleTimerS}s`,
    unbalancedTimer: '0s',
    replace: 'in-place',
  };
  const timeline = [
    ...run.steps.flatMap((step) => causes(step, layout).map((cause) => ({ atS: step.doneS, cause }))),
    ...run.routeChanges.map(({ atS, prefix, nextHops }) => ({ atS, cause: { route: { prefix, nextHops } } })),
  ].sort((a, b) => a.atS - b.atS);
  const document = new Document({
    apiVersion: 'flowfate.dev/v1',
    kind: 'Scenario',
    metadata: { name: `${options.policy}-${options.scenario}-${options.router}`.toLowerCase() },
    spec: {
      seed: 1,
      router: {
        address: [ROUTER.ipv4, ROUTER.ipv6],
        ecmp: {
          hash: 'linux-l4',
          seed: options.seed,
          ...(options.router === 'resilient' ? resilient : { select: 'hash-threshold' }),
        },
        routes: initialRoutes,
      },
      dataplane: {
        proxy: 'iptables',
        conntrack: { tcpLoose: true, beLiberal: false },
        masqueradeRandomFully: true,
        dropInvalid: true,
      },
      nodes: layout.nodes.map((node) => ({
        name: node.name,
        address: [node.ipv4, node.ipv6],
        podCIDR: FAMILIES.map((family) => node.podCidr[family]),
        podGateway: FAMILIES.map((family) => node.podGateway[family]),
        announces: announcing.includes(node.name),
      })),
      services: [
        {
          name: 'web',
          vip: [VIP.ipv4, VIP.ipv6],
          ports: [{ protocol: 'TCP', port: SERVICE_PORT, targetPort: POD_PORT }],
          externalTrafficPolicy: options.policy,
          endpoints: layout.pods.map((pod) => ({
            pod: pod.name,
            node: pod.node,
            address: [pod.ipv4, pod.ipv6],
          })),
        },
      ],
      epoch: epochS,
      timeline: timeline.map(({ atS, cause }) => ({ at: seconds(atS - epochS), ...cause })),
    },
  });
  // an entry a line: what stands in a list is written in braces
  visit(document, {
    Seq: (_, list) => {
      for (const item of list.items) if (isCollection(item)) item.flow = true;
      list.flow ??= !list.items.some(isCollection);
    },
  });
  return document.toString({ lineWidth: 0 });
}

function causes({ verb, node }: Step, layout: Layout): Record<string, string>[] {
  const pods = layout.pods.filter((pod) => pod.node === node).map(({ name }) => name);
  switch (verb) {
    case 'withdraw':
      return [{ withdraw: node }];
    case 'announce':
      return [{ announce: node }];
    case 'crash':
      return [{ nodeDown: node }];
    case 'stop-pods':
      return pods.map((pod) => ({ endpointGone: pod }));
    case 'start-pods':
      return pods.map((pod) => ({ endpointReady: pod }));
  }
}

function events({ epochS, steps, routeChanges }: RunRecord): object[] {
  const at = (atS: number) => ({ t: Number((atS - epochS).toFixed(6)), t_abs: atS });
  return [
    ...steps.map(({ doneS, verb, node }) => ({ ...at(doneS), type: 'action', action: verb, node })),
    ...routeChanges.map(({ atS, prefix, nextHops }) => ({ ...at(atS), type: 'route', prefix, nextHops })),
  ].sort((a, b) => a.t - b.t);
}

const COLUMNS = [
  ...['id', 'class', 'family', 'proto', 'src', 'sport', 'dst', 'dport', 't_syn', 't_established'],
  ...['node_first', 'node_last', 'node_path', 'pod', 'pod_node', 'pod_other', 'outcome', 't_break', 'errno'],
  ...['source_seen', 'source_seen_port', 'source_preserved', 'replies', 't_last_reply', 't_unanswered'],
];

function truthText({ layout, plan, results, paths }: RunRecord): string {
  const planned = new Map(plan.map((connection) => [connection.id, connection]));
  const podNode = new Map(layout.pods.map(({ name, node }) => [name, node]));
  const rows = results.map((result) => {
    const c = planned.get(result.id)!;
    const steps = paths.get(`${addressHex(c.src)} ${c.srcPort} ${addressHex(c.dst)} ${c.dstPort}`) ?? [];
    const [pod = '', otherPod = ''] = result.pods;
    const [source = '', sourcePort = ''] = result.sources[0]?.split(' ') ?? [];
    const time = (value: number | null): string => value?.toFixed(6) ?? '';
    return [
      ...[c.id, c.class, c.family === 'ipv4' ? 4 : 6, 'tcp', c.src, c.srcPort, c.dst, c.dstPort],
      ...[time(result.synS), time(result.establishedS)],
      ...[steps[0]?.node ?? '', steps.at(-1)?.node ?? '', steps.map(({ node }) => node).join('>')],
      ...[pod, podNode.get(pod) ?? '', otherPod, result.outcome, time(result.breakS), result.errno],
      ...[source, sourcePort, source === '' ? '' : Number(source === c.src)],
      ...[result.replies, time(result.lastReplyS), time(result.unansweredS)],
    ];
  });
  return `${[COLUMNS, ...rows].map((row) => row.join('\t')).join('\n')}\n`;
}

/** As the bytes stand in a packet. The lab's own addresses only: one `::` at most, no embedded IPv4. */
function addressHex(address: string): string {
  if (!address.includes(':')) {
    return address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('');
  }
  const [head = '', tail = ''] = address
    .split('::')
    .map((half) => half.split(':').filter(Boolean)) as unknown as [string[], string[]];
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0');
  return [...head, ...zeros, ...tail].map((part) => part.padStart(4, '0')).join('');
}
