/**
 * Pods and namespaces as policies select them. Where an object was not given, its labels are known in part: a namespace
 * has its name as a label, a pod behind a Service has the labels of the Service's selector. A question about any other
 * label is then answered `maybe`.
 */
import { type Address, formatAddress } from '../../addr/address.js';
import { PROTOCOLS } from '../limits.js';
import type { KubernetesObjects } from './kubernetes-objects.js';
import type { LabelSelector } from './kubernetes-schemas.js';
import type { Labels } from './label-selector.js';
import { isOver, podAddresses } from './service-backends.js';

export type Match = 'yes' | 'no' | 'maybe';

/** Labels, all of them or those that are known. */
export interface KnownLabels {
  readonly labels: Labels;
  readonly complete: boolean;
}

export interface PolicyPod extends KnownLabels {
  readonly name: string;
  /** null: not known */
  readonly namespace: string | null;
  readonly addresses: readonly Address[];
  /** null: its containers are not known */
  readonly ports: readonly NamedPort[] | null;
  readonly serviceAccount: string | null;
}

interface NamedPort {
  readonly name: string;
  readonly proto: number;
  readonly port: number;
}

/** The label that every namespace has since Kubernetes 1.21. */
const NAMESPACE_NAME = 'kubernetes.io/metadata.name';

export class PolicySubjects {
  /** pods with a network of their own; policies do not select those on their node's */
  readonly pods: readonly PolicyPod[];
  private readonly byAddress = new Map<string, PolicyPod>();
  private readonly byName = new Map<string, PolicyPod>();
  private readonly onHostNetwork = new Set<string>();
  private readonly namespaces: ReadonlyMap<string, Labels>;

  constructor(objects: KubernetesObjects) {
    const pods: PolicyPod[] = [];
    for (const { name, namespace, object } of objects.pod) {
      if (isOver(object)) continue;
      if (object.spec?.hostNetwork === true) {
        this.onHostNetwork.add(`${namespace}/${name}`);
        continue;
      }
      const containers = [...(object.spec?.containers ?? []), ...(object.spec?.initContainers ?? [])];
      const pod: PolicyPod = {
        name,
        namespace,
        labels: object.metadata.labels ?? {},
        complete: true,
        addresses: podAddresses(object),
        ports: containers.flatMap(({ ports = [] }) =>
          ports.flatMap((port): NamedPort[] =>
            port.name === undefined
              ? []
              : [{ name: port.name, proto: PROTOCOLS[port.protocol ?? 'TCP']!, port: port.containerPort }],
          ),
        ),
        serviceAccount: object.spec?.serviceAccountName ?? null,
      };
      pods.push(pod);
      this.byName.set(`${namespace}/${name}`, pod);
      for (const address of pod.addresses) this.byAddress.set(formatAddress(address), pod);
    }
    this.pods = pods;
    this.namespaces = new Map(
      objects.namespace.map(({ name, object }) => [
        name,
        { [NAMESPACE_NAME]: name, ...object.metadata.labels },
      ]),
    );
  }

  namespaceLabels(namespace: string): KnownLabels {
    const labels = this.namespaces.get(namespace);
    if (labels !== undefined) return { labels, complete: true };
    return { labels: { [NAMESPACE_NAME]: namespace }, complete: false };
  }

  podAt(addresses: readonly Address[]): PolicyPod | null {
    for (const address of addresses) {
      const pod = this.byAddress.get(formatAddress(address));
      if (pod !== undefined) return pod;
    }
    return null;
  }

  podNamed(namespace: string, name: string): PolicyPod | null {
    return this.byName.get(`${namespace}/${name}`) ?? null;
  }

  isOnHostNetwork(namespace: string, name: string): boolean {
    return this.onHostNetwork.has(`${namespace}/${name}`);
  }
}

/** A label selector over labels that may be known in part. */
export function selects(selector: LabelSelector, { labels, complete }: KnownLabels): Match {
  const parts = [
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]): Match => {
      if (key in labels) return labels[key] === value ? 'yes' : 'no';
      return complete ? 'no' : 'maybe';
    }),
    ...(selector.matchExpressions ?? []).map(({ key, operator, values = [] }): Match => {
      if (!(key in labels) && !complete) return 'maybe';
      const value = labels[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value) ? 'yes' : 'no';
        case 'NotIn':
          return value === undefined || !values.includes(value) ? 'yes' : 'no';
        case 'Exists':
          return value !== undefined ? 'yes' : 'no';
        case 'DoesNotExist':
          return value === undefined ? 'yes' : 'no';
        default:
          return 'maybe';
      }
    }),
  ];
  return every(parts);
}

export function every(parts: readonly Match[]): Match {
  if (parts.includes('no')) return 'no';
  return parts.includes('maybe') ? 'maybe' : 'yes';
}
