/**
 * The seed kernel: tries seeds of Linux's multipath hash against observed choices. AssemblyScript, compiled by
 * scripts/build.mjs; recover-seed-kernel.ts lays the observations into its memory.
 *
 * SipHash-2-4 keyed with the seed four times. A record holds the message of one observation as 64-bit words, behind
 * them the length block and two zero words: absorbing a zero is two bare rounds, so that the four rounds of the
 * finalisation are those two. The first three words (protocol, label, empty fields) are mostly the same for all
 * observations, so their state is computed once a seed. The first observation ends most seeds.
 *
 *     record: 0 offset behind the words, 4 offset of the finalisation, 8 same first three words as record 0,
 *             12 hash goes through jhash (policy 3), 16 kind, 20 .. 28 see below, 32 .. 127 words
 *     kind 0: the hash lies in [@20, @20 + @24];  kind 1: the table of @24 entries at @20 has @28 at hash % @24
 */

const INITIAL: u32 = 1024;
const PREFIX: u32 = 1056;
const SCRATCH: u32 = 1088;
const FOUND: u32 = 2048;
const FOUND_MAX: u32 = 4096;
const RECORDS: u32 = 32768;
const RECORD_BYTES: u32 = 128;
const WORDS: u32 = 32;
const PREFIX_BYTES: u32 = 24;

export function foundAt(): u32 {
  return FOUND;
}

export function foundMax(): u32 {
  return FOUND_MAX;
}

export function recordsAt(): u32 {
  return RECORDS;
}

/** Tries `seeds` seeds from `first` on; returns how many fit all records. The first FOUND_MAX stand at FOUND. */
export function search(first: u32, seeds: u32, records: u32): u32 {
  const behind: u32 = RECORDS + records * RECORD_BYTES;
  let found: u32 = 0;
  for (let i: u32 = 0; i < seeds; i++) {
    const seed = first + i;
    const key = ((<u64>seed) << 32) | <u64>seed;
    store<u64>(INITIAL, key ^ (((<u64>0x736f6d65) << 32) | 0x70736575));
    store<u64>(INITIAL, key ^ (((<u64>0x646f7261) << 32) | 0x6e646f6d), 8);
    store<u64>(INITIAL, key ^ (((<u64>0x6c796765) << 32) | 0x6e657261), 16);
    store<u64>(INITIAL, key ^ (((<u64>0x74656462) << 32) | 0x79746573), 24);
    absorb(INITIAL, PREFIX, RECORDS + WORDS, RECORDS + WORDS + PREFIX_BYTES, 0);
    let record: u32 = RECORDS;
    while (record < behind && fits(record)) record += RECORD_BYTES;
    if (record === behind) {
      if (found < FOUND_MAX) store<u32>(FOUND + found * 4, seed);
      found++;
    }
  }
  return found;
}

function fits(record: u32): bool {
  const end: u32 = record + load<u32>(record);
  const final: u32 = record + load<u32>(record, 4);
  let hash: u32 =
    load<u32>(record, 8) !== 0
      ? absorb(PREFIX, SCRATCH, record + WORDS + PREFIX_BYTES, end, final)
      : absorb(INITIAL, SCRATCH, record + WORDS, end, final);
  if (hash === 0) hash = 1;
  if (load<u32>(record, 12) !== 0) hash = mixed(hash);
  hash >>= 1;
  if (load<u32>(record, 16) === 0) return hash - load<u32>(record, 20) <= load<u32>(record, 24);
  return load<u32>(load<u32>(record, 20) + (hash % load<u32>(record, 24)) * 4) === load<u32>(record, 28);
}

/** Two rounds for each word of [words, end) from the state at `from`; the state goes to `to`. */
function absorb(from: u32, to: u32, words: u32, end: u32, final: u32): u32 {
  let v0 = load<u64>(from);
  let v1 = load<u64>(from, 8);
  let v2 = load<u64>(from, 16);
  let v3 = load<u64>(from, 24);
  for (let at = words; at < end; at += 8) {
    const m = load<u64>(at);
    v3 ^= m;
    if (at === final) v2 ^= 0xff;
    // two rounds, written out
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
    v0 ^= m;
  }
  store<u64>(to, v0);
  store<u64>(to, v1, 8);
  store<u64>(to, v2, 16);
  store<u64>(to, v3, 24);
  return <u32>(v0 ^ v1 ^ v2 ^ v3);
}

/** jhash_2words(a, 0, 0) */
function mixed(a: u32): u32 {
  let c: u32 = 0xdeadbeef + (2 << 2);
  let b: u32 = c;
  a += c;
  c = (c ^ b) - rotl<u32>(b, 14);
  a = (a ^ c) - rotl<u32>(c, 11);
  b = (b ^ a) - rotl<u32>(a, 25);
  c = (c ^ b) - rotl<u32>(b, 16);
  a = (a ^ c) - rotl<u32>(c, 4);
  b = (b ^ a) - rotl<u32>(a, 14);
  return (c ^ b) - rotl<u32>(b, 24);
}
