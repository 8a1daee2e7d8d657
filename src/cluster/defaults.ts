/**
 * What a scenario that is silent means: what the real software does when nobody configures it.
 *
 * | key                         | default           | whose                                                       |
 * |-----------------------------|-------------------|-------------------------------------------------------------|
 * | seed                        | 1                 | ours: a number, so that runs can be repeated                |
 * | router.ecmp.hash            | linux-l4          | fib_multipath_hash_policy=1, what every guide sets          |
 * | router.ecmp.fields          | 0x7               | kernel: source, destination, protocol                       |
 * | router.ecmp.seed            | drawn from `seed` | kernel: random at boot                                      |
 * | router.ecmp.select          | hash-threshold    | kernel groups (RFC 2992)                                    |
 * | router.ecmp.order           | address           | FRR at first install, BIRD always                           |
 * | router.ecmp.buckets         | 64; maglev 16381; ring 160 | the contract's example; Cilium's table             |
 * | router.ecmp.idleTimer       | 120s              | kernel NH_RES_DEFAULT_IDLE_TIMER                            |
 * | router.ecmp.unbalancedTimer | 0s                | kernel: never force                                         |
 * | router.ecmp.replace         | in-place          | ip nexthop replace                                          |
 * | router.bgp.holdTime         | 90s               | MetalLB native mode                                         |
 * | router.bgp.bfd              | off               | MetalLB; `on` is FRR's 3 x 300 ms                           |
 * | router.bgp.gracefulRestart  | off               | MetalLB; `on` is FRR's restart time, 120 s                  |
 * | router.bgp.fibDelay         | 0s                | ours                                                        |
 * | dataplane.ipvs              | scheduler rr, sloppyTcp false | kube-proxy --ipvs-scheduler; the kernel's sysctl |
 * | dataplane.cilium            | snat, random, 16381 | Cilium's agent                                            |
 * | dataplane.calicoEbpf        | tunnel, no Maglev | FelixConfiguration                                          |
 * | dataplane.conntrack.max     | 262144            | kube-proxy: 32768 a core, eight cores                       |
 * | … timeouts.established      | 86400s            | kube-proxy --conntrack-tcp-timeout-established              |
 * | … timeouts.closeWait        | 3600s             | kube-proxy --conntrack-tcp-timeout-close-wait               |
 * | … other timeouts            | below             | kernel; ipvs: ipvsadm's 900, 120 and 300 s; cilium: 8000 and 60 s |
 * | dataplane.dropInvalid       | not beLiberal     | kube-proxy leaves the rule out with be_liberal              |
 * | dataplane.sync              | 0s, minPeriod 1s, duration 0s | kube-proxy --iptables-min-sync-period           |
 * | dataplane.nodeGrace         | 40s               | kube-controller-manager --node-monitor-grace-period (to 1.31) |
 * | nodes[].podGateway          | first of podCIDR  | the bridge address of host-local IPAM (cni0)                |
 * | nodes[].announces           | auto              | MetalLB's ShouldAnnounce                                    |
 * | services[].sessionAffinityTimeout | 10800s      | Kubernetes                                                  |
 * | services[].probes.readiness, liveness | none; period 10s, timeout 1s, failureThreshold 3 | Pod v1      |
 * | throttle                    | 8 threads of 1 ms every 10 ms, 20 ms an answer, slices kept | ours; Linux 5.4 and later |
 * | drain gracePeriod           | 30s               | terminationGracePeriodSeconds                               |
 */
import type {
  ClusterModel,
  ConntrackTimeouts,
  CpuLimit,
  DataplaneModel,
  EcmpSettings,
  RouterBgp,
} from './model.js';

export const DEFAULT_SEED: ClusterModel['seed'] = 1;

export function defaultEcmp(seed: number): EcmpSettings {
  return {
    hash: 'linux-l4',
    fields: 0x7,
    seed: bootSeed(seed),
    select: 'hash-threshold',
    order: 'address',
    buckets: 64,
    idleTimerS: 120,
    unbalancedTimerS: 0,
    replace: 'in-place',
  };
}

export const DEFAULT_BGP: RouterBgp = { holdTimeS: 90, bfdS: null, gracefulRestartS: null, fibDelayS: 0 };

/** FRR's and MetalLB's BFD without a profile of its own: three times 300 ms. */
export const USUAL_BFD_S = 0.9;
/** FRR `bgp graceful-restart restart-time`. */
export const USUAL_GRACEFUL_RESTART_S = 120;
/** LOCAL_PREF where nobody says it (RFC 4271, 5.1.5). */
export const USUAL_PREFERENCE = 100;

export const DEFAULT_TIMEOUTS: ConntrackTimeouts = {
  synSent: 120,
  synRecv: 60,
  established: 86400,
  finWait: 120,
  closeWait: 3600,
  lastAck: 30,
  timeWait: 120,
  close: 10,
  unacknowledged: 300,
  udp: 30,
  udpStream: 120,
  icmp: 30,
  generic: 600,
};

export const DEFAULT_IPVS: DataplaneModel['ipvs'] = { scheduler: 'rr', sloppyTcp: false };
export const DEFAULT_CILIUM: DataplaneModel['cilium'] = {
  mode: 'snat',
  algorithm: 'random',
  tableSize: 16381,
};
export const DEFAULT_CALICO_EBPF: DataplaneModel['calicoEbpf'] = { mode: 'tunnel', maglev: false };

/** Where a data plane keeps connections for other times than conntrack under kube-proxy does. */
const PLANE_TIMEOUTS: Readonly<Partial<Record<DataplaneModel['proxy'], Partial<ConntrackTimeouts>>>> = {
  ipvs: { established: 900, finWait: 120, udp: 300, udpStream: 300 },
  cilium: {
    established: 8000,
    closeWait: 8000,
    synSent: 60,
    synRecv: 60,
    udp: 60,
    udpStream: 60,
    unacknowledged: 8000,
  },
  'calico-ebpf': { established: 3600, closeWait: 3600, synSent: 20, synRecv: 20, udp: 60, udpStream: 60 },
};

export function defaultTimeouts(proxy: DataplaneModel['proxy']): ConntrackTimeouts {
  return { ...DEFAULT_TIMEOUTS, ...PLANE_TIMEOUTS[proxy] };
}

export const DEFAULT_CONNTRACK_MAX = 262144;
export const DEFAULT_SYNC: DataplaneModel['sync'] = { delayS: 0, minPeriodS: 1, durationS: 0 };
export const DEFAULT_NODE_GRACE_S = 40;
export const DEFAULT_AFFINITY_TIMEOUT_S = 10800;
export const DEFAULT_GRACE_PERIOD_S = 30;
export const DEFAULT_THROTTLE: Omit<CpuLimit, 'limit'> = {
  threads: 8,
  burstS: 0.001,
  sleepS: 0.01,
  workS: 0.02,
  slices: 'kept',
};
export const DEFAULT_ROLLING_REDEPLOY = { everyS: 60, downForS: 20 };

/** The hash seed that a kernel draws at boot, from the scenario's seed: murmur3's finaliser, never 0. */
function bootSeed(seed: number): number {
  let word = (seed ^ Math.floor(seed / 0x1_0000_0000) ^ 0x9e3779b9) >>> 0;
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  word = (word ^ (word >>> 16)) >>> 0;
  return word === 0 ? 1 : word;
}
