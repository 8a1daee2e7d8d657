/**
 * The commands that gather what a replay needs, each with what is lost without it. Where a command runs decides which
 * folder of the archive its output gets: `cluster` (any machine with kubectl), `router`, `nodes/<name>`.
 *
 * Secrets are not asked for, and of ConfigMaps only those that say how packets are forwarded or VIPs announced.
 */

type CollectPlace = 'cluster' | 'router' | 'node' | 'capture';

export interface CollectCommand {
  readonly place: CollectPlace;
  /** its output in the archive */
  readonly file: string;
  readonly argv: readonly string[];
  readonly what: string;
  /** what an answer without it rests on; null where most clusters have no such thing */
  readonly without: string | null;
}

function objects(resource: string, what: string, without: string | null): CollectCommand {
  return {
    place: 'cluster',
    file: `${resource.replace(/\..*$/, '')}${/projectcalico/.test(resource) ? '-calico' : ''}.json`,
    argv: ['kubectl', 'get', resource, '-A', '-o', 'json'],
    what,
    without,
  };
}

function configMap(namespace: string, name: string, what: string): CollectCommand {
  return {
    place: 'cluster',
    file: `configmap-${namespace}-${name}.json`,
    argv: ['kubectl', 'get', 'configmap', name, '-n', namespace, '-o', 'json'],
    what,
    without: null,
  };
}

function machine(
  place: 'router' | 'node',
  file: string,
  command: string,
  what: string,
  without: string,
): CollectCommand {
  return { place, file, argv: command.split(' '), what, without };
}

