/** Recorded verdicts of a real kernel under generated rule sets, and what the walk says about the same packets. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parseAddress } from '../../src/addr/address.js';
import { readNodeState } from '../../src/netfilter/node-state.js';
import type { PacketFields } from '../../src/netfilter/packet.js';
import { type Outcome, type Trace, tracePacket } from '../../src/netfilter/trace.js';

export interface Observed {
  readonly verdict: string;
  readonly with?: string;
  readonly out?: Readonly<Record<string, string | number | null>>;
}

export interface ObservedPacket extends Observed {
  readonly iif: string;
  readonly proto: string;
  readonly src: string;
  readonly srcPort: number;
  readonly dst: string;
  readonly dstPort: number;
  readonly flags?: string;
  readonly length: number;
  readonly icmpType?: number;
  readonly shares?: readonly (Observed & { readonly share: number })[];
}

export interface ObservedSet {
  readonly from: string;
  readonly kind: string;
  readonly rules: string;
  readonly addr: unknown;
  readonly route: unknown;
  readonly rule: unknown;
  readonly ipset?: string;
  readonly packets: readonly ObservedPacket[];
}

const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58 };
const FLAGS: Readonly<Record<string, number>> = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32 };

export function readObserved(path: string): ObservedSet[] {
  return gunzipSync(readFileSync(path))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ObservedSet);
}

export function fieldsOf(p: ObservedPacket): PacketFields {
  return {
    iif: p.iif,
    proto: PROTOCOLS[p.proto]!,
    src: parseAddress(p.src)!,
    srcPort: p.srcPort,
    dst: parseAddress(p.dst)!,
    dstPort: p.dstPort,
    flags: p.flags?.split(',').reduce((so, flag) => so | FLAGS[flag]!, 0),
    length: p.length,
    icmpType: p.icmpType,
  };
}

/** The trace of every packet, in order, over one node. */
export function traceAll(set: ObservedSet): Trace[] {
  const files = [
    { name: 'rules', text: set.rules },
    ...(['addr', 'route', 'rule'] as const).map((key) => ({ name: key, text: JSON.stringify(set[key]) })),
    ...(set.ipset === undefined ? [] : [{ name: 'ipset', text: set.ipset }]),
  ];
  const node = readNodeState('n', files);
  return set.packets.map((packet) => tracePacket(node, fieldsOf(packet), true));
}

/** @param anyPort source ports were not recorded */
export function agrees(observed: Observed, outcome: Outcome, anyPort: boolean): boolean {
  if (observed.verdict !== outcome.verdict || observed.with !== outcome.with) return false;
  if (observed.out === undefined) return observed.verdict !== 'local' || outcome.out === null;
  if (outcome.out === null) return false;
  const out: Readonly<Record<string, unknown>> = { ...outcome.out };
  return Object.entries(observed.out).every(
    ([key, value]) => (anyPort && key === 'srcPort' && value === null) || out[key] === value,
  );
}
