/**
 * SCTP common header (RFC 9260 section 3.1); chunks follow.
 *
 *     0 source port · 2 destination port · 4 verification tag · 8 CRC32C
 */
export const HEADER_BYTES = 12;
