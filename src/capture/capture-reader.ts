/**
 * Opens a capture of any format, told by content, never by name.
 *
 *     const reader = openCapture(openByteSource(path));
 *     const batch = createRecordBatch(4096, new Uint8Array(0));
 *     while (reader.next(batch)) for (let i = 0; i < batch.count; i++) …
 *
 * Invariants: the reader never throws once it is open; damage and truncation are states, and all records before
 * them are handed on. Memory does not grow with the file. No frame is looked into.
 */
import { FlowfateError } from '../errors.js';
import { ByteWindow } from './byte-window.js';
import { describeForeignFormat } from './foreign-format.js';
import { isPcap, PCAP_HEADER_BYTES, PcapReader } from './pcap-reader.js';
import { isPcapng, PCAPNG_HEADER_BYTES, PCAPNG_MAJOR, PcapngReader, pcapngVersion } from './pcapng-reader.js';
import type { ByteSource } from './raw-source.js';
import {
  type CaptureReader,
  type CaptureReaderOptions,
  DEFAULT_BUFFER_BYTES,
  MIN_BUFFER_BYTES,
} from './record-reader.js';

export type {
  CaptureDamage,
  CaptureInterface,
  CaptureReader,
  CaptureReaderOptions,
} from './record-reader.js';

const READ_FORMATS = 'pcap and pcapng files can be read, plain or gzipped';
/** enough to tell every format apart */
const HEAD_BYTES = 64;

/**
 * Takes over the source: closes it when the reader is closed, or when this throws.
 * @throws FlowfateError with code `input` if it is no capture, or ends inside the file header
 */
export function openCapture(source: ByteSource, options: CaptureReaderOptions = {}): CaptureReader {
  const buffer = options.buffer ?? new Uint8Array(DEFAULT_BUFFER_BYTES);
  if (buffer.length < MIN_BUFFER_BYTES) {
    throw new RangeError(
      `openCapture: expected a buffer of ${MIN_BUFFER_BYTES} octets, got ${buffer.length}`,
    );
  }
  try {
    return detect(source, new ByteWindow(source, buffer), options);
  } catch (error) {
    source.close();
    throw error;
  }
}

function detect(source: ByteSource, window: ByteWindow, options: CaptureReaderOptions): CaptureReader {
  window.fillTo(HEAD_BYTES);
  const { view, bytes, at, end, unread } = window;
  if (unread >= 4 && isPcap(view, at)) {
    if (unread < PCAP_HEADER_BYTES) throw cutHeader(source, unread, PCAP_HEADER_BYTES);
    return new PcapReader(source, window);
  }
  if (unread >= 12 && isPcapng(view, at)) {
    if (unread < PCAPNG_HEADER_BYTES) throw cutHeader(source, unread, PCAPNG_HEADER_BYTES);
    const { major, minor } = pcapngVersion(view, at);
    if (major !== PCAPNG_MAJOR) {
      throw refusal(
        source,
        `${source.name} is of pcapng version ${major}.${minor}; only version 1 can be read`,
      );
    }
    return new PcapngReader(source, window, options.onComment);
  }
  throw notACapture(source, bytes.subarray(at, Math.min(end, at + HEAD_BYTES)));
}

function notACapture(source: ByteSource, head: Uint8Array): FlowfateError {
  if (head.length === 0) {
    return refusal(source, source.fault?.message ?? `${source.name} is empty: there is no capture in it`);
  }
  const looksLike = describeForeignFormat(head);
  const guess = looksLike === undefined ? '' : `, it looks like ${looksLike}`;
  return refusal(source, `${source.name} is not a capture${guess}; ${READ_FORMATS}`);
}

function cutHeader(source: ByteSource, length: number, headerBytes: number): FlowfateError {
  return refusal(
    source,
    `${source.name} ends inside its file header, after ${length} of ${headerBytes} octets: capture or copy it again`,
  );
}

function refusal(source: ByteSource, message: string): FlowfateError {
  return new FlowfateError('input', message, { file: source.name });
}
