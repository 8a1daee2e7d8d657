/**
 * The first HTTP request of every flow towards an L7 proxy, read from the capture in a second pass: what the client
 * itself claims in forwarding fields before any proxy has seen the request.
 *
 * A head that is cut short by the snap length yields the fields that are there. Flows that speak something else
 * (TLS, for a start) have no head; neither have flows whose beginning is not in the capture.
 */
import { l7ProxyOf } from '../cluster/l7-model.js';
import type { ClusterModel, ServiceModel } from '../cluster/model.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { FlowLookup } from '../flow/flow-lookup.js';
import { TcpStream } from '../flow/tcp-stream.js';
import { walkPackets } from '../flow/walk-packets.js';
import { planOf } from '../outcome/flow-plan.js';
import { MAX_HEAD_BYTES, mayBeRequest, parseRequestHead, type RequestHead } from '../wire/http-request.js';
import { TCP } from '../wire/ip-protocol.js';
import { type ProxyHeader, parseProxyHeader } from '../wire/proxy-protocol.js';
import * as tcp from '../wire/tcp.js';

/** What a client sent first. */
interface FirstRequest {
  readonly head: RequestHead;
  /** a PROXY header that the client put before it */
  readonly proxyHeader: ProxyHeader | null;
  /** the octets of the head, without the PROXY header; owned */
  readonly octets: Uint8Array;
  /** number of the packet (from 1) that completes it, or of the last one that is part of it */
  readonly packet: number;
}

/** By row of the flow table. */
export type RequestHeads = ReadonlyMap<number, FirstRequest>;

/** Whether any service has an L7 proxy, so that heads matter. */
export function wantsRequestHeads(services: readonly ServiceModel[]): boolean {
  return services.some((service) => service.ports.some((_, port) => l7ProxyOf(service, port) !== null));
}

/** Reads the capture at `path` again; it must be the one of `index`. */
export function readRequestHeads(
  path: string,
  index: CaptureIndex,
  model: Pick<ClusterModel, 'services' | 'nodes'>,
): RequestHeads {
  const { services } = model;
  const plan = planOf(index, model);
  const wanted = new Uint8Array(index.flows.count);
  for (let f = 0; f < plan.count; f++) {
    const proxy = l7ProxyOf(services[plan.service[f]!]!, plan.port[f]!);
    if (plan.proto[f] === TCP && proxy !== null) wanted[plan.row[f]!] = 1;
  }
  const lookup = new FlowLookup(index.flows, wanted);
  const readers = new Map<number, HeadReader>();
  walkPackets(path, index.summary.level ?? 'outer', ({ decoder, view, bytes, number }) => {
    const { inner: outer } = decoder;
    if (decoder.layers === 0 || outer.proto !== TCP || !outer.hasPorts || outer.tcpFlags < 0) return;
    const found = lookup.find(outer);
    if (found < 0) return;
    const row = found >>> 1;
    const fromB = (found & 1) === 1;
    if (fromB !== (plan.clientIsB[plan.of(row)] === 1)) return;
    let reader = readers.get(row);
    if (reader === undefined) {
      reader = new HeadReader();
      readers.set(row, reader);
    }
    if (reader.isDone) return;
    const seq = tcp.sequence(view, outer.l4);
    const payloadAt = outer.l4 + tcp.headerBytes(view, outer.l4);
    reader.number = number;
    if ((outer.tcpFlags & tcp.TCP_SYN) !== 0) reader.stream.syn(seq);
    else if (payloadAt < outer.end) reader.stream.segment(seq, bytes.subarray(payloadAt, outer.end));
  });
  const heads = new Map<number, FirstRequest>();
  for (const [row, reader] of readers) {
    const request = reader.finish();
    if (request !== null) heads.set(row, request);
  }
  return heads;
}

/** Gathers the beginning of a stream until it is a whole head, or none. */
class HeadReader {
  isDone = false;
  /** number of the packet in hand */
  number = 0;
  readonly stream = new TcpStream({
    onBytes: (bytes) => this.take(bytes),
    onGap: () => {
      this.isDone = true;
    },
  });
  private octets = new Uint8Array(0);
  private packet = 0;
  private request: FirstRequest | null = null;

  /** The request, cut short where no more of it was captured; null: there is none. */
  finish(): FirstRequest | null {
    return this.request ?? (this.octets.length === 0 ? null : this.parse());
  }

  private take(bytes: Uint8Array): void {
    if (this.isDone) return;
    const joined = new Uint8Array(this.octets.length + bytes.length);
    joined.set(this.octets);
    joined.set(bytes, this.octets.length);
    this.octets = joined;
    this.packet = this.number;
    const request = this.parse();
    if (request?.head.isWhole === true) {
      this.request = request;
      this.isDone = true;
    } else if (request === null && this.isHopeless()) {
      this.isDone = true;
      this.octets = new Uint8Array(0);
    } else this.isDone = joined.length > MAX_HEAD_BYTES;
  }

  private parse(): FirstRequest | null {
    const { octets, packet } = this;
    const proxyHeader = parseProxyHeader(octets, 0, octets.length);
    const from = proxyHeader?.end ?? 0;
    const head = parseRequestHead(octets, from, octets.length);
    return head && { head, proxyHeader, octets: octets.slice(from, head.end), packet };
  }

  private isHopeless(): boolean {
    const { octets } = this;
    const first = octets[0];
    // a PROXY header of version 2 begins with CR LF CR LF
    return first !== 0x0d && !mayBeRequest(octets, 0, octets.length);
  }
}
