/** One client, one five-tuple, one node or two: what connections, server data and entries of earlier lives come to. */
import { expect, test } from 'vitest';
import { ipv4 } from '../../../src/addr/address.js';
import { hostPrefix } from '../../../src/addr/prefix.js';
import type { TimelineEvent } from '../../../src/cluster/model.js';
import { type CaptureIndex, createFlowColumns } from '../../../src/flow/flow-columns.js';
import { META_LENGTH_SHIFT, META_PAYLOAD, PacketIndex } from '../../../src/flow/packet-index.js';
import { replay } from '../../../src/verdict/replay.js';
import type { FlowVerdict } from '../../../src/verdict/verdict.js';
import { defaultTimeouts } from '../../support/conntrack-defaults.js';
import { smallCluster, VIP } from '../../support/small-cluster.js';

const [FIN, SYN, RST, ACK] = [1, 2, 4, 16];
type Sent = readonly [atS: number, flags: number, seq: number, ack: number, payload?: number];

function capture(sent: readonly Sent[], durationS = 10): CaptureIndex {
  const flows = createFlowColumns(1);
  flows.family[0] = 4;
  flows.proto[0] = 6;
  flows.addresses.set([ipv4(0xc6336401).w0, 0, 0, 0, VIP.w0, 0, 0, 0]);
  flows.aPort[0] = 40000;
  flows.bPort[0] = 80;
  flows.packetsOut[0] = sent.length;
  flows.lastNs[0] = sent.at(-1)![0] * 1e9;
  const packets = new PacketIndex();
  for (const [atS, flags, seq, ack, payload = 0] of sent) {
    const meta = flags | (payload > 0 ? META_PAYLOAD : 0) | (100 << META_LENGTH_SHIFT);
    packets.push(0, meta, atS * 1e9, seq, ack, payload);
  }
  const summary = {
    file: 'made',
    format: 'pcap',
    linkTypes: ['ethernet'],
    packets: sent.length,
    bytes: sent.length * 100,
    baseNs: 0n,
    duration: durationS,
    truncated: false,
    decodeFaults: {},
    damage: null,
    warnings: [],
  };
  return { summary, flows, packets };
}

/** The route leads to n1 until an event says otherwise. */
function verdicts(
  sent: readonly Sent[],
  timeline: readonly TimelineEvent[],
  changed: { established?: number; beLiberal?: boolean } = {},
): FlowVerdict[] {
  const routes = [{ prefix: hostPrefix(VIP), nextHops: [{ node: 0, weight: 1 }] }];
  const service = { externalTrafficPolicy: 'Local' as const };
  const { established = defaultTimeouts.established, beLiberal = false } = changed;
  const conntrack = { beLiberal, timeouts: { ...defaultTimeouts, established } };
  const model = smallCluster({ pods: [1, 1], router: { routes }, service, timeline, conntrack });
  const result = replay(capture(sent), model);
  return Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row));
}

const to = (at: number, node: number): TimelineEvent => ({
  at,
  kind: 'route',
  prefix: hostPrefix(VIP),
  nextHops: [{ node, weight: 1 }],
});

const DOWNLOAD: readonly Sent[] = [
  [1, SYN, 1000, 0],
  [1.01, ACK, 1001, 5001],
  [1.02, ACK, 1001, 5001, 50],
  ...[1.1, 1.2, 1.3, 1.4, 1.5].map((at, i): Sent => [at, ACK, 1051, 5101 + 100 * i]),
];

test('a SYN with another initial sequence number begins another record, one with the same is sent again', () => {
  const sent: Sent[] = [
    [1, SYN, 1000, 0],
    [2, SYN, 1000, 0],
    [2.1, ACK, 1001, 5001],
    [3, SYN, 90_000_000, 0],
    [3.1, ACK, 90_000_001, 77_001],
  ];
  expect(verdicts(sent, []).map(({ connection, start }) => [connection, start])).toEqual([
    [0, 1],
    [1, 3],
  ]);
});

test('a connection that comes back to the entry of an earlier one is outside its window: silence', () => {
  const sent: Sent[] = [
    [1, SYN, 1000, 0],
    [1.1, ACK, 1001, 5001],
    [1.2, ACK, 1001, 5001, 50],
    [2.5, ACK, 1051, 5001, 50],
    [3, SYN, 90_000_000, 0],
    [3.1, ACK, 90_000_001, 77_001],
    [3.2, ACK, 90_000_001, 77_001, 50],
    [5, ACK, 90_000_051, 77_001, 50],
  ];
  const [first, second] = verdicts(sent, [to(2, 1), to(4, 0)]);
  expect([first!.fate, first!.brokenAt]).toEqual(['reset', 2.5]);
  expect([second!.fate, second!.unanswered, second!.brokenAt]).toEqual(['timeout', 'data', 5]);
  expect(second!.cause!.reason).toBe('stale-entry');
});

test('a download freezes when its node dies, whether the capture goes on or shows the silence', () => {
  const down: TimelineEvent[] = [{ at: 1.45, kind: 'nodeDown', node: 0 }];
  for (const sent of [DOWNLOAD, DOWNLOAD.slice(0, -1)]) {
    const [flow] = verdicts(sent, down);
    expect([flow!.fate, flow!.unanswered]).toEqual(['timeout', 'server-data']);
    expect(flow!.cause).toEqual({ event: 'e1', hop: 'node n1', reason: 'node-down' });
  }
});

