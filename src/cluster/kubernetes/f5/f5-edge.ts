/**
 * The load balancer before the cluster as CIS's objects state it: `spec.edge`, and the services that its virtual servers
 * stand for.
 *
 * A virtual server whose ports are exactly its Service's gives that Service a VIP. Any other becomes a service of its
 * own name over the same endpoints, with the ports that it listens on. One that cannot be expressed becomes a service
 * whose connections are not judged.
 *
 * Pool members are what CIS makes them (--pool-member-type): every node that is Ready and has the labels asked for, by
 * its NodePort, or the endpoints that are ready. Source: CIS 2.x, pkg/controller/node_poll_handler.go.
 */
import { type Address, formatAddress, parseAddress, sameAddress } from '../../../addr/address.js';
import type { Assumption, ServicePort } from '../../model.js';
import type { RawEdge } from '../../scenario/edge-schema.js';
import type { EdgeFacts, EndpointFacts, NodeFacts, ServiceFacts } from '../../scenario/facts.js';
import { argumentOf, argumentsOf, switchOf } from '../dataplane-facts.js';
import type { KubernetesObjects, Remarks } from '../kubernetes-objects.js';
import { f5ConfigMaps } from './f5-config-maps.js';
import { f5Resources } from './f5-resources.js';
import type { F5Virtual, F5VirtualPool } from './f5-virtual.js';

export interface F5Facts {
  readonly edge?: EdgeFacts;
  readonly services: readonly ServiceFacts[];
  readonly assumed: readonly Assumption[];
}

const CONTROLLER = 'k8s-bigip-ctlr';
/** On the dummy Node that stands for a BIG-IP in a VXLAN overlay. */
const TUNNEL_END = 'flannel.alpha.coreos.com/public-ip';
/** Addresses for documentation (RFC 5737, RFC 3849), of which the highest free one stands for a self IP nobody states. */
const STAND_INS: Readonly<Record<4 | 6, (n: number) => string>> = {
  4: (n) => `192.0.2.${n}`,
  6: (n) => `2001:db8:ffff::${n.toString(16)}`,
};

export function f5Edge(
  objects: KubernetesObjects,
  nodes: readonly NodeFacts[],
  services: readonly ServiceFacts[],
  remarks: Remarks,
): F5Facts {
  const virtuals = [...f5Resources(objects, remarks), ...f5ConfigMaps(objects, remarks)].filter(
    ({ addresses, port }) => addresses.length > 0 && port > 0,
  );
  if (virtuals.length === 0) return { services, assumed: [] };
  return new EdgeOfObjects(objects, nodes, services, remarks).of(virtuals);
}

type RawPool = RawEdge['pools'][number];
type RawServer = NonNullable<RawEdge['virtualServers']>[number];

/** A virtual server with what it refers to. */
interface Resolved {
  readonly virtual: F5Virtual;
  readonly service: ServiceFacts | null;
  /** row in the Service's ports, or -1 */
  readonly row: number;
  readonly doubts: readonly string[];
}

class EdgeOfObjects {
  private readonly services: ServiceFacts[];
  private readonly fronts: ServiceFacts[] = [];
  private readonly pools: RawPool[] = [];
  private readonly servers: RawServer[] = [];
  private readonly assumed: Assumption[] = [];
  private readonly target: RawPool['target'];
  private readonly members: readonly { name: string; labels: Readonly<Record<string, string>> }[];

  constructor(
    private readonly objects: KubernetesObjects,
    private readonly nodes: readonly NodeFacts[],
    services: readonly ServiceFacts[],
    private readonly remarks: Remarks,
  ) {
    this.services = [...services];
    const words = argumentsOf([...objects.deployment, ...objects.daemonSet], CONTROLLER);
    const type = words === null ? undefined : argumentOf(words, 'pool-member-type');
    this.target = type === 'cluster' ? 'pod' : 'nodePort';
    if (type === 'nodeportlocal' || type === 'auto') {
      remarks.unread.push(
        `Deployment ${CONTROLLER}: pool-member-type ${type} is not modelled; node ports are taken.`,
      );
    }
    if (words === null) {
      this.assumed.push({
        what: 'edge.pools.target',
        value: this.target,
        because: `no Deployment of ${CONTROLLER} states --pool-member-type; its default is taken`,
      });
    }
    if (words !== null && !switchOf(words, 'use-node-internal', true)) {
      remarks.unread.push(
        `Deployment ${CONTROLLER}: use-node-internal is off; nodes are reached by their InternalIP all the same.`,
      );
    }
    this.members = this.eligibleNodes(words === null ? undefined : argumentOf(words, 'node-label-selector'));
  }

