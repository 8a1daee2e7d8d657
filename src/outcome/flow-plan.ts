/**
 * What a set of services makes of the flows of a capture before the first packet is replayed: which flows go to a
 * VIP, which side is the client, which port answers, and how a router hashes them.
 *
 * Only flows towards a service have a row here ("f" in the engines); `row[f]` is their row in the flow table. A plan
 * depends on addresses and ports alone, so that scenarios which differ in anything else share it ({@link planOf}), and
 * with it the hashes and the clients' packets.
 */
import { type Address, formatAddress, ipv4, ipv6 } from '../addr/address.js';
import type { ClusterModel, ServiceModel } from '../cluster/model.js';
import type { CaptureIndex, FlowColumns } from '../flow/flow-columns.js';
import { clientSide } from '../flow/flow-rows.js';
import type { PacketIndex } from '../flow/packet-index.js';
import { createFlowHash, type FlowHash, type FlowHashSettings } from '../hash/flow-hash.js';
import { flowKey } from '../state/draw.js';
import { foldedAddress } from '../state/endpoint-scheduler.js';
import { type Door, DoorKind, fixedNode, Origin, ServiceDoors } from '../state/service-doors.js';
import { TCP } from '../wire/ip-protocol.js';
import { type ConnectionColumns, ConnectionSplit, connectionColumns } from './connections.js';

interface VipRow {
  readonly address: Address;
  readonly service: number;
}

/** The packets that clients sent towards VIPs, in capture order: all that a replay looks at. */
export interface ClientPackets {
  readonly count: number;
  /** row of the plan */
  readonly flow: Int32Array;
  /** as in the packet index */
  readonly meta: Uint32Array;
  /** nanoseconds since the capture's base */
  readonly timeNs: Float64Array;
  readonly seq: Uint32Array;
  readonly ack: Uint32Array;
  readonly size: Uint32Array;
  readonly label: Uint32Array;
}

/** Ports below are bound by services and privileged clients, which take the same one again. */
const FIRST_FREE_PORT = 1024;
const FREE_PORTS = 65536 - FIRST_FREE_PORT;
/** from one round's ports to the next one's: odd, and no multiple of 3 or 7, so that all 64512 are met */
const PORT_STEP = 25147;

/** columns that every connection of a five-tuple has alike */
const SPREAD_COLUMNS = [
  'row',
  'service',
  'port',
  'door',
  'origin',
  'entry',
  'barred',
  'vip',
  'family',
  'proto',
  'clientPort',
  'clientIsB',
  'key',
] as const;

export class FlowPlan {
  /** connections towards a VIP; where a protocol has none, five-tuples */
  readonly count: number;
  /** their rows in the flow table, ascending; those of one five-tuple in order of time */
  readonly row: Int32Array;
  /** which of its five-tuple's connections each is, from 0 */
  readonly connection: Int32Array;
  /** five-tuples towards a VIP, and the one of each connection */
  readonly tuples: number;
  readonly tuple: Int32Array;
  /** what the flow table says of a five-tuple, by connection; null where none has several */
  readonly lives: ConnectionColumns | null;
  readonly packets: ClientPackets;
  /** by flow-table row << 1 | direction: the five-tuple of a client's packet towards a VIP, or -1 for any other packet */
  private readonly slot: Int32Array;
  readonly service: Int32Array;
  /** row in the service's ports; -1: no rule for this port */
  readonly port: Int32Array;
  /** which of the service's ways in it takes, and where its client stands (service-doors.ts) */
  readonly door: Uint8Array;
  readonly origin: Uint8Array;
  /** the node that translates it whatever the router says, or -1 */
  readonly entry: Int32Array;
  /** 1: the service's source ranges turn its client away */
  readonly barred: Uint8Array;
  /** row in {@link vips} */
  readonly vip: Int32Array;
  readonly family: Uint8Array;
  readonly proto: Uint8Array;
  readonly clientPort: Uint16Array;
  /** 1 where the flow's b side is the client */
  readonly clientIsB: Uint8Array;
  /** see {@link flowKey} */
  readonly key: Int32Array;
  /** VIPs of the services; after them the other addresses that flows go to */
  readonly vips: VipRow[];
  /** how many of {@link vips} are VIPs */
  readonly vipCount: number;
  /** flows whose client port is below 1024: the ones that share the small port classes of MASQUERADE */
  readonly lowPorts: number;
  /** by five-tuple: its first connection; one more entry at the end */
  private readonly first: Int32Array;
  private readonly known = new Map<string, Uint32Array>();
  private numbered: { readonly of: Int32Array; readonly count: number } | null = null;

