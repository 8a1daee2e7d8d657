/**
 * What the readers of all formats share: filling the window, handing on rows, and telling apart the ways an input
 * can end. A format only says how to `scan` the records that lie complete in the window, and how to pass one that
 * is larger than the window.
 */
import type { ByteWindow } from './byte-window.js';
import type { ByteSource } from './raw-source.js';
import type { RecordBatch } from './record-batch.js';
import {
  type CaptureDamage,
  type CaptureInterface,
  type CaptureReader,
  MAX_DESCRIBED_INTERFACES,
} from './record-reader.js';

export abstract class WindowReader implements CaptureReader {
  abstract readonly format: 'pcap' | 'pcapng';
  baseNs = 0n;
  readonly interfaces: CaptureInterface[] = [];
  readonly linkTypes: number[] = [];
  packets = 0;
  truncated = false;
  damage: CaptureDamage | null = null;
  dropped: number | null = null;
  readonly warnings: string[] = [];
  readonly comments: string[] = [];
  private done = false;

  protected constructor(
    protected readonly source: ByteSource,
    protected readonly window: ByteWindow,
  ) {}

  /**
   * Puts the complete records from `window.at` on into the batch until it is full, the window holds no other
   * complete one, or `fail` was called; moves `window.at` past all it took. Adds to `packets`.
   */
  protected abstract scan(batch: RecordBatch): void;

  /** The window is full and one record is not complete in it: takes it in part, or passes it; false if cut. */
  protected abstract takeOversized(batch: RecordBatch): boolean;

  next(batch: RecordBatch): boolean {
    const window = this.window;
    batch.count = 0;
    if (batch.bytes !== window.bytes) {
      batch.bytes = window.bytes;
      batch.view = window.view;
    }
    while (!this.done && this.damage === null) {
      this.scan(batch);
      if (batch.count > 0) return true;
      if (this.damage !== null) break;
      if (window.unread === window.bytes.length) {
        if (!this.takeOversized(batch)) this.end(true);
        if (batch.count > 0) return true;
      } else if (!window.fill()) {
        this.end(window.unread > 0);
      }
    }
    return false;
  }

  rebind(buffer: Uint8Array): void {
    this.window.rebind(buffer);
  }

  close(): void {
    this.done = true;
    this.source.close();
  }

  /** Ends the reading at a place where the file is wrong. */
  protected fail(what: string, at: number): void {
    const offset = this.window.offsetOf(at);
    this.damage = { message: `${this.source.name} is damaged at offset ${offset}: ${what}`, offset };
  }

  protected addInterface(described: CaptureInterface): void {
    if (this.interfaces.length < MAX_DESCRIBED_INTERFACES) this.interfaces.push(described);
    if (!this.linkTypes.includes(described.linkType)) this.linkTypes.push(described.linkType);
  }

  private end(insideRecord: boolean): void {
    this.done = true;
    const { fault, name } = this.source;
    const offset = this.window.offsetOf(this.window.at);
    if (fault?.kind === 'damaged') {
      this.damage = { message: fault.message, offset };
    } else if (fault !== null) {
      this.truncated = true;
      this.warnings.push(fault.message);
    } else if (insideRecord) {
      this.truncated = true;
      this.warnings.push(
        `${name} ends in the middle of a record at offset ${offset}; what came before it was read`,
      );
    }
  }
}
