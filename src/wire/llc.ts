/**
 * LLC (IEEE 802.2) and SNAP header.
 *
 *     0 DSAP · 1 SSAP · 2 control (1 octet in unnumbered frames, else 2) · with SNAP: 3 OUI (3) · 6 protocol
 */
export const LLC_BYTES = 3;
export const SNAP_BYTES = 8;
export const SAP_SNAP = 0xaa;
export const SAP_IP = 0x06;

export function check(at: number, end: number): boolean {
  return at + LLC_BYTES <= end;
}

export function checkSnap(at: number, end: number): boolean {
  return at + SNAP_BYTES <= end;
}

export function dsap(view: DataView, at: number): number {
  return view.getUint8(at);
}

/** an unnumbered-information frame, the only kind that carries datagrams here */
export function isUnnumberedInformation(view: DataView, at: number): boolean {
  return (view.getUint8(at + 2) & 0xef) === 0x03;
}

export function oui(view: DataView, at: number): number {
  return (view.getUint16(at + 3) << 8) | view.getUint8(at + 5);
}

export function protocol(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}
