import { describe, expect, test } from 'vitest';
import { OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { MessageFramer } from '../../../../src/bgp/codec/message-framer.js';
import { readUpdate } from '../../../../src/bgp/codec/read-update.js';
import { UpdateView } from '../../../../src/bgp/codec/update-view.js';
import { FEEDER_ASN, madeUpTable } from '../../../../src/bgp/rib/made-up-table.js';
import { warmUp } from '../../../../src/live/router/warm-up.js';

/** Prefixes announced and withdrawn, and faults found. */
function count(stream: Uint8Array) {
  const context = { ...OFFLINE, peering: 'external' as const, peerAsn: FEEDER_ASN, enforceFirstAs: true };
  const update = new UpdateView();
  const found = { announced: 0, withdrawn: 0, faults: 0 };
  const fault = new MessageFramer().push(stream, (_type, bytes, view, at, end) => {
    readUpdate(bytes, view, at, end, context, update);
    found.announced += update.nlriCount + update.reach.count;
    found.withdrawn += update.withdrawnCount + update.unreach.count;
    found.faults += update.faults.length;
    return true;
  });
  return { ...found, fault };
}

describe('the made-up table', () => {
  test('is valid UPDATEs, and its withdrawal takes back as much as it announces', () => {
    const announced = count(madeUpTable('announce'));
    const withdrawn = count(madeUpTable('withdraw'));
    expect(announced).toEqual({ announced: 12_000, withdrawn: 0, faults: 0, fault: null });
    expect(withdrawn).toEqual({ announced: 0, withdrawn: 12_000, faults: 0, fault: null });
  });

  test('goes through a router of its own without a word', () => {
    expect(warmUp()).toBeUndefined();
  });
});
