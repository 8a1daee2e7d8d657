/**
 * A cluster's objects, held against what is known to fail: no capture, no replay. Rules are exact; each finding names the
 * objects and fields that say so, and none rests on what is not in the input.
 */
import type { RouterTable } from '../cluster/router-tables/router-table.js';
import type { SourceObject } from '../cluster/scenario/source-objects.js';
import { type Finding, RULES, SEVERITIES } from './finding.js';
import { Inventory } from './inventory.js';
import { addressFindings } from './rules/addresses.js';
import { conntrackFindings, type MeasuredRate } from './rules/conntrack.js';
import { limitFindings } from './rules/limits.js';
import { ownerFindings } from './rules/owners.js';
import { placementFindings } from './rules/placement.js';
import { proxyFindings } from './rules/proxies.js';
import { routerFindings } from './rules/router.js';
import { timingFindings } from './rules/timing.js';

export interface AuditInput {
  readonly objects: readonly SourceObject[];
  readonly router: readonly RouterTable[];
  readonly measured: MeasuredRate | null;
}

export interface Audit {
  /** the gravest first; of equal gravity in the order of the rules */
  readonly findings: readonly Finding[];
  /** objects by kind, so that a short list of findings is not taken for a healthy cluster */
  readonly looked: Readonly<Record<string, number>>;
  /** what the rules would have asked and nobody gave */
  readonly missing: readonly string[];
}

export function audit({ objects, router, measured }: AuditInput): Audit {
  const inventory = new Inventory(objects);
  const findings = [
    ...addressFindings(inventory),
    ...placementFindings(inventory),
    ...ownerFindings(objects, inventory),
    ...proxyFindings(inventory),
    ...timingFindings(inventory),
    ...limitFindings(inventory),
    ...routerFindings(router),
    ...conntrackFindings(inventory, measured),
  ];
  const order = Object.keys(RULES);
  const rank = ({ severity, rule }: Finding): number =>
    SEVERITIES.indexOf(severity) * order.length + order.indexOf(rule);
  const looked: Record<string, number> = {};
  for (const { kind } of inventory.things) looked[kind] = (looked[kind] ?? 0) + 1;
  return {
    findings: findings.sort((a, b) => rank(a) - rank(b)),
    looked,
    missing: missingOf(inventory, router, measured),
  };
}

function missingOf(
  inventory: Inventory,
  router: readonly RouterTable[],
  measured: MeasuredRate | null,
): string[] {
  const lacks = (kind: string): boolean => inventory.of(kind).length === 0;
  const noEndpoints = lacks('EndpointSlice') && lacks('Endpoints');
  return [
    ...(lacks('Node') ? ['no Nodes: failure domains, tunnel addresses and CPUs were not looked at'] : []),
    ...(lacks('Service') ? ['no Services: nothing that clients reach was looked at'] : []),
    ...(noEndpoints ? ['no EndpointSlices: where services have their endpoints was not looked at'] : []),
    ...(lacks('Pod') ? ['no Pods: probes, grace periods, CPU limits and images were not looked at'] : []),
    ...(router.some(({ source }) => source === 'sysctl')
      ? []
      : ['no sysctl of the router (--router-state): its hash policy was not looked at']),
    ...(measured === null ? ['no capture (--capture): conntrack’s limits were not held against a rate'] : []),
  ];
}