  of(virtuals: readonly F5Virtual[]): F5Facts {
    const resolved = this.sharing(virtuals).map((virtual) => this.resolve(virtual));
    for (const group of grouped(resolved)) this.add(group);
    for (const virtual of virtuals) {
      for (const sentence of virtual.unread) this.remarks.unread.push(`${virtual.object}: ${sentence}.`);
    }
    const [first] = virtuals;
    const served = this.servers.length > 0;
    if (served) this.assumeManners(virtuals);
    const raw: RawEdge = {
      name: 'bigip',
      address: served ? this.selfAddresses() : [],
      snat: 'automap',
      idleTimeout: 300,
      udpIdleTimeout: 60,
      handshakeTimeout: 5,
      pools: this.pools,
      virtualServers: this.servers,
    };
    return {
      ...(served ? { edge: { raw, place: first!.place } } : {}),
      services: [...this.services, ...this.fronts],
      assumed: this.assumed,
    };
  }

  // -- what a virtual server refers to

  /** Virtual servers of one address and port are one on the device, which chooses among their pools by host or path. */
  private sharing(virtuals: readonly F5Virtual[]): F5Virtual[] {
    const byDoor = new Map<string, F5Virtual[]>();
    for (const virtual of virtuals) {
      for (const address of virtual.addresses) {
        const door = `${formatAddress(address)} ${virtual.proto} ${virtual.port}`;
        byDoor.set(door, [...(byDoor.get(door) ?? []), virtual]);
      }
    }
    const merged = new Set<F5Virtual>();
    const doubts = new Map<F5Virtual, string>();
    for (const [door, all] of byDoor) {
      const [first, ...others] = all;
      if (others.length === 0) continue;
      const target = (one: F5Virtual): string =>
        one.pool === null ? '' : `${one.pool.namespace}/${one.pool.service}:${one.pool.servicePort}`;
      const alike = others.every((one) => one.pool !== null && target(one) === target(first!));
      for (const one of others) merged.add(one);
      if (alike && all.every((one) => one.doubts.length === 0)) continue;
      const names = all.map(({ object }) => object).join(', ');
      const [address, , port] = door.split(' ');
      doubts.set(
        first!,
        `${names} share ${address} port ${port}, and which pool a connection goes to is decided by host or path, which stands in requests`,
      );
    }
    return virtuals.flatMap((virtual) => {
      if (merged.has(virtual)) return [];
      const doubt = doubts.get(virtual);
      return [doubt === undefined ? virtual : { ...virtual, doubts: [...virtual.doubts, doubt] }];
    });
  }

  private resolve(virtual: F5Virtual): Resolved {
    const { pool } = virtual;
    const doubts = [...virtual.doubts];
    if (pool === null) {
      if (doubts.length === 0) doubts.push('it has no pool');
      return { virtual, service: null, row: -1, doubts };
    }
    const { namespace, service: name } = pool;
    const service = this.services.find(
      (one) => one.namespace === namespace && (one.name === name || one.name === `${namespace}/${name}`),
    );
    if (service === undefined) {
      doubts.push(`its Service ${namespace}/${name} was not given, or is headless`);
      return { virtual, service: null, row: -1, doubts };
    }
    const row = this.portRow(service, pool, virtual.proto);
    const port = service.ports?.[row];
    if (port === undefined) {
      doubts.push(`Service ${name} has no port ${pool.servicePort ?? ''} for it`.replace('  ', ' '));
    } else if (this.target === 'nodePort' && port.nodePort === undefined) {
      doubts.push(`Service ${name} has no NodePort, and pool members are node ports`);
    }
    const members = this.membersOf(pool, service);
    if (members.length === 0 && doubts.length === 0) doubts.push('its pool has no member');
    for (const family of new Set(virtual.addresses.map((address) => address.family))) {
      if (members.some(({ addresses }) => !addresses.some((one) => one.family === family))) {
        doubts.push(`some members of its pool have no IPv${family} address`);
      }
    }
    return { virtual, service, row, doubts };
  }

