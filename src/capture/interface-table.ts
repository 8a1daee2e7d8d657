/**
 * The interfaces of a pcapng file in bounded memory: a hostile file can declare millions, but few kinds. An
 * interface costs two octets; what it is like is stored once a kind.
 */
import { InterfaceClock } from './interface-clock.js';
import { maxFrameBytes } from './link-types.js';

/** What a reader must know of an interface to read its packets. */
export interface InterfaceKind {
  readonly linkType: number;
  readonly snapLen: number;
  readonly maxFrameBytes: number;
  readonly clock: InterfaceClock;
}

const MAX_KINDS = 0x10000;
const FIRST_CAPACITY = 16;

export class InterfaceTable {
  /** interfaces of all sections so far */
  count = 0;
  private kindAt = new Uint16Array(FIRST_CAPACITY);
  private readonly kinds: InterfaceKind[] = [];
  private readonly kindByKey = new Map<string, number>();
  private baseNs: bigint | undefined;

  /** Adds an interface and returns its kind; undefined when the file has too many different kinds to be real. */
  add(linkType: number, snapLen: number, resolution: number, offsetS: bigint): InterfaceKind | undefined {
    const key = `${linkType} ${snapLen} ${resolution} ${offsetS}`;
    let kind = this.kindByKey.get(key);
    if (kind === undefined) {
      kind = this.kinds.length;
      if (kind === MAX_KINDS) return undefined;
      const clock = new InterfaceClock(resolution, offsetS);
      if (this.baseNs !== undefined) clock.setBase(this.baseNs);
      this.kinds.push({ linkType, snapLen, maxFrameBytes: maxFrameBytes(linkType), clock });
      this.kindByKey.set(key, kind);
    }
    if (this.count === this.kindAt.length) {
      const larger = new Uint16Array(this.count * 2);
      larger.set(this.kindAt);
      this.kindAt = larger;
    }
    this.kindAt[this.count++] = kind;
    return this.kinds[kind];
  }

  /** The kind of interface `number`, counted over all sections; it must be below `count`. */
  kindOf(number: number): InterfaceKind {
    return this.kinds[this.kindAt[number] as number] as InterfaceKind;
  }

  /** Sets what all clocks count from, also those to come. */
  setBase(baseNs: bigint): void {
    this.baseNs = baseNs;
    for (const { clock } of this.kinds) clock.setBase(baseNs);
  }
}
