/**
 * Decompresses bzip2 while it is pulled: Route Views dumps come in no other form, and Node has no bzip2.
 *
 * A block (up to 900 kB) is decoded at a time: Huffman tables switched every 50 symbols, move-to-front, the
 * inverse Burrows-Wheeler transform, and last, on the way out, the run lengths of the original octets. Streams
 * that follow one another in a file (as pbzip2 writes them) are one. Block checksums are verified.
 *
 * The format has no specification of its own; names are those of J. Seward's bzip2 and of the description in
 * "Data Compression: The Complete Reference" (Salomon).
 */
import type { ByteSource, SourceFault } from './byte-source.js';
import { peekSource } from './peek-source.js';

const BLOCK_MAGIC_HI = 0x314159;
const BLOCK_MAGIC_LO = 0x265359;
const END_MAGIC_HI = 0x177245;
const END_MAGIC_LO = 0x385090;
const BLOCK_UNIT = 100_000;
const GROUP_SYMBOLS = 50;
const MAX_CODE_BITS = 20;
const INPUT_BYTES = 1 << 16;

class DamagedInput extends Error {}

/** One Huffman table in canonical form: codes of a length are consecutive numbers. */
interface HuffmanTable {
  readonly minBits: number;
  readonly maxBits: number;
  /** by length: largest code; what to subtract from a code to get its rank */
  readonly limit: Int32Array;
  readonly base: Int32Array;
  /** symbol of each rank */
  readonly symbols: Uint16Array;
}

class Bunzip2Source implements ByteSource {
  fault: SourceFault | null = null;

  private readonly compressed: ByteSource;
  private readonly input = new Uint8Array(INPUT_BYTES);
  private inputAt = 0;
  private inputEnd = 0;
  private bits = 0;
  private bitCount = 0;

  /** inverse transform: octet in the low 8 bits, position of its successor above */
  private chain = new Uint32Array(0);
  private blockCrc = 0;
  private crc = 0;
  /** octets of the block still to come out, and where in the chain the next one is */
  private left = 0;
  private position = 0;
  /** run-length state: last octet, how often it came in a row, copies still to be written */
  private last = -1;
  private runs = 0;
  private copies = 0;
  private isInStream = false;
  private isDone = false;

  constructor(compressed: ByteSource) {
    this.compressed = compressed;
  }

  get name(): string {
    return this.compressed.name;
  }

  get sizeBytes(): number | null {
    return this.compressed.sizeBytes;
  }

  get positionBytes(): number {
    return this.compressed.positionBytes;
  }

  close(): void {
    this.compressed.close();
  }

  read(into: Uint8Array, at: number, length: number): number {
    let written = 0;
    try {
      while (written < length && !this.isDone) {
        if (this.left === 0 && this.copies === 0) {
          if (!this.nextBlock()) this.isDone = true;
          continue;
        }
        written += this.drain(into, at + written, length - written);
      }
    } catch (error) {
      if (!(error instanceof DamagedInput)) throw error;
      this.isDone = true;
      this.fault ??= { kind: 'damaged', message: `${this.name}: ${error.message}` };
    }
    return written;
  }

