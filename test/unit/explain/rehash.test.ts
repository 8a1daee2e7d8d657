/** A re-hash is found with positive evidence only, and not where something speaks against it. */
import { describe, expect, test } from 'vitest';
import { type ExplainOptions, Explanation } from '../../../src/explain/explain.js';
import type { Diagnosis } from '../../../src/explain/finding.js';
import { chanceOf, moveKey, type RouteEvidence } from '../../../src/explain/route-evidence.js';
import { createFlowHash, DEFAULT_FIELDS } from '../../../src/hash/flow-hash.js';
import { type Conversation, closed, healthy, readConversations } from '../../support/conversation.js';

const SERVER = '203.0.113.10';
const END: Conversation = {
  server: '203.0.113.99',
  clientPort: 50000,
  script: `${healthy(1)}\n${closed(6)}`,
};
const many = (n: number, one: (i: number) => Conversation): Conversation[] =>
  Array.from({ length: n }, (_, i) => one(i));
const reset = (i: number): Conversation => ({
  clientPort: 40000 + i,
  script: `${healthy(3)}\n${1 + i * 0.1} c data 80\n${1.0005 + i * 0.1} s RST`,
});
const lives = (i: number): Conversation => ({ clientPort: 42000 + i, script: healthy(30) });
const CAPTURE = [...many(4, reset), ...many(10, lives), END];

function diagnoses(
  conversations: readonly Conversation[],
  routes: RouteEvidence | null,
): Map<number, Diagnosis> {
  const options: ExplainOptions = { routes };
  const explanation = new Explanation(readConversations(conversations), options);
  return new Map(
    [...explanation.rows].map((row) => {
      const diagnosis = explanation.diagnosisOf(row);
      return [explanation.connectionAt(row).clientPort, diagnosis];
    }),
  );
}

/** Moves of these client ports at `atS`; `stayed` are known not to have moved. */
function predicted(moved: readonly number[], stayed: readonly number[], atS = 0.95): RouteEvidence {
  return {
    source: 'the scenario',
    changes: [],
    movesOf: (key) => {
      const port = Number(key.split(' ')[1]);
      if (moved.includes(port)) return [{ atNs: atS * 1e9, from: 'n2', to: 'n3' }];
      return stayed.includes(port) ? [] : null;
    },
  };
}

const ports = (from: number, n: number): number[] => Array.from({ length: n }, (_, i) => from + i);
const HIT = ports(40000, 4);
const OTHERS = ports(42000, 10);

describe('rehash', () => {
  test('is never found without evidence, and stays an alternative', () => {
    const found = diagnoses(CAPTURE, null);
    for (const { finding } of found.values()) expect(finding).not.toBe('rehash');
    expect(found.get(40000)).toMatchObject({
      finding: 'unknown-connection',
      alternatives: ['rehash', 'endpoint-died'],
    });
  });

  test('is certain where just the connections that moved broke', () => {
    const found = diagnoses(CAPTURE, predicted(HIT, OTHERS));
    for (const port of HIT)
      expect(found.get(port)).toMatchObject({ finding: 'rehash', confidence: 'certain' });
    expect(found.get(40000)!.evidence.join()).toMatch(
      /to n2 before and to n3 from 0\.950 s on.*of 4 connections that moved 4 broke, of 10 that stayed 0: by chance with probability 1e-3/,
    );
  });

  test('is not found where those that moved broke no more often than chance has it', () => {
    const routes = predicted([40000, ...OTHERS.slice(0, 5)], [40001, 40002, 40003, ...OTHERS.slice(5)]);
    expect(diagnoses(CAPTURE, routes).get(40000)!.finding).toBe('unknown-connection');
  });

  test('is not found where the connection broke before it moved', () => {
    expect(diagnoses(CAPTURE, predicted(HIT, OTHERS, 1.06)).get(40000)!.finding).toBe('unknown-connection');
    expect(diagnoses(CAPTURE, predicted(HIT, OTHERS, 1.04)).get(40000)!.finding).toBe('rehash');
  });

  test('is not found where the server had closed before', () => {
    const before = (i: number): Conversation => ({
      clientPort: 40000 + i,
      script: `${healthy(3)}\n0.5 s FIN\n0.54 c ack\n${1 + i * 0.3} c data 80\n${1.0005 + i * 0.3} s RST`,
    });
    const found = diagnoses([...many(4, before), ...many(10, lives), END], predicted(HIT, OTHERS));
    expect(found.get(40000)!.finding).toBe('late-use');
  });

  test('is not found where the reset came from nearer than any endpoint', () => {
    const nearer = (i: number): Conversation => {
      const { script, clientPort } = reset(i);
      return { clientPort: clientPort!, script: `${script} ttl=64` };
    };
    const found = diagnoses([...many(4, nearer), ...many(10, lives), END], predicted(HIT, OTHERS));
    expect(found.get(40000)!.finding).toBe('middlebox');
  });

  test('is likely up to five seconds after a change of the route, where no single move is known', () => {
    const change = (atS: number, server = SERVER): RouteEvidence => ({
      source: 'BGP in the capture',
      movesOf: () => null,
      changes: [
        { atNs: atS * 1e9, detail: `10.0.0.2 withdrew ${server}/32`, covers: (one) => one === server },
      ],
    });
    const of = (routes: RouteEvidence): string => diagnoses(CAPTURE, routes).get(40000)!.finding;
    expect(of(change(0.9))).toBe('rehash');
    expect(of(change(-3.9))).toBe('rehash');
    expect(of(change(-4.1))).toBe('unknown-connection');
    expect(of(change(1.2))).toBe('unknown-connection');
    expect(of(change(0.9, '203.0.113.11'))).toBe('unknown-connection');
  });

  test('is likely where the next hop changed in the capture, and not for everybody', () => {
    const moved = (i: number): Conversation => ({
      clientPort: 40000 + i,
      script: `${healthy(3)}\n1 c data 80 mac=9\n1.0005 s RST`,
    });
    expect(diagnoses([...many(4, moved), ...many(10, lives), END], null).get(40000)).toMatchObject({
      finding: 'rehash',
      confidence: 'likely',
    });
    // two could be chance; and where everybody got another gateway, the gateway is not why some broke
    const two = diagnoses([...many(2, moved), ...many(60, lives), END], null);
    expect(two.get(40000)!.finding).toBe('unknown-connection');
    const gateway = (i: number): Conversation => ({
      clientPort: 42000 + i,
      script: `${healthy(3)}\n1 c data 80 mac=9\n1.001 s ack`,
    });
    const all = diagnoses([...many(4, moved), ...many(30, gateway)], null);
    expect(all.get(40000)!.finding).toBe('unknown-connection');
  });
});