  private readonly flows: FlowColumns;
  private readonly doors: ServiceDoors;
  /** rows of {@link vips}, by service and address */
  private readonly vipRows = new Map<string, number>();

  constructor(
    index: CaptureIndex,
    private readonly services: readonly ServiceModel[],
    nodes: ClusterModel['nodes'] = [],
  ) {
    const { flows } = index;
    this.flows = flows;
    this.doors = new ServiceDoors(services, nodes);
    this.vips = services.flatMap(({ vips }, service) => vips.map((address) => ({ address, service })));
    this.vipCount = this.vips.length;
    for (const [row, vip] of this.vips.entries()) this.vipRows.set(vipName(vip), row);
    const found = this.find();
    this.count = found.length;
    this.row = Int32Array.from(found);
    this.slot = new Int32Array(2 * flows.count).fill(-1);
    this.service = new Int32Array(this.count);
    this.vip = new Int32Array(this.count);
    this.port = new Int32Array(this.count);
    this.door = new Uint8Array(this.count);
    this.origin = new Uint8Array(this.count);
    this.entry = new Int32Array(this.count);
    this.barred = new Uint8Array(this.count);
    this.family = new Uint8Array(this.count);
    this.proto = new Uint8Array(this.count);
    this.clientPort = new Uint16Array(this.count);
    this.clientIsB = new Uint8Array(this.count);
    this.key = new Int32Array(this.count);
    let lowPorts = 0;
    for (let f = 0; f < this.count; f++) {
      this.fill(f);
      if (this.clientPort[f]! < 1024) lowPorts++;
    }
    this.lowPorts = lowPorts;
    const counts = this.split(index.packets);
    this.tuples = this.count;
    this.first = new Int32Array(this.tuples + 1);
    for (let t = 0; t < this.tuples; t++) this.first[t + 1] = this.first[t]! + counts[t]!;
    this.count = this.first[this.tuples]!;
    this.tuple = new Int32Array(this.count);
    this.connection = new Int32Array(this.count);
    for (let t = 0; t < this.tuples; t++) {
      for (let f = this.first[t]!; f < this.first[t + 1]!; f++) {
        this.tuple[f] = t;
        this.connection[f] = f - this.first[t]!;
      }
    }
    const several = this.count > this.tuples;
    if (several) this.spread();
    this.packets = this.pick(index.packets);
    this.lives = several ? this.columnsOf(index.packets) : null;
  }

  /** Every column by connection instead of by five-tuple. */
  private spread(): void {
    const self = this as unknown as Record<string, Int32Array | Uint16Array | Uint8Array>;
    for (const name of SPREAD_COLUMNS) {
      const before = self[name]!;
      const make = before.constructor as new (length: number) => typeof before;
      const after = new make(this.count);
      for (let f = 0; f < this.count; f++) after[f] = before[this.tuple[f]!]!;
      self[name] = after;
    }
  }

  /** How many connections each five-tuple has. */
  private split({ segments }: PacketIndex): Int32Array {
    const { slot } = this;
    const split = new ConnectionSplit(this.count);
    for (const { count, flowDir, meta, seq } of segments) {
      for (let i = 0; i < count; i++) {
        const t = slot[flowDir[i]!]!;
        if (t >= 0 && this.proto[t] === TCP) split.of(t, meta[i]!, seq[i]!);
      }
    }
    return split.counts.map((count) => Math.max(1, count));
  }

  private columnsOf(packets: PacketIndex): ConnectionColumns {
    const split = new ConnectionSplit(this.tuples);
    const now = this.first.slice(0, this.tuples);
    return connectionColumns(this.count, packets, (flowDir, meta, seq) => {
      const t = this.slot[flowDir]!;
      if (t < 0) {
        const to = this.slot[flowDir ^ 1]!;
        return to < 0 ? null : { f: now[to]!, fromClient: false };
      }
      const f = this.first[t]!;
      now[t] = this.proto[f] === TCP ? f + split.of(t, meta, seq) : f;
      return { f: now[t]!, fromClient: true };
    });
  }

