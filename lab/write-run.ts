/**
 * What a run leaves behind: scenario.yaml (contract form), truth.tsv (one row a connection, what its client saw and where
 * the router sent it), events.json (what was done, and what the kernel then said).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Document, isCollection, visit } from 'yaml';
import type { ClientResult } from './client-record.js';
import { addressHex } from './frames.js';
import { endpointsOf, FAMILIES, type LabService, type Layout, POD_PORT, ROUTER } from './layout.js';
import type { PathStep } from './observed-paths.js';
import type { RouteChange } from './route-watch.js';
import type { KernelRoute } from './router.js';
import type { Setting } from './setting.js';
import type { Step } from './story.js';

/** A step with the moment at which its effect was complete. */
export interface DoneStep {
  readonly step: Step;
  /** seconds since 1970 */
  readonly doneS: number;
}

export interface RunRecord {
  readonly setting: Setting;
  readonly layout: Layout;
  /** seconds since 1970 of t = 0 */
  readonly epochS: number;
  readonly initialRoutes: readonly KernelRoute[];
  readonly steps: readonly DoneStep[];
  readonly routeChanges: readonly RouteChange[];
  readonly results: readonly ClientResult[];
  readonly paths: ReadonlyMap<string, readonly PathStep[]>;
  readonly resets: ReadonlyMap<string, readonly number[]>;
}

export function writeRun(dir: string, run: RunRecord): void {
  writeFileSync(join(dir, 'scenario.yaml'), scenarioText(run));
  writeFileSync(join(dir, 'events.json'), `${JSON.stringify(events(run), null, 1)}\n`);
  writeFileSync(join(dir, 'truth.tsv'), truthText(run));
}

const seconds = (value: number): string => `${value.toFixed(6)}s`;
const HASHES = ['linux-l3', 'linux-l4', 'linux-inner', 'linux-custom'] as const;

