/**
 * What becomes of each kind of object of a dump: the one table that reader and documentation go by.
 *
 * - used: its fields decide something here
 * - not-read: it may change a path, and does not here; whoever gives it is told
 * - irrelevant: no packet's path depends on it
 *
 * A kind that stands nowhere is unknown: of a group that is known here it is probably a slip of the pen.
 */
type KindUse = 'used' | 'not-read' | 'irrelevant';

export interface KindEntry {
  readonly kind: string;
  /** API group; '' is the core group */
  readonly group: string;
  readonly use: KindUse;
  /** used: the fields that are read; not-read: what that means, the end of a sentence; irrelevant: empty */
  readonly what: string;
}

const used = (group: string, kind: string, what: string): KindEntry => ({ group, kind, use: 'used', what });
const notRead = (group: string, kind: string, what: string): KindEntry => ({
  group,
  kind,
  use: 'not-read',
  what,
});
const irrelevant = (group: string, ...kinds: string[]): KindEntry[] =>
  kinds.map((kind) => ({ group, kind, use: 'irrelevant', what: '' }));

const NOT_EVALUATED = 'that it is there: what it may select is not judged';
const CALICO_POLICY =
  'tier, order, selector, types, ingress: action, protocol, ipVersion, source (nets, selector, namespaceSelector), destination (nets, selector, ports) and their negations; rules with services, serviceAccounts, http or source ports, host endpoints, and egress, leave what they select unjudged';
const CILIUM_POLICY =
  'endpointSelector, enableDefaultDeny, ingress and ingressDeny: fromEndpoints, fromCIDR, fromCIDRSet, fromEntities, toPorts; layer 7 rules, fromRequires, fromGroups, fromNodes, and egress, leave what they select unjudged';

const CALICO_GROUPS = ['crd.projectcalico.org', 'projectcalico.org'] as const;
const TRAEFIK_GROUPS = ['traefik.io', 'traefik.containo.us'] as const;
const calico = (entry: (group: string) => KindEntry): KindEntry[] => CALICO_GROUPS.map(entry);

