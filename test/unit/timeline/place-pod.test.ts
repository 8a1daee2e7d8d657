import { describe, expect, test } from 'vitest';
import { formatAddress, ipv4 } from '../../../src/addr/address.js';
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
});
