/**
 * `--pcapng f`: the capture again, as pcapng, with a comment on every packet at which a flow's path changed or the
 * flow broke, so that Wireshark shows verdicts where they happened (filter: `frame.comment`). Where a service has an
 * L7 proxy, its requests stand there again as the proxy sends them on, on an interface of their own.
 *
 * A second pass over the file; packets are copied as they are. Which of them get a comment is known from the packet
 * index. A comment belongs to the first packet of the
 * client's at or after the moment of the verdict.
 */
import { PcapngWriter } from '../capture/pcapng-writer.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { FlowLookup } from '../flow/flow-lookup.js';
import { clientSide } from '../flow/flow-rows.js';
import { decodeFrame, walkFrames } from '../flow/walk-packets.js';
import { isBroken } from '../verdict/fates.js';
import type { FlowVerdict, ReplayResult } from '../verdict/verdict.js';

interface Remark {
  readonly timeNs: number;
  readonly text: string;
}

const RAW_IP = 101;

/** Times in a verdict are rounded to nanoseconds of a Float64 of seconds. */
const ROUNDING_NS = 1000;

/** Returns how many packets got a comment. `path` must be the capture of the result, readable twice. */
export function annotateCapture(
  path: string,
  result: ReplayResult,
  write: (octets: Uint8Array) => void,
): number {
  const { flows, summary } = result.index;
  const level = summary.level ?? 'outer';
  const remarks = new Map<number, Remark[]>();
  const rewritten = new Map<number, Uint8Array[]>();
  for (let f = 0; f < result.flowCount; f++) {
    const request = result.rewrittenRequest(f);
    if (request !== null) {
      const { packet, ipPacket } = request;
      rewritten.set(packet, [...(rewritten.get(packet) ?? []), ipPacket]);
    }
    const row = result.flowTableRow(f);
    const ofFlow = remarksOf(result.flowVerdict(f), flows.firstNs[row]!);
    if (ofFlow.length === 0) continue;
    // connections that share a five-tuple follow each other in time
    remarks.set(row, [...(remarks.get(row) ?? []), ...ofFlow]);
  }
  const comments = commentsOf(result.index, remarks);
  const wanted = new Uint8Array(flows.count);
  for (const { flowDir } of comments) wanted[flowDir >>> 1] = 1;
  const lookup = new FlowLookup(flows, wanted);
  const writer = new PcapngWriter(write, {
    baseNs: summary.baseNs,
    application: 'flowfate',
    comment: `scenario ${result.summary.scenario.name}, seed ${result.summary.scenario.seed}`,
  });
  const interfaces = new Map<number, number>();
  let applicationSide = -1;
  let commented = 0;
  walkFrames(path, (frame) => {
    const { number: packet, decoder, bytes, at, capLen, wireLen, linkType, timeNs } = frame;
    let number = interfaces.get(linkType);
    if (number === undefined) {
      number = writer.addInterface({ linkType });
      interfaces.set(linkType, number);
    }
    let comment: string | undefined;
    const next = comments[commented];
    if (next !== undefined && timeNs === next.timeNs) {
      decodeFrame(frame, level);
      const isFlow = decoder.layers > 0 && decoder.inner.hasPorts;
      if (isFlow && lookup.find(decoder.inner) === next.flowDir) {
        comment = next.text;
        commented++;
      }
    }
    writer.write(number, timeNs, bytes, at, capLen, wireLen, comment);
    if (rewritten.size === 0) return;
    for (const ipPacket of rewritten.get(packet) ?? []) {
      if (applicationSide < 0) {
        applicationSide = writer.addInterface({ linkType: RAW_IP, name: 'proxy to application' });
      }
      const { length } = ipPacket;
      writer.write(
        applicationSide,
        timeNs,
        ipPacket,
        0,
        length,
        length,
        'flowfate: as the proxy sends it on',
      );
    }
  });
  writer.flush();
  return commented;
}

/** What one packet of the capture says; `timeNs` and `flowDir` as in the packet index. */
interface Comment {
  readonly timeNs: number;
  readonly flowDir: number;
  readonly text: string;
}

/**
 * The comments in the order of their packets, found in the packet index, so that the second pass decodes hardly any
 * frame but those.
 */
function commentsOf({ flows, packets }: CaptureIndex, remarks: ReadonlyMap<number, Remark[]>): Comment[] {
  /** by direction of a flow: 1 where it is a client's with remarks to come */
  const waiting = new Uint8Array(2 * flows.count);
  for (const row of remarks.keys()) waiting[2 * row + (clientSide(flows, row) === 'b' ? 1 : 0)] = 1;
  const comments: Comment[] = [];
  for (const { count, flowDir, timeNs } of packets.segments) {
    for (let i = 0; i < count; i++) {
      const key = flowDir[i]!;
      if (waiting[key] !== 1) continue;
      const ofFlow = remarks.get(key >>> 1)!;
      const text = dueRemarks(ofFlow, timeNs[i]!);
      if (ofFlow.length === 0) waiting[key] = 0;
      if (text !== undefined) comments.push({ timeNs: timeNs[i]!, flowDir: key, text });
    }
  }
  return comments;
}

/** In the order of time. */
function remarksOf(verdict: FlowVerdict, firstNs: number): Remark[] {
  const originNs = firstNs - verdict.start * 1e9;
  const moved = verdict.path.slice(1).map((step, i): Remark => {
    const before = verdict.path[i]!;
    const endpoint = step.endpoint === null ? '' : `, endpoint ${step.endpoint}`;
    return {
      timeNs: step.at * 1e9 + originNs,
      text: `flowfate: path changed from ${before.node ?? 'nowhere'} to ${step.node ?? 'nowhere'}${endpoint}`,
    };
  });
  if (isBroken(verdict.fate) && verdict.brokenAt !== null) {
    const { cause, unanswered } = verdict;
    const why =
      cause === null
        ? ''
        : `: ${cause.reason} at ${cause.hop}${cause.event === null ? '' : ` (${cause.event})`}`;
    moved.push({
      timeNs: verdict.brokenAt * 1e9 + originNs,
      text: `flowfate: ${verdict.fate}${unanswered === undefined ? '' : ` (${unanswered} unanswered)`}${why}`,
    });
  }
  return moved.sort((x, y) => x.timeNs - y.timeNs);
}

/** Takes the remarks whose moment has come. */
function dueRemarks(remarks: Remark[], timeNs: number): string | undefined {
  let due: string | undefined;
  while (remarks.length > 0 && remarks[0]!.timeNs <= timeNs + ROUNDING_NS) {
    const { text } = remarks.shift()!;
    due = due === undefined ? text : `${due}\n${text}`;
  }
  return due;
}
