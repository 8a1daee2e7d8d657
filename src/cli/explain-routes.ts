/** Route changes for a post-mortem: from a scenario, from BGP in the capture, from an MRT dump. */
import { type Address, formatAddress, parseAddress } from '../addr/address.js';
import { formatPrefix, type Prefix, prefixContains } from '../addr/prefix.js';
import { MP_REACH_NLRI } from '../bgp/attribute/014-mp-reach-nlri.js';
import { MP_UNREACH_NLRI } from '../bgp/attribute/015-mp-unreach-nlri.js';
import { attributeValue } from '../bgp/attribute/descriptor.js';
import { type BgpMessage, MESSAGE_TYPE } from '../bgp/codec/message.js';
import { decodeMessage } from '../bgp/codec/message-codec.js';
import type { PrefixNlri } from '../bgp/codec/nlri.js';
import { readMrt } from '../bgp/mrt/read-mrt.js';
import { bunzip2IfNeeded } from '../capture/bunzip2-source.js';
import { openByteSource } from '../capture/byte-source.js';
import { openCapture } from '../capture/capture-reader.js';
import type { ClusterModel } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import {
  moveKey,
  type PredictedMove,
  type RouteChange,
  type RouteEvidence,
} from '../explain/route-evidence.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { isHashUnknown } from '../verdict/certainty.js';
import { replay } from '../verdict/replay.js';
import { readBgpSessions } from './bgp-segments.js';

/** What a replay of the scenario says: which connections moved, when, from where to where. */
export function routesOfScenario(index: CaptureIndex, model: ClusterModel, originS: number): RouteEvidence {
  const result = replay(index, model);
  const toNs = (s: number): number => (s + originS) * 1e9;
  const vips = new Set(model.services.flatMap((service) => service.vips.map(formatAddress)));
  const changes: RouteChange[] = result.events.map(({ at, detail }) => ({
    atNs: toNs(at),
    detail,
    covers: (server) => vips.has(server),
  }));
  const moves = new Map<string, readonly PredictedMove[]>();
  if (!isHashUnknown(model)) {
    for (let row = 0; row < result.flowCount; row++) {
      const { proto, src, srcPort, dst, dstPort, path, service } = result.flowVerdict(row);
      if (proto !== 'tcp' || service === null) continue;
      const key = moveKey(src, srcPort, dst, dstPort);
      moves.set(key, [...(moves.get(key) ?? []), ...movesOf(path, toNs)]);
    }
  }
  return { movesOf: (key) => moves.get(key) ?? null, changes, source: 'the scenario' };
}

function movesOf(
  path: readonly { readonly at: number; readonly nextHop: string | null }[],
  toNs: (s: number) => number,
): PredictedMove[] {
  const moves: PredictedMove[] = [];
  for (let i = 1; i < path.length; i++) {
    const from = path[i - 1]!.nextHop;
    const to = path[i]!.nextHop;
    if (from !== to) moves.push({ atNs: toNs(path[i]!.at), from: from ?? 'nowhere', to: to ?? 'nowhere' });
  }
  return moves;
}

/** Changes of the routes to `servers` as the speakers in the capture announced and withdrew them. */
export function changesFromCapture(path: string, servers: readonly Address[]): RouteEvidence {
  const changes = new RouteChanges(servers);
  const reader = openCapture(openByteSource(path));
  try {
    readBgpSessions(
      reader,
      ({ timeS, src, decoded }) => {
        const message = decoded?.message ?? null;
        if (message !== null) changes.message(timeS, src, message);
      },
      ({ timeS, src, dst }) => changes.ended(timeS, [src, dst]),
    );
  } finally {
    reader.close();
  }
  if (changes.messages === 0) {
    throw new FlowfateError(
      'input',
      `${path} has no BGP session in it (TCP port 179, or a BGP marker on any other); leave out --bgp-from-capture`,
      { file: path },
    );
  }
  return { movesOf: () => null, changes: changes.found, source: 'BGP in the capture' };
}

/** Changes of the routes to `servers` in an MRT dump. `baseS`: the capture's first record, seconds since 1970. */
export function changesFromMrt(path: string, baseS: number, servers: readonly Address[]): RouteEvidence {
  const changes = new RouteChanges(servers);
  const source = bunzip2IfNeeded(openByteSource(path));
  try {
    for (const { timeS, entry } of readMrt(source)) {
      if (entry.kind === 'message' && entry.sender === 'peer') {
        const { value } = decodeMessage(
          entry.type,
          entry.bytes,
          entry.view,
          entry.at,
          entry.end,
          entry.context,
        );
        if (value !== undefined) changes.message(timeS - baseS, formatAddress(entry.peer.address), value);
      } else if (entry.kind === 'state' && entry.newState !== ESTABLISHED) {
        changes.ended(timeS - baseS, [formatAddress(entry.peer.address)]);
      }
    }
  } finally {
    source.close();
  }
  if (changes.messages === 0) {
    throw new FlowfateError('input', `${path} holds no BGP update`, { file: path });
  }
  return { movesOf: () => null, changes: changes.found, source: `the dump ${path}` };
}

/** RFC 6396 section 4.4.1 */
const ESTABLISHED = 6;

/**
 * UPDATEs and ended sessions as changes of routes. What a speaker announced before the capture is not known: a
 * withdrawal counts without it, and the end of a session may have taken any route with it.
 */
class RouteChanges {
  readonly found: RouteChange[] = [];
  messages = 0;
  private readonly over = new Set<string>();

  constructor(private readonly servers: readonly Address[]) {}

  message(timeS: number, speaker: string, message: BgpMessage): void {
    this.messages++;
    if (message.type === MESSAGE_TYPE.notification) this.ended(timeS, [speaker]);
    else this.over.delete(speaker);
    if (message.type !== MESSAGE_TYPE.update) return;
    const { attributes } = message;
    const withdrawn = [
      ...message.withdrawn,
      ...prefixesOf(attributeValue(attributes, MP_UNREACH_NLRI)?.nlri),
    ];
    const announced = [...message.nlri, ...prefixesOf(attributeValue(attributes, MP_REACH_NLRI)?.nlri)];
    for (const { prefix } of withdrawn) this.add(timeS, prefix, `${speaker} withdrew`);
    for (const { prefix } of announced) this.add(timeS, prefix, `${speaker} announced`);
  }

  ended(timeS: number, speakers: readonly string[]): void {
    for (const speaker of speakers) {
      if (this.over.has(speaker)) continue;
      this.over.add(speaker);
      this.found.push({
        atNs: timeS * 1e9,
        detail: `the BGP session with ${speaker} ended`,
        covers: () => true,
      });
    }
  }

  private add(timeS: number, prefix: Prefix, what: string): void {
    if (!this.servers.some((server) => prefixContains(prefix, server))) return;
    const covers = (text: string): boolean => {
      const address = parseAddress(text);
      return address !== null && prefixContains(prefix, address);
    };
    this.found.push({ atNs: timeS * 1e9, detail: `${what} ${formatPrefix(prefix)}`, covers });
  }
}

function prefixesOf(nlri: readonly PrefixNlri[] | Uint8Array | undefined): readonly PrefixNlri[] {
  return nlri === undefined || nlri instanceof Uint8Array ? [] : nlri;
}
