/** A replay result made by hand: 12 flows, two of each sort, with hostile names where outsiders choose them. */
import type { CaptureIndex } from '../../../src/flow/flow-columns.js';
import { PacketIndex } from '../../../src/flow/packet-index.js';
import type { EventRecord, Fate, FlowVerdict, ReplayResult, Summary } from '../../../src/verdict/verdict.js';

export const HOSTILE_POD = 'p<script>alert(1)</script>\x1b[31m"&';
export const HOSTILE_FILE = 'a</script><b>\x1b[2J.pcap';

const NO_FLOWS: Record<Fate, number> = {
  delivered: 0,
  reset: 0,
  refused: 0,
  timeout: 0,
  'endpoint-closed': 0,
  misdelivered: 0,
  unknown: 0,
};

function madeVerdict(id: number, fields: Partial<FlowVerdict>): FlowVerdict {
  return {
    id,
    proto: 'tcp',
    src: id % 3 === 2 ? `2001:db8::${id}` : `198.51.100.${id}`,
    srcPort: 40000 + id,
    dst: id % 3 === 2 ? '2001:db8:113::10' : '203.0.113.10',
    dstPort: 80,
    family: id % 3 === 2 ? 6 : 4,
    start: id / 10,
    end: 6 + id / 10,
    packets: { out: 10 + id, in: 9 },
    bytes: { out: 1000 + id, in: 5000 },
    sawSyn: true,
    connection: 0,
    service: 'web',
    fate: 'delivered',
    judged: fields.fate !== 'unknown',
    unjudged: fields.fate === 'unknown' ? 'before-capture' : null,
    chances: null,
    application: null,
    cause: null,
    chain: [],
    brokenAt: null,
    path: [{ at: id / 10, nextHop: 'n1', node: 'n1', endpoint: HOSTILE_POD, target: null }],
    source: {
      atClient: `198.51.100.${id}:${40000 + id}`,
      atEndpoint: `198.51.100.${id}:${40000 + id}`,
      preserved: true,
      steps: [],
      recoverable: null,
    },
    ...fields,
  };
}

const reset = (id: number): FlowVerdict =>
  madeVerdict(id, {
    fate: 'reset',
    cause: { event: 'e1', hop: 'node n3', reason: 'ecmp-rehash' },
    chain: [
      'At 5.000 s n2 withdrew 203.0.113.10/32, and the router changed its group from n1, n2, n3 to n1, n3.',
      'The flow’s hash now falls to n3, which has no conntrack entry for it.',
      'n3 picked the segment up as a new connection and translated it to a pod that does not know it; the pod answered with a reset.',
    ],
    brokenAt: 5.312,
    path: [
      { at: id / 10, nextHop: 'n2', node: 'n2', endpoint: 'n1-p0', target: null },
      { at: 5.312, nextHop: 'n3', node: 'n3', endpoint: HOSTILE_POD, target: null },
    ],
    source: {
      atClient: `198.51.100.${id}:${40000 + id}`,
      atEndpoint: '10.0.0.2:12345',
      preserved: false,
      steps: [
        {
          hop: 'node n2',
          mechanism: 'masquerade',
          from: `198.51.100.${id}:${40000 + id}`,
          to: '10.0.0.2:12345',
          random: true,
        },
      ],
      recoverable: 'proxy-protocol',
    },
  });

const timeout = (id: number): FlowVerdict =>
  madeVerdict(id, {
    fate: 'timeout',
    unanswered: 'FIN',
    cause: { event: 'e1', hop: 'node n3', reason: 'invalid-dropped' },
    chain: ['n3 calls the FIN INVALID and kube-proxy drops it.'],
    brokenAt: 6.1,
  });

export const MADE_VERDICTS: readonly FlowVerdict[] = [
  ...[0, 1, 2, 3, 4, 5].map((id) => madeVerdict(id, {})),
  reset(6),
  reset(7),
  reset(8),
  timeout(9),
  madeVerdict(10, { fate: 'unknown', sawSyn: false, source: null, path: [] }),
  madeVerdict(11, { latent: true }),
];

const EVENTS: readonly EventRecord[] = [
  {
    id: 'e1',
    at: 5,
    kind: 'withdraw',
    detail: 'n2 withdraws every VIP: 203.0.113.10/32, 2001:db8:113::10/128',
    flowsActive: 11,
    flowsMoved: 5,
    flowsBroken: 4,
    dropped: 3,
  },
  {
    id: 'e2',
    at: 9.25,
    kind: 'announce',
    detail: 'n2 announces',
    flowsActive: 2,
    flowsMoved: 0,
    flowsBroken: 0,
    dropped: 0,
  },
];

