/** What became of a packet, as the kernel writes it for every row: class << 30 | hop << 12 | note. */

export const PacketClass = {
  /** not for a service of the model: it goes on as it came */
  unchanged: 0,
  translated: 1,
  dropped: 2,
} as const;
export type PacketClass = (typeof PacketClass)[keyof typeof PacketClass];

export const CLASS_NAMES = ['unchanged', 'translated', 'dropped'] as const;
export type ClassName = (typeof CLASS_NAMES)[number];

/** Hop 0 is the router, hop n + 1 the node of row n. `note` is the number of a drop's comment; 0: none. */
export function packVerdict(kind: PacketClass, hop: number, note: number): number {
  return ((kind << 30) | (hop << 12) | note) >>> 0;
}

export function classOf(verdict: number): PacketClass {
  return (verdict >>> 30) as PacketClass;
}

export function hopOf(verdict: number): number {
  return (verdict >>> 12) & 0x3ffff;
}

export function noteOf(verdict: number): number {
  return verdict & 0xfff;
}
