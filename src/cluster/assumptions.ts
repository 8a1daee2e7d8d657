/**
 * What a model rests on that nobody stated: settings that change paths and were filled in. A setting that no event or
 * plane of this model asks for is not listed.
 */
import type { Assumption, ClusterModel, TimelineEvent } from './model.js';
import { heldVips } from './scenario/edge-vips.js';
import type { ClusterFacts } from './scenario/facts.js';

export function assumptionsOf(facts: ClusterFacts, model: ClusterModel): Assumption[] {
  const { dataplane = {}, ecmp = {} } = facts;
  const assumed: Assumption[] = [];
  const assume = (stated: unknown, what: string, value: string | number | boolean, because: string): void => {
    if (stated === undefined) assumed.push({ what, value: String(value), because });
  };
  const plane = model.dataplane;
  assume(
    dataplane.proxy,
    'dataplane.proxy',
    plane.proxy,
    'neither the scenario nor any object states the data plane; kube-proxy’s default is taken',
  );
  assumePlane(facts, model, assume);
  assumed.push(...assumedOfObjects(facts, model), ...assumedStarts(facts, model));
  const isHeld = heldVips(facts);
  const isRouted = model.services.some((service) => service.vips.some((vip) => !isHeld(service, vip)));
  if (!isRouted) return assumed;
  const { hash, seed, select } = model.router.ecmp;
  assume(
    ecmp.hash,
    'router.ecmp.hash',
    hash,
    'nobody states how the router hashes; a Linux router with fib_multipath_hash_policy 1 is taken',
  );
  assume(
    ecmp.seed,
    'router.ecmp.seed',
    seed,
    'nobody states the seed of the router’s hash; it is drawn from the scenario’s seed',
  );
  assume(
    ecmp.select,
    'router.ecmp.select',
    select,
    'nobody states how the router picks a next hop; a Linux kernel’s groups are taken',
  );
  if (facts.announcersDecided !== true && model.router.routes.length === 0) {
    const auto = (facts.nodes ?? []).some(({ announces }) => announces === undefined);
    if (auto) {
      assumed.push({
        what: 'nodes.announces',
        value: 'auto',
        because: 'nothing states who announces the VIPs; every node that could is taken to, as MetalLB would',
      });
    }
  }
  assumeTimers(facts, model, assume);
  return assumed;
}

/** What reading objects took for granted, and no Scenario states; pools that nothing changes are as they were. */
function assumedOfObjects({ assumed = [], edge }: ClusterFacts, { timeline }: ClusterModel): Assumption[] {
  const stated = edge?.stated ?? [];
  return assumed.filter(({ what }) => {
    if (what.startsWith('edge.') && (stated.includes('pools') || stated.includes('virtualServers')))
      return false;
    if (what === 'edge.pools.members' && timeline.length === 0) return false;
    return !stated.some((key) => what === `edge.${key}`);
  });
}

const MAKES_PODS: readonly TimelineEvent['kind'][] = ['drain', 'rollingRedeploy', 'nodeDown'];

/** Where an event makes owners start pods: how long that takes, which no object states. */
function assumedStarts({ owners = [] }: ClusterFacts, { timeline }: ClusterModel): Assumption[] {
  const made = owners.filter(({ kind, pods }) => kind !== 'DaemonSet' && pods.length > 0);
  if (made.length === 0 || !timeline.some(({ kind }) => MAKES_PODS.includes(kind))) return [];
  return [
    {
      what: 'owners.start',
      value: made.map(({ name, startS = 0 }) => `${name} ${startS}s`).join(', '),
      because:
        'no object says how long a new pod takes to be ready: its probe’s initial delay and 2 s are taken',
    },
  ];
}

type Assume = (stated: unknown, what: string, value: string | number | boolean, because: string) => void;

function assumePlane(
  { dataplane = {} }: ClusterFacts,
  { dataplane: plane }: ClusterModel,
  assume: Assume,
): void {
  if (plane.proxy === 'iptables' || plane.proxy === 'nftables') {
    const { tcpLoose } = plane.conntrack;
    assume(dataplane.conntrack?.tcpLoose, 'dataplane.conntrack.tcpLoose', tcpLoose, 'the kernel’s default');
  } else if (plane.proxy === 'ipvs') {
    assume(
      dataplane.ipvs?.scheduler,
      'dataplane.ipvs.scheduler',
      plane.ipvs.scheduler,
      'kube-proxy’s default',
    );
    assume(
      dataplane.ipvs?.sloppyTcp,
      'dataplane.ipvs.sloppyTcp',
      plane.ipvs.sloppyTcp,
      'the kernel’s default',
    );
  } else if (plane.proxy === 'cilium') {
    assume(dataplane.cilium?.mode, 'dataplane.cilium.mode', plane.cilium.mode, 'Cilium’s default');
    assume(
      dataplane.cilium?.algorithm,
      'dataplane.cilium.algorithm',
      plane.cilium.algorithm,
      'Cilium’s default',
    );
  } else {
    assume(dataplane.calicoEbpf?.mode, 'dataplane.calicoEbpf.mode', plane.calicoEbpf.mode, 'Felix’s default');
  }
}

const LOSES_SESSION: readonly TimelineEvent['kind'][] = ['nodeDown', 'speakerDown', 'linkDown'];

function assumeTimers({ bgp = {}, dataplane = {} }: ClusterFacts, model: ClusterModel, assume: Assume): void {
  const has = (kinds: readonly TimelineEvent['kind'][]): boolean =>
    model.timeline.some(({ kind }) => kinds.includes(kind));
  if (has(LOSES_SESSION)) {
    const { holdTimeS, bfdS } = model.router.bgp;
    if (bfdS === null) assume(bgp.holdTimeS, 'router.bgp.holdTime', `${holdTimeS}s`, 'MetalLB’s default');
    assume(bgp.bfdS, 'router.bgp.bfd', bfdS === null ? 'off' : `${bfdS}s`, 'nobody configures BFD');
  }
  if (has(['nodeDown'])) {
    assume(
      dataplane.nodeGraceS,
      'dataplane.nodeGrace',
      `${model.dataplane.nodeGraceS}s`,
      'kube-controller-manager’s default',
    );
  }
}
