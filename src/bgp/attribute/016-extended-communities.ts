/**
 * EXTENDED COMMUNITIES: RFC 4360, RFC 5668 (four-octet AS); malformed: RFC 7606 section 7.14.
 *
 * ```
 *   | type 1 | sub-type 1 | value 6 |      bit 0x40 of the type: not transitive across ASes
 * ```
 */
import { formatIpv4 } from '../../addr/address.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';

export interface ExtendedCommunity {
  /** type, sub-type and the first two octets of the value */
  readonly hi: number;
  readonly lo: number;
}

export const EXTENDED_COMMUNITIES: AttributeDescriptor<readonly ExtendedCommunity[]> = {
  code: 16,
  name: 'EXTENDED_COMMUNITIES',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  check: (_view, at, end) => (end > at && (end - at) % 8 === 0 ? 0 : UPDATE_ERROR.attributeLength),
  decode(view, at, end) {
    const communities: ExtendedCommunity[] = [];
    for (; at < end; at += 8) communities.push({ hi: view.getUint32(at), lo: view.getUint32(at + 4) });
    return communities;
  },
  encode(communities, out) {
    for (const { hi, lo } of communities) {
      out.u32(hi);
      out.u32(lo);
    }
  },
  toJson: (communities) => communities.map(formatExtendedCommunity),
};

const TYPE = { as2: 0, ipv4: 1, as4: 2, opaque: 3 } as const;

/** IANA "… Extended Community Sub-Types" that have the same meaning for all three administrator types */
const ADMINISTRATOR_SUBTYPES: ReadonlyMap<number, string> = new Map([
  [2, 'rt'],
  [3, 'soo'],
]);

/** `rt:64512:100`, `soo:10.0.0.1:1`, `color:0:100`, …; others as sixteen hexadecimal digits. */
function formatExtendedCommunity({ hi, lo }: ExtendedCommunity): string {
  const subtype = (hi >>> 16) & 255;
  const name = ADMINISTRATOR_SUBTYPES.get(subtype);
  const middle = (((hi & 0xffff) << 16) | (lo >>> 16)) >>> 0;
  switch (hi >>> 24) {
    case TYPE.as2:
      if (name !== undefined) return `${name}:${hi & 0xffff}:${lo}`;
      break;
    case TYPE.ipv4:
      if (name !== undefined) return `${name}:${formatIpv4(middle)}:${lo & 0xffff}`;
      break;
    case TYPE.as4:
      if (name !== undefined) return `${name}:${middle}:${lo & 0xffff}`;
      break;
    case TYPE.as2 | 0x40:
      // link bandwidth: draft-ietf-idr-link-bandwidth, bytes a second as an IEEE float
      if (subtype === 4) return `bandwidth:${hi & 0xffff}:${float32(lo)}`;
      break;
    case TYPE.opaque:
      // RFC 9012 section 4: colour, and the tunnel type of the encapsulation community
      if (subtype === 0x0b) return `color:${(hi & 0xffff) >>> 14}:${lo}`;
      if (subtype === 0x0c) return `encapsulation:${lo & 0xffff}`;
      break;
    case TYPE.opaque | 0x40:
      // RFC 8097 section 2: origin validation state
      if (subtype === 0) return `ovs:${['valid', 'not-found', 'invalid'][lo & 255] ?? lo & 255}`;
      break;
  }
  return `0x${hi.toString(16).padStart(8, '0')}${lo.toString(16).padStart(8, '0')}`;
}

function float32(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  return view.getFloat32(0);
}
