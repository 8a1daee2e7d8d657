/**
 * `spec.edge` as a model: names become rows, defaults are filled in, and what cannot be is refused at its line: a pool
 * without members, a monitor that gives up before its second check, two virtual servers with the same VIP.
 */
import { type Address, formatAddress } from '../../addr/address.js';
import type { EdgeInsert, EdgeMemberModel, EdgeModel, EdgePool, EdgeVirtualServer } from '../edge-model.js';
import { NO_INSERT, snatOf } from '../edge-model.js';
import type { DataplaneModel, NodeModel, ServiceModel } from '../model.js';
import type { Problems } from '../yaml/problems.js';
import type { RawEdge } from './edge-schema.js';
import { type EdgeFacts, positionIn } from './facts.js';
import { NameTable, NodeTable } from './name-table.js';

type RawPool = RawEdge['pools'][number];

interface Parts {
  readonly nodes: readonly NodeModel[];
  readonly services: readonly ServiceModel[];
  readonly dataplane: DataplaneModel;
  readonly routerAddresses: readonly Address[];
}

/** A monitor that states no timeout: three intervals and a second, the usual rule for BIG-IP. */
const USUAL_TIMEOUT = { intervals: 3, moreS: 1 };
const USUAL_INTERVAL_S = 5;

/** To be trusted only where `problems` stays empty. An edge without pools and virtual servers is none. */
export function resolveEdge(
  facts: EdgeFacts | undefined,
  parts: Parts,
  problems: Problems,
): EdgeModel | null {
  if (facts === undefined) return null;
  const { raw, place } = facts;
  if (raw.pools.length === 0 && (raw.virtualServers ?? []).length === 0) return null;
  const resolver = new EdgeResolver(raw, place, parts, problems);
  return resolver.resolve();
}

class EdgeResolver {
  private readonly nodes: NodeTable;
  private readonly services: NameTable;
  private readonly pools: NameTable;

  constructor(
    private readonly raw: RawEdge,
    private readonly place: EdgeFacts['place'],
    private readonly parts: Parts,
    private readonly problems: Problems,
  ) {
    this.nodes = new NodeTable(parts.nodes);
    this.services = new NameTable(
      'service',
      parts.services.map(({ name }) => name),
    );
    this.pools = new NameTable(
      'pool',
      raw.pools.map(({ name }) => name),
    );
  }

  resolve(): EdgeModel {
    const { raw } = this;
    const virtualServers = this.virtualServers();
    const pools = raw.pools.map((pool, row) => this.pool(pool, row, virtualServers));
    const edge: EdgeModel = {
      name: raw.name,
      addresses: raw.address,
      snat: raw.snat,
      insert: insertOf(raw.insert) ?? NO_INSERT,
      idleS: { tcp: raw.idleTimeout, udp: raw.udpIdleTimeout },
      handshakeS: raw.handshakeTimeout,
      pools,
      virtualServers,
    };
    this.checkAddresses(edge);
    return edge;
  }

  private refuse(sentence: string, ...path: (string | number)[]): void {
    this.problems.add(positionIn(this.place, ...path), sentence);
  }

  // -- virtual servers

