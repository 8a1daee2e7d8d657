/**
 * Walks NLRI in place: one cursor, moved from prefix to prefix, nothing allocated.
 *
 * `checkNlri` runs first over the whole field, because a malformed one must change nothing (RFC 7606 section
 * 5.3). After it accepted a range, a cursor over the same range neither fails nor leaves it.
 */
import { addressBits, type FamilyKey, NLRI_SHAPE, type NlriShape, nlriShape } from './address-family.js';

/** Octets of path identifier before each NLRI: 4 with ADD-PATH, otherwise 0. */
export type PathIdBytes = 0 | 4;

const RD_BITS = 64;
const LABEL_BITS = 24;
/** RFC 8277 section 2.4: the labels of a withdrawal, which has no bottom-of-stack bit to go by */
const WITHDRAW_LABEL = 0x800000;
const WITHDRAW_LABEL_OLD = 0x000000;

/** How many NLRI `bytes[at .. end)` holds; -1 where the range is not a whole number of valid NLRI. */
export function checkNlri(
  bytes: Uint8Array,
  at: number,
  end: number,
  family: FamilyKey,
  pathIdBytes: PathIdBytes,
): number {
  const maxBits = addressBits(family);
  const shape = nlriShape(family);
  if (shape !== NLRI_SHAPE.prefix) return checkLabelledNlri(bytes, at, end, shape, maxBits, pathIdBytes);
  let count = 0;
  while (at < end) {
    at += pathIdBytes;
    if (at >= end) return -1;
    const bits = bytes[at]!;
    if (bits > maxBits) return -1;
    at += 1 + ((bits + 7) >>> 3);
    count++;
  }
  return at === end ? count : -1;
}

function checkLabelledNlri(
  bytes: Uint8Array,
  at: number,
  end: number,
  shape: NlriShape,
  maxBits: number,
  pathIdBytes: PathIdBytes,
): number {
  if (shape === NLRI_SHAPE.raw) return -1;
  const rdBits = shape === NLRI_SHAPE.vpn ? RD_BITS : 0;
  let count = 0;
  while (at < end) {
    at += pathIdBytes;
    if (at >= end) return -1;
    const bits = bytes[at++]!;
    const next = at + ((bits + 7) >>> 3);
    if (next > end) return -1;
    const labels = countLabels(bytes, at, bits);
    if (labels < 0) return -1;
    const rest = bits - labels * LABEL_BITS - rdBits;
    if (rest < 0 || rest > maxBits) return -1;
    at = next;
    count++;
  }
  return count;
}

/** Entries of the label stack at `at`, of an NLRI of `bits` bits; -1 where the stack does not end inside it. */
function countLabels(bytes: Uint8Array, at: number, bits: number): number {
  for (let n = 1; n * LABEL_BITS <= bits; n++, at += 3) {
    const entry = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if ((entry & 1) === 1 || entry === WITHDRAW_LABEL || entry === WITHDRAW_LABEL_OLD) return n;
  }
  return -1;
}

export class NlriCursor {
  /** address of the prefix, network order, host bits zero: `words[0]` alone for IPv4 */
  readonly words = new Uint32Array(4);
  /** bits of the prefix, without labels and distinguisher */
  length = 0;
  /** 0 without ADD-PATH */
  pathId = 0;
  /** label stack of the current NLRI: `labelCount` entries of 3 octets from `labelsAt` */
  labelsAt = 0;
  labelCount = 0;
  /** offset of the route distinguisher; -1 where the family has none */
  distinguisherAt = -1;

  private bytes: Uint8Array = EMPTY;
  private at = 0;
  private end = 0;
  private shape: NlriShape = NLRI_SHAPE.prefix;
  private ipv4 = true;
  private pathIdBytes: PathIdBytes = 0;

  /** Stands before the first NLRI of `bytes[at .. end)`, a range that {@link checkNlri} has accepted. */
  reset(bytes: Uint8Array, at: number, end: number, family: FamilyKey, pathIdBytes: PathIdBytes): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.shape = nlriShape(family);
    this.ipv4 = addressBits(family) === 32;
    this.pathIdBytes = pathIdBytes;
    this.pathId = 0;
    this.labelCount = 0;
    this.distinguisherAt = -1;
    this.words.fill(0);
  }

  /** Moves to the next NLRI; false after the last. */
  next(): boolean {
    let at = this.at;
    if (at >= this.end) return false;
    const bytes = this.bytes;
    if (this.pathIdBytes === 4) {
      this.pathId =
        ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
      at += 4;
    }
    let bits = bytes[at++]!;
    const end = at + ((bits + 7) >>> 3);
    if (this.shape !== NLRI_SHAPE.prefix) {
      this.labelsAt = at;
      this.labelCount = countLabels(bytes, at, bits);
      at += this.labelCount * 3;
      bits -= this.labelCount * LABEL_BITS;
      if (this.shape === NLRI_SHAPE.vpn) {
        this.distinguisherAt = at;
        at += 8;
        bits -= RD_BITS;
      }
    }
    this.length = bits;
    if (this.ipv4) this.words[0] = readWord(bytes, at, bits);
    else {
      for (let w = 0; w < 4; w++) this.words[w] = readWord(bytes, at + w * 4, bits - w * 32);
    }
    this.at = end;
    return true;
  }
}

/** The first `bits` bits at `at`, left-aligned in 32; bits beyond are zero, octets beyond are not read. */
function readWord(bytes: Uint8Array, at: number, bits: number): number {
  if (bits <= 0) return 0;
  let word = bytes[at]! << 24;
  if (bits > 8) {
    word |= bytes[at + 1]! << 16;
    if (bits > 16) {
      word |= bytes[at + 2]! << 8;
      if (bits > 24) word |= bytes[at + 3]!;
    }
  }
  return bits >= 32 ? word : word & (-1 << (32 - bits));
}

const EMPTY = new Uint8Array(0);