export function madeResult(verdicts: readonly FlowVerdict[] = MADE_VERDICTS): ReplayResult {
  const byFate = { ...NO_FLOWS };
  const byCause: Record<string, number> = {};
  const sourcePreserved = { yes: 0, no: 0, unknown: 0 };
  for (const { fate, cause, source } of verdicts) {
    byFate[fate]++;
    if (cause !== null) byCause[cause.reason] = (byCause[cause.reason] ?? 0) + 1;
    sourcePreserved[source?.preserved == null ? 'unknown' : source.preserved ? 'yes' : 'no']++;
  }
  const judged = verdicts.length - byFate.unknown;
  const broken = judged - byFate.delivered;
  const nothing = verdicts.length === 0;
  const summary: Summary = {
    verdict: judged === 0 ? 'inconclusive' : broken > 0 ? 'broken' : 'none-broken',
    basis: 'what-if',
    flows: verdicts.length,
    judged,
    unjudged: byFate.unknown > 0 ? { 'before-capture': byFate.unknown } : {},
    broken,
    brokenShare: judged === 0 ? null : broken / judged,
    byFate,
    expected: null,
    byApplication: {},
    byService: [],
    hits: {
      clients: nothing ? [] : [{ name: '198.51.100.6', judged: 1, broken: 1 }],
      clientsJudged: judged,
      clientsBroken: broken,
      nodes: [],
      minutes: [],
    },
    assumed: [],
    unread: [],
    latent: verdicts.filter((verdict) => verdict.latent === true).length,
    byCause,
    sourcePreserved,
    balance: {
      nodes: [
        { name: 'n1', flows: 6, bytes: 34_567 },
        { name: 'n2', flows: 4, bytes: 1_234_567 },
        { name: 'n3', flows: 1, bytes: 0 },
      ],
      endpoints: [{ name: HOSTILE_POD, flows: 11, bytes: 1_269_134 }],
      maxOverMean: { nodes: 1.636, endpoints: null },
    },
    scenario: { name: 'withdraw-one', seed: 1, madeFromCapture: false },
    notes: ['The VIP 203.0.113.99 never appears in the capture.'],
  };
  return {
    index: madeIndex(verdicts),
    capture: {
      file: HOSTILE_FILE,
      format: 'pcap',
      linkTypes: ['ethernet'],
      packets: 2345,
      bytes: 1_234_567,
      startTime: 1795391995.741888,
      t0: 1795391995.741888,
      level: 'outer',
      duration: 18.25,
      truncated: false,
      decodeFaults: {},
      captureLoss: null,
    },
    events: EVENTS,
    summary,
    flowCount: verdicts.length,
    flowTableRow: (row) => row,
    flowVerdict: (row) => verdicts[row]!,
    rewrittenRequest: () => null,
    fateOf: (row) => verdicts[row]!.fate,
  };
}

function madeIndex(verdicts: readonly FlowVerdict[]): CaptureIndex {
  const n = verdicts.length;
  return {
    summary: {
      file: HOSTILE_FILE,
      format: 'pcap',
      linkTypes: ['ethernet'],
      packets: 2345,
      bytes: 1_234_567,
      baseNs: 1795391995741888000n,
      duration: 18.25,
      truncated: false,
      decodeFaults: {},
      damage: null,
      warnings: [],
    },
    flows: {
      count: n,
      family: Uint8Array.from(verdicts, (v) => v.family),
      proto: new Uint8Array(n).fill(6),
      addresses: new Uint32Array(n * 8),
      aPort: Uint16Array.from(verdicts, (v) => v.srcPort),
      bPort: Uint16Array.from(verdicts, (v) => v.dstPort),
      firstNs: Float64Array.from(verdicts, (v) => v.start * 1e9),
      lastNs: Float64Array.from(verdicts, (v) => v.end * 1e9),
      packetsOut: Uint32Array.from(verdicts, (v) => v.packets.out),
      packetsIn: Uint32Array.from(verdicts, (v) => v.packets.in),
      bytesOut: Float64Array.from(verdicts, (v) => v.bytes.out),
      bytesIn: Float64Array.from(verdicts, (v) => v.bytes.in),
      labelOut: new Uint32Array(n),
      labelIn: new Uint32Array(n),
      marks: new Uint16Array(n),
      firstPacket: Float64Array.from(verdicts, (v) => v.id + 1),
    },
    packets: new PacketIndex(),
  };
}