  /** Without any: one a service, all to the only pool. */
  private virtualServers(): EdgeVirtualServer[] {
    const stated =
      this.raw.virtualServers ??
      this.parts.services.map(({ name }) => ({
        name,
        service: name,
        vip: undefined,
        pool: undefined,
        persistence: 'none' as const,
        persistenceTimeout: 180,
        snat: undefined,
        insert: undefined,
      }));
    const holders = new Map<string, string>();
    return stated.flatMap((raw, i): EdgeVirtualServer[] => {
      const path = ['virtualServers', i] as const;
      const service = this.serviceOf(raw.service, path);
      const pool = this.poolOf(raw.pool, path);
      if (service === null || pool === null) return [];
      const { name: serviceName, vips: all } = this.parts.services[service]!;
      const name = raw.name ?? serviceName;
      const vips = raw.vip ?? all;
      for (const [v, vip] of vips.entries()) {
        const text = formatAddress(vip);
        const key = `${service} ${text}`;
        if (!all.some((other) => formatAddress(other) === text)) {
          this.refuse(`${text} is no VIP of service ${serviceName}`, ...path, 'vip', v);
        }
        const holder = holders.get(key);
        if (holder !== undefined) {
          this.refuse(
            `virtual servers ${holder} and ${name} both hold ${text} of service ${serviceName}; give each VIP to one of them`,
            ...path,
            ...(raw.vip === undefined ? [] : ['vip', v]),
          );
        }
        holders.set(key, name);
      }
      const { persistence, persistenceTimeout, snat } = raw;
      const insert = insertOf(raw.insert);
      const own = { ...(snat && { snat }), ...(insert && { insert }) };
      return [{ name, service, vips, pool, persistence, persistenceS: persistenceTimeout, ...own }];
    });
  }

  private serviceOf(name: string | undefined, path: readonly [string, number]): number | null {
    if (name === undefined) {
      if (this.parts.services.length === 1) return 0;
      this.refuse('a virtual server needs a service where there is more than one', ...path);
      return null;
    }
    const row = this.services.rowOf(name);
    if (row === null) this.refuse(this.services.unknown(name), ...path, 'service');
    return row;
  }

  private poolOf(name: string | undefined, path: readonly [string, number]): number | null {
    if (name === undefined) {
      if (this.raw.pools.length === 1) return 0;
      this.refuse(
        this.raw.pools.length === 0
          ? 'there is no pool; list one under edge.pools'
          : 'a virtual server needs a pool where there is more than one',
        ...path,
      );
      return null;
    }
    const row = this.pools.rowOf(name);
    if (row === null) this.refuse(this.pools.unknown(name), ...path, 'pool');
    return row;
  }

  // -- pools

  private pool(raw: RawPool, row: number, virtualServers: readonly EdgeVirtualServer[]): EdgePool {
    const path = ['pools', row] as const;
    const { name, target, balance, slowRamp, serviceDown, newMembers } = raw;
    if (this.pools.rowOf(name) !== row) this.refuse(`the pool ${name} is given twice`, ...path, 'name');
    const services = [...new Set(virtualServers.filter((v) => v.pool === row).map((v) => v.service))];
    if (services.length > 1) {
      const names = services.map((service) => this.parts.services[service]!.name).join(' and ');
      this.refuse(`pool ${name} stands behind services ${names}; its members are ports of one`, ...path);
    }
    if (raw.members.length === 0) {
      this.refuse(`pool ${name} has no members; list the nodes or pods it sends to`, ...path, 'members');
    }
    if (target === 'pod' && !this.parts.dataplane.dropInvalid) {
      this.refuse(
        `pool ${name} has pods as members, which is modelled only where kube-proxy drops INVALID segments; leave dropInvalid on`,
        ...path,
        'target',
      );
    }
    return {
      name,
      target,
      members: this.members(raw, row, services[0]),
      balance,
      slowRampS: slowRamp,
      serviceDown,
      newMembers,
      monitor: this.monitor(raw, row, services[0]),
    };
  }

  private members(raw: RawPool, row: number, service: number | undefined): EdgeMemberModel[] {
    const seen = new Set<string>();
    return raw.members.flatMap(({ member, ratio, session }, i) => {
      const path = ['pools', row, 'members', i] as const;
      if (seen.has(member)) this.refuse(`${member} stands twice in pool ${raw.name}`, ...path);
      seen.add(member);
      const found = memberOf(member, raw.target, service, this.parts, this.nodes);
      if (typeof found === 'string') {
        this.refuse(found, ...path);
        return [];
      }
      return [{ ...found, ratio, session }];
    });
  }

