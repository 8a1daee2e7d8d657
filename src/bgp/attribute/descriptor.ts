/**
 * Path attributes as a table of descriptors: what BGP knows about one attribute code, in one object.
 *
 * ```
 *   +-------+------+------------------+------- - -
 *   | flags | code | length (1 or 2)  | value
 *   +-------+------+------------------+------- - -
 *    OTPE....            E = extended length
 * ```
 *
 * One file a code, named by it, so that the listing of this folder reads like the IANA registry "BGP Path
 * Attributes". `check` is the hot half: it runs on every attribute of every UPDATE, reads in place and
 * allocates nothing. `decode` and `encode` are the readable half and each other's inverse on every value that
 * `check` accepts.
 */
import type { ByteWriter } from '../codec/byte-writer.js';
import type { CodecContext } from '../codec/codec-context.js';

/** Flag bits, RFC 4271 section 4.3. The low four bits are ignored on receipt and sent as zero. */
export const FLAG = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;

/** What the receiver does about a malformed attribute: RFC 7606 section 2, weakest first. */
export const OUTCOME = {
  accept: 0,
  /** drop the attribute, keep the route */
  attributeDiscard: 1,
  /** handle all routes of the UPDATE as if they were withdrawn */
  treatAsWithdraw: 2,
  /** send a NOTIFICATION and close */
  sessionReset: 3,
} as const;

export type Outcome = (typeof OUTCOME)[keyof typeof OUTCOME];

export const OUTCOME_NAMES = ['accept', 'attribute-discard', 'treat-as-withdraw', 'session-reset'] as const;

export interface AttributeDescriptor<V = unknown> {
  readonly code: number;
  /** IANA's name */
  readonly name: string;
  /** Optional and Transitive bits that the attribute must have */
  readonly flags: number;
  /** what a value that `check` refuses leads to (RFC 7606 section 7 and the attribute's own RFC) */
  readonly onMalformed: Outcome;
  /** iBGP only: from an external peer it is discarded unread (RFC 7606 sections 7.5, 7.9, 7.10) */
  readonly internalOnly?: boolean;
  /**
   * 0 where `view[at .. end)` is a value the attribute may have in this context, otherwise the UPDATE error
   * subcode (notification-code.ts) that names what is wrong with it.
   */
  check(view: DataView, at: number, end: number, context: CodecContext): number;
  /** The value, of octets that `check` accepts. Copies what it keeps. */
  decode(view: DataView, at: number, end: number, context: CodecContext): V;
  encode(value: V, out: ByteWriter, context: CodecContext): void;
  /** The value as plain JSON, readable. */
  toJson(value: V): unknown;
}

/** One attribute of an UPDATE. */
export interface PathAttribute<V = unknown> {
  readonly code: number;
  /** as received, low four bits and extended length cleared */
  readonly flags: number;
  /** of the type that the code's descriptor has; raw octets where the code is unknown or {@link fault} is set */
  readonly value: V;
  /** the UPDATE error subcode that `check` gave; absent where the value is well-formed */
  readonly fault?: number;
}

/** `attribute`'s value as `descriptor` types it, of the first attribute with that code that is well-formed. */
export function attributeValue<V>(
  attributes: readonly PathAttribute[],
  descriptor: AttributeDescriptor<V>,
): V | undefined {
  const found = attributes.find((a) => a.code === descriptor.code && a.fault === undefined);
  return found?.value as V | undefined;
}

export const WELL_KNOWN = FLAG.transitive;
export const OPTIONAL_TRANSITIVE = FLAG.optional | FLAG.transitive;
export const OPTIONAL_NON_TRANSITIVE = FLAG.optional;