describe('a hash over next hops that explains who broke', () => {
  const hash = createFlowHash({ hash: 'crc32c', seed: 0, fields: DEFAULT_FIELDS });
  const words = new Uint32Array([0xc6336407, 0, 0, 0, 0xcb00710a, 0, 0, 0]);
  const hopOf = (port: number, hops: number): number => hash.hashTuple(4, words, 0, 4, 6, port, 80, 0) % hops;
  const PORTS = ports(40000, 80);
  /** resets where `isHit` says so; the rest lives on */
  const capture = (isHit: (port: number) => boolean): Conversation[] => [
    ...PORTS.map((clientPort) => ({
      clientPort,
      script: isHit(clientPort) ? `${healthy(3)}\n0.9 c data 80\n0.9005 s RST` : healthy(30),
    })),
    END,
  ];
  const found = (isHit: (port: number) => boolean): Set<string> => {
    const all = diagnoses(capture(isHit), null);
    return new Set(PORTS.filter(isHit).map((port) => all.get(port)!.finding));
  };

  test('is evidence: the share of one of four next hops broke, and nobody else', () => {
    const lost = (port: number): boolean => hopOf(port, 4) === 2;
    const all = diagnoses(capture(lost), null);
    for (const port of PORTS.filter(lost)) {
      expect(all.get(port)).toMatchObject({ finding: 'rehash', confidence: 'likely' });
      expect(all.get(port)!.evidence.join()).toMatch(
        /crc32c \(seed 0\), modulo over 4 next hops, number 3 gone/,
      );
    }
  });

  test('is none where ports by parity broke, or just any', () => {
    expect(found((port) => port % 2 === 0)).toEqual(new Set(['unknown-connection']));
    expect(found((port) => Math.imul(port, 0x9e3779b1) >>> 30 === 1)).toEqual(
      new Set(['unknown-connection']),
    );
  });

  test('is none with fewer than ten hits', () => {
    const few = PORTS.filter((port) => hopOf(port, 4) === 2).slice(0, 9);
    expect(found((port) => few.includes(port))).toEqual(new Set(['unknown-connection']));
  });
});

describe('chanceOf()', () => {
  test('is the upper tail of the hypergeometric distribution', () => {
    // 4 of 4 hits among the 4 that moved, of 14: 1 / C(14, 4)
    expect(chanceOf(4, 4, 4, 14)).toBeCloseTo(1 / 1001, 12);
    expect(chanceOf(0, 4, 4, 14)).toBe(1);
    expect(chanceOf(1, 1, 5, 10)).toBeCloseTo(0.5, 12);
  });
});

test('moveKey() names a five-tuple once', () => {
  expect(moveKey('a', 1, 'b', 2)).toBe('a 1 b 2');
});
