/**
 * The data plane as the cluster's own objects state it: which proxy translates, and its settings.
 *
 * In this order, for one that replaces kube-proxy decides alone: Cilium with kube-proxy replacement, Calico's eBPF, then
 * kube-router's service proxy, then kube-proxy (ConfigMap, KubeProxyConfiguration, arguments of its DaemonSet, k3s'
 * arguments on the nodes). Source: the projects' configuration references; cilium/operator defaults, Felix defaults.
 */
import { parse } from 'yaml';
import { CILIUM_TABLE_SIZES, IPVS_SCHEDULERS } from '../limits.js';
import type { DataplaneFacts } from '../scenario/facts.js';
import type { KubernetesObjects, Remarks } from './kubernetes-objects.js';
import { type KubeProxyConfiguration, kubeProxyConfigurationObject } from './settings-schemas.js';
import { noteNodePortAddresses } from './unread-settings.js';

type Proxy = NonNullable<DataplaneFacts['proxy']>;

export function dataplaneFacts(objects: KubernetesObjects, remarks: Remarks): DataplaneFacts {
  const kubeProxy = kubeProxyFacts(objects, remarks);
  return ciliumFacts(objects, remarks) ?? calicoFacts(objects) ?? kubeRouterFacts(objects) ?? kubeProxy ?? {};
}

// -- Cilium

/** Values of kube-proxy-replacement under which Cilium takes traffic from outside. */
const REPLACES = ['true', 'strict'];

function ciliumFacts({ configMap }: KubernetesObjects, { notes, unread }: Remarks): DataplaneFacts | null {
  const config = configMap.find(({ name }) => name === 'cilium-config')?.object.data;
  if (config === undefined) return null;
  const value = (key: string): string | undefined =>
    config[key] === undefined ? undefined : String(config[key]);
  const replacement = value('kube-proxy-replacement') ?? 'false';
  if (!REPLACES.includes(replacement) && value('enable-node-port') !== 'true') {
    notes.push(
      `cilium-config: kube-proxy-replacement is ${replacement}, so kube-proxy takes traffic from outside.`,
    );
    return null;
  }
  const mode = oneOf(['snat', 'dsr', 'hybrid'] as const, value('bpf-lb-mode') ?? value('node-port-mode'));
  const algorithm = oneOf(
    ['random', 'maglev'] as const,
    value('bpf-lb-algorithm') ?? value('node-port-algorithm'),
  );
  const stated = Number(value('bpf-lb-maglev-table-size'));
  const tableSize = CILIUM_TABLE_SIZES.find((size) => size === stated);
  const native = value('routing-mode') === 'native' || value('tunnel') === 'disabled';
  // under DSR the packet keeps its addresses, whatever carries it
  const overlay = native || (mode ?? 'snat') !== 'snat' ? undefined : 'vxlan';
  if (value('bpf-lb-mode-annotation') === 'true' || value('bpf-lb-algorithm-annotation') === 'true') {
    unread.push('ConfigMap cilium-config: modes and algorithms by annotation of a Service are not followed.');
  }
  return {
    proxy: 'cilium',
    cilium: { mode: mode ?? 'snat', algorithm: algorithm ?? 'random', tableSize },
    overlayKind: overlay,
  };
}

// -- Calico

function calicoFacts({ felix, installation }: KubernetesObjects): DataplaneFacts | null {
  const named = felix.find(({ name }) => name === 'default') ?? felix[0];
  const { bpfEnabled, bpfExternalServiceMode = 'Tunnel' } = named?.object.spec ?? {};
  const byOperator = installation.some(
    ({ object }) => object.spec?.calicoNetwork?.linuxDataplane?.toUpperCase() === 'BPF',
  );
  if (bpfEnabled !== true && !(bpfEnabled === undefined && byOperator)) return null;
  const mode = bpfExternalServiceMode.toUpperCase() === 'DSR' ? 'dsr' : 'tunnel';
  return { proxy: 'calico-ebpf', calicoEbpf: { mode } };
}

// -- kube-router

function kubeRouterFacts({ daemonSet }: KubernetesObjects): DataplaneFacts | null {
  const words = argumentsOf(daemonSet, 'kube-router');
  if (words === null || switchOf(words, 'run-service-proxy', true) === false) return null;
  return { proxy: 'ipvs' };
}

// -- kube-proxy

function kubeProxyFacts(objects: KubernetesObjects, remarks: Remarks): DataplaneFacts | null {
  const config = kubeProxyConfiguration(objects, remarks);
  const words = [...(argumentsOf(objects.daemonSet, 'kube-proxy') ?? []), ...k3sWords(objects)];
  const given = (name: string): string | undefined => argumentOf(words, name);
  const hasArguments = ['proxy-mode', 'ipvs-scheduler'].some((name) => given(name) !== undefined);
  // a file named by --config is all that counts
  const useConfig = config !== null && (given('config') !== undefined || !hasArguments);
  if (!useConfig && !hasArguments) return null;
  const mode = (useConfig ? config.mode : given('proxy-mode')) ?? '';
  // the default of every release so far on Linux
  const proxy = oneOf(['iptables', 'nftables', 'ipvs'] as const, mode === '' ? 'iptables' : mode);
  if (proxy === undefined) {
    remarks.unread.push(
      `KubeProxyConfiguration: mode ${mode} is not modelled; connections are not judged unless a Scenario states dataplane.proxy.`,
    );
    return { notModelled: { setting: 'proxy', sentence: `kube-proxy runs in mode ${mode}` } };
  }
  if (!useConfig) {
    return { proxy, ...schedulerFacts(given('ipvs-scheduler'), proxy, remarks) };
  }
  noteNodePortAddresses(config, objects, remarks);
  const { ipvs, conntrack = {} } = config;
  const minPeriodS = config[proxy]?.minSyncPeriod;
  return {
    proxy,
    ...schedulerFacts(ipvs?.scheduler, proxy, remarks),
    conntrack: {
      beLiberal: conntrack.tcpBeLiberal,
      max: conntrackMax(conntrack, objects),
    },
    timeouts: {
      established: positive(conntrack.tcpEstablishedTimeout),
      closeWait: positive(conntrack.tcpCloseWaitTimeout),
      udp: positive(conntrack.udpTimeout),
      udpStream: positive(conntrack.udpStreamTimeout),
    },
    sync: positive(minPeriodS) === undefined ? undefined : { minPeriodS },
  };
}

