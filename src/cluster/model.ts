/**
 * The cluster model: what a scenario and Kubernetes objects say, resolved and checked. Everything is typed,
 * names have become rows (a node is its index in `nodes`), durations are seconds, addresses are binary.
 * The model is immutable input of a replay; it never sees a packet.
 */
import type { Address } from '../addr/address.js';
import type { Prefix } from '../addr/prefix.js';
import type { CfsSlices } from '../control/cfs-bandwidth.js';
import type { Probes } from '../control/kubelet-probe.js';
import type { FlowHashName } from '../hash/flow-hash.js';
import type { SelectName } from '../route/next-hop-group.js';
import type { EdgeAction, EdgeMemberModel, EdgeModel } from './edge-model.js';
import type { L7ProxyModel } from './l7-model.js';
import type { IPVS_SCHEDULERS } from './limits.js';
import type { OwnerModel } from './owner-model.js';
import type { PolicyEngine, PolicyModel } from './policy-model.js';

export interface ClusterModel {
  readonly name: string;
  /** source of every random draw that the real system makes at random */
  readonly seed: number;
  readonly router: RouterModel;
  /** the load balancer before the cluster, or null */
  readonly edge: EdgeModel | null;
  readonly dataplane: DataplaneModel;
  readonly nodes: readonly NodeModel[];
  readonly services: readonly ServiceModel[];
  /** what t = 0 is, nanoseconds since 1970; null = the first packet */
  readonly epochNs: bigint | null;
  /** sorted by time, stable */
  readonly timeline: readonly TimelineEvent[];
  /** network policies of the endpoints; absent: there are none */
  readonly policies?: PolicyModel | undefined;
  /** what makes the pods; absent: a pod that goes is not made anew */
  readonly owners?: readonly OwnerModel[] | undefined;
  /** nodes whose real rules take the place of the modelled data plane, from t = 0 */
  readonly nodeStates?: readonly NodeStateModel[];
  /** every setting that changes paths and that nobody stated */
  readonly assumed?: readonly Assumption[];
  /** objects and fields that were given, bear on paths, and were not used: sentences that begin with kind and name */
  readonly unread?: readonly string[];
}

/** What was taken because nobody said it. */
export interface Assumption {
  /** the scenario's own path: dataplane.proxy, router.ecmp.seed */
  readonly what: string;
  readonly value: string;
  readonly because: string;
}

/** A file of what a node's commands print: iptables-save, conntrack -L, ip -j route, … */
export interface StateText {
  readonly name: string;
  readonly text: string;
  /** in a folder or an archive, not named by itself: what it holds may be of no interest */
  readonly isFound?: boolean;
}

export interface NodeStateModel {
  /** row in `nodes` */
  readonly node: number;
  readonly files: readonly StateText[];
}

export interface RouterModel {
  readonly addresses: readonly Address[];
  readonly ecmp: EcmpSettings;
  /** the FIB at t = 0 where the scenario states it; VIPs without an entry get one from who announces */
  readonly routes: readonly RouteEntry[];
  /** prefixes that speakers announce in the place of VIPs (MetalLB's aggregationLength) */
  readonly aggregates?: readonly Prefix[] | undefined;
  readonly bgp: RouterBgp;
}

export interface EcmpSettings {
  readonly hash: FlowHashName;
  /** fib_multipath_hash_fields, for linux-custom and for the hashes that let fields be chosen */
  readonly fields: number;
  /** unsigned 32 bits */
  readonly seed: number;
  readonly select: SelectName;
  readonly order: 'address' | 'arrival';
  readonly buckets: number;
  readonly idleTimerS: number;
  readonly unbalancedTimerS: number;
  readonly replace: 'in-place' | 'fresh-group';
  /** draws by how much the kernel's timers are late; no scenario says it */
  readonly timerSeed?: number | undefined;
  /** how routes name their next hops: in themselves (`ip route … nexthop`, BIRD), or as `ip nexthop` objects (FRR) */
  readonly nexthops?: 'legacy' | 'objects' | undefined;
  /** net.ipv4.fib_multipath_use_neigh */
  readonly useNeigh?: boolean | undefined;
  /** net.ipv4.conf.*.ignore_routes_with_linkdown */
  readonly ignoreLinkdown?: boolean | undefined;
}

export interface RouterBgp {
  /** how long a silent speaker keeps its routes */
  readonly holdTimeS: number;
  /** detection time of BFD, or null where BFD is off */
  readonly bfdS: number | null;
  /** restart time for which routes of a speaker that closed gracefully are kept, or null */
  readonly gracefulRestartS: number | null;
  /** from the BGP message to the changed FIB */
  readonly fibDelayS: number;
}

export interface RouteNextHop {
  /** row in `nodes` */
  readonly node: number;
  readonly weight: number;
}

export interface RouteEntry {
  readonly prefix: Prefix;
  /** in the order of the router's table; empty = no route */
  readonly nextHops: readonly RouteNextHop[];
}

