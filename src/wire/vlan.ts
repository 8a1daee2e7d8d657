/**
 * VLAN tag (IEEE 802.1Q; stacked: 802.1ad), as it stands behind the EtherType that announces it.
 *
 *     0 priority (3 bits), drop eligible (1), VLAN id (12) · 2 EtherType of what follows
 */
export const HEADER_BYTES = 4;

export const ETHERTYPE_8021Q = 0x8100;
export const ETHERTYPE_8021AD = 0x88a8;
/** the customary tag of QinQ before 802.1ad */
export const ETHERTYPE_QINQ_OLD = 0x9100;

export function check(at: number, end: number): boolean {
  return at + HEADER_BYTES <= end;
}

export function typeOrLength(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}