  private portRow({ ports = [], name, namespace }: ServiceFacts, pool: F5VirtualPool, proto: number): number {
    const { servicePort } = pool;
    if (servicePort === null) return ports.length === 1 ? 0 : -1;
    const object = this.objects.service.find(
      (one) => one.namespace === namespace && (name === one.name || name.endsWith(`/${one.name}`)),
    );
    const stated = object?.object.spec.ports ?? [];
    const tests: ((port: ServicePort, row: number) => boolean)[] = [
      ({ port }) => port === servicePort,
      (port) => port.name === servicePort,
      (_, row) => stated[row]?.targetPort === servicePort,
      ({ targetPort }) => targetPort === servicePort,
    ];
    for (const test of tests) {
      const row = ports.findIndex((port, i) => port.proto === proto && test(port, i));
      if (row >= 0) return row;
    }
    return -1;
  }

  /** Nodes that CIS watches: Ready, with an address, and with the label that it was told to ask for. */
  private eligibleNodes(selector: string | undefined): { name: string; labels: Record<string, string> }[] {
    const wanted = selector === undefined ? [] : selector.split(',').map((pair) => pair.split(/==?/));
    return this.objects.node.flatMap(({ name, object }) => {
      const { labels = {} } = object.metadata;
      const unready = object.status?.conditions?.some((c) => c.type === 'Ready' && c.status !== 'True');
      const chosen = wanted.every(([key = '', value]) =>
        value === undefined ? key in labels : labels[key] === value,
      );
      const known = this.nodes.some((node) => node.name === name && (node.addresses ?? []).length > 0);
      return unready !== true && chosen && known ? [{ name, labels }] : [];
    });
  }

  private membersOf(
    { nodeLabel }: F5VirtualPool,
    { endpoints = [] }: ServiceFacts,
  ): { name: string; addresses: readonly Address[] }[] {
    if (this.target === 'pod') {
      return endpoints
        .filter(({ ready, terminating }) => ready && !terminating)
        .map(({ pod, addresses }) => ({ name: pod, addresses }));
    }
    const [key, value = ''] = nodeLabel?.split('=') ?? [];
    return this.members
      .filter(({ labels }) => key === undefined || labels[key] === value.replace(/^""$/, ''))
      .map(({ name }) => ({
        name,
        addresses: this.nodes.find((node) => node.name === name)?.addresses ?? [],
      }));
  }

  // -- what becomes of it

  private add(group: readonly [Resolved, ...Resolved[]]): void {
    const [{ virtual, service, doubts }] = group;
    const folds = service !== null && doubts.length === 0 && coversAllPorts(group, service);
    const name = folds ? service.name : this.frontName(virtual);
    if (folds) this.giveVips(service, virtual.addresses);
    else {
      this.takeVips(virtual.addresses, group);
      this.fronts.push(this.front(name, group));
    }
    if (doubts.length > 0) {
      for (const doubt of doubts) {
        this.remarks.unread.push(`${virtual.object}: ${doubt}; its connections are not judged.`);
      }
      return;
    }
    const pool = this.poolOf(`${name}-pool`, virtual.pool!, service!);
    this.pools.push(pool);
    this.servers.push({
      name,
      service: name,
      vip: [...virtual.addresses],
      pool: pool.name,
      persistence: virtual.persistence ?? 'none',
      persistenceTimeout: 180,
      snat: virtual.snat === 'none' ? 'none' : undefined,
      insert:
        virtual.proxyProtocol === 0
          ? undefined
          : { field: 'x-forwarded-for', forward: 'off', proxyProtocol: virtual.proxyProtocol },
    });
    if (virtual.persistence === null) {
      this.assumed.push({
        what: `edge.virtualServers.${name}.persistence`,
        value: 'none',
        because: `${virtual.object} persists by cookie, which is not followed: every connection is balanced anew`,
      });
    }
  }

