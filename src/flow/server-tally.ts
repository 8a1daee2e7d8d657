/**
 * Flows, packets and bytes per server (protocol, address, port), gathered over the flow table's columns: open
 * addressing over integers, so that hundreds of thousands of flows cost milliseconds.
 *
 * The server is the side that is not the client's (flow-rows.ts).
 */
import type { FlowColumns } from './flow-columns.js';
import { clientSide } from './flow-rows.js';

export interface ServerTally {
  /** a flow that has this server */
  readonly flow: number;
  readonly flows: number;
  readonly packets: number;
  readonly bytes: number;
}

/** The servers with most bytes, busiest first, and how many servers there are. */
export function tallyServers(flows: FlowColumns, limit: number): { servers: number; busiest: ServerTally[] } {
  let capacity = 16;
  while (capacity < flows.count * 2) capacity *= 2;
  const mask = capacity - 1;
  const rowOfSlot = new Int32Array(capacity).fill(-1);
  const sample: number[] = [];
  const flowCount: number[] = [];
  const packetCount: number[] = [];
  const byteCount: number[] = [];
  for (let f = 0; f < flows.count; f++) {
    let slot = hashServer(flows, f) & mask;
    while (rowOfSlot[slot]! >= 0 && !sameServer(flows, sample[rowOfSlot[slot]!]!, f))
      slot = (slot + 1) & mask;
    let row = rowOfSlot[slot]!;
    if (row < 0) {
      row = sample.push(f) - 1;
      rowOfSlot[slot] = row;
      flowCount.push(0);
      packetCount.push(0);
      byteCount.push(0);
    }
    flowCount[row]!++;
    packetCount[row]! += flows.packetsOut[f]! + flows.packetsIn[f]!;
    byteCount[row]! += flows.bytesOut[f]! + flows.bytesIn[f]!;
  }
  const order = Array.from(sample.keys())
    .sort((x, y) => byteCount[y]! - byteCount[x]! || x - y)
    .slice(0, limit);
  return {
    servers: sample.length,
    busiest: order.map((row) => ({
      flow: sample[row]!,
      flows: flowCount[row]!,
      packets: packetCount[row]!,
      bytes: byteCount[row]!,
    })),
  };
}

function serverIsA(flows: FlowColumns, f: number): boolean {
  return clientSide(flows, f) === 'b';
}

function hashServer(flows: FlowColumns, f: number): number {
  const a = serverIsA(flows, f);
  const at = f * 8 + (a ? 0 : 4);
  let h = (flows.proto[f]! << 16) ^ (a ? flows.aPort[f]! : flows.bPort[f]!);
  for (let i = 0; i < 4; i++) {
    h = Math.imul(h ^ flows.addresses[at + i]!, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h >>> 0;
}

function sameServer(flows: FlowColumns, f: number, g: number): boolean {
  const fa = serverIsA(flows, f);
  const ga = serverIsA(flows, g);
  const fAt = f * 8 + (fa ? 0 : 4);
  const gAt = g * 8 + (ga ? 0 : 4);
  return (
    (fa ? flows.aPort[f] : flows.bPort[f]) === (ga ? flows.aPort[g] : flows.bPort[g]) &&
    flows.proto[f] === flows.proto[g] &&
    flows.family[f] === flows.family[g] &&
    flows.addresses[fAt] === flows.addresses[gAt] &&
    flows.addresses[fAt + 1] === flows.addresses[gAt + 1] &&
    flows.addresses[fAt + 2] === flows.addresses[gAt + 2] &&
    flows.addresses[fAt + 3] === flows.addresses[gAt + 3]
  );
}
