/**
 * A whole capture through the data plane, into a pcapng or pcap file: one interface a hop (the router, then the nodes),
 * times a link type, in pcapng; what addresses are called in a Name Resolution Block; a comment on every packet that
 * was dropped, which stands as it came to the hop that dropped it.
 */
import type { Address } from '../addr/address.js';
import type { CaptureReader } from '../capture/capture-reader.js';
import { PcapWriter } from '../capture/pcap-writer.js';
import { PcapngWriter } from '../capture/pcapng-writer.js';
import type { ByteSink } from '../capture/record-sink.js';
import { FlowfateError } from '../errors.js';
import type { DataPlane } from './data-plane.js';

export interface ForwardOutput {
  readonly format: 'pcap' | 'pcapng';
  readonly write: ByteSink;
  /** which packets are written: a bit for each class of verdict-codes.ts */
  readonly classes: number;
  /** only what left or ended at this hop; -1: at any */
  readonly hop: number;
  /** about the capture as a whole */
  readonly comment: string;
}

/** Forwards all of `reader`'s packets (which reads into the plane's batch); `output` null: nothing is written. */
export function forwardCapture(
  reader: CaptureReader,
  plane: DataPlane,
  output: ForwardOutput | null,
  onBatch: (packets: number) => void,
): void {
  const { batch } = plane;
  let file: ForwardFile | null = null;
  let begun = false;
  while (reader.next(batch)) {
    if (!begun) {
      begun = true;
      plane.begin(reader.baseNs);
      file = output && new ForwardFile(plane, output, reader.baseNs);
    }
    plane.process();
    file?.add(reader.linkTypes);
    onBatch(reader.packets);
  }
  if (output !== null && file === null) new ForwardFile(plane, output, 0n).finishEmpty();
}

const ETHERNET = 1;

/** The file that comes of it. */
class ForwardFile {
  private readonly pcapng: PcapngWriter | null = null;
  /** first interface of a link type; those of its hops follow */
  private readonly bases = new Map<number, number>();
  private interfaces = 0;

  constructor(
    private readonly plane: DataPlane,
    private readonly output: ForwardOutput,
    private readonly baseNs: bigint,
  ) {
    if (output.format === 'pcap') return;
    const { comment, write } = output;
    this.pcapng = new PcapngWriter(write, { application: 'flowfate', baseNs, comment });
    this.pcapng.addNames(plane.names().map(({ address, name }) => ({ octets: octetsOf(address), name })));
  }

  /** Writes the batch that the plane has just processed. */
  add(linkTypes: readonly number[]): void {
    for (const linkType of linkTypes) if (!this.bases.has(linkType)) this.open(linkType);
    const { iface, linkType, count } = this.plane.batch;
    if (linkTypes.length === 1) iface.fill(this.bases.get(linkTypes[0]!)!, 0, count);
    else for (let row = 0; row < count; row++) iface[row] = this.bases.get(linkType[row]!)!;
    const { format, classes, hop, write } = this.output;
    const octets = this.plane.emit(format, classes, hop, this.baseNs);
    if (octets.length > 0) write(octets);
  }

  finishEmpty(): void {
    this.open(ETHERNET);
  }

  private open(linkType: number): void {
    if (this.pcapng === null) {
      if (this.bases.size > 0) {
        throw new FlowfateError(
          'usage',
          'the capture has several link types, and a pcap file holds one; use --format pcapng',
        );
      }
      new PcapWriter(this.output.write, { linkType, baseNs: this.baseNs }).flush();
    }
    this.bases.set(linkType, this.interfaces);
    for (const name of this.plane.hops) {
      this.pcapng?.addInterface({ linkType, name });
      this.interfaces++;
    }
    this.pcapng?.flush();
  }
}

function octetsOf({ family, w0, w1, w2, w3 }: Address): Uint8Array {
  const octets = new Uint8Array(family === 4 ? 4 : 16);
  const view = new DataView(octets.buffer);
  for (const [i, word] of (family === 4 ? [w0] : [w0, w1, w2, w3]).entries()) view.setUint32(4 * i, word);
  return octets;
}