  private poolOf(name: string, pool: F5VirtualPool, service: ServiceFacts): RawPool {
    const { balance, slowRampS, serviceDown, session, monitor } = pool;
    const health = this.objects.service.find(
      (one) => one.namespace === service.namespace && service.name.endsWith(one.name),
    )?.object.spec.healthCheckNodePort;
    const byKubeProxy =
      monitor !== null &&
      monitor.port !== 0 &&
      monitor.port === health &&
      this.target === 'nodePort' &&
      service.externalTrafficPolicy === 'Local';
    if (monitor !== null && monitor.port !== 0 && !byKubeProxy) {
      this.remarks.unread.push(
        `Service ${service.name}: its load balancer’s monitor asks port ${monitor.port}; it is taken to find what the member’s own port would say.`,
      );
    }
    return {
      name,
      target: this.target,
      members: this.membersOf(pool, service).map((member) => ({ member: member.name, ratio: 1, session })),
      balance,
      slowRamp: slowRampS,
      serviceDown,
      newMembers: 'enabled',
      monitor:
        monitor === null
          ? null
          : {
              interval: Math.max(1, monitor.intervalS),
              timeout: Math.max(1, monitor.intervalS, monitor.timeoutS),
              check: byKubeProxy ? 'healthCheckNodePort' : 'member',
            },
    };
  }

  private front(name: string, group: readonly Resolved[]): ServiceFacts {
    const { virtual, service, doubts } = group[0]!;
    const rows = group.map(({ row }) => row);
    const ports = group.map(({ virtual: { proto, port }, row }): ServicePort => {
      const own = service?.ports?.[row];
      return {
        name: null,
        proto,
        port,
        targetPort: own?.targetPort ?? port,
        ...(own?.nodePort === undefined ? {} : { nodePort: own.nodePort }),
      };
    });
    return {
      name,
      place: virtual.place,
      fromObjects: true,
      namespace: virtual.namespace,
      vips: virtual.addresses,
      ports,
      externalTrafficPolicy: service?.externalTrafficPolicy,
      sessionAffinity: service?.sessionAffinity,
      affinityTimeoutS: service?.affinityTimeoutS,
      publishNotReady: service?.publishNotReady,
      notModelled: doubts.length === 0 ? undefined : `${virtual.object}: ${doubts[0]}`,
      endpoints: (service?.endpoints ?? []).map((endpoint) => withRows(endpoint, rows)),
    };
  }

  /** A name that no service has. */
  private frontName({ name, port, object }: F5Virtual): string {
    const kind = object.slice(0, object.indexOf(' ')).toLowerCase();
    const taken = (one: string): boolean =>
      [...this.services, ...this.fronts].some((service) => service.name === one);
    const candidates = [name, `${name}-${port}`, `${kind}/${name}`, `${kind}/${name}-${port}`];
    return candidates.find((one) => !taken(one)) ?? `${kind}/${name}-${port}-${this.fronts.length}`;
  }

  private giveVips(service: ServiceFacts, addresses: readonly Address[]): void {
    this.change(service, ({ vips = [] }) => [
      ...vips,
      ...addresses.filter((address) => !vips.some((vip) => sameAddress(vip, address))),
    ]);
  }

  /** An address on the device is not kube-proxy's to answer for these ports. */
  private takeVips(addresses: readonly Address[], group: readonly Resolved[]): void {
    for (const service of this.services.slice()) {
      const shares = (service.ports ?? []).some(({ proto, port }) =>
        group.some(({ virtual }) => virtual.proto === proto && virtual.port === port),
      );
      const has = (service.vips ?? []).some((vip) => addresses.some((one) => sameAddress(one, vip)));
      if (!shares || !has) continue;
      this.change(service, ({ vips = [] }) =>
        vips.filter((vip) => !addresses.some((one) => sameAddress(one, vip))),
      );
    }
  }

