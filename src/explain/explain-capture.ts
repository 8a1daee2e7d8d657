/** The post-mortem of a capture file: index, suspects, a second look at these, findings put together. */
import { formatAddress, ipv4, ipv6 } from '../addr/address.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { FlowLookup } from '../flow/flow-lookup.js';
import { clientSide } from '../flow/flow-rows.js';
import { type IpLayer, LAYER_SRC } from '../flow/ip-layer.js';
import { walkPackets } from '../flow/walk-packets.js';
import * as icmp from '../wire/icmp.js';
import * as icmpv6 from '../wire/icmpv6.js';
import * as protocols from '../wire/ip-protocol.js';
import * as tcp from '../wire/tcp.js';
import { type Explanation, explain, suspectFlows, type TimedEvent } from './explain.js';
import { type Finding, FlowAutopsy, type SeenSegment } from './flow-autopsy.js';

export interface ExplainOptions {
  /** t = 0 in seconds after the capture's first record */
  readonly originS?: number;
  /** the timeline to set bursts of resets against, by time */
  readonly events?: readonly TimedEvent[];
}

/** `path` must be the capture that `index` was made of (at level outer), and be readable twice: no pipe. */
export function explainCapture(path: string, index: CaptureIndex, options: ExplainOptions = {}): Explanation {
  const originS = options.originS ?? 0;
  const { flows } = index;
  const suspect = suspectFlows(index);
  const lookup = new FlowLookup(flows, suspect);
  const autopsies = new Map<number, FlowAutopsy>();
  const autopsyOf = (f: number): FlowAutopsy => {
    let autopsy = autopsies.get(f);
    if (autopsy === undefined) {
      autopsy = new FlowAutopsy();
      autopsies.set(f, autopsy);
    }
    return autopsy;
  };
  const segment: SeenSegment = {
    timeS: 0,
    fromClient: true,
    flags: 0,
    seq: 0,
    ack: 0,
    window: 0,
    ttl: 0,
    payloadBytes: 0,
  };
  let endS = Number.NEGATIVE_INFINITY;
  walkPackets(path, 'outer', ({ decoder, view, timeNs }) => {
    const timeS = timeNs / 1e9 - originS;
    if (timeS > endS) endS = timeS;
    if (decoder.layers === 0) return;
    const { outer } = decoder;
    if (decoder.hasQuoted) {
      if (isTooBig(view, outer)) return;
      const flowDir = decoder.quoted.hasPorts ? lookup.find(decoder.quoted) : -1;
      if (flowDir >= 0 && fromClient(index, flowDir)) {
        autopsyOf(flowDir >>> 1).addIcmpError(timeS, icmpSentence(view, outer));
      }
      return;
    }
    if (outer.proto !== protocols.TCP || !tcp.check(outer.l4, outer.end)) return;
    const flowDir = lookup.find(outer);
    if (flowDir < 0) return;
    segment.timeS = timeS;
    segment.fromClient = fromClient(index, flowDir);
    segment.flags = tcp.flags(view, outer.l4);
    segment.seq = tcp.sequence(view, outer.l4);
    segment.ack = tcp.acknowledgment(view, outer.l4);
    segment.window = tcp.window(view, outer.l4);
    segment.ttl = outer.ttl;
    segment.payloadBytes = outer.payloadBytes;
    autopsyOf(flowDir >>> 1).add(segment);
  });
  const findings = new Map<number, Finding>();
  for (const [f, autopsy] of autopsies) findings.set(f, autopsy.conclude(endS));
  return explain(index, findings, originS, options.events ?? []);
}

function fromClient({ flows }: CaptureIndex, flowDir: number): boolean {
  return ((flowDir & 1) === 1) === (clientSide(flows, flowDir >>> 1) === 'b');
}

/** Path MTU discovery at work: an ordinary event. */
function isTooBig(view: DataView, { family, l4 }: IpLayer): boolean {
  if (family === 6) return icmp.type(view, l4) === icmpv6.PACKET_TOO_BIG;
  return icmp.type(view, l4) === icmp.UNREACHABLE && icmp.code(view, l4) === FRAGMENTATION_NEEDED;
}

/** Type and code as the registry of RFC 792 and RFC 4443 numbers them. */
const FRAGMENTATION_NEEDED = 4;
const UNREACHABLE_V4: Readonly<Record<number, string>> = {
  0: 'network unreachable',
  1: 'host unreachable',
  2: 'protocol unreachable',
  3: 'port unreachable',
  13: 'administratively prohibited',
};
const UNREACHABLE_V6: Readonly<Record<number, string>> = {
  0: 'no route',
  1: 'administratively prohibited',
  3: 'address unreachable',
  4: 'port unreachable',
};

function icmpSentence(view: DataView, layer: IpLayer): string {
  const type = icmp.type(view, layer.l4);
  const code = icmp.code(view, layer.l4);
  const { words, family } = layer;
  const from =
    family === 4
      ? ipv4(words[LAYER_SRC]!)
      : ipv6(words[LAYER_SRC]!, words[LAYER_SRC + 1]!, words[LAYER_SRC + 2]!, words[LAYER_SRC + 3]!);
  const unreachable = type === (family === 4 ? icmp.UNREACHABLE : icmpv6.UNREACHABLE);
  const named = unreachable ? (family === 4 ? UNREACHABLE_V4 : UNREACHABLE_V6)[code] : undefined;
  const exceeded =
    type === (family === 4 ? icmp.TIME_EXCEEDED : icmpv6.TIME_EXCEEDED)
      ? 'time exceeded: the packet looped or went too far'
      : undefined;
  const what = named ?? exceeded ?? `type ${type} code ${code}`;
  return `ICMP${family === 6 ? 'v6' : ''} ${what}, from ${formatAddress(from)}`;
}
