/** What explains: which event is to blame, what an ICMP error means, and that every reason has its sentence. */
import { describe, expect, test } from 'vitest';
import { type Blame, blame, EventLog, type Grief } from '../../../src/outcome/blame.js';
import type { ReplayOutcome } from '../../../src/outcome/outcome.js';
import { Asks, FateCode, VerdictTracker } from '../../../src/outcome/verdict-tracker.js';
import { HopKind, hopCode, Outcome, REASON_NAMES, ReasonCode } from '../../../src/state/disposition.js';
import { causalChain } from '../../../src/verdict/causal-chain.js';
import { smallCluster } from '../../support/small-cluster.js';

const POD = hopCode(HopKind.endpoint, 0);
const CALM: Grief = { reason: 0, hop: POD, node: 0, home: 0, expired: false, rebooted: false, movedBy: -1 };

function blamed(grief: Partial<Grief>): [string, number] {
  const log = new EventLog(2);
  log.node[0] = 3;
  log.pod[0] = 4;
  log.emptied[0] = 5;
  const out: Blame = { reason: 0, event: -1, hop: 0 };
  blame({ ...CALM, ...grief }, log, out);
  return [REASON_NAMES[out.reason]!, out.event];
}

describe('blame()', () => {
  const gone = ReasonCode['endpoint-gone'];
  test.each([
    ['the node has booted since', { reason: gone, rebooted: true }, ['node-down', 3]],
    ['the entry had expired', { reason: gone, expired: true }, ['entry-expired', -1]],
    ['the endpoint is gone', { reason: gone }, ['endpoint-gone', 4]],
    ['the router moved the flow', { reason: gone, home: 1, movedBy: 6 }, ['ecmp-rehash', 6]],
    [
      'the router moved the flow to a node without an endpoint',
      { reason: ReasonCode['no-local-endpoint'], home: 1, movedBy: 6 },
      ['no-local-endpoint', 6],
    ],
    [
      'the node lost its last endpoint',
      { reason: ReasonCode['no-local-endpoint'] },
      ['no-local-endpoint', 5],
    ],
  ] as const)('where %s', (_, grief, expected) => {
    expect(blamed(grief)).toEqual(expected);
  });
});

test('an ICMP error ends an attempt to connect, and no established connection (RFC 1122 4.2.3.9)', () => {
  const tracker = new VerdictTracker(2);
  const unreachable = (f: number, asks: number): void =>
    tracker.packet(f, asks, Outcome.unreachable, ReasonCode['no-route'], -1, 0, 2);
  tracker.packet(0, Asks.connection, Outcome.answered, 0, -1, 0, 1);
  unreachable(0, Asks.answer);
  unreachable(1, Asks.connection);
  expect([tracker.fate[0], tracker.ending(0)?.unanswered]).toEqual([FateCode.none, Asks.answer]);
  expect(tracker.fate[1]).toBe(FateCode.refused);
});

test.each(REASON_NAMES.filter((name) => name !== 'none'))('%s has a sentence in the chain', (name) => {
  const fate = name === 'endpoint-stopped' ? FateCode.endpointClosed : FateCode.timeout;
  const ending = { fate, atS: 1, reason: ReasonCode[name], event: -1, hop: POD, unanswered: Asks.answer };
  const outcome = {
    tracker: { ending: () => ending, midway: [0] },
    paths: { steps: () => [] },
    denial: () => null,
    isViaEdge: () => false,
  } as unknown as ReplayOutcome;
  const chain = causalChain(outcome, smallCluster({}), 0);
  expect(chain.length).toBeGreaterThan(0);
  for (const sentence of chain) expect(sentence).toMatch(/[a-zA-Z)]\.$/);
  for (const sentence of chain) expect(sentence).not.toMatch(/^At [0-9.]+ s \.$/);
});