export interface DataplaneModel {
  readonly proxy: 'iptables' | 'nftables' | 'ipvs' | 'cilium' | 'calico-ebpf';
  readonly ipvs: IpvsSettings;
  readonly cilium: CiliumSettings;
  readonly calicoEbpf: CalicoEbpfSettings;
  readonly conntrack: ConntrackSettings;
  readonly masqueradeRandomFully: boolean;
  readonly dropInvalid: boolean;
  /** `durationS`: how long kube-proxy takes to write its rules; until then the old ones hold */
  readonly sync: { readonly delayS: number; readonly minPeriodS: number; readonly durationS: number };
  readonly overlay: 'none' | 'ipip' | 'vxlan';
  /** after how long Kubernetes takes the endpoints of a silent node out (node-monitor-grace-period) */
  readonly nodeGraceS: number;
  /** what enforces network policies; absent: as the objects show it */
  readonly networkPolicy?: PolicyEngine | undefined;
}

/** Of proxy ipvs. */
interface IpvsSettings {
  readonly scheduler: (typeof IPVS_SCHEDULERS)[number];
  /** net.ipv4.vs.sloppy_tcp */
  readonly sloppyTcp: boolean;
}

/** Of proxy cilium. */
interface CiliumSettings {
  /** --bpf-lb-mode; hybrid is dsr for TCP and snat for the rest */
  readonly mode: 'snat' | 'dsr' | 'hybrid';
  /** --bpf-lb-algorithm */
  readonly algorithm: 'random' | 'maglev';
  /** --bpf-lb-maglev-table-size */
  readonly tableSize: number;
}

/** Of proxy calico-ebpf. */
interface CalicoEbpfSettings {
  /** bpfExternalServiceMode */
  readonly mode: 'tunnel' | 'dsr';
  /** the service's lb.projectcalico.org/external-traffic-strategy: maglev */
  readonly maglev: boolean;
}

export interface ConntrackSettings {
  readonly tcpLoose: boolean;
  readonly beLiberal: boolean;
  /** nf_conntrack_max, per node */
  readonly max: number;
  readonly timeouts: ConntrackTimeouts;
}

/** Seconds; names of the kernel's sysctls without nf_conntrack_tcp_timeout_ and the like. */
export interface ConntrackTimeouts {
  readonly synSent: number;
  readonly synRecv: number;
  readonly established: number;
  readonly finWait: number;
  readonly closeWait: number;
  readonly lastAck: number;
  readonly timeWait: number;
  readonly close: number;
  readonly unacknowledged: number;
  readonly udp: number;
  readonly udpStream: number;
  readonly icmp: number;
  readonly generic: number;
}

export interface NodeModel {
  readonly name: string;
  readonly addresses: readonly Address[];
  readonly podCidrs: readonly Prefix[];
  /** address of the bridge that the pods of this node are attached to (cni0); the masquerade source towards local pods */
  readonly podGateways: readonly Address[];
  /** of tunl0 or vxlan.calico, one a node and family; the first address of its pod ranges where nobody says */
  readonly tunnelAddresses: readonly Address[];
  /** it has these tunnel addresses whether or not packets between nodes travel in its tunnel (CrossSubnet) */
  readonly hasTunnel?: boolean | undefined;
  /** what its address management counts as free, in the order in which new pods get it; absent: lowest of the ranges */
  readonly freeAddresses?: readonly Address[] | undefined;
  readonly rack: string | null;
  /** label topology.kubernetes.io/zone, which zone hints of endpoints name */
  readonly zone?: string | undefined;
  /** true: its speaker announces every VIP; false: none at t = 0; 'auto': as MetalLB decides by policy and endpoints */
  readonly announces: boolean | 'auto';
}

export interface ServiceModel {
  readonly name: string;
  /** addresses that a router has routes to: the load balancer's, and external IPs */
  readonly vips: readonly Address[];
  /** those of {@link vips} that are external IPs, which no source ranges guard */
  readonly externalIPs?: readonly Address[] | undefined;
  /** clusterIPs: what pods and nodes call it by; nobody announces them */
  readonly clusterAddresses?: readonly Address[] | undefined;
  readonly ports: readonly ServicePort[];
  readonly externalTrafficPolicy: 'Cluster' | 'Local';
  /** for the cluster addresses; absent: Cluster */
  readonly internalTrafficPolicy?: 'Cluster' | 'Local' | undefined;
  /** who may come in by the load balancer's addresses; absent or empty: everybody */
  readonly sourceRanges?: readonly Prefix[] | undefined;
  /** a pod that runs is an endpoint, whatever its probes say */
  readonly publishNotReady?: boolean | undefined;
  /** who announces its VIPs, by row in `nodes` and with what preference; absent: as the nodes say */
  readonly announcers?: readonly ServiceAnnouncer[] | undefined;
  readonly sessionAffinity: 'None' | 'ClientIP';
  readonly affinityTimeoutS: number;
  /** how kubelet probes the service's pods, or null: nobody looks */
  readonly probes: Probes | null;
  /** the endpoints are L7 proxies with an application behind them; null: they are the application */
  readonly l7Proxy: L7ProxyModel | null;
  /** what no part of the model can express, as a sentence: its connections are not judged */
  readonly notModelled?: string | undefined;
  readonly endpoints: readonly EndpointModel[];
}