export const KIND_TABLE: readonly KindEntry[] = [
  used(
    '',
    'Node',
    'labels, annotations of Calico and k3s, spec.podCIDRs, unschedulable, taints, status.addresses, capacity.cpu, conditions',
  ),
  used(
    '',
    'Service',
    'type, clusterIPs, externalIPs, loadBalancerIP, loadBalancerClass, loadBalancerSourceRanges, ports, selector, traffic policies, sessionAffinity, publishNotReadyAddresses; status.loadBalancer.ingress with ipMode; labels',
  ),
  used('', 'Namespace', 'labels, for network policies'),
  used('', 'Endpoints', 'subsets: addresses, notReadyAddresses, ports'),
  used(
    '',
    'Pod',
    'labels, deletionTimestamp, nodeName, hostNetwork, container ports, images and arguments of ingress proxies, status: phase, podIPs, condition Ready',
  ),
  used(
    '',
    'ConfigMap',
    'kube-proxy, cilium-config, MetalLB before 0.13, label f5type: virtual-server (AS3, and CIS’s form before it), what an ingress controller’s --configmap names, Traefik’s file; others are irrelevant',
  ),
  used(
    'discovery.k8s.io',
    'EndpointSlice',
    'addressType, endpoints with conditions, hints and node (v1beta1: topology), ports',
  ),
  used(
    'apps',
    'DaemonSet',
    'arguments and environment of kube-proxy, kube-router, kube-vip; as of a Deployment',
  ),
  used(
    'apps',
    'Deployment',
    'replicas, selector; pod template: labels, nodeSelector, required node affinity, required pod anti-affinity, topologySpreadConstraints (DoNotSchedule), tolerations, readinessProbe.initialDelaySeconds; images, arguments and environment of k8s-bigip-ctlr, Traefik, ingress-nginx, NGINX Ingress Controller, HAProxy’s ingress controllers, Envoy',
  ),
  used('apps', 'StatefulSet', 'as of a Deployment'),
  used('apps', 'ReplicaSet', 'as of a Deployment, where none owns it'),
  used('policy', 'PodDisruptionBudget', 'selector, minAvailable, maxUnavailable'),
  used(
    'autoscaling',
    'HorizontalPodAutoscaler',
    'scaleTargetRef, minReplicas, maxReplicas: said, for what it would do depends on a load that no packet shows',
  ),
  used('kubeproxy.config.k8s.io', 'KubeProxyConfiguration', 'mode, iptables, ipvs, nftables, conntrack'),
  used('metallb.io', 'IPAddressPool', 'addresses, labels'),
  used('metallb.io', 'AddressPool', 'protocol, addresses, bgpAdvertisements'),
  used(
    'metallb.io',
    'BGPPeer',
    'myASN, peerASN, peerAddress, holdTime, bfdProfile, enableGracefulRestart, nodeSelectors',
  ),
  used(
    'metallb.io',
    'BGPAdvertisement',
    'ipAddressPools, ipAddressPoolSelectors, serviceSelectors, nodeSelectors, peers, localPref, aggregationLength',
  ),
  used(
    'metallb.io',
    'L2Advertisement',
    'ipAddressPools, ipAddressPoolSelectors, serviceSelectors, nodeSelectors',
  ),
  used('metallb.io', 'BFDProfile', 'detectMultiplier, receiveInterval'),
  ...irrelevant(
    'metallb.io',
    'Community',
    'ServiceL2Status',
    'ServiceBGPStatus',
    'BGPSessionStatus',
    'ConfigurationState',
  ),
  ...calico((group) => used(group, 'IPPool', 'cidr, blockSize, ipipMode, vxlanMode, disabled')),
  ...calico((group) =>
    used(group, 'IPAMBlock', 'cidr, affinity, deleted, allocations, attributes, unallocated'),
  ),
  ...calico((group) =>
    used(
      group,
      'FelixConfiguration',
      'bpfEnabled, bpfExternalServiceMode, iptablesFilterDenyAction, nftablesFilterDenyAction',
    ),
  ),
  ...calico((group) =>
    used(group, 'BGPConfiguration', 'asNumber, serviceLoadBalancerIPs, serviceExternalIPs'),
  ),
  ...calico((group) => used(group, 'BGPPeer', 'peerIP, asNumber, node, nodeSelector')),
  ...calico((group) => used(group, 'NetworkPolicy', CALICO_POLICY)),
  ...calico((group) => used(group, 'GlobalNetworkPolicy', `${CALICO_POLICY}; namespaceSelector`)),
  ...calico((group) => used(group, 'Tier', 'order, defaultAction')),
  ...calico((group) => used(group, 'NetworkSet', 'labels, nets')),
  ...calico((group) => used(group, 'GlobalNetworkSet', 'labels, nets')),
  ...CALICO_GROUPS.flatMap((group) =>
    irrelevant(group, 'StagedNetworkPolicy', 'StagedGlobalNetworkPolicy', 'StagedKubernetesNetworkPolicy'),
  ),
  ...calico((group) => notRead(group, 'BGPFilter', 'routes that it filters are taken to be announced')),
  ...CALICO_GROUPS.flatMap((group) =>
    irrelevant(
      group,
      'BlockAffinity',
      'CalicoNodeStatus',
      'CalicoAPIConfig',
      'ClusterInformation',
      'HostEndpoint',
      'IPAMConfig',
      'IPAMConfiguration',
      'IPAMHandle',
      'IPReservation',
      'KubeControllersConfiguration',
      'Profile',
      'WorkloadEndpoint',
    ),
  ),
  used('operator.tigera.io', 'Installation', 'calicoNetwork.linuxDataplane'),
  ...irrelevant('operator.tigera.io', 'APIServer', 'ImageSet', 'TigeraStatus', 'Goldmane', 'Whisker'),
  used(
    'cilium.io',
    'CiliumBGPPeeringPolicy',
    'nodeSelector, virtualRouters: localASN, serviceSelector, neighbors',
  ),
  used('cilium.io', 'CiliumBGPClusterConfig', 'nodeSelector, bgpInstances: peers'),
  used('cilium.io', 'CiliumBGPPeerConfig', 'families: advertisements'),
  used('cilium.io', 'CiliumBGPAdvertisement', 'labels, advertisements: type, service.addresses, selector'),
  used('cilium.io', 'CiliumLoadBalancerIPPool', 'that load balancer addresses are Cilium’s'),
  notRead(
    'cilium.io',
    'CiliumL2AnnouncementPolicy',
    'the one node that answers ARP for an address is not known',
  ),
  used('cilium.io', 'CiliumNetworkPolicy', CILIUM_POLICY),
  used('cilium.io', 'CiliumClusterwideNetworkPolicy', CILIUM_POLICY),
  notRead('cilium.io', 'CiliumEnvoyConfig', 'what it diverts to Envoy is judged as if it were not'),
  notRead(
    'cilium.io',
    'CiliumClusterwideEnvoyConfig',
    'what it diverts to Envoy is judged as if it were not',
  ),
  notRead('cilium.io', 'CiliumLocalRedirectPolicy', 'what it redirects is judged as if it were not'),
  notRead(
    'cilium.io',
    'CiliumBGPNodeConfigOverride',
    'sessions and addresses that it changes are taken as they were',
  ),
  ...irrelevant(
    'cilium.io',
    'CiliumBGPNodeConfig',
    'CiliumCIDRGroup',
    'CiliumEgressGatewayPolicy',
    'CiliumEndpoint',
    'CiliumEndpointSlice',
    'CiliumExternalWorkload',
    'CiliumIdentity',
    'CiliumNode',
    'CiliumNodeConfig',
    'CiliumPodIPPool',
  ),
  used(
    'networking.k8s.io',
    'NetworkPolicy',
    'podSelector, policyTypes, ingress: from (ipBlock, podSelector, namespaceSelector) and ports; egress: that a pod has rules for it, which leaves what it sends unjudged',
  ),
  used(
    'cis.f5.com',
    'VirtualServer',
    'virtualServerAddress, additionalVirtualServerAddresses, status.vsAddress, hostGroup, virtualServerHTTPPort, virtualServerHTTPSPort, tlsProfileName, httpTraffic, snat, persistenceProfile, policyName, pools and defaultPool: service, serviceNamespace, servicePort, nodeMemberLabel, monitor, monitors, loadBalancingMethod, serviceDownAction; what is stated beside these and decides a connection (iRules, several pools, allowSourceRange, alternateBackends, hostPersistence) leaves it unjudged',
  ),
  used(
    'cis.f5.com',
    'TransportServer',
    'virtualServerAddress, status.vsAddress, hostGroup, virtualServerPort, type, mode, snat, persistenceProfile, policyName, pool as of a VirtualServer',
  ),
  used(
    'cis.f5.com',
    'IngressLink',
    'virtualServerAddress, status.vsAddress, selector, iRules that send a PROXY header; other iRules leave it unjudged',
  ),
  used(
    'cis.f5.com',
    'Policy',
    'snat, profiles.persistenceProfile, poolSettings: slowRampTime, serviceDownAction; iRules, defaultPool and l3Policies leave what names it unjudged',
  ),
  ...irrelevant('cis.f5.com', 'ExternalDNS', 'TLSProfile', 'DeployConfig'),
  used('policy.networking.k8s.io', 'AdminNetworkPolicy', NOT_EVALUATED),
  used('policy.networking.k8s.io', 'BaselineAdminNetworkPolicy', NOT_EVALUATED),
  ...TRAEFIK_GROUPS.flatMap((group) => [
    used(group, 'IngressRoute', 'entryPoints, routes: services; which Service is behind the proxy'),
    used(group, 'IngressRouteTCP', 'entryPoints: those that only these name pass on bytes, and no header'),
    notRead(group, 'IngressRouteUDP', 'what the proxy does behind its endpoint is not followed'),
  ]),
  ...TRAEFIK_GROUPS.flatMap((group) =>
    irrelevant(
      group,
      'Middleware',
      'MiddlewareTCP',
      'ServersTransport',
      'ServersTransportTCP',
      'TLSOption',
      'TLSStore',
      'TraefikService',
    ),
  ),
  used('networking.k8s.io', 'Ingress', 'ingressClassName, backends; which Service is behind the proxy'),
  used('networking.k8s.io', 'IngressClass', 'controller'),
  used('extensions', 'Ingress', 'as of networking.k8s.io'),
  used(
    'gateway.networking.k8s.io',
    'Gateway',
    'gatewayClassName, listeners: port, protocol, tls.mode; those that pass on bytes write no header',
  ),
  used('gateway.networking.k8s.io', 'GatewayClass', 'controllerName'),
  used(
    'gateway.networking.k8s.io',
    'HTTPRoute',
    'parentRefs, backendRefs; which Service is behind the proxy',
  ),
  ...irrelevant('networking.k8s.io', 'IPAddress', 'ServiceCIDR'),
  ...irrelevant(
    'gateway.networking.k8s.io',
    'BackendTLSPolicy',
    'GRPCRoute',
    'ReferenceGrant',
    'TCPRoute',
    'TLSRoute',
    'UDPRoute',
  ),
  ...irrelevant(
    '',
    'Binding',
    'ComponentStatus',
    'Event',
    'LimitRange',
    'PersistentVolume',
    'PersistentVolumeClaim',
    'PodTemplate',
    'ReplicationController',
    'ResourceQuota',
    'Secret',
    'ServiceAccount',
  ),
  ...irrelevant('apps', 'ControllerRevision'),
  ...irrelevant('kubeadm.k8s.io', 'ClusterConfiguration', 'InitConfiguration', 'JoinConfiguration'),
  ...irrelevant('kubelet.config.k8s.io', 'KubeletConfiguration'),
];

