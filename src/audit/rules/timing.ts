/** How long what is dead or leaving keeps its share: BGP hold times and BFD, probes, the time a pod has to leave. */
import { parseDuration } from '../../cluster/yaml/duration.js';
import type { Evidence, Finding } from '../finding.js';
import type { AuditedService, Inventory, Thing } from '../inventory.js';

/** MetalLB's own default; FRR, which newer releases run, takes it over from there. */
const DEFAULT_HOLD_S = 90;
/** Below this nobody notices a node that dies. */
const FAST_S = 10;

export function timingFindings(inventory: Inventory): Finding[] {
  return [
    ...slowDetection(inventory),
    ...inventory.services
      .filter(({ isExternal }) => isExternal)
      .flatMap((service) => podTimes(service, inventory)),
  ];
}

function slowDetection(inventory: Inventory): Finding[] {
  return inventory.of('BGPPeer', 'metallb').flatMap((peer): Finding[] => {
    if (peer.text('spec', 'bfdProfile') !== undefined) return [];
    const stated = peer.text('spec', 'holdTime');
    const holdS = stated === undefined ? DEFAULT_HOLD_S : parseDuration(stated);
    if (holdS === null || (holdS > 0 && holdS < FAST_S)) return [];
    return [
      {
        rule: 'slow-failure-detection',
        severity: 'medium',
        finding: `A node that dies keeps its share of the traffic for ${holdS === 0 ? 'ever' : `up to ${holdS} s`} (${peer.title}).`,
        mechanism:
          'A silent peer loses its routes when its hold time is over, and without BFD nothing notices it before.',
        breaks:
          'Of n announcing nodes’ connections one n-th is answered by nobody until then, new ones included.',
        remedy:
          'A BFDProfile (300 ms, three times) named by the BGPPeer, with the router’s side to match; graceful restart then needs care.',
        evidence: [
          peer.evidence(
            stated === undefined
              ? `holdTime is not set (${DEFAULT_HOLD_S} s), bfdProfile neither`
              : `holdTime: ${stated}, no bfdProfile`,
            'spec',
          ),
        ],
      },
    ];
  });
}

/** One finding a service, from the first of its pods that shows it: the others come from the same template. */
function podTimes(service: AuditedService, inventory: Inventory): Finding[] {
  const pods = service.members.flatMap((member) => inventory.podOf(member) ?? []);
  const findings: Finding[] = [];
  for (const find of [slowProbe, noTimeToLeave]) {
    for (const pod of pods) {
      const found = find(service, pod);
      if (found === null) continue;
      findings.push(found);
      break;
    }
  }
  return findings;
}

/** A pod without a readiness probe answers none of its share for as long as it hangs. */
function slowProbe(service: AuditedService, pod: Thing): Finding | null {
  const containers = pod.list('spec', 'containers');
  if (containers.length === 0) return null;
  const finding = (sentence: string, evidence: Evidence): Finding => ({
    rule: 'slow-probe',
    severity: 'medium',
    finding: `A pod of service ${service.title} that hangs keeps its share ${sentence}.`,
    mechanism:
      'kube-proxy sends connections to every endpoint that is ready, and only a readiness probe that fails failureThreshold times makes one unready.',
    breaks: 'Of n pods’ connections one n-th gets no answer in that time.',
    remedy:
      'A readinessProbe of the port that clients use, with periodSeconds × failureThreshold of about 10 s, and no livenessProbe that is faster.',
    evidence: [evidence],
  });
  const probed = containers.findIndex(
    (_, i) => pod.at('spec', 'containers', i, 'readinessProbe') !== undefined,
  );
  if (probed < 0)
    return finding(
      'until somebody notices',
      pod.evidence('no container has a readinessProbe', 'spec', 'containers'),
    );
  const at = ['spec', 'containers', probed, 'readinessProbe'] as const;
  const period = pod.number(...at, 'periodSeconds') ?? 10;
  const threshold = pod.number(...at, 'failureThreshold') ?? 3;
  const timeout = pod.number(...at, 'timeoutSeconds') ?? 1;
  const seconds = period * threshold + timeout;
  return seconds <= 60
    ? null
    : finding(
        `for up to ${seconds} s`,
        pod.evidence(
          `periodSeconds ${period}, failureThreshold ${threshold}, timeoutSeconds ${timeout}`,
          ...at,
        ),
      );
}

/** On SIGTERM a process closes its socket while routes and rules still lead to it, unless it waits before that. */
function noTimeToLeave(service: AuditedService, pod: Thing): Finding | null {
  const containers = pod.list('spec', 'containers');
  const grace = pod.number('spec', 'terminationGracePeriodSeconds');
  if (containers.length === 0 || grace === undefined) return null;
  const waits = containers.some(
    (_, i) => pod.at('spec', 'containers', i, 'lifecycle', 'preStop') !== undefined,
  );
  const sleeps = containers.flatMap(
    (_, i) => pod.number('spec', 'containers', i, 'lifecycle', 'preStop', 'sleep', 'seconds') ?? [],
  );
  const longest = Math.max(0, ...sleeps);
  if (waits && longest < grace) return null;
  const path = ['spec', 'terminationGracePeriodSeconds'] as const;
  return {
    rule: 'no-time-to-leave',
    severity: 'medium',
    finding: waits
      ? `Pods of service ${service.title} are killed while they still wait to leave.`
      : `Pods of service ${service.title} stop listening while routes and rules still lead to them.`,
    mechanism:
      'A stop makes the endpoint terminating and sends SIGTERM at the same moment. Slices, kube-proxy (up to a second or more) and, under policy Local, the withdrawn route come after it.',
    breaks: 'New connections in between are refused, at every rollout and every drain.',
    remedy:
      'lifecycle.preStop with a sleep of what routes and rules need (5 to 15 s), well below terminationGracePeriodSeconds; the process then finishes what it has.',
    evidence: [
      pod.evidence(
        waits
          ? `preStop sleeps ${longest} s of ${grace} s`
          : `no preStop; terminationGracePeriodSeconds: ${grace}`,
        ...path,
      ),
    ],
  };
}
