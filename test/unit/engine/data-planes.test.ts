import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEFAULT_CILIUM, DEFAULT_IPVS } from '../../../src/cluster/defaults.js';
import type { DataplaneModel } from '../../../src/cluster/model.js';
import { refusePlane } from '../../../src/cluster/refuse-plane.js';
import type { CaptureIndex } from '../../../src/flow/flow-columns.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { costOf } from '../../../src/report/matrix.js';
import { MADE_VIP, MADE_VIP6, makeTraffic } from '../../../src/stories/made-traffic.js';
import { replay } from '../../../src/verdict/replay.js';
import type { FlowVerdict } from '../../../src/verdict/verdict.js';
import { compare } from '../../../src/what-if/compare.js';
import { parseVariation } from '../../../src/what-if/variation.js';
import { smallCluster } from '../../support/small-cluster.js';

let folder = '';
let index: CaptureIndex;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'flowfate-planes-'));
  const traffic = makeTraffic({
    seed: 3,
    durationS: 20,
    perSecond: 40,
    lives: [{ share: 1, fromS: 5, toS: Number.POSITIVE_INFINITY }],
    pauseS: [0.2, 0.5],
    clients: 200,
    ipv6Share: 0,
    udpShare: 0.15,
  });
  writeFileSync(join(folder, 'made.pcap'), traffic);
  index = readCapture(join(folder, 'made.pcap'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Four nodes with a pod each; at 10 s the router loses n2's routes, and the table is dealt anew. */
function rehashed(dataplane: Partial<DataplaneModel>, policy: 'Cluster' | 'Local' = 'Cluster') {
  const ports = [6, 17].map((proto) => ({ name: null, proto, port: 443, targetPort: 8443 }));
  const model = smallCluster({
    dataplane,
    service: { vips: [MADE_VIP, MADE_VIP6], ports, externalTrafficPolicy: policy },
    ecmp: { select: 'modulo' },
    timeline: [{ at: 10, kind: 'withdraw', node: 1 }],
  });
  const result = replay(index, model);
  const flows = Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row));
  const moved = (proto: string): FlowVerdict[] =>
    flows.filter((flow) => {
      const [first, ...later] = flow.path;
      const end = Number(flow.end);
      return (
        flow.proto === proto &&
        flow.fate !== 'unknown' &&
        end > 11 &&
        later.some(({ node }) => node !== first!.node)
      );
    });
  return { ...result.summary, flows, tcp: moved('tcp'), udp: moved('udp') };
}

const fates = (flows: readonly FlowVerdict[]): string[] => [...new Set(flows.map(({ fate }) => fate))].sort();
const ipvs = (change: Partial<typeof DEFAULT_IPVS> = {}): Partial<DataplaneModel> => ({
  proxy: 'ipvs',
  ipvs: { ...DEFAULT_IPVS, ...change },
});
const cilium = (change: Partial<typeof DEFAULT_CILIUM> = {}): Partial<DataplaneModel> => ({
  proxy: 'cilium',
  cilium: { ...DEFAULT_CILIUM, ...change },
});

describe('a moved flow in the middle of its connection', () => {
  test.each(['iptables', 'nftables'] as const)('(a) %s: is reset by the pod that is drawn anew', (proxy) => {
    const { tcp } = rehashed({ proxy });
    expect(tcp.length).toBeGreaterThan(50);
    expect(tcp.filter(({ fate }) => fate === 'reset').length).toBeGreaterThan(0.8 * tcp.length);
    const reset = tcp.find(({ fate }) => fate === 'reset')!;
    expect(reset.chain.join(' ')).toMatch(/does not know it and answered with a RST/);
  });

  test.each(['iptables', 'nftables'] as const)('(b) %s without tcp_loose: times out', (proxy) => {
    const conntrack = { ...smallCluster().dataplane.conntrack, tcpLoose: false };
    const { tcp } = rehashed({ proxy, conntrack });
    expect(fates(tcp)).not.toContain('reset');
    expect(tcp.filter(({ fate }) => fate === 'timeout').length).toBeGreaterThan(0.8 * tcp.length);
  });

  test("(c) ipvs: is reset by the node's own stack, whatever the scheduler", () => {
    for (const scheduler of ['rr', 'lc', 'sh', 'mh'] as const) {
      const { tcp } = rehashed(ipvs({ scheduler }));
      expect(fates(tcp)).toEqual(['reset']);
      expect(tcp[0]!.chain.join(' ')).toContain('the VIP as its own');
    }
  });

  test('(c) ipvs with sloppy_tcp: is scheduled; masquerade breaks it even where mh finds the same endpoint', () => {
    const { tcp } = rehashed(ipvs({ scheduler: 'mh', sloppyTcp: true }));
    expect(fates(tcp)).toEqual(['reset']);
    expect(tcp[0]!.chain.join(' ')).not.toContain('the VIP as its own');
  });

  test("(d) cilium dsr with random choice: the reset has the pod's address, is ignored, and the flow times out", () => {
    const { tcp, notes } = rehashed(cilium({ mode: 'dsr' }));
    const hung = tcp.filter(({ fate }) => fate === 'timeout');
    // a quarter draws the same pod and lives; of the rest, pods on the new node itself are reset as the VIP
    expect(hung.length).toBeGreaterThan(0.3 * tcp.length);
    expect(hung[0]!.chain.join(' ')).toContain("left with the pod's address");
    expect(notes.join(' ')).toMatch(/data plane cilium: modelled from documentation/);
  });

  test('(e) cilium dsr with Maglev, and Calico eBPF likewise: lives on at the same pod', () => {
    const calico = { mode: 'dsr', maglev: true } as const;
    const planes = [
      cilium({ mode: 'dsr', algorithm: 'maglev' }),
      { proxy: 'calico-ebpf', calicoEbpf: calico } as const,
    ];
    for (const plane of planes) {
      const { tcp } = rehashed(plane);
      expect(tcp.length).toBeGreaterThan(50);
      expect(fates(tcp)).toEqual(['delivered']);
    }
  });

  test('(e) cilium snat with Maglev: the same pod, but another source, so a reset', () => {
    expect(fates(rehashed(cilium({ algorithm: 'maglev' })).tcp)).toEqual(['reset']);
  });

  test('calico-ebpf without Maglev: is dropped, and times out', () => {
    const { tcp } = rehashed({ proxy: 'calico-ebpf' });
    expect(fates(tcp)).toEqual(['timeout']);
    expect(tcp[0]!.chain.join(' ')).toContain('drops the middle of a connection');
  });

  test('(f) UDP: goes to another endpoint in silence, but with Maglev to the same', () => {
    const { udp } = rehashed({ proxy: 'iptables' });
    expect(udp.length).toBeGreaterThan(5);
    expect(udp.map(({ fate }) => fate)).toContain('misdelivered');
    expect(fates(rehashed(cilium({ mode: 'dsr', algorithm: 'maglev' })).udp)).toEqual(['delivered']);
  });
});

