/**
 * What a scenario makes of the flows of a capture before the first packet is replayed: which flows go to a VIP,
 * which side is the client, which service and port answer, and how the router hashes them. Columns by flow row.
 */
import { type Address, formatAddress, ipv4, ipv6 } from '../addr/address.js';
import type { ClusterModel } from '../cluster/model.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import type { FlowHash } from '../hash/flow-hash.js';
import { flowKey } from '../path/draw.js';

/** `role` of a packet, by flow row << 1 | direction */
export const ROLE_NONE = 0;
/** a client's packet towards a VIP */
export const ROLE_CLIENT = 1;

export class FlowPlan {
  /** row of the service whose VIP the flow goes to, or -1 */
  readonly service: Int32Array;
  /** row in {@link vips}, or -1 */
  readonly vip: Int32Array;
  /** 0: no rule for this port */
  readonly targetPort: Uint16Array;
  readonly proto: Uint8Array;
  readonly clientPort: Uint16Array;
  /** 1 where the flow's b side is the client */
  readonly clientIsB: Uint8Array;
  /** see {@link flowKey} */
  readonly key: Int32Array;
  readonly role: Uint8Array;
  readonly vips: { readonly address: Address; readonly service: number }[] = [];
  /** rows of the flows that go to a VIP */
  readonly flows: Int32Array;

  constructor(
    private readonly index: CaptureIndex,
    private readonly model: ClusterModel,
  ) {
    const { count } = index.flows;
    this.service = new Int32Array(count).fill(-1);
    this.vip = new Int32Array(count).fill(-1);
    this.targetPort = new Uint16Array(count);
    this.proto = index.flows.proto.subarray(0, count);
    this.clientPort = new Uint16Array(count);
    this.clientIsB = new Uint8Array(count);
    this.key = new Int32Array(count);
    this.role = new Uint8Array(2 * count);
    model.services.forEach((service, row) => {
      for (const address of service.vips) this.vips.push({ address, service: row });
    });
    const rows: number[] = [];
    for (let f = 0; f < count; f++) if (this.plan(f)) rows.push(f);
    this.flows = Int32Array.from(rows);
  }

  /** Address of the flow's client. */
  clientAddress(f: number): Address {
    return this.address(f, this.clientIsB[f] === 1 ? 4 : 0);
  }

  /** Family, protocol and target port of a flow as one number: with the pod, what a translated packet goes to. */
  target(f: number): number {
    return (this.index.flows.family[f]! * 256 + this.proto[f]!) * 65536 + this.targetPort[f]!;
  }

  /** Key for sessionAffinity ClientIP, or null where the service has none. */
  affinityClient(f: number): string | null {
    const service = this.model.services[this.service[f]!]!;
    return service.sessionAffinity === 'ClientIP' ? formatAddress(this.clientAddress(f)) : null;
  }

  /** The router's hash of each flow (as whole packets; a fragment has ports 0). */
  hashes(hash: FlowHash, ports: 'ports' | 'fragment'): Uint32Array {
    const { flows } = this.index;
    const out = new Uint32Array(this.service.length);
    for (let i = 0; i < this.flows.length; i++) {
      const f = this.flows[i]!;
      const b = this.clientIsB[f] === 1;
      const at = 8 * f;
      const withPorts = ports === 'ports';
      out[f] = hash.hashTuple(
        flows.family[f] as 4 | 6,
        flows.addresses,
        b ? at + 4 : at,
        b ? at : at + 4,
        flows.proto[f]!,
        withPorts ? this.clientPort[f]! : 0,
        withPorts ? (b ? flows.aPort[f]! : flows.bPort[f]!) : 0,
        b ? flows.labelIn[f]! : flows.labelOut[f]!,
      );
    }
    return out;
  }

  private address(f: number, at: number): Address {
    const { family, addresses } = this.index.flows;
    const w = 8 * f + at;
    if (family[f] === 4) return ipv4(addresses[w]!);
    return ipv6(addresses[w]!, addresses[w + 1]!, addresses[w + 2]!, addresses[w + 3]!);
  }

  private plan(f: number): boolean {
    const { flows } = this.index;
    const toB = this.findVip(f, 4, flows.bPort[f]!);
    const found = toB ?? this.findVip(f, 0, flows.aPort[f]!);
    if (found === null) return false;
    const clientIsB = toB === null;
    const clientPort = clientIsB ? flows.bPort[f]! : flows.aPort[f]!;
    const vipPort = clientIsB ? flows.aPort[f]! : flows.bPort[f]!;
    this.vip[f] = found.vip;
    this.service[f] = found.service;
    this.targetPort[f] = found.targetPort;
    this.clientIsB[f] = clientIsB ? 1 : 0;
    this.clientPort[f] = clientPort;
    const at = 8 * f;
    const src = clientIsB ? at + 4 : at;
    this.key[f] = flowKey(
      flows.addresses,
      src,
      clientIsB ? at : at + 4,
      clientPort,
      vipPort,
      flows.proto[f]!,
    );
    this.role[2 * f + (clientIsB ? 1 : 0)] = ROLE_CLIENT;
    return true;
  }

  /** The VIP at word `at` of the flow's addresses: a service with this port, or else any service of the address. */
  private findVip(
    f: number,
    at: number,
    port: number,
  ): { vip: number; service: number; targetPort: number } | null {
    const { family, addresses, proto } = this.index.flows;
    const w = 8 * f + at;
    let bare: { vip: number; service: number; targetPort: number } | null = null;
    for (let vip = 0; vip < this.vips.length; vip++) {
      const { address, service } = this.vips[vip]!;
      if (address.family !== family[f] || address.w0 !== addresses[w]) continue;
      if (
        address.w1 !== addresses[w + 1] ||
        address.w2 !== addresses[w + 2] ||
        address.w3 !== addresses[w + 3]
      )
        continue;
      const entry = this.model.services[service]!.ports.find((p) => p.proto === proto[f] && p.port === port);
      if (entry !== undefined) return { vip, service, targetPort: entry.targetPort };
      bare ??= { vip, service, targetPort: 0 };
    }
    return bare;
  }
}