/** The file inside kube-proxy's ConfigMap, or an object of its own. */
function kubeProxyConfiguration(
  { configMap, kubeProxy }: KubernetesObjects,
  { unread }: Remarks,
): KubeProxyConfiguration | null {
  if (kubeProxy[0] !== undefined) return kubeProxy[0].object;
  const map = configMap.find(({ name, object }) => {
    return (
      name === 'kube-proxy' || name === 'kube-proxy-config' || object.metadata.labels?.app === 'kube-proxy'
    );
  });
  for (const [file, text] of Object.entries(map?.object.data ?? {})) {
    if (typeof text !== 'string' || !text.includes('KubeProxyConfiguration')) continue;
    const result = kubeProxyConfigurationObject.safeParse(parsed(text));
    if (result.success) return result.data;
    unread.push(`ConfigMap ${map!.name}: ${file} cannot be read as a KubeProxyConfiguration.`);
  }
  return null;
}

/** kube-proxy sets nf_conntrack_max to so many a core, and no fewer than so many. */
function conntrackMax(
  { maxPerCore = 32768, min = 131072 }: NonNullable<KubeProxyConfiguration['conntrack']>,
  { node }: KubernetesObjects,
): number | undefined {
  const cores = node.map(({ object }) => Number(object.status?.capacity?.cpu ?? Number.NaN));
  const fewest = Math.min(...cores.filter((count) => Number.isInteger(count) && count > 0));
  if (maxPerCore === 0 || !Number.isFinite(fewest)) return undefined;
  return Math.max(maxPerCore * fewest, min);
}

/** IPVS schedulers under equal weights, which kube-proxy gives: the weighted ones are the plain ones. */
const SAME_AT_EQUAL_WEIGHTS: Readonly<Record<string, (typeof IPVS_SCHEDULERS)[number]>> = {
  wrr: 'rr',
  wlc: 'lc',
};

function schedulerFacts(stated: string | undefined, proxy: Proxy, { unread }: Remarks): DataplaneFacts {
  if (stated === undefined || stated === '' || proxy !== 'ipvs') return {};
  const scheduler = oneOf(IPVS_SCHEDULERS, SAME_AT_EQUAL_WEIGHTS[stated] ?? stated);
  if (scheduler !== undefined) return { ipvs: { scheduler } };
  unread.push(
    `KubeProxyConfiguration: ipvs.scheduler ${stated} is not modelled; connections are not judged unless a Scenario states dataplane.ipvs.scheduler.`,
  );
  return { notModelled: { setting: 'scheduler', sentence: `IPVS chooses endpoints by ${stated}` } };
}

// -- arguments

/** Words of the command lines of the containers with this name or image, or null: there is none. */
export function argumentsOf(workloads: KubernetesObjects['daemonSet'], name: string): string[] | null {
  const containers = workloads
    .flatMap(({ object }) => object.spec?.template?.spec?.containers ?? [])
    .filter((one) => one.name === name || new RegExp(`(^|/)${name}(:|@|$)`).test(one.image ?? ''));
  if (containers.length === 0) return null;
  return containers.flatMap(({ command = [], args = [] }) =>
    [...command, ...args].flatMap((text) => text.split(/\s+/)),
  );
}

/** k3s and RKE2 run kube-proxy inside; the node's annotation has how. */
function k3sWords({ node }: KubernetesObjects): string[] {
  for (const { object } of node) {
    const written =
      object.metadata.annotations?.['k3s.io/node-args'] ?? object.metadata.annotations?.['rke2.io/node-args'];
    const words = written === undefined ? null : parsed(written);
    if (!Array.isArray(words)) continue;
    return words.flatMap((word: unknown, i) =>
      word === '--kube-proxy-arg'
        ? [`--${String(words[i + 1])}`]
        : String(word).startsWith('--kube-proxy-arg=')
          ? [`--${String(word).slice('--kube-proxy-arg='.length)}`]
          : [],
    );
  }
  return [];
}

/** `--name=value` or `--name value`. */
export function argumentOf(words: readonly string[], name: string): string | undefined {
  const flag = `--${name}`;
  for (const [i, word] of words.entries()) {
    if (word.startsWith(`${flag}=`)) return word.slice(flag.length + 1);
    if (word === flag) return words[i + 1]?.startsWith('--') === false ? words[i + 1] : 'true';
  }
  return undefined;
}

export function switchOf(words: readonly string[], name: string, usual: boolean): boolean {
  const value = argumentOf(words, name);
  return value === undefined ? usual : value !== 'false';
}

function parsed(text: string): unknown {
  try {
    return withoutNulls(parse(text, { maxAliasCount: 0 }) as unknown);
  } catch {
    return null;
  }
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value;
  const stated = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(stated.map(([key, inner]) => [key, withoutNulls(inner)]));
}

function oneOf<const T extends readonly string[]>(
  known: T,
  value: string | undefined,
): T[number] | undefined {
  return known.find((one) => one === value);
}

function positive(seconds: number | undefined): number | undefined {
  return seconds !== undefined && seconds > 0 ? seconds : undefined;
}