test('a half-closed download that is moved is reset at its next acknowledgement', () => {
  const sent: Sent[] = [...DOWNLOAD.slice(0, -2), [1.35, FIN | ACK, 1051, 5301], [1.5, ACK, 1052, 5401]];
  const [flow] = verdicts(sent, [to(1.4, 1)]);
  expect([flow!.fate, flow!.brokenAt]).toEqual(['reset', 1.5]);
});

test('the acknowledgement of a FIN that answers an unanswered one is not sent', () => {
  const sent: Sent[] = [
    [1, SYN, 1000, 0],
    [1.1, ACK, 1001, 5001],
    [2, FIN | ACK, 1001, 5001],
    [2.1, ACK, 1002, 5002],
  ];
  const [flow] = verdicts(sent, [to(1.5, 1)]);
  expect([flow!.fate, flow!.unanswered, flow!.brokenAt]).toEqual(['timeout', 'FIN', 2]);
});

test('the RST by which a client answers a challenge ACK ends nothing: its next SYN gets through', () => {
  const sent: Sent[] = [
    [1, SYN, 1000, 0],
    [1.1, ACK, 1001, 5001],
    [1.2, ACK, 1001, 5001, 50],
    [2.5, ACK, 1051, 5001, 50],
    [5, SYN, 90_000_000, 0],
    [5.001, RST, 1051, 0],
    [5.01, SYN, 90_000_000, 0],
    [5.02, ACK, 90_000_001, 77_001],
    [5.03, ACK, 90_000_001, 77_001, 50],
  ];
  const [first, second] = verdicts(sent, [to(2, 1), to(4, 0)]);
  expect([first!.fate, second!.fate]).toEqual(['reset', 'delivered']);
});

const QUIET: readonly Sent[] = [
  [1, SYN, 1000, 0],
  [1.1, ACK, 1001, 5001],
  [1.2, ACK, 1001, 5001, 50],
];

test('a connection whose entry has expired is latent: what the server sends next is lost', () => {
  const latent = (established: number): unknown => verdicts(QUIET, [], { established })[0]!.latent;
  expect([latent(2), latent(60)]).toEqual([true, undefined]);
});

test('a silent connection to a node that has died is latent; to another node that dies it is not', () => {
  const latent = (node: number): unknown => {
    const [flow] = verdicts(QUIET, [{ at: 3, kind: 'nodeDown', node }]);
    return [flow!.fate, flow!.latent];
  };
  expect([latent(0), latent(1)]).toEqual([
    ['delivered', true],
    ['delivered', undefined],
  ]);
});

test('a push that finds no entry ends the connection: the next segment of the client is reset', () => {
  const sent: Sent[] = [...QUIET, [5, ACK, 1051, 5101], [6, ACK, 1051, 5101, 50]];
  const [flow] = verdicts(sent, [], { established: 2 });
  expect([flow!.fate, flow!.brokenAt, flow!.cause!.reason]).toEqual(['reset', 6, 'entry-expired']);
  // a client that sends before the server does is picked up again
  const [picked] = verdicts([...QUIET, [6, ACK, 1051, 5001, 50]], [], { established: 2 });
  expect(picked!.fate).toBe('delivered');
});

/** A life that leaves its node and is reset elsewhere, one that begins there, and the way back to the first one's entry. */
function meets(seq: number, ack: number, beLiberal: boolean, ending: readonly Sent[] = []): FlowVerdict {
  const first: Sent[] = [
    [1, SYN, 1_000_000_000, 0],
    [1.1, ACK, 1_000_000_001, 2_000_000_001],
    [1.2, ACK, 1_000_000_001, 2_000_000_001, 50],
    ...ending,
  ];
  const second: Sent[] = [
    [3, SYN, 1_000_000_000 + seq, 0],
    [3.1, ACK, 1_000_000_001 + seq, 2_000_000_001 + ack],
    [3.2, ACK, 1_000_000_001 + seq, 2_000_000_001 + ack, 50],
    [5, ACK, 1_000_000_051 + seq, 2_000_000_001 + ack, 50],
  ];
  return verdicts([...first, ...second], [to(2, 1), to(4, 0)], { beLiberal })[1]!;
}

const CLOSED: readonly Sent[] = [
  [1.3, FIN | ACK, 1_000_000_051, 2_000_000_001],
  [1.4, ACK, 1_000_000_052, 2_000_000_002],
];

test('what an entry of an earlier life makes of a segment depends on where its numbers lie, as measured on Linux', () => {
  const [ahead, behind] = [40_000_000, -40_000_000];
  // the earlier socket lives: it answers with a bare acknowledgement at most
  for (const seq of [ahead, behind])
    for (const ack of [ahead, behind])
      for (const beLiberal of [false, true]) expect(meets(seq, ack, beLiberal).fate).toBe('timeout');
  // it was closed in order: INVALID, but where both numbers are behind or windows are not kept
  const closed = (seq: number, ack: number, beLiberal: boolean): string =>
    meets(seq, ack, beLiberal, CLOSED).fate;
  expect([closed(ahead, ahead, false), closed(ahead, behind, false), closed(behind, ahead, false)]).toEqual([
    'timeout',
    'timeout',
    'timeout',
  ]);
  expect(closed(behind, behind, false)).toBe('reset');
  expect([closed(ahead, ahead, true), closed(behind, behind, true)]).toEqual(['reset', 'reset']);
});
