/**
 * The BFD control packet: RFC 5880 section 4.1, without authentication.
 *
 * ```
 *   0        version 3 bits (1), diagnostic 5 bits
 *   1        state 2 bits, poll, final, control plane independent, authentication, demand, multipoint
 *   2        detect multiplier
 *   3        length of the whole packet
 *   4        my discriminator
 *   8        your discriminator; 0 = not known
 *   12       desired min TX interval, µs
 *   16       required min RX interval, µs; 0 = send nothing periodically
 *   20       required min echo RX interval, µs; 0 = no echo
 * ```
 *
 * What may be judged without knowing the session is judged here (section 6.8.6, up to the demultiplexing): a packet
 * that {@link readControlPacket} returns is well formed, and only its meaning is left.
 */

const CONTROL_PACKET_BYTES = 24;

/** Section 4.1, "Sta". The numbers are those of the wire. */
export const BFD_STATES = ['AdminDown', 'Down', 'Init', 'Up'] as const;
export type BfdStateName = (typeof BFD_STATES)[number];

/** Section 4.1, "Diag"; RFC 6428 section 3.5 names none that a single hop session sends. */
export const DIAGNOSTIC = {
  none: 0,
  detectionTimeExpired: 1,
  echoFailed: 2,
  neighborSignaledDown: 3,
  forwardingPlaneReset: 4,
  pathDown: 5,
  concatenatedPathDown: 6,
  administrativelyDown: 7,
  reverseConcatenatedPathDown: 8,
} as const;

const DIAGNOSTIC_NAMES = [
  'no diagnostic',
  'control detection time expired',
  'echo function failed',
  'neighbor signaled session down',
  'forwarding plane reset',
  'path down',
  'concatenated path down',
  'administratively down',
  'reverse concatenated path down',
] as const;

export function diagnosticName(diagnostic: number): string {
  return DIAGNOSTIC_NAMES[diagnostic] ?? `diagnostic ${diagnostic}`;
}

export interface ControlPacket {
  readonly diagnostic: number;
  readonly state: BfdStateName;
  readonly poll: boolean;
  readonly final: boolean;
  readonly controlPlaneIndependent: boolean;
  readonly demand: boolean;
  readonly detectMultiplier: number;
  readonly myDiscriminator: number;
  readonly yourDiscriminator: number;
  readonly desiredMinTxUs: number;
  readonly requiredMinRxUs: number;
  readonly requiredMinEchoRxUs: number;
}

/** Why a packet is discarded: each is a line of section 6.8.6. */
export type PacketFault =
  | 'too short'
  | 'version is not 1'
  | 'length field is wrong'
  | 'detect multiplier is 0'
  | 'multipoint bit is set'
  | 'my discriminator is 0'
  | 'your discriminator is 0 in a state that knows it'
  | 'authentication is not in use';

const VERSION = 1;
const POLL = 0x20;
const FINAL = 0x10;
const INDEPENDENT = 0x08;
const AUTHENTICATION = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;

/** The packet in the payload of a datagram, or why it is to be discarded. */
export function readControlPacket(payload: Uint8Array): ControlPacket | PacketFault {
  if (payload.length < CONTROL_PACKET_BYTES) return 'too short';
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const flags = payload[1]!;
  const lengthBytes = payload[3]!;
  const state = BFD_STATES[flags >>> 6]!;
  const yourDiscriminator = view.getUint32(8);
  if (payload[0]! >>> 5 !== VERSION) return 'version is not 1';
  if (lengthBytes < CONTROL_PACKET_BYTES || lengthBytes > payload.length) return 'length field is wrong';
  if (payload[2] === 0) return 'detect multiplier is 0';
  if ((flags & MULTIPOINT) !== 0) return 'multipoint bit is set';
  if (view.getUint32(4) === 0) return 'my discriminator is 0';
  if (yourDiscriminator === 0 && (state === 'Init' || state === 'Up')) {
    return 'your discriminator is 0 in a state that knows it';
  }
  if ((flags & AUTHENTICATION) !== 0) return 'authentication is not in use';
  return {
    diagnostic: payload[0]! & 31,
    state,
    poll: (flags & POLL) !== 0,
    final: (flags & FINAL) !== 0,
    controlPlaneIndependent: (flags & INDEPENDENT) !== 0,
    demand: (flags & DEMAND) !== 0,
    detectMultiplier: payload[2]!,
    myDiscriminator: view.getUint32(4),
    yourDiscriminator,
    desiredMinTxUs: view.getUint32(12),
    requiredMinRxUs: view.getUint32(16),
    requiredMinEchoRxUs: view.getUint32(20),
  };
}

/** A new array of {@link CONTROL_PACKET_BYTES} octets. */
export function writeControlPacket(packet: ControlPacket): Uint8Array {
  const bytes = new Uint8Array(CONTROL_PACKET_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = (VERSION << 5) | (packet.diagnostic & 31);
  bytes[1] =
    (BFD_STATES.indexOf(packet.state) << 6) |
    (packet.poll ? POLL : 0) |
    (packet.final ? FINAL : 0) |
    (packet.controlPlaneIndependent ? INDEPENDENT : 0) |
    (packet.demand ? DEMAND : 0);
  bytes[2] = packet.detectMultiplier;
  bytes[3] = CONTROL_PACKET_BYTES;
  view.setUint32(4, packet.myDiscriminator);
  view.setUint32(8, packet.yourDiscriminator);
  view.setUint32(12, packet.desiredMinTxUs);
  view.setUint32(16, packet.requiredMinRxUs);
  view.setUint32(20, packet.requiredMinEchoRxUs);
  return bytes;
}