  private change(service: ServiceFacts, vips: (service: ServiceFacts) => readonly Address[]): void {
    const row = this.services.findIndex(({ name }) => name === service.name);
    this.services[row] = { ...this.services[row]!, vips: vips(this.services[row]!) };
  }

  // -- what nobody states

  private selfAddresses(): Address[] {
    const stated = this.objects.node.flatMap(({ object }): Address[] => {
      const text = object.metadata.annotations?.[TUNNEL_END];
      const isDummy = (object.status?.addresses ?? []).length === 0;
      const address = isDummy && text !== undefined ? parseAddress(text) : null;
      return address === null ? [] : [address];
    });
    const translated = this.servers.filter(({ snat }) => snat !== 'none').flatMap(({ vip = [] }) => vip);
    const families = [...new Set(translated.map(({ family }) => family))];
    const guessed = families
      .filter((family) => !stated.some((one) => one.family === family))
      .map((family) => this.standIn(family));
    if (guessed.length > 0) {
      this.assumed.push({
        what: 'edge.address',
        value: guessed.map(formatAddress).join(', '),
        because:
          'no object states which address the BIG-IP puts in the client’s place (its self IP towards the nodes); say edge.address in a Scenario where a proxy trusts it',
      });
    }
    return [...stated, ...guessed];
  }

  private standIn(family: 4 | 6): Address {
    const used = [
      ...this.nodes.flatMap(({ addresses = [] }) => addresses),
      ...[...this.services, ...this.fronts].flatMap(({ vips = [] }) => vips),
    ];
    for (let n = 254; n > 1; n--) {
      const address = parseAddress(STAND_INS[family](n))!;
      if (!used.some((one) => sameAddress(one, address))) return address;
    }
    return parseAddress(STAND_INS[family](1))!;
  }

  private assumeManners(virtuals: readonly F5Virtual[]): void {
    const proxies = virtuals.filter(({ isFullProxy }) => isFullProxy);
    if (proxies.length > 0) {
      this.assumed.push({
        what: 'edge.virtualServers',
        value: 'the handshake is passed on',
        because: `${proxies.map(({ object }) => object).join(', ')} end${proxies.length === 1 ? 's' : ''} connections itself: which of them break is as said, but a SYN that is unanswered here is answered there, and its request is not`,
      });
    }
    this.assumed.push({
      what: 'edge.pools.members',
      value: 'as at t = 0',
      because:
        'that CIS changes a pool when endpoints or nodes change is not modelled; say poolMember in the timeline',
    });
  }
}

/** Virtual servers that differ in nothing but their port, and have the same Service and addresses behind them. */
function grouped(resolved: readonly Resolved[]): (readonly [Resolved, ...Resolved[]])[] {
  const groups = new Map<string, [Resolved, ...Resolved[]]>();
  for (const [i, one] of resolved.entries()) {
    const { virtual, service, doubts } = one;
    const { addresses, snat, persistence, proxyProtocol, pool } = virtual;
    const settings = pool === null ? null : { ...pool, servicePort: null };
    const key =
      service === null || doubts.length > 0
        ? `alone ${i}`
        : JSON.stringify([
            service.name,
            addresses.map(formatAddress),
            snat,
            persistence,
            proxyProtocol,
            settings,
          ]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

/** Every port of the Service under its own number, and no other. */
function coversAllPorts(group: readonly Resolved[], { ports = [] }: ServiceFacts): boolean {
  return (
    group.length === ports.length &&
    ports.every((port, row) =>
      group.some(({ row: own, virtual }) => own === row && virtual.port === port.port),
    )
  );
}

/** The endpoint of a service whose ports are these rows of the other's. */
function withRows(endpoint: EndpointFacts, rows: readonly number[]): EndpointFacts {
  const { targetPorts } = endpoint;
  if (targetPorts === undefined) return endpoint;
  return { ...endpoint, targetPorts: rows.map((row) => targetPorts[row] ?? null) };
}
