import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../../src/addr/address.js';
import { createFlowHash, type FlowHashName } from '../../../src/hash/flow-hash.js';
import { linuxPacketHash } from '../../../src/hash/linux-dissect.js';
import { HashThresholdGroup } from '../../../src/route/hash-threshold.js';
import { hasShared, sharedPath } from '../../support/shared.js';

interface Vector {
  readonly policy: number;
  readonly fields: number;
  readonly seed: number;
  readonly weights: number[];
  readonly frame: string;
  readonly hash31: number;
  readonly nexthop: number;
  readonly pkt: {
    readonly k: string;
    readonly fam: 4 | 6;
    readonly src: string;
    readonly dst: string;
    readonly sport: number;
    readonly dport: number;
    readonly label: number;
    readonly proto: number;
  };
}

const POLICIES: readonly FlowHashName[] = ['linux-l3', 'linux-l4', 'linux-inner', 'linux-custom'];
const OWN = new URL('../../golden/ecmp-vectors/vectors.json', import.meta.url);

function vectors(file: string | URL): Vector[] {
  return JSON.parse(readFileSync(file, 'utf8')) as Vector[];
}

/** Frames whose hash or next hop differs from the kernel's. */
function wrong(list: readonly Vector[]): string[] {
  return list.flatMap(({ policy, fields, seed, weights, frame, hash31, nexthop, pkt }) => {
    const bytes = Buffer.from(frame, 'hex');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const hash = linuxPacketHash({ hash: POLICIES[policy]!, seed, fields }, view, 14, bytes.length);
    const group = new HashThresholdGroup(
      31,
      weights.map((weight, id) => ({ id, weight })),
    );
    return hash === hash31 && group.peek(hash) === nexthop
      ? []
      : [`${pkt.k} policy ${policy} fields ${fields}`];
  });
}

describe('the hash of a packet from its bytes, and the next hop', () => {
  test('are those that a kernel chose, for the vectors kept here', () => {
    const list = vectors(OWN);
    expect(list.length).toBeGreaterThan(250);
    expect(wrong(list)).toEqual([]);
  });

  test.skipIf(!hasShared)('are those that a kernel chose, 792 of 792 (needs the shared recordings)', () => {
    const list = vectors(sharedPath('lab', 'ecmp-vectors.json'));
    expect(list.length).toBe(792);
    expect(wrong(list)).toEqual([]);
  });
});

test('the hash of a tuple is that of the packet, wherever the packet has no tunnel, fragment or extension header', () => {
  const plain = vectors(OWN).filter(({ pkt }) => ['tcp', 'udp', 'sctp'].includes(pkt.k));
  expect(plain.length).toBeGreaterThan(60);
  for (const { policy, fields, seed, hash31, pkt } of plain) {
    const [a, b] = [parseAddress(pkt.src)!, parseAddress(pkt.dst)!];
    const words = Uint32Array.of(a.w0, a.w1, a.w2, a.w3, b.w0, b.w1, b.w2, b.w3);
    const hash = createFlowHash({ hash: POLICIES[policy]!, seed, fields });
    const { fam, proto, sport, dport, label } = pkt;
    expect(hash.hashTuple(fam, words, 0, 4, proto, sport, dport, label)).toBe(hash31);
  }
});

test('the hash does not change when addresses or ports change sides, each pair on its own', () => {
  const hash = createFlowHash({ hash: 'linux-l4', seed: 99, fields: 7 });
  const words = Uint32Array.of(0x0a000001, 0, 0, 0, 0xcb00710a, 0, 0, 0);
  const one = hash.hashTuple(4, words, 0, 4, 6, 50000, 80, 0);
  expect(hash.hashTuple(4, words, 4, 0, 6, 80, 50000, 0)).toBe(one);
  expect(hash.hashTuple(4, words, 0, 4, 6, 80, 50000, 0)).toBe(one);
});

test('a cut or foreign packet has no hash or the hash of what was captured, and never throws', () => {
  const frame = Buffer.from(vectors(OWN)[0]!.frame, 'hex');
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  for (const hash of POLICIES) {
    for (let end = 14; end <= frame.length; end++) {
      const h = linuxPacketHash({ hash, seed: 1, fields: 0xfff }, view, 14, end);
      expect(end < 34 ? h === -1 : h >= 0).toBe(true);
    }
  }
});
