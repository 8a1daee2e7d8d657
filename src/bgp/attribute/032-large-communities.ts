/** LARGE_COMMUNITY: RFC 8092, three 32-bit numbers each; malformed: section 6. */
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';

export type LargeCommunity = readonly [globalAdministrator: number, local1: number, local2: number];

export const LARGE_COMMUNITIES: AttributeDescriptor<readonly LargeCommunity[]> = {
  code: 32,
  name: 'LARGE_COMMUNITIES',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  check: (_view, at, end) => (end > at && (end - at) % 12 === 0 ? 0 : UPDATE_ERROR.attributeLength),
  decode(view, at, end) {
    const communities: LargeCommunity[] = [];
    for (; at < end; at += 12) {
      communities.push([view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8)]);
    }
    return communities;
  },
  encode(communities, out) {
    for (const community of communities) for (const part of community) out.u32(part);
  },
  toJson: (communities) => communities.map(formatLargeCommunity),
};

function formatLargeCommunity(community: LargeCommunity): string {
  return community.join(':');
}

/** The inverse of {@link formatLargeCommunity}; `null` for other text. */
export function parseLargeCommunity(text: string): LargeCommunity | null {
  if (!/^\d{1,10}:\d{1,10}:\d{1,10}$/.test(text)) return null;
  const [a, b, c] = text.split(':').map(Number) as [number, number, number];
  return Math.max(a, b, c) > 0xffffffff ? null : [a, b, c];
}
