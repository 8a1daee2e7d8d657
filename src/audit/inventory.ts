/**
 * The objects of a cluster as the rules ask for them. Fields are read where they are and as what they are: one that is
 * missing or of another type says nothing, and no finding rests on it.
 */
import { type Address, formatAddress, parseAddress } from '../addr/address.js';
import type { SourceObject } from '../cluster/scenario/source-objects.js';
import type { Path } from '../cluster/yaml/yaml-source.js';
import type { Evidence } from './finding.js';

/** One object, read field by field. */
export class Thing {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;

  constructor(private readonly source: SourceObject) {
    this.name = text(this.at('metadata', 'name')) ?? '';
    this.namespace = text(this.at('metadata', 'namespace')) ?? 'default';
    this.labels = texts(this.at('metadata', 'labels'));
  }

  get kind(): string {
    return this.source.kind;
  }

  get group(): string {
    return this.source.group;
  }

  at(...path: Path): unknown {
    let value: unknown = this.source.data;
    for (const key of path) {
      if (typeof value !== 'object' || value === null) return undefined;
      value = (value as Record<string | number, unknown>)[key];
    }
    return value ?? undefined;
  }

  list(...path: Path): unknown[] {
    const value = this.at(...path);
    return Array.isArray(value) ? value : [];
  }

  text(...path: Path): string | undefined {
    return text(this.at(...path));
  }

  number(...path: Path): number | undefined {
    const value = this.at(...path);
    return typeof value === 'number' ? value : undefined;
  }

  /** `Service shop/web`; what belongs to no namespace has none */
  get title(): string {
    const isBare = this.at('metadata', 'namespace') === undefined;
    return `${this.kind} ${isBare ? '' : `${this.namespace}/`}${this.name}`;
  }

  evidence(says: string, ...path: Path): Evidence {
    return {
      object: this.title,
      says,
      position: this.source.document.positionOf([...this.source.path, ...path]),
    };
  }
}

/** An endpoint of a service that gets traffic. */
export interface Member {
  readonly addresses: readonly string[];
  readonly node: string | null;
  readonly pod: string | null;
  readonly thing: Thing;
}

export interface AuditedService {
  readonly thing: Thing;
  readonly title: string;
  readonly policy: 'Cluster' | 'Local';
  /** reached from outside of the cluster: a load balancer's, with a node port, or with external addresses */
  readonly isExternal: boolean;
  readonly vips: readonly Address[];
  readonly members: readonly Member[];
}

export class Inventory {
  readonly things: readonly Thing[];
  readonly nodes: readonly Thing[];
  readonly pods: readonly Thing[];
  readonly services: readonly AuditedService[];
  private readonly podsByName: ReadonlyMap<string, Thing>;

  constructor(objects: readonly SourceObject[]) {
    // the same object in two files is one, as the later shows it
    const unique = new Map<string, Thing>();
    for (const object of objects) {
      const thing = new Thing(object);
      unique.set(`${thing.group} ${thing.kind} ${thing.namespace}/${thing.name}`, thing);
    }
    this.things = [...unique.values()];
    this.nodes = this.of('Node');
    this.pods = this.of('Pod').filter(
      (pod) => !['Succeeded', 'Failed'].includes(pod.text('status', 'phase') ?? ''),
    );
    this.podsByName = new Map(this.pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod]));
    const members = this.membersByService();
    this.services = this.of('Service').map((thing) =>
      auditedService(thing, members.get(`${thing.namespace}/${thing.name}`) ?? []),
    );
  }

  /** All of a kind; `group` as a part of the API group where kinds of several groups have one name. */
  of(kind: string, group = ''): Thing[] {
    return this.things.filter((thing) => thing.kind === kind && thing.group.includes(group));
  }

  node(name: string): Thing | undefined {
    return this.nodes.find((node) => node.name === name);
  }

  podOf({ thing, pod }: Member): Thing | undefined {
    return pod === null ? undefined : this.podsByName.get(`${thing.namespace}/${pod}`);
  }

  private membersByService(): Map<string, Member[]> {
    const found = new Map<string, Map<string, Member>>();
    const add = (service: string, key: string, member: Member): void => {
      const members = found.get(service) ?? new Map<string, Member>();
      const before = members.get(key);
      members.set(
        key,
        before === undefined
          ? member
          : { ...before, addresses: [...new Set([...before.addresses, ...member.addresses])] },
      );
      found.set(service, members);
    };
    for (const slice of this.of('EndpointSlice')) {
      const service = `${slice.namespace}/${slice.labels['kubernetes.io/service-name'] ?? ''}`;
      for (const [i] of slice.list('endpoints').entries()) {
        if (slice.at('endpoints', i, 'conditions', 'ready') === false) continue;
        const addresses = strings(slice.at('endpoints', i, 'addresses'));
        const pod = slice.text('endpoints', i, 'targetRef', 'name') ?? null;
        const node =
          slice.text('endpoints', i, 'nodeName') ??
          slice.text('endpoints', i, 'topology', 'kubernetes.io/hostname') ??
          null;
        add(service, pod ?? addresses[0] ?? '', { addresses, node, pod, thing: slice });
      }
    }
    for (const endpoints of this.of('Endpoints')) {
      const service = `${endpoints.namespace}/${endpoints.name}`;
      if (found.has(service)) continue;
      for (const [s] of endpoints.list('subsets').entries()) {
        for (const [i] of endpoints.list('subsets', s, 'addresses').entries()) {
          const at = ['subsets', s, 'addresses', i] as const;
          const address = endpoints.text(...at, 'ip') ?? '';
          const pod = endpoints.text(...at, 'targetRef', 'name') ?? null;
          add(service, pod ?? address, {
            addresses: [address],
            node: endpoints.text(...at, 'nodeName') ?? null,
            pod,
            thing: endpoints,
          });
        }
      }
    }
    return new Map([...found].map(([service, members]) => [service, [...members.values()]]));
  }
}

function auditedService(thing: Thing, members: readonly Member[]): AuditedService {
  const type = thing.text('spec', 'type') ?? 'ClusterIP';
  const status = thing
    .list('status', 'loadBalancer', 'ingress')
    .map((_, i) => thing.text('status', 'loadBalancer', 'ingress', i, 'ip'));
  const vips = [...status, ...strings(thing.at('spec', 'externalIPs'))].flatMap((one) =>
    one === undefined ? [] : (parseAddress(one) ?? []),
  );
  return {
    thing,
    title: `${thing.namespace}/${thing.name}`,
    policy: thing.text('spec', 'externalTrafficPolicy') === 'Local' ? 'Local' : 'Cluster',
    isExternal: type === 'LoadBalancer' || type === 'NodePort' || vips.length > 0,
    vips,
    members,
  };
}

/** One spelling for each address. */
export function canonical(address: string): string {
  const parsed = parseAddress(address);
  return parsed === null ? address : formatAddress(parsed);
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
