import { describe, expect, test } from 'vitest';
import { formatAddress, ipv4 } from '../../../src/addr/address.js';
import { loadScenario } from '../../../src/cluster/scenario/load-scenario.js';
import { printScenario } from '../../../src/cluster/scenario/print-scenario.js';
import { ClusterState } from '../../../src/state/cluster-state.js';
import { placeNewPod } from '../../../src/timeline/place-pod.js';
import { smallCluster } from '../../support/small-cluster.js';

describe('placeNewPod()', () => {
  test('goes to the node with the fewest pods, and past one whose block is full', () => {
    const model = smallCluster({ pods: [0, 0] });
    const small = { address: ipv4(0x0af40100), length: 30 };
    const nodes = model.nodes.map((node, row) => (row === 0 ? { ...node, podCidrs: [small] } : node));
    const uneven = { ...model, nodes };
    const cluster = new ClusterState(uneven);
    const placed = Array.from({ length: 6 }, () => {
      const pod = placeNewPod(uneven, cluster, 0);
      cluster.addPod(0, pod);
      return `${nodes[pod.node]!.name} ${pod.addresses.map(formatAddress).join()}`;
    });
    // .0 and .1 of the first block are the tunnel's and the bridge's
    expect(placed).toEqual([
      'n1 10.244.1.2',
      'n2 10.244.2.10',
      'n1 10.244.1.3',
      'n2 10.244.2.11',
      'n2 10.244.2.12',
      'n2 10.244.2.13',
    ]);
  });

  test('takes what Calico’s block counts as free in its order, a tunnel’s own address included', () => {
    const items = [
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: 'n1', annotations: { 'projectcalico.org/IPv4IPIPTunnelAddr': '10.244.1.3' } },
        status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] },
      },
      {
        apiVersion: 'crd.projectcalico.org/v1',
        kind: 'IPAMBlock',
        metadata: { name: '10-244-1-0-29' },
        // the tunnel's handle was released while the node went on with the address
        spec: {
          cidr: '10.244.1.0/29',
          affinity: 'host:n1',
          allocations: [0, null, null, null, null, null, null, null],
          attributes: [{ handle_id: 'k8s-pod-network.a' }],
          unallocated: [5, 3, 1],
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'default' },
        spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
        status: { loadBalancer: { ingress: [{ ip: '203.0.113.10' }] } },
      },
    ];
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    const { model } = loadScenario([{ name: 'dump.json', text }]);
    expect(model.nodes[0]!.freeAddresses!.map(formatAddress)).toEqual([
      '10.244.1.5',
      '10.244.1.3',
      '10.244.1.1',
    ]);
    const again = loadScenario([{ name: 'p.yaml', text: printScenario(model) }]).model;
    expect(again.nodes).toEqual(model.nodes);
    const cluster = new ClusterState(model);
    const pods = Array.from({ length: 3 }, () => cluster.addPod(0, placeNewPod(model, cluster, 0)));
    expect(pods.map(({ addresses }) => addresses.map(formatAddress).join())).toEqual([
      '10.244.1.5',
      '10.244.1.3',
      '10.244.1.1',
    ]);
    // the node's kernel answers for the second one
    expect(pods.map(({ shadowed }) => shadowed)).toEqual([[], [4], []]);
    expect(placeNewPod(model, cluster, 0).addresses).toEqual([]);
  });
});