  /** Undoes the transform and the run lengths into `into`, up to `length` octets or the end of the block. */
  private drain(into: Uint8Array, at: number, length: number): number {
    const end = at + length;
    const start = at;
    let crc = this.crc;
    while (at < end) {
      if (this.copies > 0) {
        this.copies--;
        into[at++] = this.last;
        crc = (crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ this.last) & 255]!;
        continue;
      }
      if (this.left === 0) break;
      const entry = this.chain[this.position]!;
      const octet = entry & 255;
      this.position = entry >>> 8;
      this.left--;
      if (this.runs === 4) {
        // after four equal octets the next one is a count
        this.copies = octet;
        this.runs = 0;
        continue;
      }
      this.runs = octet === this.last ? this.runs + 1 : 1;
      this.last = octet;
      into[at++] = octet;
      crc = (crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ octet) & 255]!;
    }
    this.crc = crc;
    if (this.left === 0 && this.copies === 0 && ~crc >>> 0 !== this.blockCrc) {
      throw new DamagedInput('a bzip2 block does not match its checksum');
    }
    return at - start;
  }

  /** Decodes the next block; false at the end of the last stream. */
  private nextBlock(): boolean {
    for (;;) {
      if (!this.isInStream) {
        if (!this.hasMore()) return false;
        this.readStreamHeader();
      }
      const hi = this.take(24);
      const lo = this.take(24);
      if (hi === BLOCK_MAGIC_HI && lo === BLOCK_MAGIC_LO) {
        this.readBlock();
        return true;
      }
      if (hi !== END_MAGIC_HI || lo !== END_MAGIC_LO)
        throw new DamagedInput('no bzip2 block where one should be');
      // the checksum of the whole stream follows: that of each block has been verified
      this.take(16);
      this.take(16);
      this.bitCount -= this.bitCount % 8;
      this.isInStream = false;
    }
  }

  private readStreamHeader(): void {
    const magic = this.take(24);
    const level = this.take(8) - 0x30;
    if (magic !== 0x425a68 || level < 1 || level > 9) throw new DamagedInput('this is no bzip2 stream');
    if (this.chain.length < level * BLOCK_UNIT) this.chain = new Uint32Array(level * BLOCK_UNIT);
    this.isInStream = true;
  }

  private readBlock(): void {
    this.blockCrc = ((this.take(16) << 16) | this.take(16)) >>> 0;
    if (this.take(1) === 1) throw new DamagedInput('a randomised block: bzip2 before 0.9.5 wrote it');
    const origin = this.take(24);
    const octets = this.readAlphabet();
    const tableCount = this.take(3);
    const selectorCount = this.take(15);
    if (tableCount < 2 || tableCount > 6 || selectorCount === 0) throw new DamagedInput('bad bzip2 tables');
    const selectors = this.readSelectors(selectorCount, tableCount);
    const tables = Array.from({ length: tableCount }, () => this.readTable(octets.length + 2));
    const counts = new Uint32Array(256);
    const length = this.readSymbols(octets, selectors, tables, counts);
    if (origin >= length) throw new DamagedInput('a bzip2 block points outside of itself');
    this.invert(length, counts);
    this.left = length;
    this.position = this.chain[origin]! >>> 8;
    this.last = -1;
    this.runs = 0;
    this.copies = 0;
    this.crc = -1;
  }

  /** The octets that occur in the block, ascending. */
  private readAlphabet(): Uint8Array {
    const present: number[] = [];
    const ranges = this.take(16);
    for (let range = 0; range < 16; range++) {
      if ((ranges & (0x8000 >>> range)) === 0) continue;
      const used = this.take(16);
      for (let i = 0; i < 16; i++) if ((used & (0x8000 >>> i)) !== 0) present.push(range * 16 + i);
    }
    if (present.length === 0) throw new DamagedInput('a bzip2 block without octets');
    return Uint8Array.from(present);
  }

  /** Which table each group of symbols uses; written move-to-front. */
  private readSelectors(count: number, tableCount: number): Uint8Array {
    const order = Array.from({ length: tableCount }, (_, i) => i);
    const selectors = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      let rank = 0;
      while (this.take(1) === 1) if (++rank >= tableCount) throw new DamagedInput('a bad bzip2 selector');
      const [table] = order.splice(rank, 1);
      order.unshift(table!);
      selectors[i] = table!;
    }
    return selectors;
  }

  /** Code lengths, each told by its difference to the one before. */
  private readTable(symbolCount: number): HuffmanTable {
    const lengths = new Uint8Array(symbolCount);
    let bits = this.take(5);
    for (let i = 0; i < symbolCount; i++) {
      while (this.take(1) === 1) bits += this.take(1) === 0 ? 1 : -1;
      if (bits < 1 || bits > MAX_CODE_BITS) throw new DamagedInput('a bad bzip2 code length');
      lengths[i] = bits;
    }
    return huffmanTable(lengths);
  }

  /** Huffman and move-to-front; octets go to the low bits of the chain. Returns how many. */
  private readSymbols(
    octets: Uint8Array,
    selectors: Uint8Array,
    tables: readonly HuffmanTable[],
    counts: Uint32Array,
  ): number {
    const chain = this.chain;
    const endOfBlock = octets.length + 1;
    const recent = octets.slice();
    let length = 0;
    let runLength = 0;
    let runWeight = 1;
    for (let group = 0; ; group++) {
      if (group >= selectors.length) throw new DamagedInput('a bzip2 block without end');
      const table = tables[selectors[group]!]!;
      for (let i = 0; i < GROUP_SYMBOLS; i++) {
        const symbol = this.takeSymbol(table);
        if (symbol < 2) {
          // RUNA and RUNB: digits 1 and 2 of a number to base 2, lowest first
          runLength += runWeight << symbol;
          runWeight <<= 1;
          if (runLength > chain.length) throw new DamagedInput('a bzip2 run exceeds its block');
          continue;
        }
        if (runLength > 0) {
          const octet = recent[0]!;
          if (length + runLength > chain.length) throw new DamagedInput('a bzip2 run exceeds its block');
          counts[octet] = counts[octet]! + runLength;
          chain.fill(octet, length, length + runLength);
          length += runLength;
          runLength = 0;
          runWeight = 1;
        }
        if (symbol === endOfBlock) return length;
        if (length >= chain.length) throw new DamagedInput('a bzip2 block exceeds its size');
        const octet = recent[symbol - 1]!;
        recent.copyWithin(1, 0, symbol - 1);
        recent[0] = octet;
        counts[octet] = counts[octet]! + 1;
        chain[length++] = octet;
      }
    }
  }

  private takeSymbol(table: HuffmanTable): number {
    let bits = table.minBits;
    let code = this.take(bits);
    while (code > table.limit[bits]!) {
      if (++bits > table.maxBits) throw new DamagedInput('a bad bzip2 code');
      code = (code << 1) | this.take(1);
    }
    const rank = code - table.base[bits]!;
    if (rank < 0 || rank >= table.symbols.length) throw new DamagedInput('a bad bzip2 code');
    return table.symbols[rank]!;
  }

  /** Links every octet to the one that follows it in the original. */
  private invert(length: number, counts: Uint32Array): void {
    const chain = this.chain;
    let sum = 0;
    for (let octet = 0; octet < 256; octet++) {
      const count = counts[octet]!;
      counts[octet] = sum;
      sum += count;
    }
    for (let i = 0; i < length; i++) {
      const octet = chain[i]! & 255;
      const to = counts[octet]!;
      counts[octet] = to + 1;
      chain[to] = (chain[to]! & 255) | (i << 8);
    }
  }

  /** The next `count` bits, 1 to 24. */
  private take(count: number): number {
    while (this.bitCount < count) {
      if (this.inputAt === this.inputEnd && !this.refill()) {
        this.fault = { kind: 'cut', message: `${this.name}: the bzip2 stream ends too early` };
        throw new DamagedInput('the bzip2 stream ends too early');
      }
      this.bits = (this.bits << 8) | this.input[this.inputAt++]!;
      this.bitCount += 8;
    }
    this.bitCount -= count;
    return (this.bits >>> this.bitCount) & ((1 << count) - 1);
  }

  private hasMore(): boolean {
    return this.bitCount > 0 || this.inputAt < this.inputEnd || this.refill();
  }

  private refill(): boolean {
    const count = this.compressed.read(this.input, 0, INPUT_BYTES);
    this.inputAt = 0;
    this.inputEnd = Math.max(count, 0);
    return count > 0;
  }
}