/** Groups of which no kind has to do with a packet's path, or the ends of their names. */
export const IRRELEVANT_GROUPS = [
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'autoscaling',
  'batch',
  'certificates.k8s.io',
  'coordination.k8s.io',
  'events.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'internal.apiserver.k8s.io',
  'metrics.k8s.io',
  'node.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'snapshot.storage.k8s.io',
  'storage.k8s.io',
  'storagemigration.k8s.io',
  'acme.cert-manager.io',
  'argoproj.io',
  'bitnami.com',
  'cert-manager.io',
  'external-secrets.io',
  'fluxcd.io',
  'helm.cattle.io',
  'k3s.cattle.io',
  'kyverno.io',
  'longhorn.io',
  'machineconfiguration.openshift.io',
  'monitoring.coreos.com',
  'velero.io',
];

export type KindVerdict = KindEntry | { readonly use: 'unknown'; readonly sameGroup: readonly string[] };

const byName = new Map(KIND_TABLE.map((entry) => [`${entry.group}/${entry.kind}`, entry]));

export function kindOf(group: string, kind: string): KindVerdict {
  const entry = byName.get(`${group}/${kind}`);
  if (entry !== undefined) return entry;
  if (IRRELEVANT_GROUPS.some((known) => group === known || group.endsWith(`.${known}`))) {
    return { group, kind, use: 'irrelevant', what: '' };
  }
  return {
    use: 'unknown',
    sameGroup: KIND_TABLE.filter((one) => one.group === group).map((one) => one.kind),
  };
}