function scenarioText({ setting, layout, epochS, initialRoutes, ...run }: RunRecord): string {
  const resilient = {
    ...{ select: 'resilient', buckets: setting.buckets, idleTimer: `${setting.idleTimerS}s` },
    ...{ unbalancedTimer: '0s', replace: 'in-place' },
  };
  const { hash } = setting;
  const announcing = new Set(setting.nextHops.map(({ node }) => node));
  const timeline = [
    ...run.steps.flatMap(({ step, doneS }) => causes(step).map((cause) => ({ atS: doneS, cause }))),
    ...run.routeChanges.map(({ atS, prefix, nextHops }) => ({ atS, cause: { route: { prefix, nextHops } } })),
  ].sort((a, b) => a.atS - b.atS);
  const document = new Document({
    apiVersion: 'flowfate.dev/v1',
    kind: 'Scenario',
    metadata: { name: setting.name },
    spec: {
      seed: 1,
      router: {
        address: [ROUTER.ipv4, ROUTER.ipv6],
        ecmp: {
          hash: HASHES[hash.policy],
          seed: hash.seed,
          ...(hash.fields === null ? {} : { fields: hash.fields }),
          ...(setting.router === 'resilient' ? resilient : { select: 'hash-threshold' }),
        },
        routes: initialRoutes,
      },
      dataplane: {
        proxy: setting.proxy,
        conntrack: { tcpLoose: true, beLiberal: false, ...setting.conntrack },
        masqueradeRandomFully: setting.masqueradeRandomFully,
        dropInvalid: setting.dropInvalid,
      },
      nodes: layout.nodes.map((node) => ({
        name: node.name,
        address: [node.ipv4, node.ipv6],
        podCIDR: FAMILIES.map((family) => node.podCidr[family]),
        podGateway: FAMILIES.map((family) => node.podGateway[family]),
        announces: announcing.has(node.name),
      })),
      services: setting.services.map((service) => serviceEntry(service, layout)),
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

function serviceEntry(service: LabService, layout: Layout): object {
  const affinity = { sessionAffinity: 'ClientIP', sessionAffinityTimeout: `${service.affinityS}s` };
  return {
    name: service.name,
    vip: FAMILIES.flatMap((family) => service.vip[family] ?? []),
    ports: [{ protocol: service.protocol.toUpperCase(), port: service.port, targetPort: POD_PORT }],
    externalTrafficPolicy: service.policy,
    ...(service.affinityS === null ? {} : affinity),
    endpoints: endpointsOf(service, layout.pods).map((pod) => ({
      pod: pod.name,
      node: pod.node,
      address: [pod.ipv4, pod.ipv6],
    })),
  };
}

function causes(step: Step): Record<string, string>[] {
  switch (step.verb) {
    case 'withdraw':
      return [{ withdraw: step.node }];
    case 'announce':
      return [{ announce: step.node }];
    case 'crash':
      return [{ nodeDown: step.node }];
    case 'stop-pods':
      return step.pods.map((pod) => ({ endpointGone: pod }));
    case 'start-pods':
      return step.pods.map((pod) => ({ endpointReady: pod }));
  }
}

function events({ epochS, steps, routeChanges }: RunRecord): object[] {
  const at = (atS: number) => ({ t: Number((atS - epochS).toFixed(6)), t_abs: atS });
  return [
    ...steps.map(({ step: { verb, atS: _, ...what }, doneS }) => ({
      ...at(doneS),
      type: 'action',
      action: verb,
      ...what,
    })),
    ...routeChanges.map(({ atS, prefix, nextHops }) => ({ ...at(atS), type: 'route', prefix, nextHops })),
  ].sort((a, b) => a.t - b.t);
}

const COLUMNS = [
  ...['id', 'life', 'class', 'family', 'proto', 'src', 'sport', 'dst', 'dport', 't_syn', 't_established'],
  ...['node_path', 'pod', 'outcome', 't_break', 't_reset', 'errno'],
  ...['source_seen', 'source_seen_port', 'source_preserved', 'replies', 't_last_reply', 't_unanswered'],
];
/** a client's process looks at its clock a little before its first packet leaves */
const SYN_MARGIN_S = 0.002;
/** between a reset on the wire and the moment a client's process hears of it on a busy machine */
const HEARD_WITHIN_S = 0.1;

function truthText({ setting, epochS, results, paths, resets }: RunRecord): string {
  const planned = new Map(setting.plan.map((connection) => [connection.id, connection]));
  const time = (value: number | null | undefined): string => value?.toFixed(6) ?? '';
  const rows = results.map((result) => {
    const c = planned.get(result.id)!;
    const key = `${addressHex(c.src)} ${c.srcPort} ${addressHex(c.dst)} ${c.dstPort}`;
    const fromS = epochS + result.synS! - SYN_MARGIN_S;
    const untilS = epochS + nextSynS(results, result) - SYN_MARGIN_S;
    const own = <T>(moments: readonly T[] | undefined, atS: (one: T) => number): T[] =>
      (moments ?? []).filter((one) => atS(one) >= fromS && atS(one) < untilS);
    const steps = own(paths.get(key), ({ atS }) => atS).map(({ node }) => node);
    const [reset] = own(resets.get(key), (atS) => atS);
    const resetS = reset === undefined ? null : reset - epochS;
    // libuv tells of a reset that comes right after data as of the end of the stream
    const cutShort = c.push !== null && result.outcome === 'closed' && result.replies < c.push.count;
    const soon = result.breakS === null || (resetS ?? 0) - result.breakS <= HEARD_WITHIN_S;
    const wasReset = resetS !== null && soon && (result.outcome === 'eof' || cutShort);
    const [source = '', sourcePort = ''] = result.sources[0]?.split(' ') ?? [];
    return [
      ...[c.id, result.life, c.class, c.family === 'ipv4' ? 4 : 6, c.protocol],
      ...[c.src, c.srcPort, c.dst, c.dstPort, time(result.synS), time(result.establishedS)],
      ...[
        steps.filter((node, i) => node !== steps[i - 1]).join('>'),
        result.pods[0] ?? '',
        wasReset ? 'rst' : result.outcome,
      ],
      ...[time(result.breakS), time(resetS), result.errno],
      ...[source, sourcePort, source === '' ? '' : Number(source === c.src)],
      ...[result.replies, time(result.lastReplyS), time(result.unansweredS)],
    ];
  });
  return `${[COLUMNS, ...rows].map((row) => row.join('\t')).join('\n')}\n`;
}

/** Seconds after t = 0 at which the next life of the same port began. */
function nextSynS(results: readonly ClientResult[], { id, life }: ClientResult): number {
  const next = results.find((other) => other.id === id && other.life === life + 1);
  return next?.synS ?? Number.POSITIVE_INFINITY;
}
