/** IPv6 ADDRESS SPECIFIC EXTENDED COMMUNITIES: RFC 5701, 20 octets each; malformed: RFC 7606 section 7.15. */
import { toHex } from '../codec/hex.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { bytesOf } from './014-mp-reach-nlri.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';

const EACH = 20;

export const IPV6_EXTENDED_COMMUNITIES: AttributeDescriptor<readonly Uint8Array[]> = {
  code: 25,
  name: 'IPV6_EXTENDED_COMMUNITIES',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  check: (_view, at, end) => (end > at && (end - at) % EACH === 0 ? 0 : UPDATE_ERROR.attributeLength),
  decode(view, at, end) {
    const communities: Uint8Array[] = [];
    for (; at < end; at += EACH) communities.push(bytesOf(view).slice(at, at + EACH));
    return communities;
  },
  encode(communities, out) {
    for (const community of communities) out.octets(community);
  },
  toJson: (communities) => communities.map((c) => `0x${toHex(c)}`),
};