  /**
   * The same flows in another round of the traffic: every client takes another port, no two flows the same, and with it
   * its hashes and draws are new. Round 0 is the capture as it is.
   */
  round(number: number): FlowPlan {
    const shift = (number * PORT_STEP) % FREE_PORTS;
    const clientPort = this.clientPort.map((port) =>
      port < FIRST_FREE_PORT ? port : FIRST_FREE_PORT + ((port - FIRST_FREE_PORT + shift) % FREE_PORTS),
    );
    const key = new Int32Array(this.count);
    const other: FlowPlan = Object.assign(Object.create(FlowPlan.prototype), this, {
      clientPort,
      key,
      known: new Map(),
    });
    for (let f = 0; f < this.count; f++) key[f] = other.keyOf(f);
    return other;
  }

  /** First row here of a row of the flow table, or -1. */
  of(flowRow: number): number {
    const t = Math.max(this.slot[2 * flowRow]!, this.slot[2 * flowRow + 1]!);
    return t < 0 ? -1 : this.first[t]!;
  }

  /** How many connections a row of the flow table has; 0: it goes to no VIP. */
  connectionsOf(flowRow: number): number {
    const t = Math.max(this.slot[2 * flowRow]!, this.slot[2 * flowRow + 1]!);
    return t < 0 ? 0 : this.first[t + 1]! - this.first[t]!;
  }

  /** The connection that came before on the same five-tuple, or -1. */
  before(f: number): number {
    return this.connection[f] === 0 ? -1 : f - 1;
  }

  /** Nanoseconds since the capture's base of the connection's last packet. */
  lastNs(f: number): number {
    return this.lives === null ? this.flows.lastNs[this.row[f]!]! : this.lives.lastNs[f]!;
  }

  /** The client's address folded into 32 bits, see NewConnection. */
  foldedSource(f: number): number {
    return foldedAddress(this.flows.addresses, 8 * this.row[f]! + (this.clientIsB[f] === 1 ? 4 : 0));
  }

  /** Address of the flow's client. */
  clientAddress(f: number): Address {
    return addressAt(this.flows, this.row[f]!, this.clientIsB[f] === 1 ? 4 : 0);
  }

  /** Port that the flow's client sends to. */
  serverPort(f: number): number {
    const row = this.row[f]!;
    return this.clientIsB[f] === 1 ? this.flows.aPort[row]! : this.flows.bPort[row]!;
  }

  /** Key for sessionAffinity ClientIP. */
  clientText(f: number): string {
    return formatAddress(this.clientAddress(f));
  }

  /** Family, protocol and service port of a flow as one number: with the pod, what a translated packet goes to. */
  target(f: number): number {
    return (this.family[f]! * 256 + this.proto[f]!) * 65536 + this.targetPort(f);
  }

  /** Which {@link target} each flow has, numbered from 0, and how many there are. */
  get targets(): { readonly of: Int32Array; readonly count: number } {
    this.numbered ??= numbered(this.count, (f) => this.target(f));
    return this.numbered;
  }

  /** Where the service's pods listen, as its port says; 0: no rule for this port. */
  targetPort(f: number): number {
    const port = this.port[f]!;
    return port < 0 ? 0 : this.services[this.service[f]!]!.ports[port]!.targetPort;
  }

  /** A router's hash of each flow: as whole packets, or as fragments (ports 0). */
  hashes(settings: FlowHashSettings, ports: 'ports' | 'fragment'): Uint32Array {
    const name = `${settings.hash} ${settings.seed} ${settings.fields} ${ports}`;
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const hash = createFlowHash(settings);
    const out = new Uint32Array(this.count);
    for (let f = 0; f < this.count; f++) out[f] = this.hashOf(hash, f, ports, this.firstLabel(f));
    // a sweep over seeds must not fill the memory
    if (this.known.size >= 8) this.known.clear();
    this.known.set(name, out);
    return out;
  }

