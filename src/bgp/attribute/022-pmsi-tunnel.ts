/**
 * PMSI_TUNNEL: RFC 6514 section 5, which also says that a malformed one withdraws.
 *
 * ```
 *   | flags 1 | tunnel type 1 | MPLS label 3 | tunnel identifier, by type |
 * ```
 */
import { toHex } from '../codec/hex.js';
import { UPDATE_ERROR } from '../codec/notification-code.js';
import { bytesOf } from './014-mp-reach-nlri.js';
import { type AttributeDescriptor, OPTIONAL_TRANSITIVE, OUTCOME } from './descriptor.js';

export interface PmsiTunnel {
  readonly flags: number;
  readonly tunnelType: number;
  /** 24 bits: the label is the upper 20 (or all 24 as a VNI, RFC 8365) */
  readonly label: number;
  readonly identifier: Uint8Array;
}

const TUNNEL_TYPES = [
  'none',
  'rsvp-te-p2mp',
  'mldp-p2mp',
  'pim-ssm',
  'pim-sm',
  'bidir-pim',
  'ingress-replication',
  'mldp-mp2mp',
];

export const PMSI_TUNNEL: AttributeDescriptor<PmsiTunnel> = {
  code: 22,
  name: 'PMSI_TUNNEL',
  flags: OPTIONAL_TRANSITIVE,
  onMalformed: OUTCOME.treatAsWithdraw,
  check: (_view, at, end) => (end - at >= 5 ? 0 : UPDATE_ERROR.attributeLength),
  decode: (view, at, end) => ({
    flags: view.getUint8(at),
    tunnelType: view.getUint8(at + 1),
    label: (view.getUint8(at + 2) << 16) | view.getUint16(at + 3),
    identifier: bytesOf(view).slice(at + 5, end),
  }),
  encode({ flags, tunnelType, label, identifier }, out) {
    out.u8(flags);
    out.u8(tunnelType);
    out.u24(label);
    out.octets(identifier);
  },
  toJson: ({ flags, tunnelType, label, identifier }) => ({
    flags,
    tunnelType: TUNNEL_TYPES[tunnelType] ?? tunnelType,
    label: label >>> 4,
    identifier: toHex(identifier),
  }),
};
