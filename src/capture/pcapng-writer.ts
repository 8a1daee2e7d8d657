/**
 * Writes pcapng: one little-endian section, interfaces with nanosecond clocks, Enhanced Packet Blocks with
 * comments; the layout is in pcapng-reader.ts.
 *
 * Times are given as the readers give them: nanoseconds since a base. 64 bits of nanoseconds since 1970 are put
 * together from Float64 parts that each stay exact; earlier times are moved to 1970.
 */
import { OptionCode, padded } from './pcapng-options.js';
import { BufferedSink, type ByteSink } from './record-sink.js';

export interface PcapngWriterOptions {
  /** nanoseconds since 1970 that `timeNs` counts from */
  readonly baseNs?: bigint;
  /** what made the file */
  readonly application?: string;
  /** about the capture as a whole */
  readonly comment?: string;
}

export interface WrittenInterface {
  readonly linkType: number;
  /** 0: no limit */
  readonly snapLen?: number;
  readonly name?: string;
}

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const MAJOR = 1;
const MINOR = 0;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const NAME_RESOLUTION = 4;
/** record types of a Name Resolution Block; its records look like options */
const NAME_IPV4 = 1;
const NAME_IPV6 = 2;
const BLOCK_HEADER_BYTES = 8;
const RESOLUTION_NANOSECONDS = 9;

const SECTION_BYTES = 24;
const INTERFACE_BYTES = 16;
const PACKET_BYTES = 28;
const TRAILER_BYTES = 4;
const OPTION_HEADER_BYTES = 4;
/** the length of an option is 16 bits */
const MAX_OPTION_BYTES = 0xffff;

const NS_PER_S = 1e9;
const TWO_16 = 0x1_0000;
const TWO_32 = 0x1_0000_0000;
const PADDING = new Uint8Array(3);
const utf8 = new TextEncoder();

export class PcapngWriter {
  private readonly out: BufferedSink;
  private readonly baseS: number;
  private readonly baseRestNs: number;
  private interfaces = 0;

  /** Nothing reaches the sink before the buffer is full or `flush` is called. */
  constructor(sink: ByteSink, options: PcapngWriterOptions = {}) {
    this.out = new BufferedSink(sink);
    const baseNs = options.baseNs ?? 0n;
    this.baseS = Number(baseNs / 1_000_000_000n);
    this.baseRestNs = Number(baseNs % 1_000_000_000n);
    const list = [
      ...textOption(OptionCode.comment, options.comment),
      ...textOption(OptionCode.shbUserApplication, options.application),
    ];
    const totalLength = SECTION_BYTES + lengthOfOptions(list) + TRAILER_BYTES;
    const { view } = this.out;
    const at = this.out.reserve(SECTION_BYTES);
    view.setUint32(at, SECTION_HEADER, true);
    view.setUint32(at + 4, totalLength, true);
    view.setUint32(at + 8, BYTE_ORDER_MAGIC, true);
    view.setUint16(at + 12, MAJOR, true);
    view.setUint16(at + 14, MINOR, true);
    // section length: unknown
    view.setUint32(at + 16, 0xffff_ffff, true);
    view.setUint32(at + 20, 0xffff_ffff, true);
    this.endBlock(list, totalLength);
  }

  /** Describes an interface and returns its number, for `write`. */
  addInterface({ linkType, snapLen = 0, name }: WrittenInterface): number {
    const list = [
      ...textOption(OptionCode.ifName, name),
      { code: OptionCode.ifTsResol, value: new Uint8Array([RESOLUTION_NANOSECONDS]) },
    ];
    const totalLength = INTERFACE_BYTES + lengthOfOptions(list) + TRAILER_BYTES;
    const { view } = this.out;
    const at = this.out.reserve(INTERFACE_BYTES);
    view.setUint32(at, INTERFACE_DESCRIPTION, true);
    view.setUint32(at + 4, totalLength, true);
    view.setUint16(at + 8, linkType, true);
    view.setUint16(at + 10, 0, true);
    view.setUint32(at + 12, snapLen, true);
    this.endBlock(list, totalLength);
    return this.interfaces++;
  }