  private monitor(raw: RawPool, row: number, service: number | undefined): EdgePool['monitor'] {
    if (raw.monitor === null) return null;
    const { interval = USUAL_INTERVAL_S, check = 'member', timeout } = raw.monitor ?? {};
    const timeoutS = timeout ?? USUAL_TIMEOUT.intervals * interval + USUAL_TIMEOUT.moreS;
    const path = ['pools', row, 'monitor'] as const;
    if (timeoutS < interval) {
      this.refuse(
        `the monitor of pool ${raw.name} gives up after ${timeoutS} s and checks every ${interval} s only; its timeout must not be below its interval (three intervals and a second are usual)`,
        ...path,
        'timeout',
      );
    }
    const policy = service === undefined ? 'Local' : this.parts.services[service]!.externalTrafficPolicy;
    if (check === 'healthCheckNodePort' && (raw.target === 'pod' || policy === 'Cluster')) {
      this.refuse(
        'a healthCheckNodePort exists for members that are node ports of a service with externalTrafficPolicy Local; use check: member',
        ...path,
        'check',
      );
    }
    return { intervalS: interval, timeoutS, check };
  }

  // -- addresses

  private checkAddresses(edge: EdgeModel): void {
    const owner = new Map(
      this.parts.routerAddresses.map((address) => [formatAddress(address), 'the router']),
    );
    for (const node of this.parts.nodes) {
      for (const address of node.addresses) owner.set(formatAddress(address), `node ${node.name}`);
    }
    for (const [i, address] of edge.addresses.entries()) {
      const other = owner.get(formatAddress(address));
      if (other === undefined) continue;
      this.refuse(
        `edge ${edge.name} has the address ${formatAddress(address)}, which is that of ${other}`,
        'address',
        i,
      );
    }
    for (const [row, { name, vips, pool, service }] of edge.virtualServers.entries()) {
      for (const family of new Set(vips.map((vip) => vip.family))) {
        if (snatOf(edge, row) === 'automap' && !edge.addresses.some((address) => address.family === family)) {
          this.refuse(
            `edge ${edge.name} has no IPv${family} address for SNAT automap, which virtual server ${name} needs; give it one with the key address, or say snat: none`,
            'address',
          );
        }
        for (const member of edge.pools[pool]?.members ?? []) {
          const lacking = lacksFamily(member, family, this.parts, service);
          if (lacking !== null) {
            this.refuse(
              `${lacking} has no IPv${family} address, which virtual server ${name} needs`,
              'pools',
              pool,
              'members',
            );
          }
        }
      }
    }
  }
}

function insertOf(raw: RawEdge['insert']): EdgeInsert | undefined {
  return raw && { field: raw.field, forward: raw.forward, sendProxy: raw.proxyProtocol };
}

/** As much of nodes and services as names of members refer to. */
export interface NamedPlaces {
  readonly nodes: readonly Pick<NodeModel, 'name' | 'addresses'>[];
  readonly services: readonly Pick<ServiceModel, 'endpoints'>[];
}

/** A member by its name, or the sentence that says why it is none. */
export function memberOf(
  name: string,
  target: EdgePool['target'],
  service: number | undefined,
  { nodes, services }: NamedPlaces,
  table: NodeTable = new NodeTable(nodes),
): { node: number; pod: string | null } | string {
  if (target === 'nodePort') {
    const node = table.rowOf(name);
    return node === null ? table.unknown(name) : { node, pod: null };
  }
  const endpoints = service === undefined ? [] : services[service]!.endpoints;
  const endpoint = endpoints.find(({ pod }) => pod === name);
  if (endpoint !== undefined) return { node: endpoint.node, pod: name };
  const known = new NameTable(
    'pod',
    endpoints.map(({ pod }) => pod),
  );
  return known.unknown(name);
}

function lacksFamily(
  { node, pod }: EdgeMemberModel,
  family: number,
  { nodes, services }: Parts,
  service: number,
): string | null {
  const endpoint = pod === null ? null : services[service]!.endpoints.find((one) => one.pod === pod);
  const { addresses } = endpoint ?? nodes[node]!;
  if (addresses.some((address) => address.family === family)) return null;
  return pod === null ? `node ${nodes[node]!.name}` : `pod ${pod}`;
}