  /** The router's hash of a packet of the flow with this flow label. */
  hashOf(hash: FlowHash, f: number, ports: 'ports' | 'fragment', label: number): number {
    const { flows } = this;
    const at = 8 * this.row[f]!;
    const b = this.clientIsB[f] === 1;
    return hash.hashTuple(
      this.family[f] as 4 | 6,
      flows.addresses,
      b ? at + 4 : at,
      b ? at : at + 4,
      this.proto[f]!,
      ports === 'ports' ? this.clientPort[f]! : 0,
      ports === 'ports' ? this.serverPort(f) : 0,
      label,
    );
  }

  /** Flow label of the five-tuple's first packet from the client. */
  firstLabel(f: number): number {
    const { labelIn, labelOut } = this.flows;
    return this.clientIsB[f] === 1 ? labelIn[this.row[f]!]! : labelOut[this.row[f]!]!;
  }

  private pick({ segments }: PacketIndex): ClientPackets {
    const { slot } = this;
    let count = 0;
    for (const { count: rows, flowDir } of segments) {
      for (let i = 0; i < rows; i++) if (slot[flowDir[i]!]! >= 0) count++;
    }
    const flow = new Int32Array(count);
    const meta = new Uint32Array(count);
    const timeNs = new Float64Array(count);
    const seq = new Uint32Array(count);
    const ack = new Uint32Array(count);
    const size = new Uint32Array(count);
    const label = new Uint32Array(count);
    const split = this.count > this.tuples ? new ConnectionSplit(this.tuples) : null;
    let at = 0;
    for (const segment of segments) {
      for (let i = 0; i < segment.count; i++) {
        const t = slot[segment.flowDir[i]!]!;
        if (t < 0) continue;
        const first = this.first[t]!;
        const several = split !== null && this.proto[first] === TCP;
        flow[at] = several ? first + split.of(t, segment.meta[i]!, segment.seq[i]!) : first;
        meta[at] = segment.meta[i]!;
        seq[at] = segment.seq[i]!;
        ack[at] = segment.ack[i]!;
        size[at] = segment.size[i]!;
        label[at] = segment.label[i]!;
        timeNs[at++] = segment.timeNs[i]!;
      }
    }
    return { count, flow, meta, timeNs, seq, ack, size, label };
  }

  /** Rows of the flow table with a way into a service on either side. */
  private find(): number[] {
    const { flows } = this;
    const { lastWords } = this.doors;
    const found: number[] = [];
    for (let row = 0; row < flows.count; row++) {
      const at = 8 * row + (flows.family[row] === 4 ? 0 : 3);
      if (!lastWords.has(flows.addresses[at]!) && !lastWords.has(flows.addresses[at + 4]!)) continue;
      if (this.doorAt(row, 'b') !== null || this.doorAt(row, 'a') !== null) found.push(row);
    }
    return found;
  }

  private fill(f: number): void {
    const { flows, doors } = this;
    const row = this.row[f]!;
    const [toA, toB] = [this.doorAt(row, 'a'), this.doorAt(row, 'b')];
    const clientIsB = toB === null || (toA !== null && this.servesA(row, toA, toB));
    const found = (clientIsB ? toA : toB)!;
    const clientPort = clientIsB ? flows.bPort[row]! : flows.aPort[row]!;
    const clientAt = 8 * row + (clientIsB ? 4 : 0);
    const sender = doors.senderOf(flows.family[row]!, flows.addresses, clientAt);
    this.service[f] = found.service;
    this.port[f] = found.port;
    this.door[f] = found.kind;
    this.entry[f] = fixedNode(found, sender);
    // a node that calls another node's port is a client like any other there
    const isOwn = sender.origin !== Origin.node || sender.node === this.entry[f];
    this.origin[f] = isOwn ? sender.origin : Origin.outside;
    if (doors.isGuarded(found)) {
      this.barred[f] = doors.admits(found, addressAt(flows, row, clientIsB ? 4 : 0)) ? 0 : 1;
    }
    this.vip[f] = this.vipOf(found, row, clientIsB ? 0 : 4);
    this.family[f] = flows.family[row]!;
    this.proto[f] = flows.proto[row]!;
    this.clientIsB[f] = clientIsB ? 1 : 0;
    this.clientPort[f] = clientPort;
    this.key[f] = this.keyOf(f);
    this.slot[2 * row + (clientIsB ? 1 : 0)] = f;
  }