export interface ServicePort {
  readonly name: string | null;
  /** IP protocol number: 6, 17 or 132 */
  readonly proto: number;
  readonly port: number;
  readonly targetPort: number;
  /** where every node takes this port's traffic from outside; absent: see nodePortOf */
  readonly nodePort?: number;
  /** the L7 proxy that serves this port, null = none does; absent: as the service says */
  readonly l7Proxy?: L7ProxyModel | null | undefined;
}

/** A node that announces a service's VIPs, as long as it has an endpoint to offer. */
interface ServiceAnnouncer {
  /** row in `nodes` */
  readonly node: number;
  /** the VIPs it announces; absent: every one */
  readonly vips?: readonly Address[] | undefined;
  /** LOCAL_PREF: of several, the highest alone get traffic */
  readonly preference: number;
}

export interface EndpointModel {
  readonly pod: string;
  /** row in `nodes`; -1: outside the cluster, or on no node that there is */
  readonly node: number;
  readonly addresses: readonly Address[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  /** by row of the service's ports: where it listens, null = its slice does not serve that port; absent: as the ports say */
  readonly targetPorts?: readonly (number | null)[] | undefined;
  /** hints of its slice: zones and nodes whose traffic it is for */
  readonly zoneHints?: readonly string[] | undefined;
  readonly nodeHints?: readonly string[] | undefined;
  /** listed, but its node is no more: nothing answers at its address */
  readonly gone?: boolean | undefined;
}

/** A container under CPU bandwidth control, and what its threads do there. */
export interface CpuLimit {
  /** CPUs: 0.5 is a limit of 500m */
  readonly limit: number;
  /** threads, one a CPU */
  readonly threads: number;
  /** each but the one that answers runs so long and then sleeps so long */
  readonly burstS: number;
  readonly sleepS: number;
  /** CPU time that one answer costs */
  readonly workS: number;
  readonly slices: CfsSlices;
}

/** One line of the timeline. `at` is seconds since t = 0. Rows refer to `nodes` and `services`. */
export type TimelineEvent = { readonly at: number } & (
  | {
      readonly kind:
        | 'withdraw'
        | 'announce'
        | 'speakerUp'
        | 'nodeDown'
        | 'nodeUp'
        | 'uncordon'
        /** the router's neighbour entry of the node: FAILED, or valid again */
        | 'neighborFailed'
        | 'neighborReachable'
        /** carrier of the router's link to the node */
        | 'linkDown'
        | 'linkUp';
      readonly node: number;
    }
  | { readonly kind: 'drain'; readonly node: number; readonly gracePeriodS: number }
  | { readonly kind: 'speakerDown'; readonly node: number; readonly mode: 'silent' | 'close' }
  | { readonly kind: 'scale'; readonly service: number; readonly replicas: number }
  | {
      readonly kind:
        | 'endpointReady'
        | 'endpointUnready'
        | 'endpointTerminating'
        | 'endpointGone'
        /** the process ends, the address stays: its kernel refuses */
        | 'endpointCrashed';
      readonly pod: string;
    }
  | {
      /** answers late, or not at all; what follows is up to the service's probes */
      readonly kind: 'unhealthy';
      readonly pod: string;
      readonly forS: number;
      /** Infinity = no answer */
      readonly latencyS: number;
    }
  | ({ readonly kind: 'throttle'; readonly pod: string; readonly forS: number } & CpuLimit)
  | {
      readonly kind: 'rollingRedeploy';
      /** in order */
      readonly nodes: readonly number[];
      readonly everyS: number;
      readonly downForS: number;
    }
  | {
      readonly kind: 'proxyStall';
      /** rows; empty = every node */
      readonly nodes: readonly number[];
      readonly forS: number;
    }
  | {
      readonly kind: 'poolMember';
      /** row in the edge's pools */
      readonly pool: number;
      readonly action: EdgeAction;
      /** ratio and session count where it is added */
      readonly member: EdgeMemberModel;
    }
  | {
      readonly kind: 'route';
      readonly prefix: Prefix;
      readonly nextHops: readonly RouteNextHop[];
      /** who did what, as the beginning of a sentence */
      readonly because?: string;
    }
  | { readonly kind: 'ecmp'; readonly settings: EcmpSettings }
  | {
      /** other real rules take the place of those that the node has */
      readonly kind: 'rulesBecome';
      readonly node: number;
      /** as the scenario has them, for people */
      readonly paths: readonly string[];
      /** what they hold; empty until somebody has read them */
      readonly files: readonly StateText[];
    }
);