  /** Says what addresses (4 or 16 octets each) are called: a Name Resolution Block. */
  addNames(names: readonly { readonly octets: Uint8Array; readonly name: string }[]): void {
    const records = names.map(({ octets, name }) => {
      const text = utf8.encode(`${name}\0`);
      const value = new Uint8Array(octets.length + text.length);
      value.set(octets);
      value.set(text, octets.length);
      return { code: octets.length === 4 ? NAME_IPV4 : NAME_IPV6, value };
    });
    if (records.length === 0) return;
    const totalLength = BLOCK_HEADER_BYTES + lengthOfOptions(records) + TRAILER_BYTES;
    const { view } = this.out;
    const at = this.out.reserve(BLOCK_HEADER_BYTES);
    view.setUint32(at, NAME_RESOLUTION, true);
    view.setUint32(at + 4, totalLength, true);
    this.endBlock(records, totalLength);
  }

  /** Adds the frame `bytes[at…at + capLen]`, captured on an interface that was added before. */
  write(
    interfaceNumber: number,
    timeNs: number,
    bytes: Uint8Array,
    at: number,
    capLen: number,
    wireLen: number,
    comment?: string,
  ): void {
    if (interfaceNumber >= this.interfaces) {
      throw new RangeError(
        `PcapngWriter.write: expected an interface below ${this.interfaces}, got ${interfaceNumber}`,
      );
    }
    const list = textOption(OptionCode.comment, comment);
    const paddedLen = padded(capLen);
    const totalLength = PACKET_BYTES + paddedLen + lengthOfOptions(list) + TRAILER_BYTES;
    const header = this.out.reserve(PACKET_BYTES);
    const { view } = this.out;
    view.setUint32(header, ENHANCED_PACKET, true);
    view.setUint32(header + 4, totalLength, true);
    view.setUint32(header + 8, interfaceNumber, true);
    this.writeTicks(header + 12, timeNs);
    view.setUint32(header + 20, capLen, true);
    view.setUint32(header + 24, wireLen, true);
    this.out.append(bytes, at, capLen);
    this.out.append(PADDING, 0, paddedLen - capLen);
    this.endBlock(list, totalLength);
  }

  /** Hands all that was written to the sink. */
  flush(): void {
    this.out.flush();
  }

  /**
   * Seconds times 10^9 exceed a Float64's 53 bits, so the seconds go in as two parts of 16 bits and more:
   * (upper * 2^16 + lower) * 10^9 + rest.
   */
  private writeTicks(at: number, timeNs: number): void {
    const fromSecondNs = this.baseRestNs + timeNs;
    const wholeS = Math.floor(fromSecondNs / NS_PER_S);
    const second = this.baseS + wholeS;
    const restNs = second < 0 ? 0 : Math.floor(fromSecondNs - wholeS * NS_PER_S);
    const upper = Math.floor(Math.max(second, 0) / TWO_16);
    const lower = Math.max(second, 0) - upper * TWO_16;
    const upperNs = upper * NS_PER_S;
    const upperHi = Math.floor(upperNs / TWO_16);
    const lo = (upperNs - upperHi * TWO_16) * TWO_16 + lower * NS_PER_S + restNs;
    const carry = Math.floor(lo / TWO_32);
    this.out.view.setUint32(at, upperHi + carry, true);
    this.out.view.setUint32(at + 4, lo - carry * TWO_32, true);
  }

  private endBlock(list: readonly Option[], totalLength: number): void {
    for (const { code, value } of list) {
      const at = this.out.reserve(OPTION_HEADER_BYTES);
      this.out.view.setUint16(at, code, true);
      this.out.view.setUint16(at + 2, value.length, true);
      this.out.append(value, 0, value.length);
      this.out.append(PADDING, 0, padded(value.length) - value.length);
    }
    if (list.length > 0) {
      const at = this.out.reserve(OPTION_HEADER_BYTES);
      this.out.view.setUint32(at, OptionCode.endOfOptions, true);
    }
    this.out.view.setUint32(this.out.reserve(TRAILER_BYTES), totalLength, true);
  }
}

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

const NO_OPTIONS: readonly Option[] = [];

function textOption(code: number, text: string | undefined): readonly Option[] {
  return text === undefined || text === '' ? NO_OPTIONS : [{ code, value: fitting(utf8.encode(text)) }];
}

/** Cut to what an option holds, between characters. */
function fitting(value: Uint8Array): Uint8Array {
  if (value.length <= MAX_OPTION_BYTES) return value;
  let end = MAX_OPTION_BYTES;
  while (((value[end] as number) & 0xc0) === 0x80) end--;
  return value.subarray(0, end);
}

/** With the option that ends the list. */
function lengthOfOptions(list: readonly Option[]): number {
  if (list.length === 0) return 0;
  let length = OPTION_HEADER_BYTES;
  for (const { value } of list) length += OPTION_HEADER_BYTES + padded(value.length);
  return length;
}
