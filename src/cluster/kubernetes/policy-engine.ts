/**
 * Which CNI enforces network policies, as the objects show it, and what it does to what they deny. Where nothing shows
 * it, or two things do, it is not known: flannel and host-local plugins enforce none, and a dump need not be complete.
 *
 * Source: Calico FelixConfiguration (iptablesFilterDenyAction, nftablesFilterDenyAction: Drop unless set), kube-router's
 * network policy controller (`-j REJECT` at the end of a pod's chain; k3s carries it), cilium-config (enable-policy,
 * policy-cidr-match-mode).
 */
import type { PolicyEngine } from '../policy-model.js';
import { isCalico } from './calico-addresses.js';
import { argumentsOf, switchOf } from './dataplane-facts.js';
import type { KubernetesObjects } from './kubernetes-objects.js';

export function policyEngineOf(objects: KubernetesObjects): PolicyEngine {
  const { daemonSet, configMap, felix, installation } = objects;
  const runs = (container: string): boolean => argumentsOf(daemonSet, container) !== null;
  const hasMap = (name: string): boolean => configMap.some((map) => map.name === name);
  const isCilium =
    hasMap('cilium-config') ||
    runs('cilium-agent') ||
    objects.ciliumNetworkPolicy.length + objects.ciliumClusterwidePolicy.length > 0;
  const found: PolicyEngine[] = [];
  if (isCilium) found.push('cilium');
  if (
    isCalico(objects) ||
    felix.length + installation.length > 0 ||
    hasMap('calico-config') ||
    runs('calico-node') ||
    objects.calicoNetworkPolicy.length + objects.calicoGlobalPolicy.length > 0
  ) {
    found.push('calico');
  }
  if (runs('antrea-agent') || hasMap('antrea-config')) found.push('antrea');
  const words = argumentsOf(daemonSet, 'kube-router');
  if (words !== null && switchOf(words, 'run-firewall', true)) found.push('kube-router');
  // k3s brings kube-router's controller, unless it is told not to or another CNI takes its place
  if (found.length === 0 && carriesController(objects)) found.push('kube-router');
  const engine = found.length === 1 ? found[0]! : 'unknown';
  const isIdle =
    ciliumValue(configMap, 'enable-policy') === 'never' ||
    ciliumValue(configMap, 'policy-audit-mode') === 'true';
  return engine === 'cilium' && isIdle ? 'none' : engine;
}

/** Whether a denied packet gets an ICMP error. */
export function denialOf(engine: PolicyEngine, { felix, configMap }: KubernetesObjects): 'drop' | 'reject' {
  if (engine === 'kube-router') return 'reject';
  if (engine === 'cilium')
    return ciliumValue(configMap, 'policy-deny-response') === 'icmp' ? 'reject' : 'drop';
  const spec = (felix.find(({ name }) => name === 'default') ?? felix[0])?.object.spec;
  const action = spec?.iptablesFilterDenyAction ?? spec?.nftablesFilterDenyAction ?? 'Drop';
  return engine === 'calico' && action.toLowerCase() === 'reject' ? 'reject' : 'drop';
}

export function netsMatchNodes(engine: PolicyEngine, { configMap }: KubernetesObjects): boolean {
  return engine !== 'cilium' || ciliumValue(configMap, 'policy-cidr-match-mode')?.includes('nodes') === true;
}

export function ciliumValue(configMap: KubernetesObjects['configMap'], key: string): string | undefined {
  const value = configMap.find(({ name }) => name === 'cilium-config')?.object.data?.[key];
  return value === undefined ? undefined : String(value);
}

function carriesController({ node }: KubernetesObjects): boolean {
  const written = node.flatMap(({ object }) => object.metadata.annotations?.['k3s.io/node-args'] ?? []);
  return written.length > 0 && !written.some((text) => text.includes('--disable-network-policy'));
}
