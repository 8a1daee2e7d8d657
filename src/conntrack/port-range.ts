/**
 * The source ports that MASQUERADE may take: the class of the original port (Linux nf_nat_core, observed):
 * below 512 from 1 to 511, below 1024 from 600 to 1023, otherwise from 1024 to 65535.
 */

export function portClassFirst(port: number): number {
  return port < 512 ? 1 : port < 1024 ? 600 : 1024;
}

/** how many ports the class of `port` has */
export function portClassSize(port: number): number {
  return port < 512 ? 511 : port < 1024 ? 424 : 64512;
}

/**
 * How many ports in a row Linux tries from each start that it draws (nf_nat_l4proto_unique_tuple): after the last the
 * connection's first packet is dropped, though ports may be left. 60,000 connections from one node to one endpoint lose
 * 16 so, and 64,000 lose 532, where 64,512 ports are to be had (measured); what is in use stands in long runs.
 */
export const PORT_TRIES: readonly number[] = [128, 64, 32, 16, 8];

/** With so few tries left an entry in TIME_WAIT or CLOSE gives up its port (NF_NAT_HARDER_THRESH). */
export const HARDER_TRIES = 32;

/** Ordinal of the draw of a connection's `round`-th start, see draw.ts. */
export function portDrawOrdinal(ordinal: number, round: number): number {
  return ordinal + 0x10000 * round;
}

/** The tries of one round: no more than the class has ports. */
export function triesOf(round: number, classSize: number): number {
  return Math.min(PORT_TRIES[round]!, classSize);
}
