/**
 * IPVS: services and real servers as `ipvsadm -Sn` prints them, and the choice among them for a new connection
 * (net/netfilter/ipvs). Source hashing is exact; in-turn schedulers give each server its share, because no dump shows
 * whose turn it is; those that count connections are taken to begin with none.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { IpvsSourceTable, ipvsFold } from '../route/ipvs-source-table.js';
import { TCP } from '../wire/ip-protocol.js';
import { TCP_SYN } from '../wire/tcp.js';
import type { Final, Walk } from './rule-set.js';

interface IpvsServer {
  readonly address: Address;
  readonly port: number;
  readonly weight: number;
  readonly forwarding: 'masq' | 'route' | 'tunnel';
}

export interface IpvsService {
  /** null for a service by firewall mark */
  readonly address: Address | null;
  readonly proto: number;
  readonly port: number;
  readonly mark: number;
  readonly scheduler: string;
  readonly flags: readonly string[];
  readonly persistent: boolean;
  readonly servers: IpvsServer[];
  table?: IpvsSourceTable;
}

/** null where the packet is for no service. */
export function scheduleIpvs(walk: Walk, services: readonly IpvsService[]): Final | null {
  const { packet, connection } = walk;
  const service = services.find((each) => isFor(each, walk));
  if (service === undefined) return null;
  if (connection?.confirmed === true && connection.dstNat) {
    // the nat hooks have translated it before, where a node has any
    const { src, srcPort } = connection.reply;
    return walk.isReply ? null : walk.redirectTo(src, srcPort);
  }
  if (!mayBegin(walk)) {
    walk.note('ipvs', serviceText(service), 'no SYN, and no connection that it belongs to: left to the node');
    return null;
  }
  const server = choose(walk, service);
  if (server === null) {
    walk.note('ipvs', serviceText(service), 'no destination available');
    return { verdict: 'dropped', by: null, why: `IPVS has no real server for ${serviceText(service)}` };
  }
  const to = `${formatAddress(server.address)}:${server.port}`;
  walk.note('ipvs', `${serviceText(service)}, scheduler ${service.scheduler}`, `to ${to}`);
  if (server.forwarding !== 'masq') {
    return {
      verdict: 'unknown',
      by: null,
      why: `IPVS sends it to ${to} by ${server.forwarding === 'route' ? 'direct routing' : 'a tunnel'}, which is not modelled`,
    };
  }
  return walk.redirectTo(server.address, server.port === 0 ? packet.dstPort : server.port);
}

/** tcp_conn_schedule (ip_vs_proto_tcp.c): only a SYN is given a real server, unless sloppy_tcp is on. */
function mayBegin({ packet, node }: Walk): boolean {
  return (
    packet.proto !== TCP || (packet.flags & TCP_SYN) !== 0 || node.sysctl('net.ipv4.vs.sloppy_tcp') === 1
  );
}

function isFor(service: IpvsService, walk: Walk): boolean {
  const { packet } = walk;
  if (service.address === null) return service.mark === packet.mark && packet.mark !== 0;
  const { address } = service;
  return (
    service.proto === packet.proto &&
    (service.port === 0 || service.port === packet.dstPort) &&
    address.family === packet.family &&
    ipvsFold(address) === ipvsFold(packet.dst) &&
    address.w0 === packet.dst.w0
  );
}

function choose(walk: Walk, service: IpvsService): IpvsServer | null {
  const { servers, scheduler } = service;
  const alive = servers.filter(({ weight }) => weight > 0);
  if (alive.length === 0) return null;
  if (alive.length === 1 && scheduler !== 'sh') return alive[0]!;
  if (service.persistent) walk.assume('no client is bound to a real server by IPVS persistence yet');
  switch (scheduler) {
    case 'sh':
    case 'mh': {
      service.table ??= new IpvsSourceTable(
        scheduler,
        // `ipvsadm -Sn` lists the newest first, as the kernel does
        [...servers]
          .reverse()
          .map(({ address, port, weight }) => ({ fold: ipvsFold(address), port, weight })),
      );
      const withPort = service.flags.includes(`${scheduler}-port`);
      const row = service.table.choose(ipvsFold(walk.packet.src), withPort ? walk.packet.srcPort : 0);
      return row < 0 ? null : servers[servers.length - 1 - row]!;
    }
    case 'rr':
      return alive[walk.decisions.draw(alive.map(() => 1 / alive.length))]!;
    case 'lc':
    case 'wlc':
    case 'sed':
    case 'nq':
    case 'wrr': {
      if (scheduler !== 'wrr') walk.assume(`IPVS's ${scheduler} has spread the connections by weight so far`);
      const even = scheduler === 'lc';
      const sum = alive.reduce((so, { weight }) => so + (even ? 1 : weight), 0);
      return alive[walk.decisions.draw(alive.map(({ weight }) => (even ? 1 : weight) / sum))]!;
    }
    default:
      return walk.unknown(`which real server the scheduler ${scheduler} chooses`) ? alive[0]! : alive[1]!;
  }
}

function serviceText(service: IpvsService): string {
  return service.address === null
    ? `firewall mark ${service.mark}`
    : `${formatAddress(service.address)}:${service.port}`;
}
