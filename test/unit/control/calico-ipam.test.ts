import { describe, expect, test } from 'vitest';
import { CalicoIpam } from '../../../src/control/calico-ipam.js';

function node(ipam: CalicoIpam, pods: number): void {
  ipam.startTunnel('n1');
  for (let pod = 0; pod < pods; pod++) ipam.startPod('n1', `p${pod}`);
}

describe('Calico IPAM', () => {
  test('gives a node one tunnel address, and a second block when the first one is full', () => {
    const ipam = new CalicoIpam({ blockSize: 26, blocks: 8 });
    node(ipam, 63);
    expect([ipam.blocksOf('n1'), ipam.tunnelOf('n1')]).toEqual([1, 0]);
    expect(ipam.startPod('n1', 'one-more')).toBe(64);
    expect(ipam.blocksOf('n1')).toBe(2);
    expect(ipam.startTunnel('n1')).toBe(0);
  });

  test('keeps one block for 255 pods where blocks are /24', () => {
    const ipam = new CalicoIpam({ blockSize: 24, blocks: 2 });
    node(ipam, 255);
    expect(ipam.blocksOf('n1')).toBe(1);
  });

  test('hands out what was given back last of all', () => {
    const ipam = new CalicoIpam({ blockSize: 30, blocks: 1 });
    expect([ipam.startPod('n1', 'a'), ipam.startPod('n1', 'b')]).toEqual([0, 1]);
    ipam.stopPod('a');
    expect(['c', 'd', 'e', 'f'].map((pod) => ipam.startPod('n1', pod))).toEqual([2, 3, 0, null]);
  });

  test('borrows from another node where no block is left', () => {
    const ipam = new CalicoIpam({ blockSize: 30, blocks: 1 });
    ipam.startPod('n1', 'a');
    expect(ipam.startPod('n2', 'b')).toBe(1);
    expect(ipam.blocksOf('n2')).toBe(0);
  });

  test('gives a tunnel’s address to a pod when cleanup comes after the node is back', () => {
    const ipam = new CalicoIpam({ blockSize: 26, blocks: 8 });
    node(ipam, 40);
    for (let pod = 0; pod < 40; pod++) ipam.stopPod(`p${pod}`);
    ipam.stopTunnel('n1');
    expect(ipam.startTunnel('n1')).toBe(0);
    ipam.collectTunnel('n1');
    expect(ipam.tunnelOf('n1')).toBe(0);
    const pods = Array.from({ length: 64 }, (_, i) => `again${i}`);
    for (const pod of pods) ipam.startPod('n1', pod);
    expect(pods.filter((pod) => ipam.collides(pod))).toHaveLength(1);
  });

  test('collides with nothing where cleanup comes before the node is back', () => {
    const ipam = new CalicoIpam({ blockSize: 26, blocks: 8 });
    node(ipam, 40);
    ipam.stopTunnel('n1');
    ipam.collectTunnel('n1');
    ipam.startTunnel('n1');
    const pods = Array.from({ length: 100 }, (_, i) => `again${i}`);
    for (const pod of pods) ipam.startPod('n1', pod);
    expect(pods.some((pod) => ipam.collides(pod))).toBe(false);
  });

  test('refuses a block size that Calico refuses', () => {
    expect(() => new CalicoIpam({ blockSize: 19, blocks: 1 })).toThrow('expected a block size from 20 to 32');
  });
});
