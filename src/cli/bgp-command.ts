/** `flowfate bgp decode <file>`: BGP messages as JSON lines, from octets, hexadecimal text or a capture. */
import type { Command } from 'commander';
import {
  type DecodedMessage,
  decodeBgpChunks,
  decodeBgpHex,
  looksLikeHex,
} from '../bgp/codec/decode-input.js';
import { faultToJson } from '../bgp/codec/message-json.js';
import { type ByteSource, openByteSource } from '../capture/byte-source.js';
import { openCapture } from '../capture/capture-reader.js';
import { isPcap } from '../capture/pcap-reader.js';
import { isPcapng } from '../capture/pcapng-reader.js';
import { peekSource } from '../capture/peek-source.js';
import { FlowfateError } from '../errors.js';
import { readBgpSessions } from './bgp-segments.js';
import type { DeclareCommand } from './declare-command.js';
import { ExitStatus } from './exit-status.js';
import type { Io } from './io.js';
import { writeOutput } from './output.js';
import { warn } from './read-input.js';

const EXAMPLES = `
Examples:
  flowfate bgp decode session.pcap                   the BGP sessions inside a capture, a message a line
  flowfate bgp decode updates.bin                    messages as they went over the wire
  echo ffffffffffffffffffffffffffffffff001304 | flowfate bgp decode -
  flowfate bgp decode dump.txt | jq 'select(.type == "NOTIFICATION")'`;

/** enough to tell a capture, octets and text apart */
const HEAD_BYTES = 4096;
const CHUNK_BYTES = 1 << 16;
/** text is read whole: nobody writes more than this in hexadecimal */
const MAX_TEXT_BYTES = 1 << 28;

export const declare: DeclareCommand = (command: Command, io, done) => {
  command
    .addHelpText('after', EXAMPLES)
    .command('decode')
    .description('BGP messages as JSON lines.')
    .argument(
      '<file>',
      'BGP messages, binary or hexadecimal, or a capture with BGP in it; - is standard input',
    )
    .option('--out <file>', 'write to a file instead of standard output')
    .allowExcessArguments(false)
    .addHelpText('after', EXAMPLES)
    .action((file: string, options: { readonly out?: string }) => {
      writeOutput(options.out, io, [file], ({ write }) => {
        done(decodeFile(file, io, (record) => write(`${JSON.stringify(record)}\n`)));
      });
    });
};

function decodeFile(file: string, io: Io, emit: (record: unknown) => void): ExitStatus {
  const { head, whole } = peekSource(openByteSource(file), HEAD_BYTES);
  try {
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    if (head.length >= 12 && (isPcap(view, 0) || isPcapng(view, 0))) return decodeCapture(whole, io, emit);
    const isText = looksLikeHex(head);
    const messages = isText ? decodeBgpHex(readText(whole)) : decodeBgpChunks(chunksOf(whole));
    const count = emitAll(messages, emit);
    if (whole.fault !== null) warn(io, whole.fault.message);
    else if (count.messages + count.faults === 0) warn(io, `${whole.name} holds no BGP message`);
    return whole.fault !== null || count.faults > 0 ? ExitStatus.input : ExitStatus.done;
  } finally {
    whole.close();
  }
}

function emitAll(messages: Iterable<DecodedMessage>, emit: (record: unknown) => void) {
  const count = { messages: 0, faults: 0 };
  for (const { json, fault } of messages) {
    emit(json);
    if (fault === null) count.messages++;
    else count.faults++;
  }
  return count;
}

function decodeCapture(source: ByteSource, io: Io, emit: (record: unknown) => void): ExitStatus {
  const reader = openCapture(source);
  let messages = 0;
  let faults = 0;
  readBgpSessions(reader, ({ timeS, src, srcPort, dst, dstPort, decoded, fault }) => {
    messages++;
    if (fault !== null || decoded?.fault != null) faults++;
    const what = decoded?.json ?? { fault: faultToJson(fault!) };
    emit({ time: timeS, src, srcPort, dst, dstPort, ...what });
  });
  for (const warning of reader.warnings) warn(io, warning);
  if (messages === 0)
    warn(io, `${source.name} has no BGP session in it (TCP port 179, or a BGP marker on any other)`);
  if (faults > 0)
    warn(io, `${source.name}: ${faults} of ${messages} messages cannot be read; each says why in its line`);
  if (reader.damage === null) return faults > 0 ? ExitStatus.input : ExitStatus.done;
  warn(io, `${reader.damage.message}; the messages before it are printed`);
  return ExitStatus.input;
}

function* chunksOf(source: ByteSource): Generator<Uint8Array> {
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const count = source.read(chunk, 0, CHUNK_BYTES);
    if (count <= 0) return;
    yield chunk.subarray(0, count);
  }
}

function readText(source: ByteSource): string {
  const parts: Uint8Array[] = [];
  let total = 0;
  for (const chunk of chunksOf(source)) {
    parts.push(chunk.slice());
    total += chunk.length;
    if (total > MAX_TEXT_BYTES) {
      throw new FlowfateError('input', `${source.name} is too long for hexadecimal text: give it in binary`);
    }
  }
  return Buffer.concat(parts).toString('latin1');
}