describe('the source that endpoints see', () => {
  const preserved = (dataplane: Partial<DataplaneModel>, policy: 'Cluster' | 'Local' = 'Cluster') => {
    const { sourcePreserved } = rehashed(dataplane, policy);
    return sourcePreserved.yes / (sourcePreserved.yes + sourcePreserved.no);
  };

  test('is kept by dsr and by Calico eBPF, by cilium snat towards local pods only, and by nobody of kube-proxy', () => {
    expect(preserved(cilium({ mode: 'dsr' }))).toBe(1);
    expect(preserved({ proxy: 'calico-ebpf' })).toBe(1);
    expect(preserved(cilium())).toBeGreaterThan(0.1);
    expect(preserved(cilium())).toBeLessThan(0.5);
    for (const proxy of ['iptables', 'nftables', 'ipvs'] as const) {
      expect(preserved({ proxy })).toBe(0);
      expect(preserved({ proxy }, 'Local')).toBe(1);
    }
  });

  test('is kept by cilium hybrid for TCP alone, whose connections go as under dsr', () => {
    const hybrid = rehashed(cilium({ mode: 'hybrid' }));
    const dsr = rehashed(cilium({ mode: 'dsr' }));
    const snat = rehashed(cilium());
    const kept = (flows: readonly FlowVerdict[]) => flows.map(({ source }) => source?.preserved);
    expect(hybrid.tcp.map(({ fate }) => fate)).toEqual(dsr.tcp.map(({ fate }) => fate));
    expect(kept(hybrid.tcp)).toEqual(kept(dsr.tcp));
    expect(kept(hybrid.udp)).toEqual(kept(snat.udp));
    expect(kept(hybrid.udp)).toContain(false);
  });

  test("is the tunnel's address towards pods of other nodes, where an overlay carries them", () => {
    for (const overlay of ['ipip', 'vxlan'] as const) {
      const { flows } = rehashed({ overlay });
      const steps = flows.flatMap(({ source }) => source?.steps ?? []);
      const tunnelled = steps.filter(
        ({ mechanism }) => mechanism === `masquerade, into the ${overlay} tunnel`,
      );
      expect(tunnelled.length).toBeGreaterThan(0.5 * steps.length);
      expect(tunnelled.every(({ to }) => /^10\.244\.[1-4]\.0:\d+$/.test(to))).toBe(true);
    }
  });
});

describe('settings', () => {
  test.each([
    [{ proxy: 'cilium', overlay: 'ipip' }, /has no overlay ipip/],
    [{ proxy: 'cilium', overlay: 'vxlan', cilium: { ...DEFAULT_CILIUM, mode: 'dsr' } }, /native routing/],
    [
      { proxy: 'cilium', overlay: 'vxlan', cilium: { ...DEFAULT_CILIUM, mode: 'hybrid' } },
      /mode hybrid needs/,
    ],
    [{ proxy: 'calico-ebpf', calicoEbpf: { mode: 'tunnel', maglev: true } }, /needs mode dsr/],
  ] as const)('%j are refused with a sentence', (chosen, sentence) => {
    expect(refusePlane({ ...smallCluster().dataplane, ...chosen }, [])).toMatch(sentence);
  });

  test('are knobs of a comparison, whose rows say what is not verified and what cannot be', async () => {
    const variations = ['proxy=iptables,ipvs,cilium', 'overlay=none,ipip'].map(parseVariation);
    const { rows } = await compare(index, smallCluster(), variations, { seeds: 1, threads: 0 });
    const of = (text: string) =>
      rows.find(({ combination }) => combination.map(({ value }) => value).join() === text)!;
    expect(costOf(of('ipvs,none'))).toContain('data plane ipvs: modelled from documentation');
    expect(costOf(of('iptables,ipip'))).not.toContain('modelled from');
    expect(of('cilium,ipip').refused).toMatch(/has no overlay ipip/);
  });
});
