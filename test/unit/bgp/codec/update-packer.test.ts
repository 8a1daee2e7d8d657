/** UPDATEs at the edge of what a message holds. */
import { expect, test } from 'vitest';
import { IPV4_UNICAST } from '../../../../src/bgp/codec/address-family.js';
import { OFFLINE } from '../../../../src/bgp/codec/codec-context.js';
import { UpdatePacker } from '../../../../src/bgp/codec/update-packer.js';

test('an UPDATE of exactly 4,096 octets goes out, whatever a longer prefix would take', () => {
  const sent: Uint8Array[] = [];
  const packer = new UpdatePacker({ ...OFFLINE, extendedMessages: false }, (messages) => {
    sent.push(messages.slice());
  });
  // header, two lengths, and a prefix of 24 bits
  const attributes = new Uint8Array(4096 - 19 - 4 - 4);
  expect(packer.announce(IPV4_UNICAST, attributes, null)).toBe(false);
  expect(packer.announce(IPV4_UNICAST, attributes, null, 24)).toBe(true);
  packer.add(0xcb007100, 0, 0, 0, 24, 0);
  packer.flush();
  expect(sent.map(({ length }) => length)).toEqual([4096]);
  expect(packer.announce(IPV4_UNICAST, attributes, null, 25)).toBe(false);
});
