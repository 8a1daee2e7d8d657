/**
 * Why a frame was not, or not wholly, understood: one closed table. A frame has at most one fault, the first met.
 * Its name is a key of `decodeFaults` in the report; link types that nobody reads are counted by number there.
 */
export const DecodeFault = {
  none: 0,
  linkType: 1,
  linkHeaderCut: 2,
  unknownEtherType: 3,
  unknownLinkProtocol: 4,
  ipv4HeaderCut: 5,
  ipv4HeaderBad: 6,
  ipv6HeaderCut: 7,
  ipv6HeaderBad: 8,
  ipv6ExtensionCut: 9,
  l4HeaderCut: 10,
  tunnelHeaderCut: 11,
  tunnelNotUnderstood: 12,
  tooManyHeaders: 13,
} as const;
export type DecodeFault = (typeof DecodeFault)[keyof typeof DecodeFault];

/** by number */
const DECODE_FAULT_NAMES: readonly string[] = [
  'none',
  'link-type',
  'link-header-cut',
  'unknown-ethertype',
  'unknown-link-protocol',
  'ipv4-header-cut',
  'ipv4-header-bad',
  'ipv6-header-cut',
  'ipv6-header-bad',
  'ipv6-extension-cut',
  'l4-header-cut',
  'tunnel-header-cut',
  'tunnel-not-understood',
  'too-many-headers',
];

/** Counts faults; `link-type-N` by link type. */
export class FaultTally {
  private readonly byFault = new Float64Array(DECODE_FAULT_NAMES.length);
  private readonly byLinkType = new Map<number, number>();

  add(fault: DecodeFault, linkType: number): void {
    if (fault === DecodeFault.linkType) {
      this.byLinkType.set(linkType, (this.byLinkType.get(linkType) ?? 0) + 1);
    } else {
      this.byFault[fault]!++;
    }
  }

  /** Link types that nobody reads, with their packets. */
  get undecoded(): ReadonlyMap<number, number> {
    return this.byLinkType;
  }

  /** The kinds that occurred. */
  toRecord(): Record<string, number> {
    const record: Record<string, number> = {};
    for (const [linkType, count] of [...this.byLinkType].sort((a, b) => a[0] - b[0])) {
      record[`link-type-${linkType}`] = count;
    }
    for (let fault = DecodeFault.linkHeaderCut; fault < DECODE_FAULT_NAMES.length; fault++) {
      const count = this.byFault[fault]!;
      if (count > 0) record[DECODE_FAULT_NAMES[fault]!] = count;
    }
    return record;
  }
}
