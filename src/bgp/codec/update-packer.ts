/**
 * Packs prefixes into as few UPDATEs as the message size allows, one attribute set a time.
 *
 * ```
 *   packer.announce(family, attributes, nextHop)   packer.withdraw(family)
 *   packer.add(…)  packer.add(…)  …                packer.add(…)  …
 *   packer.flush()
 * ```
 *
 * Messages are written one after the other into one buffer, which is handed to `emit` when it is full and on
 * `flush`: a socket write carries many messages. IPv4 unicast with an IPv4 next hop goes into the NLRI field;
 * everything else into MP_REACH_NLRI, the first attribute of its message (RFC 7606 section 5.1).
 */

import { FLAG, OPTIONAL_NON_TRANSITIVE } from '../attribute/descriptor.js';
import { addressBits, afiOf, type FamilyKey, IPV4_UNICAST, safiOf } from './address-family.js';
import { type CodecContext, maxMessageBytes } from './codec-context.js';
import { HEADER_BYTES, MESSAGE_TYPE } from './message.js';

/** with the extended length bit: the length is not known when the attribute begins */
const MP_FLAGS = OPTIONAL_NON_TRANSITIVE | FLAG.extendedLength;
const MP_REACH = 14;
const MP_UNREACH = 15;
const MP_HEAD_BYTES = 4;
const BUFFER_BYTES = 1 << 17;

/** where the prefixes of the message in hand go */
type Field = 'none' | 'nlri' | 'withdrawn' | 'reach' | 'unreach';

export class UpdatePacker {
  private readonly bytes = new Uint8Array(BUFFER_BYTES);
  private readonly view = new DataView(this.bytes.buffer);
  private readonly context: CodecContext;
  private readonly emit: (messages: Uint8Array) => void;
  private readonly maxBytes: number;

  private field: Field = 'none';
  private family: FamilyKey = IPV4_UNICAST;
  private attributes: Uint8Array = new Uint8Array(0);
  private nextHop: Uint8Array = new Uint8Array(0);
  private hasPathId = false;
  /** start of the message in hand, and of its prefixes; the message holds none while both are equal to `#at` */
  private messageAt = 0;
  private prefixesAt = 0;
  /** where the next prefix goes, and where the last one must end */
  private at = 0;
  private limit = 0;
  private isOpen = false;

  /** messages completed so far */
  messages = 0;
  /** octets handed on so far */
  private emittedOctets = 0;

  /** `emit` gets whole messages; the octets are valid during the call only. */
  constructor(context: CodecContext, emit: (messages: Uint8Array) => void) {
    this.context = context;
    this.emit = emit;
    this.maxBytes = maxMessageBytes(context);
  }

  /** octets written so far, handed on or not */
  get octets(): number {
    return this.emittedOctets + this.at;
  }

  /**
   * The prefixes that follow have these attributes: everything but MP_REACH_NLRI, as on the wire (NEXT_HOP
   * among them for IPv4 unicast in the NLRI field). `nextHop` is that of MP_REACH_NLRI; `null` puts IPv4
   * unicast into the NLRI field. False where no message can hold the attributes and one prefix of `longest` bits: then
   * the routes cannot be announced (RFC 4271 section 9.2).
   */
  announce(
    family: FamilyKey,
    attributes: Uint8Array,
    nextHop: Uint8Array | null,
    longest = addressBits(family),
  ): boolean {
    this.begin(nextHop === null ? 'nlri' : 'reach', family);
    this.attributes = attributes;
    this.nextHop = nextHop ?? this.nextHop;
    const fixed =
      HEADER_BYTES + 4 + attributes.length + (nextHop === null ? 0 : MP_HEAD_BYTES + 5 + nextHop.length);
    const fits = fixed + (this.hasPathId ? 5 : 1) + ((longest + 7) >>> 3) <= this.maxBytes;
    if (!fits) this.field = 'none';
    return fits;
  }

  /** The prefixes that follow are withdrawn. */
  withdraw(family: FamilyKey): void {
    this.begin(family === IPV4_UNICAST ? 'withdrawn' : 'unreach', family);
    this.attributes = NOTHING;
  }

