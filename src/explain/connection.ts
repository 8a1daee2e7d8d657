/** One row of the connection table with names: a reused view, moved from row to row, that allocates nothing. */
import { type Address, formatAddress, ipv4, ipv6 } from '../addr/address.js';
import * as t from './connection-table.js';

const NONE = new Float64Array(0);
const NO_WORDS = new Uint32Array(0);

/** One side of a connection. */
class Side {
  clock: Float64Array = NONE;
  words: Uint32Array = NO_WORDS;
  /** where the row begins in `clock`, and this side's words in `words` */
  c = 0;
  w = 0;
  marks = 0;

  constructor(private readonly which: 0 | 1) {}

  get packets(): number {
    return this.words[this.w + t.PACKETS]!;
  }
  get bytes(): number {
    return this.clock[this.c + t.BYTES_OUT + this.which]!;
  }
  get payload(): number {
    return this.words[this.w + t.PAYLOAD]!;
  }
  /** segments that brought nothing new */
  get repeats(): number {
    return this.words[this.w + t.REPEATS]! >>> 16;
  }
  /** how often what is open was sent */
  get transmissions(): number {
    return this.words[this.w + t.REPEATS]! & 0xffff;
  }
  get biggestSent(): number {
    return this.words[this.w + t.HOPS]! >>> 16;
  }
  get biggestAcked(): number {
    return this.words[this.w + t.SIZES]! >>> 16;
  }
  get repeatedPayload(): number {
    return this.words[this.w + t.SIZES]! & 0xffff;
  }
  /** lowest TTL or hop limit, 255 before the first packet */
  get ttlLow(): number {
    return this.words[this.w + t.HOPS]! & 0xff;
  }
  get ttlHigh(): number {
    return (this.words[this.w + t.HOPS]! >>> 8) & 0xff;
  }
  /** -1: nothing is open */
  get openSinceNs(): number {
    return this.clock[this.c + t.OPEN_OUT + this.which]!;
  }
  get openIsFin(): boolean {
    return (this.marks & (this.which === 0 ? t.OPEN_IS_FIN_OUT : t.OPEN_IS_FIN_IN)) !== 0;
  }
  /** -1: none */
  get lastNs(): number {
    return this.clock[this.c + t.LAST_OUT + this.which]!;
  }
  /** -1: none */
  get finNs(): number {
    return this.clock[this.c + t.FIN_OUT + this.which]!;
  }
  get finAcked(): boolean {
    return (this.marks & (this.which === 0 ? t.FIN_ACKED_OUT : t.FIN_ACKED_IN)) !== 0;
  }
  get sawData(): boolean {
    return (this.marks & (this.which === 0 ? t.SAW_DATA_OUT : t.SAW_DATA_IN)) !== 0;
  }
  get missing(): boolean {
    return (this.marks & (this.which === 0 ? t.MISSING_OUT : t.MISSING_IN)) !== 0;
  }
  get zeroWindow(): boolean {
    return (this.marks & (this.which === 0 ? t.ZERO_WINDOW_OUT : t.ZERO_WINDOW_IN)) !== 0;
  }
  get windowShut(): boolean {
    return (this.marks & (this.which === 0 ? t.WINDOW_SHUT_OUT : t.WINDOW_SHUT_IN)) !== 0;
  }
}

export class Connection {
  row = -1;
  readonly client = new Side(0);
  readonly server = new Side(1);
  private clock: Float64Array = NONE;
  private words: Uint32Array = NO_WORDS;
  private c = 0;
  private w = 0;

  constructor(private readonly table: t.ConnectionTable) {}

  moveTo(row: number): this {
    const { clock, words } = this.table.chunkOf(row);
    this.row = row;
    this.clock = clock;
    this.words = words;
    this.c = t.ConnectionTable.clockAt(row);
    this.w = t.ConnectionTable.wordsAt(row);
    const marks = words[this.w + t.MARKS]!;
    for (const side of [this.client, this.server]) {
      side.clock = clock;
      side.words = words;
      side.c = this.c;
      side.marks = marks;
    }
    this.client.w = this.w + t.OUT;
    this.server.w = this.w + t.IN;
    return this;
  }