  /** Of a flow between two doors: an address with its port says more than an address alone, else the flow is asked. */
  private servesA(row: number, toA: Door, toB: Door): boolean {
    const byPort = toA.port >= 0;
    return byPort === toB.port >= 0 ? clientSide(this.flows, row) === 'b' : byPort;
  }

  /** Row in {@link vips} of the address that a door is. */
  private vipOf({ kind, service }: Door, row: number, at: number): number {
    const vip = { address: addressAt(this.flows, row, at), service };
    const name = vipName(vip);
    const known = this.vipRows.get(name);
    if (known !== undefined) return known;
    if (kind < DoorKind.cluster) throw new RangeError(`flow plan: ${name} is a VIP without a row`);
    this.vips.push(vip);
    this.vipRows.set(name, this.vips.length - 1);
    return this.vips.length - 1;
  }

  private keyOf(f: number): number {
    const { flows } = this;
    const row = this.row[f]!;
    const b = this.clientIsB[f] === 1;
    const client = 8 * row + (b ? 4 : 0);
    const server = 8 * row + (b ? 0 : 4);
    const vipPort = b ? flows.aPort[row]! : flows.bPort[row]!;
    return flowKey(flows.addresses, client, server, this.clientPort[f]!, vipPort, flows.proto[row]!);
  }

  private doorAt(row: number, side: 'a' | 'b'): Door | null {
    const { family, addresses, proto, aPort, bPort } = this.flows;
    const at = 8 * row + (side === 'b' ? 4 : 0);
    const port = side === 'b' ? bPort[row]! : aPort[row]!;
    return this.doors.find(family[row]!, addresses, at, proto[row]!, port);
  }
}

const plans = new WeakMap<CaptureIndex, Map<string, FlowPlan>>();
/** the plan that was asked for last, by the very lists that it was made of: a comparison asks thousands of times */
const latest = new WeakMap<CaptureIndex, { services: unknown; nodes: unknown; plan: FlowPlan }>();

/** The plan of a cluster over this index; made once for all scenarios with the same addresses and ports. */
export function planOf(
  index: CaptureIndex,
  { services, nodes }: Pick<ClusterModel, 'services' | 'nodes'>,
): FlowPlan {
  const last = latest.get(index);
  if (last?.services === services && last.nodes === nodes) return last.plan;
  const name = JSON.stringify([
    services.map(({ vips, externalIPs, clusterAddresses, sourceRanges, ports, endpoints }) => [
      vips,
      externalIPs,
      clusterAddresses,
      sourceRanges,
      ports,
      endpoints.map(({ node, addresses }) => [node, addresses]),
    ]),
    nodes.map(({ addresses, podCidrs }) => [addresses, podCidrs]),
  ]);
  let ofIndex = plans.get(index);
  if (ofIndex === undefined) {
    ofIndex = new Map();
    plans.set(index, ofIndex);
  }
  let plan = ofIndex.get(name);
  if (plan === undefined) {
    plan = new FlowPlan(index, services, nodes);
    ofIndex.set(name, plan);
  }
  latest.set(index, { services, nodes, plan });
  return plan;
}

/** The values of `count` rows by numbers from 0, in the order of their first rows. */
function numbered(count: number, valueAt: (row: number) => number): { of: Int32Array; count: number } {
  const numbers = new Map<number, number>();
  const of = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const value = valueAt(row);
    let number = numbers.get(value);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(value, number);
    }
    of[row] = number;
  }
  return { of, count: numbers.size };
}

function vipName({ address: { family, w0, w1, w2, w3 }, service }: VipRow): string {
  return `${service} ${family} ${w0} ${w1} ${w2} ${w3}`;
}

function addressAt({ family, addresses }: FlowColumns, row: number, at: number): Address {
  const w = 8 * row + at;
  if (family[row] === 4) return ipv4(addresses[w]!);
  return ipv6(addresses[w]!, addresses[w + 1]!, addresses[w + 2]!, addresses[w + 3]!);
}
