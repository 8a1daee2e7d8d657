/**
 * A segment of a new connection that meets the entry of an earlier one with the same five-tuple, by its numbers. Initial
 * sequence numbers of two lives of a port are farther apart than any window (Linux gives them from a clock of 64 ns, and
 * at least 65,537 beyond TIME-WAIT's last), so that only the direction counts.
 *
 * Source: tcp_in_window of Linux (net/netfilter/nf_conntrack_proto_tcp.c, 6.1 and later), measured on 6.18 with entries in
 * ESTABLISHED, CLOSE and TIME_WAIT, raw segments ahead of the entry and behind it:
 *
 *     sequence number   acknowledgement   entry keeps windows   entry is liberal
 *     ahead             either            INVALID               accepted
 *     behind            ahead             INVALID               accepted
 *     behind            behind            passes, unnoted       accepted
 *
 * An entry is liberal where nf_conntrack_tcp_be_liberal is set, or where it was picked up in mid-stream.
 */

/** `passes`: translated as the entry says, which it neither steps nor refreshes; `accepted`: as one of its own */
export const Stale = { invalid: 0, passes: 1, accepted: 2 } as const;
export type Stale = (typeof Stale)[keyof typeof Stale];

export function meetStaleEntry(seqAhead: boolean, ackAhead: boolean, isLiberal: boolean): Stale {
  if (isLiberal) return Stale.accepted;
  return seqAhead || ackAhead ? Stale.invalid : Stale.passes;
}

/**
 * Whether the RST of an endpoint that does not know the segment gets back through the entry. Its number is what the
 * segment acknowledged; in ESTABLISHED one behind what the client had acknowledged before is INVALID, in any mode.
 */
export function resetComesBack(isEstablished: boolean, ackAhead: boolean): boolean {
  return !isEstablished || ackAhead;
}

/** Whether sequence number `a` is ahead of `b` (RFC 9293 3.4). */
export function isAhead(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}
