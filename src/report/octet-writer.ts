/**
 * A report's octets, written one after the other into one buffer that goes on whenever it is full enough.
 *
 * Numbers and plain texts are written digit by digit and character by character: making a string of a record first and
 * octets of that afterwards takes ten times as long. What is written is what `JSON.stringify` gives, octet by octet.
 */
import type { Sink } from './sink.js';

/** Takes octets that are its own only until it returns: the buffer is used again. */
export type OctetSink = (octets: Uint8Array) => void;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** longest text of a number: -1.2345678901234567e-308 */
const NUMBER_LENGTH = 25;
const FULL_OCTETS = 1 << 16;
/** from here on a moment may have more than the 15 digits that a Float64 tells apart */
const MOST_SECONDS = 1e6;
const NS = 1e9;

const encoder = new TextEncoder();

function octetsOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** For who wants text: records are handed on whole, and with them their characters. */
export function asText(sink: Sink): OctetSink {
  const decoder = new TextDecoder();
  return (octets) => sink(decoder.decode(octets));
}

/** Octets that are written often, four at a time. */
export class Piece {
  readonly length: number;
  /** little-endian, the last one filled up with zeros */
  readonly words: Int32Array;

  constructor(text: string) {
    const octets = octetsOf(text);
    this.length = octets.length;
    this.words = new Int32Array(Math.ceil(octets.length / 4));
    octets.forEach((octet, i) => {
      this.words[i >> 2]! |= octet << (8 * (i & 3));
    });
  }
}

export class OctetWriter {
  private octets = new Uint8Array(2 * FULL_OCTETS);
  private view = new DataView(this.octets.buffer);
  private length = 0;

  constructor(private readonly sink: OctetSink) {}

  /** Call between records: hands on what there is, where it is enough. */
  pause(): void {
    if (this.length >= FULL_OCTETS) this.flush();
  }

  flush(): void {
    if (this.length === 0) return;
    const { length } = this;
    this.length = 0;
    this.sink(this.octets.subarray(0, length));
  }

  piece({ words, length }: Piece): void {
    this.room(length + 3);
    const { view } = this;
    const from = this.length;
    for (let i = 0; i < words.length; i++) view.setInt32(from + 4 * i, words[i]!, true);
    this.length = from + length;
  }

  raw(more: Uint8Array): void {
    this.room(more.length).set(more, this.length);
    this.length += more.length;
  }

  octet(code: number): void {
    this.room(1)[this.length++] = code;
  }

  /** Text as it is, in UTF-8. */
  text(text: string): void {
    const { length } = text;
    const octets = this.room(length);
    let at = this.length;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7e) {
        this.raw(octetsOf(text));
        return;
      }
      octets[at++] = code;
    }
    this.length = at;
  }

  /** A JSON string. */
  quoted(text: string): void {
    const { length } = text;
    const octets = this.room(length + 2);
    let at = this.length;
    octets[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) {
        this.raw(octetsOf(JSON.stringify(text)));
        return;
      }
      octets[at++] = code;
    }
    octets[at++] = QUOTE;
    this.length = at;
  }

  /** A JSON number; what is not finite is null. */
  number(n: number): void {
    if (n >= 0 && n <= 0xffffffff && Math.floor(n) === n) this.whole(n);
    else this.text(Number.isFinite(n) ? String(n) : 'null');
  }

  /** A number that lies on the grid of nanoseconds, as times in seconds do; any other as well, more slowly. */
  seconds(s: number): void {
    const size = Math.abs(s);
    const ns = Math.round(size * NS);
    // below a microsecond numbers are written with an exponent
    if (!(size < MOST_SECONDS) || ns / NS !== size || ns < 1000) {
      this.number(s);
      return;
    }
    if (s < 0) this.octet(MINUS);
    const whole = Math.floor(size);
    this.whole(whole);
    let fraction = Math.round(ns - whole * NS);
    if (fraction === 0) return;
    let digits = 9;
    while (fraction % 10 === 0) {
      fraction /= 10;
      digits--;
    }
    const octets = this.room(NUMBER_LENGTH);
    const from = this.length;
    octets[from] = POINT;
    for (let i = digits; i > 0; i--) {
      const rest = (fraction / 10) | 0;
      octets[from + i] = ZERO + fraction - 10 * rest;
      fraction = rest;
    }
    this.length = from + digits + 1;
  }

  /** A whole number below 2^32. */
  private whole(n: number): void {
    const octets = this.room(NUMBER_LENGTH);
    let digits = 1;
    for (let power = 10; power <= n; power *= 10) digits++;
    let at = this.length + digits;
    this.length = at;
    while (n > 0x7fffffff) {
      const rest = Math.floor(n / 10);
      octets[--at] = ZERO + n - 10 * rest;
      n = rest;
    }
    let left = n | 0;
    do {
      const rest = (left / 10) | 0;
      octets[--at] = ZERO + left - 10 * rest;
      left = rest;
    } while (left > 0);
  }

  /** The buffer with room for so many octets more. */
  private room(more: number): Uint8Array {
    if (this.length + more > this.octets.length) {
      const wider = new Uint8Array(2 * (this.length + more));
      wider.set(this.octets.subarray(0, this.length));
      this.octets = wider;
      this.view = new DataView(wider.buffer);
    }
    return this.octets;
  }
}
