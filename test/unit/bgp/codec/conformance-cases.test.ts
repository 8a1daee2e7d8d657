/**
 * The UPDATE and OPEN cases of the conformance collection, held against the codec: outcome, and code and
 * subcode where a NOTIFICATION is due. What only a session or a RIB can decide is left to their tests.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { OUTCOME } from '../../../../src/bgp/attribute/descriptor.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { type CodecContext, OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { fromHex } from '../../../../src/bgp/codec/hex.js';
import type { MessageFault } from '../../../../src/bgp/codec/message.js';
import { MessageFramer } from '../../../../src/bgp/codec/message-framer.js';
import { checkOpen, decodeOpen } from '../../../../src/bgp/codec/open-message.js';
import { readUpdate } from '../../../../src/bgp/codec/read-update.js';
import { UpdateView } from '../../../../src/bgp/codec/update-view.js';
import { hasShared, sharedPath } from '../../../support/shared.js';

interface Case {
  readonly name: string;
  readonly kind: 'update' | 'session';
  readonly mode: 'ebgp' | 'ibgp';
  readonly hex: string;
  readonly expect: string;
  readonly notif: string | null;
  readonly alt: readonly string[];
  readonly attr: number | null;
  readonly steps: readonly string[];
}

const cases: readonly Case[] = hasShared
  ? JSON.parse(readFileSync(sharedPath('bgp', 'cases', 'cases.json'), 'utf8'))
  : [];

const EXTERNAL: CodecContext = {
  ...OFFLINE,
  extendedMessages: false,
  families: new Set([IPV4_UNICAST, IPV6_UNICAST]),
  peering: 'external',
  peerAsn: 64601,
  enforceFirstAs: true,
  aigp: false,
};
const INTERNAL: CodecContext = { ...EXTERNAL, peering: 'internal', peerAsn: 65000, aigp: true };

describe.skipIf(!hasShared)('conformance cases (skipped where the shared collection is absent)', () => {
  const updates = cases.filter((c) => c.kind === 'update');
  test.each(updates.map((c) => [c.name, c] as const))('%s comes out as its RFC says', (_, c) => {
    const got = updateVerdict(c);
    const allowed = [c.expect, ...c.alt];
    if (allowed.includes('noadv')) allowed.push('accept');
    if (allowed.includes('ignore')) allowed.push('withdraw');
    expect(allowed).toContain(got.outcome);
    if (got.outcome === 'reset' && c.expect === 'reset' && c.notif !== null)
      expect(got.notification).toBe(c.notif);
  });

  const opens = cases.filter(
    (c) =>
      c.kind === 'session' &&
      c.steps[0]?.startsWith('RAW:') &&
      /^(open|hdr|update-len|notif|rr-len)/.test(c.name),
  );
  test.each(opens.map((c) => [c.name, c] as const))('%s is accepted or refused as its RFC says', (_, c) => {
    const fault = streamFault(c);
    if (c.name === 'notification-len-20') expect(fault).toMatchObject({ messageType: 3 });
    else if (c.name === 'open-bad-as') expect(fault).toBeNull();
    else if (c.expect === 'reset') expect(`${fault?.code}/${fault?.subcode}`).toBe(c.notif);
    else expect(fault).toBeNull();
  });
});

function updateVerdict(c: Case): { outcome: string; notification?: string } {
  const bytes = fromHex(c.hex)!;
  const view = new DataView(bytes.buffer);
  const update = new UpdateView();
  let framed = 0;
  new MessageFramer().push(bytes, (_type, b, _v, at, end) => {
    framed++;
    readUpdate(
      b,
      new DataView(b.buffer, b.byteOffset),
      at,
      end,
      c.mode === 'ibgp' ? INTERNAL : EXTERNAL,
      update,
    );
    return true;
  });
  expect(framed).toBe(1);
  expect(view.byteLength).toBe(bytes.length);
  if (update.outcome === OUTCOME.sessionReset) {
    const { code, subcode } = update.resetFault!;
    return { outcome: 'reset', notification: `${code}/${subcode}` };
  }
  if (update.outcome === OUTCOME.treatAsWithdraw) return { outcome: 'withdraw' };
  const announces = update.nlriCount + Math.abs(update.reach.present ? update.reach.count : 0);
  const withdraws = update.withdrawnCount + (update.unreach.present ? update.unreach.count : 0);
  if (announces === 0) return { outcome: withdraws > 0 ? 'withdraw' : 'unchanged' };
  const isDiscarded =
    update.faults.some((f) => f.outcome === OUTCOME.attributeDiscard) ||
    (c.attr !== null && c.attr !== 14 && update.keptRow(c.attr) < 0);
  return { outcome: isDiscarded ? 'discard' : 'accept' };
}

function streamFault(c: Case): MessageFault | null {
  const framer = new MessageFramer();
  let refused: MessageFault | null = null;
  for (const step of c.steps.filter((s) => s.startsWith('RAW:'))) {
    const fault = framer.push(fromHex(step.slice(4))!, (type, _bytes, view, at, end) => {
      if (type !== 1) return true;
      const open = decodeOpen(view, at, end);
      refused = open.fault ?? checkOpen(open.value!);
      return refused === null;
    });
    if (refused !== null) return refused;
    if (fault !== null) return fault;
  }
  return null;
}
