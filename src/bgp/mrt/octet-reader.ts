/** Reads fields one after the other; past the end it reads zeros and remembers that it did. */
import { type Address, ipv4, ipv6 } from '../../addr/address.js';

export class OctetReader {
  /** a read went past the end: nothing since is worth anything */
  isShort = false;

  constructor(
    readonly view: DataView,
    public at: number,
    readonly end: number,
  ) {}

  /** octets left */
  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    const at = this.skip(1);
    return at < 0 ? 0 : this.view.getUint8(at);
  }

  u16(): number {
    const at = this.skip(2);
    return at < 0 ? 0 : this.view.getUint16(at);
  }

  u32(): number {
    const at = this.skip(4);
    return at < 0 ? 0 : this.view.getUint32(at);
  }

  ipv4(): Address {
    return ipv4(this.u32());
  }

  ipv6(): Address {
    return ipv6(this.u32(), this.u32(), this.u32(), this.u32());
  }

  asn(width: 2 | 4): number {
    return width === 4 ? this.u32() : this.u16();
  }

  /** Passes over `count` octets; where they begin, -1 where they are not all there. */
  skip(count: number): number {
    const at = this.at;
    if (this.isShort || at + count > this.end) {
      this.isShort = true;
      return -1;
    }
    this.at = at + count;
    return at;
  }
}