  get proto(): number {
    return this.words[this.w + t.KIND]! & 0xff;
  }
  get family(): 4 | 6 {
    return ((this.words[this.w + t.KIND]! >>> 8) & 0xff) === 6 ? 6 : 4;
  }
  get layer(): number {
    return this.words[this.w + t.KIND]! >>> 16;
  }
  get marks(): number {
    return this.words[this.w + t.MARKS]!;
  }
  has(mark: number): boolean {
    return (this.words[this.w + t.MARKS]! & mark) !== 0;
  }
  get clientPort(): number {
    return this.words[this.w + t.PORTS]! >>> 16;
  }
  get serverPort(): number {
    return this.words[this.w + t.PORTS]! & 0xffff;
  }
  get connection(): number {
    return this.words[this.w + t.NUMBER]! & 0xffff;
  }
  get syns(): number {
    return (this.words[this.w + t.NUMBER]! >>> 16) & 0xff;
  }
  get synAcks(): number {
    return this.words[this.w + t.NUMBER]! >>> 24;
  }
  get firstNs(): number {
    return this.clock[this.c + t.FIRST]!;
  }
  get endNs(): number {
    const { clock, c } = this;
    return Math.max(clock[c + t.END]!, clock[c + t.LAST_OUT]!, clock[c + t.LAST_IN]!);
  }
  /** -1: unknown */
  get roundTripNs(): number {
    return this.clock[this.c + t.ROUND_TRIP]!;
  }
  get gapNs(): number {
    return this.clock[this.c + t.GAP]!;
  }
  get survivedNs(): number {
    return this.clock[this.c + t.SURVIVED]!;
  }
  /** -1: its next hop never changed, or the capture does not show it */
  get movedNs(): number {
    return this.clock[this.c + t.MOVED_AT]!;
  }
  /** -1: no reset */
  get resetNs(): number {
    return this.clock[this.c + t.RST_AT]!;
  }
  get resetFlags(): number {
    return this.words[this.w + t.RST_META]! & 0xff;
  }
  get resetTtl(): number {
    return (this.words[this.w + t.RST_META]! >>> 8) & 0xff;
  }
  resetIs(relation: number): boolean {
    return ((this.words[this.w + t.RST_META]! >>> 16) & relation) !== 0;
  }

  /** Equal for equal addresses; a number under IPv4. */
  get clientKey(): number | string {
    return this.addressKey(t.CLIENT_ADDRESS);
  }
  get serverKey(): number | string {
    return this.addressKey(t.SERVER_ADDRESS);
  }
  /** Equal for equal addresses and ports. */
  get serverPortKey(): number | string {
    const key = this.serverKey;
    return typeof key === 'number' ? key * 65536 + this.serverPort : `${key} ${this.serverPort}`;
  }
  get clientText(): string {
    return formatAddress(this.address(t.CLIENT_ADDRESS));
  }
  get serverText(): string {
    return formatAddress(this.address(t.SERVER_ADDRESS));
  }
  address(at: number): Address {
    const { words, w } = this;
    if (this.family === 4) return ipv4(words[w + at]!);
    return ipv6(words[w + at]!, words[w + at + 1]!, words[w + at + 2]!, words[w + at + 3]!);
  }
  /** The client's address (four words), then the server's. */
  copyAddresses(out: Uint32Array): void {
    for (let i = 0; i < 8; i++) out[i] = this.words[this.w + t.CLIENT_ADDRESS + i]!;
  }
  /** 224.0.0.0/4, 255.255.255.255, ff00::/8 */
  get toMany(): boolean {
    const first = this.words[this.w + t.SERVER_ADDRESS]!;
    return this.family === 4 ? first >>> 28 === 14 || first === 0xffffffff : first >>> 24 === 0xff;
  }

  private addressKey(at: number): number | string {
    const { words, w } = this;
    if (this.family === 4) return words[w + at]!;
    return `${words[w + at]},${words[w + at + 1]},${words[w + at + 2]},${words[w + at + 3]}`;
  }
}