  /** One prefix: words in network order, host bits zero; IPv4 in `w0`. `pathId` counts where negotiated. */
  add(w0: number, w1: number, w2: number, w3: number, length: number, pathId: number): void {
    if (this.field === 'none') throw new TypeError('UpdatePacker.add: expected announce or withdraw before');
    const octets = (length + 7) >>> 3;
    if (!this.isOpen) this.openMessage();
    else if (this.at + (this.hasPathId ? 5 : 1) + octets > this.limit) {
      this.closeMessage();
      this.openMessage();
    }
    const bytes = this.bytes;
    let at = this.at;
    if (this.hasPathId) {
      this.view.setUint32(at, pathId);
      at += 4;
    }
    bytes[at++] = length;
    for (let i = 0; i < octets; i++) {
      const word = i < 4 ? w0 : i < 8 ? w1 : i < 12 ? w2 : w3;
      bytes[at++] = word >>> (24 - (i & 3) * 8);
    }
    this.at = at;
  }

  /** RFC 4724 section 2: all routes of `family` have been sent. */
  endOfRib(family: FamilyKey): void {
    this.withdraw(family);
    this.openMessage();
    this.closeMessage();
    this.field = 'none';
  }

  /** Completes the message in hand and hands everything on. */
  flush(): void {
    if (this.isOpen) this.closeMessage();
    if (this.at > 0) this.emit(this.bytes.subarray(0, this.at));
    this.emittedOctets += this.at;
    this.at = 0;
  }

  private begin(field: Field, family: FamilyKey): void {
    if (this.isOpen) this.closeMessage();
    this.field = field;
    this.family = family;
    this.hasPathId = this.context.addPathSend.has(family);
  }

  /** Writes everything that precedes the prefixes. */
  private openMessage(): void {
    if (this.at + this.maxBytes > BUFFER_BYTES) this.flush();
    const bytes = this.bytes;
    let at = this.at;
    this.messageAt = at;
    bytes.fill(0xff, at, at + 16);
    bytes[at + 18] = MESSAGE_TYPE.update;
    at += HEADER_BYTES;
    this.view.setUint16(at, 0);
    at += 2;
    let after = 0;
    if (this.field === 'nlri') {
      this.view.setUint16(at, this.attributes.length);
      bytes.set(this.attributes, at + 2);
      at += 2 + this.attributes.length;
    } else if (this.field === 'withdrawn') after = 2;
    else {
      at = this.openMultiprotocol(at + 2);
      after = this.attributes.length;
    }
    this.prefixesAt = at;
    this.at = at;
    this.limit = this.messageAt + this.maxBytes - after;
    this.isOpen = true;
  }

  private openMultiprotocol(at: number): number {
    const bytes = this.bytes;
    bytes[at] = MP_FLAGS;
    bytes[at + 1] = this.field === 'reach' ? MP_REACH : MP_UNREACH;
    at += MP_HEAD_BYTES;
    this.view.setUint16(at, afiOf(this.family));
    bytes[at + 2] = safiOf(this.family);
    at += 3;
    if (this.field === 'unreach') return at;
    bytes[at++] = this.nextHop.length;
    bytes.set(this.nextHop, at);
    at += this.nextHop.length;
    bytes[at] = 0;
    return at + 1;
  }

  /** Writes the lengths, and what follows the prefixes. */
  private closeMessage(): void {
    const view = this.view;
    const bodyAt = this.messageAt + HEADER_BYTES;
    if (this.field === 'withdrawn') {
      view.setUint16(bodyAt, this.at - this.prefixesAt);
      view.setUint16(this.at, 0);
      this.at += 2;
    } else if (this.field !== 'nlri') {
      view.setUint16(bodyAt + 6, this.at - bodyAt - 4 - MP_HEAD_BYTES);
      this.bytes.set(this.attributes, this.at);
      this.at += this.attributes.length;
      view.setUint16(bodyAt + 2, this.at - bodyAt - 4);
    }
    view.setUint16(this.messageAt + 16, this.at - this.messageAt);
    this.messages++;
    this.isOpen = false;
  }
}

const NOTHING = new Uint8Array(0);
