import { expect, test } from 'vitest';
import { type Address, ipv4 } from '../../../src/addr/address.js';
import { DoorKind, isMarked, listFor, Origin, ServiceDoors } from '../../../src/state/service-doors.js';
import { nodeAddress, podAddress, smallCluster, VIP } from '../../support/small-cluster.js';

const CLUSTER = ipv4(0x0a600014);
const words = ({ w0, w1, w2, w3 }: Address) => Uint32Array.of(w0, w1, w2, w3);
const range = { address: ipv4(0xc6336400), length: 24 };

function doors(): ServiceDoors {
  const { services, nodes } = smallCluster({
    service: {
      clusterAddresses: [CLUSTER],
      sourceRanges: [range],
      ports: [{ name: null, proto: 6, port: 80, targetPort: 8080, nodePort: 30080 }],
    },
  });
  return new ServiceDoors(services, nodes);
}

test('an address of a service is one of its ways in with any port, a node’s only with a node port', () => {
  const find = (address: Address, port: number) => doors().find(4, words(address), 0, 6, port);
  expect(find(VIP, 80)).toMatchObject({ kind: DoorKind.balancer, port: 0, node: -1 });
  expect(find(VIP, 81)).toMatchObject({ kind: DoorKind.balancer, port: -1 });
  expect(find(CLUSTER, 80)).toMatchObject({ kind: DoorKind.cluster, port: 0 });
  expect(find(nodeAddress(2), 30080)).toMatchObject({ kind: DoorKind.nodePort, port: 0, node: 1 });
  expect(find(nodeAddress(2), 30900)).toBeNull();
});

test('a sender is a node by its address, a pod by its range, and else stands outside', () => {
  const sender = (address: Address) => doors().senderOf(4, words(address), 0);
  expect(sender(nodeAddress(3))).toEqual({ origin: Origin.node, node: 2 });
  expect(sender(podAddress(1, 200))).toEqual({ origin: Origin.pod, node: 0 });
  expect(sender(ipv4(0xc6336401))).toEqual({ origin: Origin.outside, node: -1 });
});

test('source ranges guard the load balancer’s addresses only', () => {
  const admits = (kind: DoorKind, client: Address) => doors().admits({ kind, service: 0 }, client);
  const stranger = ipv4(0xc0000201);
  expect(admits(DoorKind.balancer, ipv4(0xc6336401))).toBe(true);
  expect(admits(DoorKind.balancer, stranger)).toBe(false);
  for (const kind of [DoorKind.nodePort, DoorKind.external, DoorKind.cluster]) {
    expect(admits(kind, stranger)).toBe(true);
  }
});

test('under policy Local pods and nodes take the whole cluster’s list, and the node alone is masqueraded', () => {
  const local = { externalTrafficPolicy: 'Local' } as const;
  expect(listFor(local, DoorKind.balancer, Origin.outside)).toBe('Local');
  expect(listFor(local, DoorKind.balancer, Origin.pod)).toBe('Cluster');
  expect(listFor(local, DoorKind.balancer, Origin.node)).toBe('Cluster');
  expect(isMarked(local, DoorKind.balancer, Origin.outside)).toBe(false);
  expect(isMarked(local, DoorKind.balancer, Origin.pod)).toBe(false);
  expect(isMarked(local, DoorKind.balancer, Origin.node)).toBe(true);
  expect(isMarked({ externalTrafficPolicy: 'Cluster' }, DoorKind.cluster, Origin.pod)).toBe(false);
});