export const OBJECT_COMMANDS: readonly CollectCommand[] = [
  objects('nodes', 'nodes, their addresses, labels and pod ranges', 'nothing can be said'),
  objects('services', 'VIPs, ports and policies', 'nothing can be said'),
  objects(
    'endpointslices.discovery.k8s.io',
    'which pods answer, and where',
    'endpoints are the ready pods that a service selects',
  ),
  objects(
    'pods',
    'pods, their probes, limits and grace periods',
    'target ports by name, probes and CPU limits are unknown',
  ),
  objects(
    'daemonsets.apps',
    'how kube-proxy, speakers and ingress run',
    'data plane and announcers set by arguments are assumed',
  ),
  objects('deployments.apps', 'owners of pods', 'what follows a scale or a drain is assumed'),
  objects('statefulsets.apps', 'owners of pods', null),
  objects('replicasets.apps', 'owners of pods', null),
  objects('poddisruptionbudgets.policy', 'what a drain may evict', null),
  objects('horizontalpodautoscalers.autoscaling', 'who scales what', null),
  objects('namespaces', 'their labels, which network policies select', null),
  objects(
    'networkpolicies.networking.k8s.io',
    'connections that are denied',
    'connections that a policy denies are judged as if it let them in',
  ),
  objects('adminnetworkpolicies.policy.networking.k8s.io', 'connections that are denied', null),
  objects('baselineadminnetworkpolicies.policy.networking.k8s.io', 'connections that are denied', null),
  objects('networkpolicies.crd.projectcalico.org', 'connections that Calico denies', null),
  objects('globalnetworkpolicies.crd.projectcalico.org', 'connections that Calico denies', null),
  objects('tiers.crd.projectcalico.org', 'the order of Calico’s policies', null),
  objects('networksets.crd.projectcalico.org', 'addresses that Calico’s policies name', null),
  objects('globalnetworksets.crd.projectcalico.org', 'addresses that Calico’s policies name', null),
  objects('ciliumnetworkpolicies.cilium.io', 'connections that Cilium denies', null),
  objects('ciliumclusterwidenetworkpolicies.cilium.io', 'connections that Cilium denies', null),
  objects('ingresses.networking.k8s.io', 'what an ingress proxy serves', null),
  objects('ingressclasses.networking.k8s.io', 'which controller serves which of them', null),
  objects('gateways.gateway.networking.k8s.io', 'listeners of the Gateway API', null),
  objects('gatewayclasses.gateway.networking.k8s.io', 'which controller serves them', null),
  objects('httproutes.gateway.networking.k8s.io', 'what is behind them', null),
  objects('ingressroutes.traefik.io', 'what is behind Traefik', null),
  objects('ingressroutetcps.traefik.io', 'entry points of Traefik’s that pass on bytes', null),
  configMap('ingress-nginx', 'ingress-nginx-controller', 'whom ingress-nginx believes'),
  configMap('haproxy-controller', 'haproxy-kubernetes-ingress', 'whom HAProxy believes'),
  configMap('ingress-controller', 'haproxy-ingress', 'whom HAProxy believes'),
  configMap('nginx-ingress', 'nginx-config', 'whom NGINX believes'),
  objects('ipaddresspools.metallb.io', 'MetalLB’s addresses', null),
  objects('addresspools.metallb.io', 'MetalLB’s addresses in 0.13', null),
  objects('bgpadvertisements.metallb.io', 'which node announces which address', null),
  objects('l2advertisements.metallb.io', 'addresses that one node answers for', null),
  objects('bgppeers.metallb.io', 'MetalLB’s sessions and hold times', null),
  objects('bfdprofiles.metallb.io', 'how fast a dead speaker is noticed', null),
  objects('ippools.crd.projectcalico.org', 'Calico’s ranges, block size and tunnels', null),
  objects('ipamblocks.crd.projectcalico.org', 'who has which address, tunnels included', null),
  objects('felixconfigurations.crd.projectcalico.org', 'Calico’s data plane', null),
  objects('bgpconfigurations.crd.projectcalico.org', 'addresses that Calico announces', null),
  objects('bgppeers.crd.projectcalico.org', 'Calico’s sessions', null),
  objects('installations.operator.tigera.io', 'how Calico was installed', null),
  objects('ciliumbgppeeringpolicies.cilium.io', 'what Cilium announces', null),
  objects('ciliumbgpclusterconfigs.cilium.io', 'what Cilium announces', null),
  objects('ciliumbgpadvertisements.cilium.io', 'what Cilium announces', null),
  objects('ciliumbgppeerconfigs.cilium.io', 'Cilium’s sessions and timers', null),
  objects('ciliumloadbalancerippools.cilium.io', 'addresses that Cilium gives', null),
  objects('virtualservers.cis.f5.com', 'the hardware load balancer’s virtual servers', null),
  objects('transportservers.cis.f5.com', 'the hardware load balancer’s virtual servers', null),
  objects('ingresslinks.cis.f5.com', 'the hardware load balancer’s virtual servers', null),
  objects('policies.cis.f5.com', 'what these share', null),
  {
    place: 'cluster',
    file: 'configmaps-f5.json',
    argv: ['kubectl', 'get', 'configmaps', '-A', '-l', 'f5type=virtual-server', '-o', 'json'],
    what: 'AS3 declarations of the hardware load balancer',
    without: null,
  },
  configMap('kube-system', 'kube-proxy', 'kube-proxy’s mode and timers'),
  configMap('kube-system', 'kubeadm-config', 'how the cluster was made'),
  configMap('kube-system', 'cilium-config', 'Cilium’s data plane'),
  configMap('metallb-system', 'config', 'MetalLB before 0.13'),
];

