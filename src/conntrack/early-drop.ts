/**
 * A full connection table. Linux looks for an entry that may go, one that is not assured, in eight buckets of its hash
 * in a row, beginning with the newcomer's (early_drop, NF_CT_EVICTION_RANGE); where it finds none, the packet is dropped.
 * A table whose limit is small against its buckets hardly ever finds one: with 80 entries of a table of 262,144 buckets
 * none of 100 connections got in (measured), in one full of entries that nobody has answered 20,000 of 20,000 did.
 */

const EVICTION_RANGE = 8;
/** what Linux takes on a machine with more than 4 GiB */
const DEFAULT_BUCKETS = 262144;

/** Buckets of a node's table: kube-proxy raises them to a quarter of the limit that it sets, and never lowers them. */
function bucketsOf(max: number): number {
  return Math.max(DEFAULT_BUCKETS, max / 4);
}

/**
 * Whether a full table has an entry to give up for a newcomer.
 *
 * @param unassured entries of the table that may go
 * @param max the table's limit
 * @param u32 uniform 32 bits: where in the hash the newcomer comes
 */
export function findsVictim(unassured: number, max: number, u32: number): boolean {
  const allMissed = (1 - EVICTION_RANGE / bucketsOf(max)) ** unassured;
  return u32 >= allMissed * 0x1_0000_0000;
}

/** Ordinal of the draw for a packet at `nowS`, see state/draw.ts: every try is another. */
export function tryOrdinal(nowS: number): number {
  return Math.floor(nowS * 1e6) | 0;
}
