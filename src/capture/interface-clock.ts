/**
 * Times of a pcapng interface: 64-bit ticks since 1970 of any decimal or binary fraction of a second, turned into
 * nanoseconds since the capture's base, rounded down to a nanosecond as tshark does.
 *
 * Float64 holds integers to 2^53, ticks since 1970 are larger; so ticks are counted from the start of the base's
 * second. Exact within 104 days of the base, to a microsecond within centuries. Resolutions that do not divide a
 * nanosecond count take BigInt: right, some 40 times slower, and met only in test files.
 */

const TWO_32 = 0x1_0000_0000;
const NS_PER_S = 1_000_000_000n;
const BINARY = 0x80;

export class InterfaceClock {
  readonly ticksPerSecond: bigint;
  private readonly offsetS: bigint;
  /** nanoseconds of a tick where that is a whole number, else 0 */
  private readonly nsPerTick: number;
  private baseNs = 0n;
  /** ticks at the start of the base's second, as two halves; and the base's nanoseconds behind it */
  private zeroHi = 0;
  private zeroLo = 0;
  private restNs = 0;

  /** `resolution` is the option `if_tsresol`, `offsetS` is `if_tsoffset`. */
  constructor(resolution: number, offsetS: bigint) {
    const exponent = BigInt(resolution & ~BINARY);
    this.ticksPerSecond = (resolution & BINARY) !== 0 ? 2n ** exponent : 10n ** exponent;
    this.offsetS = offsetS;
    this.nsPerTick = NS_PER_S % this.ticksPerSecond === 0n ? Number(NS_PER_S / this.ticksPerSecond) : 0;
  }

  /** Nanoseconds since 1970. */
  absoluteNs(ticksHi: number, ticksLo: number): bigint {
    const ticks = (BigInt(ticksHi) << 32n) | BigInt(ticksLo);
    return (ticks * NS_PER_S) / this.ticksPerSecond + this.offsetS * NS_PER_S;
  }

  /** Sets what `timeNs` counts from. */
  setBase(baseNs: bigint): void {
    this.baseNs = baseNs;
    const restNs = ((baseNs % NS_PER_S) + NS_PER_S) % NS_PER_S;
    const zero = ((baseNs - restNs) / NS_PER_S - this.offsetS) * this.ticksPerSecond;
    this.zeroHi = Number(zero >> 32n);
    this.zeroLo = Number(zero & 0xffff_ffffn);
    this.restNs = Number(restNs);
  }

  /** Nanoseconds since the base. */
  timeNs(ticksHi: number, ticksLo: number): number {
    if (this.nsPerTick === 0) return Number(this.absoluteNs(ticksHi, ticksLo) - this.baseNs);
    const ticks = (ticksHi - this.zeroHi) * TWO_32 + (ticksLo - this.zeroLo);
    return ticks * this.nsPerTick - this.restNs;
  }
}