const ROUTER_COMMANDS: readonly CollectCommand[] = [
  machine(
    'router',
    'ip-route.json',
    'ip -j route',
    'the FIB, next hops in the kernel’s order',
    'the routes follow from who announces, in the order of addresses',
  ),
  machine('router', 'ip-6-route.json', 'ip -j -6 route', 'the same for IPv6', 'as above'),
  machine(
    'router',
    'ip-nexthop.json',
    'ip -j nexthop',
    'groups: weights, resilient or not',
    'groups are taken as not resilient',
  ),
  machine(
    'router',
    'sysctl.txt',
    'sysctl -a -r fib_multipath|ignore_routes_with_linkdown',
    'what is hashed, and with which seed',
    'policy 1 (ports, too) and a seed are assumed: which flow breaks is a draw, how many is not',
  ),
  machine(
    'router',
    'frr-bgp-ipv4.json',
    'vtysh -c show_bgp_ipv4_unicast_json',
    'FRR’s paths',
    'only needed where the router is no Linux kernel',
  ),
  machine(
    'router',
    'frr-bgp-ipv6.json',
    'vtysh -c show_bgp_ipv6_unicast_json',
    'FRR’s paths, global addresses of link-local next hops',
    'IPv6 next hops by link-local address are not known as nodes',
  ),
  machine(
    'router',
    'bird.txt',
    'birdc show route all',
    'BIRD’s routes',
    'only needed where BIRD is the router',
  ),
  machine(
    'router',
    'gobgp-rib.json',
    'gobgp -j global rib',
    'GoBGP’s paths',
    'only needed where GoBGP is the router',
  ),
];

const NODE_COMMANDS: readonly CollectCommand[] = [
  machine(
    'node',
    'iptables-save.txt',
    'iptables-save',
    'kube-proxy’s rules as they are',
    'rules follow from the objects',
  ),
  machine(
    'node',
    'ip6tables-save.txt',
    'ip6tables-save',
    'the same for IPv6',
    'rules follow from the objects',
  ),
  machine(
    'node',
    'nft.json',
    'nft -j list ruleset',
    'nftables’ rules as they are',
    'rules follow from the objects',
  ),
  machine('node', 'ipset.txt', 'ipset save', 'sets that rules ask', 'rules that ask sets are not judged'),
  machine('node', 'ipvsadm.txt', 'ipvsadm -Sn', 'IPVS as it is', 'IPVS follows from the objects'),
  machine(
    'node',
    'conntrack.txt',
    'conntrack -L',
    'connections under way',
    'connections from before the capture are judged by where their first packet goes',
  ),
  machine(
    'node',
    'ip-addr.json',
    'ip -j addr',
    'local addresses, tunnels included',
    'tunnel addresses come from annotations and blocks',
  ),
  machine('node', 'ip-route.json', 'ip -j route', 'routes to pods', 'pods are reached by their node'),
  machine('node', 'ip-rule.json', 'ip -j rule', 'policy routing', 'none is assumed'),
  machine(
    'node',
    'sysctl.txt',
    'sysctl -a -r nf_conntrack|ipv4.vs.',
    'conntrack’s limits and timeouts',
    'kube-proxy’s defaults are assumed',
  ),
];

/** An argument that stands for several words. */
function wordsOf(argv: readonly string[]): string[] {
  return argv.map((word) => (word.startsWith('show_') ? word.replaceAll('_', ' ') : word));
}

export const MACHINE_COMMANDS: readonly CollectCommand[] = [...ROUTER_COMMANDS, ...NODE_COMMANDS].map(
  (command) => ({
    ...command,
    argv: wordsOf(command.argv),
  }),
);

/** Octets that hold every header a replay looks at: Ethernet, VLAN, IPv6 and options, a tunnel, TCP with options. */
const SNAP_LENGTH = 192;

/** @param vips addresses of services; empty where they are not known yet */
export function captureCommand(vips: readonly string[]): CollectCommand {
  const hosts = vips.length === 0 ? ['<VIP>'] : vips;
  const filter = hosts.map((host) => `host ${host}`).join(' or ');
  return {
    place: 'capture',
    file: 'traffic.pcap',
    // a tag hides the addresses from the filter: asked for both ways
    argv: [
      'tcpdump',
      '-i',
      '<interface to the clients>',
      '-s',
      String(SNAP_LENGTH),
      '-w',
      'traffic.pcap',
      `(${filter}) or (vlan and (${filter}))`,
    ],
    what: 'the traffic itself, on the router, or on a mirror port, before any address is rewritten',
    without: 'there is nothing to replay',
  };
}

/** As a shell takes it. */
export function shellLine({ argv }: Pick<CollectCommand, 'argv'>): string {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}
