/**
 * The stream of `/api/v1/events` (server-sent events, WHATWG HTML section 9.2): what is told to all who listen, and
 * again to those who were away.
 *
 * Messages with an id are kept in a ring; a reader that comes back with `Last-Event-ID` gets what it missed, or is told
 * that something is missing. Samples have no id: the next one says all. A reader whose queue is full is dropped, so
 * that one that does not read costs a bounded queue and nobody else anything.
 */

import { Ring } from '../ring.js';
import type { StreamMessages } from './api-records.js';

const MESSAGES_KEPT = 1024;
/** of more readers, the newest are sent away: they must not take every connection there is */
export const MAX_READERS = 200;
/** chunks that a reader may be behind */
const QUEUE_LIMIT = 512;
/** what a client waits before it comes again */
const RETRY_MS = 1000;

/** Takes text for one client. Returns false where it is full. */
export interface StreamReader {
  send(text: string): boolean;
  end(): void;
}

export class EventStream {
  private readonly ring = new Ring<string>(MESSAGES_KEPT);
  private readonly readers = new Set<StreamReader>();

  constructor(
    /** tells this run of the program from an earlier one in ids */
    private readonly run: string,
    private readonly version: string,
  ) {}

  get isFull(): boolean {
    return this.readers.size >= MAX_READERS;
  }

  get readerCount(): number {
    return this.readers.size;
  }

  /** To everybody, and to those who come back later. */
  tell<K extends keyof StreamMessages>(name: K, data: StreamMessages[K]): void {
    const text = message(name, data, `${this.run}-${this.ring.count}`);
    this.ring.push(text);
    this.toAll(text);
  }

  /** To everybody who listens now. */
  tellNow<K extends keyof StreamMessages>(name: K, data: StreamMessages[K]): void {
    if (this.readers.size > 0) this.toAll(message(name, data, null));
  }

  /** Keeps connections open through proxies, and finds readers that are gone. */
  heartbeat(): void {
    this.toAll(': still here\n\n');
  }

  /** `lastId` is what the client says it saw last, or null. Returns what takes the reader out. */
  add(reader: StreamReader, lastId: string | null): () => void {
    const from = this.next(lastId);
    const missed = lastId !== null && from === null;
    reader.send(`retry: ${RETRY_MS}\n${message('hello', { version: this.version, missed }, null)}`);
    if (from !== null) for (const text of this.ring.from(from)) reader.send(text);
    this.readers.add(reader);
    return () => void this.readers.delete(reader);
  }

  close(): void {
    for (const reader of this.readers) reader.end();
    this.readers.clear();
  }

  /** Number of the message after `lastId`, or null where what follows it is not known in full. */
  private next(lastId: string | null): number | null {
    const match = lastId === null ? null : /^(.+)-(\d{1,15})$/.exec(lastId);
    if (match === null || match[1] !== this.run) return null;
    const next = Number(match[2]) + 1;
    return next >= this.ring.first && next <= this.ring.count ? next : null;
  }

  private toAll(text: string): void {
    for (const reader of [...this.readers]) {
      if (reader.send(text)) continue;
      this.readers.delete(reader);
      reader.end();
    }
  }
}

/** A reader that is the body of an HTTP response. `onGone` is called when the client goes. */
export function streamBody(connect: (reader: StreamReader) => () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let leave: () => void = () => {};
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let open = true;
        leave = connect({
          send(text) {
            if (!open || (controller.desiredSize ?? 0) <= 0) return false;
            controller.enqueue(encoder.encode(text));
            return true;
          },
          end() {
            if (!open) return;
            open = false;
            controller.close();
          },
        });
      },
      cancel() {
        leave();
      },
    },
    { highWaterMark: QUEUE_LIMIT + MESSAGES_KEPT },
  );
}

function message(name: string, data: unknown, id: string | null): string {
  return `${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