function huffmanTable(lengths: Uint8Array): HuffmanTable {
  const counts = new Int32Array(MAX_CODE_BITS + 2);
  for (const bits of lengths) counts[bits] = counts[bits]! + 1;
  const used = [...lengths];
  const minBits = Math.min(...used);
  const maxBits = Math.max(...used);
  const symbols = Uint16Array.from(
    used.map((bits, symbol) => ({ bits, symbol })).sort((a, b) => a.bits - b.bits || a.symbol - b.symbol),
    ({ symbol }) => symbol,
  );
  const limit = new Int32Array(MAX_CODE_BITS + 2);
  const base = new Int32Array(MAX_CODE_BITS + 2);
  let code = 0;
  let rank = 0;
  for (let bits = minBits; bits <= maxBits; bits++) {
    base[bits] = code - rank;
    code += counts[bits]!;
    rank += counts[bits]!;
    limit[bits] = code - 1;
    code <<= 1;
  }
  return { minBits, maxBits, limit, base, symbols };
}

/** CRC-32 with the polynomial 0x04c11db7, most significant bit first. */
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, octet) => {
  let crc = octet << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  return crc;
});

const MAGIC_BYTES = 4;

/** `source`, decompressed where it is bzip2: told by content, never by name. */
export function bunzip2IfNeeded(source: ByteSource): ByteSource {
  const { head, whole } = peekSource(source, MAGIC_BYTES);
  const level = head[3]! - 0x30;
  const isBzip2 = head[0] === 0x42 && head[1] === 0x5a && head[2] === 0x68 && level >= 1 && level <= 9;
  return isBzip2 ? new Bunzip2Source(whole) : whole;
}
