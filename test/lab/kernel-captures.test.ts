/**
 * Captures of a real kernel whose router's choices, clients' experience and nodes' translations were recorded: where
 * every flow went, segment by segment; who was reset; whose source address was kept.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { formatAddress, ipv4 } from '../../src/addr/address.js';
import { hostPrefix } from '../../src/addr/prefix.js';
import type { ClusterModel, TimelineEvent } from '../../src/cluster/model.js';
import { readCapture } from '../../src/flow/read-capture.js';
import { replay } from '../../src/verdict/replay.js';
import type { FlowVerdict } from '../../src/verdict/verdict.js';
import { hasShared, sharedPath } from '../support/shared.js';
import { smallCluster, VIP } from '../support/small-cluster.js';

interface Info {
  readonly spec: {
    readonly policy: number;
    readonly nodes: number;
    readonly pods?: number;
    readonly local?: boolean;
  };
  readonly hash_seed: number;
  readonly events: readonly {
    readonly members: number[];
    readonly t_before: number;
    readonly t_after: number;
  }[];
}

const CAPTURES = [
  ['k1', 'k1-ecmp3-steady.pcap.gz'],
  ['k2', 'k2-ecmp3-withdraw.pcap.gz'],
  ['k4', 'k4-kube-snat.pcap.gz'],
  ['k7', 'k7-kube-local.pcap'],
] as const;

const NEAR_S = 0.03;

function truth(name: string): Record<string, string>[] {
  const stored = readFileSync(sharedPath('captures', 'ours', 'truth', name));
  const text = (name.endsWith('.gz') ? gunzipSync(stored) : stored).toString();
  const [head, ...lines] = text.trimEnd().split('\n');
  const names = head!.split('\t').map((column) => column.replace(/\(.*$/, ''));
  return lines.map((line) => Object.fromEntries(line.split('\t').map((value, i) => [names[i]!, value])));
}

function modelOf(info: Info, baseS: number): ClusterModel {
  const nextHops = (members: readonly number[]) => members.map((n) => ({ node: n - 1, weight: 1 }));
  const [first, ...later] = info.events;
  const ports = [
    { name: null, proto: 6, port: 80, targetPort: 8080 },
    { name: null, proto: 17, port: 53, targetPort: 53 },
  ];
  const timeline = later.map(
    ({ members, t_before, t_after }): TimelineEvent => ({
      at: (t_before + t_after) / 2 - baseS,
      kind: 'route',
      prefix: hostPrefix(VIP),
      nextHops: nextHops(members),
    }),
  );
  return smallCluster({
    pods: [1, 1, 1],
    service: { vips: [VIP], ports, externalTrafficPolicy: info.spec.pods === 4 ? 'Cluster' : 'Local' },
    ecmp: { hash: info.spec.policy === 0 ? 'linux-l3' : 'linux-custom', fields: 0x37, seed: info.hash_seed },
    router: {
      routes: [{ prefix: hostPrefix(VIP), nextHops: nextHops(first!.members) }],
      bgp: { holdTimeS: 90, bfdS: null, gracefulRestartS: null, fibDelayS: 0 },
      addresses: [],
      ecmp: {
        ...smallCluster().router.ecmp,
        hash: info.spec.policy === 0 ? 'linux-l3' : 'linux-custom',
        fields: 0x37,
        seed: info.hash_seed,
      },
    },
    timeline,
  });
}

describe.skipIf(!hasShared)(
  'captures of a real kernel (skipped where they are not beside this checkout)',
  () => {
    describe.each(CAPTURES)('%s', (name, file) => {
      const info = hasShared
        ? (JSON.parse(
            readFileSync(sharedPath('captures', 'ours', 'truth', `${name}.info.json`), 'utf8'),
          ) as Info)
        : null;

      function verdicts(): { verdicts: Map<string, FlowVerdict>; changes: number[]; baseS: number } {
        const index = readCapture(sharedPath('captures', 'ours', file));
        const baseS = Number(index.summary.baseNs) / 1e9;
        const model = modelOf(info!, baseS);
        const result = replay(index, model);
        const byClient = new Map<string, FlowVerdict>();
        for (let row = 0; row < result.flowCount; row++) {
          const v = result.flowVerdict(row);
          byClient.set(`${v.proto} ${v.src} ${v.srcPort} ${v.dst} ${v.dstPort}`, v);
        }
        return { verdicts: byClient, changes: model.timeline.map(({ at }) => at), baseS };
      }

      test('every flow takes the next hops that it really took', () => {
        const { verdicts: byClient, changes } = verdicts();
        const wrong: string[] = [];
        let scored = 0;
        for (const row of truth(`${name}.nexthop.tsv.gz`)) {
          const key = `${row.proto === '6' ? 'tcp' : 'udp'} ${row.src} ${row.sport} ${row.dst} ${row.dport}`;
          const v = byClient.get(key);
          const real = row.segments!.split(';').map((segment) => segment.split(':')[0]);
          const near = v?.path.some(({ at }) => changes.some((t) => Math.abs(at - t) < NEAR_S));
          if (near === true) continue;
          scored++;
          const seen = v?.path.map(({ node }) => node).filter((node, i, all) => node !== all[i - 1]);
          if (seen?.join('>') !== real.join('>'))
            wrong.push(`${key}: ${seen?.join('>')}, really ${real.join('>')}`);
        }
        expect(wrong).toEqual([]);
        expect(scored).toBeGreaterThan(500);
      });

      test('who was reset by a server that did not know the connection is reset here, and nobody breaks unmoved', () => {
        const { verdicts: byClient } = verdicts();
        for (const row of truth(`${name}.clients.tsv.gz`)) {
          const v = byClient.get(`tcp ${row.src} ${row.sport} ${row.dst} ${row.dport}`);
          if (v === undefined) continue;
          if (row.outcome === 'reset') expect(['reset', 'timeout']).toContain(v.fate);
          if (v.path.length === 1) expect([row.sport, v.fate]).toEqual([row.sport, 'delivered']);
        }
      });

      if (name === 'k4' || name === 'k7') {
        test('the source address is kept or lost as the nodes’ translations say', () => {
          const { verdicts: byClient } = verdicts();
          let compared = 0;
          for (const row of truth(`${name}.translations.tsv`)) {
            const key = `${row.proto === '6' ? 'tcp' : 'udp'} ${row.client} ${row.cport} ${formatAddress(ipv4(0xcb00710a))} ${row.vport}`;
            const source = byClient.get(key)?.source;
            if (source === undefined) continue;
            compared++;
            expect([key, source?.preserved]).toEqual([key, row.source_ip_kept === 'yes']);
          }
          expect(compared).toBeGreaterThan(500);
        });
      }
    });
  },
);
