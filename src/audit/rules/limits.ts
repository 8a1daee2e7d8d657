/** What runs out: CPU quotas, conntrack's table, and what a load balancer cannot know about its members. */
import type { Evidence, Finding } from '../finding.js';
import { type AuditedService, type Inventory, type Thing, text } from '../inventory.js';

/** CFS hands out a quota a period of so many milliseconds. */
const PERIOD_MS = 100;
/** From so many CPUs a CPU of the limit on, a runtime with a thread a CPU is stopped for most of each period. */
const MANY = 8;

export function limitFindings(inventory: Inventory): Finding[] {
  return [
    ...inventory.services
      .filter(({ isExternal }) => isExternal)
      .flatMap((service) => throttled(service, inventory)),
    ...unknownMembers(inventory),
  ];
}

function throttled(service: AuditedService, inventory: Inventory): Finding[] {
  for (const member of service.members) {
    const pod = inventory.podOf(member);
    const node = pod === undefined ? undefined : inventory.node(pod.text('spec', 'nodeName') ?? '');
    const cpus = cpuOf(node?.at('status', 'capacity', 'cpu'));
    if (pod === undefined || node === undefined || cpus === null) continue;
    for (const [i] of pod.list('spec', 'containers').entries()) {
      const path = ['spec', 'containers', i, 'resources', 'limits', 'cpu'] as const;
      const limit = cpuOf(pod.at(...path));
      if (limit === null || limit <= 0 || cpus / limit < MANY || knowsLimit(pod, i)) continue;
      const runs = (limit / cpus) * PERIOD_MS;
      return [
        {
          rule: 'cpu-limit-throttles',
          severity: 'low',
          finding: `A container of service ${service.title} with a thread a CPU is stopped for up to ${Math.round(PERIOD_MS - runs)} of every ${PERIOD_MS} ms.`,
          mechanism: `Its limit of ${limit} CPU is ${round(limit * PERIOD_MS)} ms of every ${PERIOD_MS}; ${cpus} threads use that up in ${round(runs)} ms, and all of them wait for the next period.`,
          breaks:
            'Latency in steps of a period under load, and probes with a timeout of 1 s when several periods are needed.',
          remedy:
            'No CPU limit (requests alone share fairly), or threads by the limit (GOMAXPROCS, -XX:ActiveProcessorCount, worker counts).',
          evidence: [
            pod.evidence(`resources.limits.cpu: ${String(pod.at(...path))}`, ...path),
            node.evidence(
              `status.capacity.cpu: ${String(node.at('status', 'capacity', 'cpu'))}`,
              'status',
              'capacity',
              'cpu',
            ),
          ],
        },
      ];
    }
  }
  return [];
}

/** Its environment says how many threads to start. */
function knowsLimit(pod: Thing, container: number): boolean {
  return pod
    .list('spec', 'containers', container, 'env')
    .some((_, i) =>
      /^(GOMAXPROCS|JAVA_OPTS|JAVA_TOOL_OPTIONS|OMP_NUM_THREADS|UV_THREADPOOL_SIZE)$/.test(
        pod.text('spec', 'containers', container, 'env', i, 'name') ?? '',
      ),
    );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** `500m`, `2`, 2 as CPUs. */
export function cpuOf(value: unknown): number | null {
  if (typeof value === 'number') return value;
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text(value) ?? '');
  return match === null ? null : Number(match[1]) / (match[2] === 'm' ? 1000 : 1);
}

/** F5's monitor: 5 s apart, down after 16 s; until then, and while it has not asked yet, a member gets traffic. */
function unknownMembers(inventory: Inventory): Finding[] {
  const servers = ['VirtualServer', 'TransportServer'].flatMap((kind) => inventory.of(kind, 'cis.f5.com'));
  return servers.flatMap((server) =>
    poolsOf(server).flatMap(({ service: name, evidence, hasMonitor }): Finding[] => {
      const service = inventory.services.find(
        ({ thing }) => thing.name === name && thing.namespace === server.namespace,
      );
      if (
        service === undefined ||
        service.policy !== 'Local' ||
        service.thing.number('spec', 'healthCheckNodePort') !== undefined
      )
        return [];
      const type = service.thing.text('spec', 'type') ?? 'ClusterIP';
      if (type !== 'NodePort') return [];
      return [
        {
          rule: 'unknown-members',
          severity: 'high',
          finding: `${server.title} sends to nodes without a pod of service ${service.title} for up to 16 s after each of them joins its pool.`,
          mechanism: `Its members are NodePorts under policy Local, and a service of type NodePort has no healthCheckNodePort: ${hasMonitor ? 'its monitor learns from failures alone' : 'no monitor is set'}, and a member of which nothing is known yet is used like one that is up.`,
          breaks:
            'A share of 1/(members) of new connections is dropped without an answer for that time, at every scale-out and redeploy.',
          remedy:
            'Pool members by pod (cluster mode), or type LoadBalancer with the monitor on healthCheckNodePort, or slow ramp with faster checks.',
          evidence: [
            evidence,
            service.thing.evidence(
              'type NodePort, externalTrafficPolicy: Local, no healthCheckNodePort',
              'spec',
            ),
          ],
        },
      ];
    }),
  );
}

function poolsOf(server: Thing): { service: string; evidence: Evidence; hasMonitor: boolean }[] {
  const paths =
    server.at('spec', 'pool') === undefined
      ? server.list('spec', 'pools').map((_, i) => ['spec', 'pools', i] as const)
      : [['spec', 'pool'] as const];
  return paths.flatMap((path) => {
    const service = server.text(...path, 'service');
    return service === undefined
      ? []
      : [
          {
            service,
            evidence: server.evidence(`service: ${service}`, ...path, 'service'),
            hasMonitor:
              server.at(...path, 'monitor') !== undefined || server.at(...path, 'monitors') !== undefined,
          },
        ];
  });
}
