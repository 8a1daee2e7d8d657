/**
 * The request as the L7 proxy sends it on: rewritten octets and the connection that carries them. For the written
 * capture, so that what the application gets can be looked at beside what the client sent.
 */
import type { ClusterModel } from '../cluster/model.js';
import { Tuple } from '../conntrack/tuple.js';
import type { ReplayOutcome } from '../outcome/outcome.js';
import { addressOf } from '../state/cluster-state.js';
import { draw, Stream, scale } from '../state/draw.js';
import { forgePacket } from '../state/forge.js';
import { Packet } from '../state/packet.js';
import { writeRequestHead } from '../wire/http-request.js';
import { TCP } from '../wire/ip-protocol.js';
import { writeProxyHeader } from '../wire/proxy-protocol.js';
import { TCP_ACK, TCP_PSH } from '../wire/tcp.js';
import { viewOf } from './client-address.js';
import type { RequestHeads } from './request-heads.js';
import { addressPathOf } from './source-provenance.js';
import type { RewrittenRequest } from './verdict.js';

/** Linux's net.ipv4.ip_local_port_range */
const FIRST_LOCAL_PORT = 32768;
const LOCAL_PORTS = 28232;
const LONGEST_IP_PACKET = 65535;
/** IPv6 and TCP */
const HEADERS = 60;

/** Null where no request of row `f` of the plan was captured, or none reaches the application. */
export function rewrittenRequest(
  outcome: ReplayOutcome,
  model: ClusterModel,
  f: number,
  heads: RequestHeads,
): RewrittenRequest | null {
  const { plan } = outcome;
  const first = heads.get(plan.row[f]!);
  const path = first === undefined ? null : addressPathOf(outcome, model, f, heads);
  if (first === undefined || path === null) return null;
  const { request, fault } = viewOf(path);
  if (fault !== null) return null;
  const { application, sendProxy } = path.proxy;
  // where the application's address is not stated the proxy stands for it
  const destination = addressOf(application.addresses, path.client.family) ?? path.own;
  const port = scale(draw(model.seed, 0, Stream.proxyPort, plan.key[f]!, 0), LOCAL_PORTS);
  const tuple = new Tuple();
  tuple.setKind(path.own.family, TCP);
  tuple.setSource(path.own, FIRST_LOCAL_PORT + port);
  tuple.setDestination(destination, application.port);
  const head = writeRequestHead(first.head, request.fields);
  const octets = [head];
  if (sendProxy !== 0 && request.announced !== null) {
    const from = { address: request.announced, port: plan.clientPort[f]! };
    octets.unshift(writeProxyHeader(sendProxy, from, { address: destination, port: application.port }));
  }
  return { packet: first.packet, ipPacket: ipPacketOf(tuple, joined(octets)) };
}

/** One segment with the octets; what is longer than a packet may be is cut where the packet ends. */
function ipPacketOf(tuple: Tuple, octets: Uint8Array): Uint8Array {
  const payload = octets.subarray(0, LONGEST_IP_PACKET - HEADERS);
  const bytes = new Uint8Array(HEADERS + payload.length);
  const packet = new Packet();
  const fields = { flags: TCP_PSH | TCP_ACK, seq: 1, ack: 1, payloadBytes: payload.length, flowLabel: 0 };
  forgePacket(tuple, { ...fields, payload }, new DataView(bytes.buffer), packet);
  return bytes.subarray(0, packet.end);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
