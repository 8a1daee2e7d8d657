/**
 * Routes of a scenario from BGP itself: the sessions inside the capture, or an MRT dump, drive the router's next hops.
 *
 * Only what the scenario's nodes send counts; a next hop that is no node's address is left out and named. A node whose
 * session began before the capture announces at t = 0 what the scenario says; one that opens a session inside announces
 * nothing before.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { formatPrefix, hostPrefix, type Prefix, prefixContains } from '../addr/prefix.js';
import { type BgpMessage, MESSAGE_TYPE } from '../bgp/codec/message.js';
import { decodeMessage } from '../bgp/codec/message-codec.js';
import { readMrt } from '../bgp/mrt/read-mrt.js';
import { RouteHistory } from '../bgp/watch/route-history.js';
import { bunzip2IfNeeded } from '../capture/bunzip2-source.js';
import { openByteSource } from '../capture/byte-source.js';
import { openCapture } from '../capture/capture-reader.js';
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { readBgpSessions } from './bgp-segments.js';
import { originOf } from './scenario-input.js';

/** What a speaker did; null = its session ended. Times are seconds since the capture's first record. */
interface Heard {
  readonly timeS: number;
  readonly speaker: string;
  /** whom it was told; null in a dump, which is the router's own */
  readonly to: string | null;
  readonly message: BgpMessage | null;
}

export interface BgpRoutes {
  readonly model: ClusterModel;
  readonly notes: readonly string[];
}

/** The sessions of TCP port 179 inside the capture. */
export function routesFromCapture(path: string, index: CaptureIndex, model: ClusterModel): BgpRoutes {
  const heard: Heard[] = [];
  const reader = openCapture(openByteSource(path));
  try {
    readBgpSessions(
      reader,
      ({ timeS, src, dst, decoded }) => {
        const message = decoded?.message ?? null;
        if (message !== null) heard.push({ timeS, speaker: src, to: dst, message });
      },
      ({ timeS, src, dst }) => {
        for (const speaker of [src, dst]) heard.push({ timeS, speaker, to: null, message: null });
      },
    );
  } finally {
    reader.close();
  }
  if (heard.length === 0) {
    throw new FlowfateError(
      'input',
      `${path} has no BGP session (TCP port 179) in it; leave out --bgp-from-capture`,
      {
        file: path,
      },
    );
  }
  return routesFrom(heard, index, model, path);
}

/** The updates of an MRT dump, and what a RIB dump holds. */
export function routesFromMrt(path: string, index: CaptureIndex, model: ClusterModel): BgpRoutes {
  const heard: Heard[] = [];
  const source = bunzip2IfNeeded(openByteSource(path));
  try {
    const baseS = Number(index.summary.baseNs) / 1e9;
    for (const { timeS: absoluteS, entry } of readMrt(source)) {
      const timeS = absoluteS - baseS;
      if (entry.kind === 'message' && entry.sender === 'peer') {
        const speaker = formatAddress(entry.peer.address);
        const { value } = decodeMessage(
          entry.type,
          entry.bytes,
          entry.view,
          entry.at,
          entry.end,
          entry.context,
        );
        if (value !== undefined) heard.push({ timeS, speaker, to: null, message: value });
      } else if (entry.kind === 'state' && entry.newState !== ESTABLISHED) {
        heard.push({ timeS, speaker: formatAddress(entry.peer.address), to: null, message: null });
      } else if (entry.kind === 'rib' && !(entry.nlri instanceof Uint8Array)) {
        for (const { peer, attributes } of entry.routes) {
          if (peer === null) continue;
          const update = { type: MESSAGE_TYPE.update, withdrawn: [], attributes, nlri: [entry.nlri] };
          heard.push({
            timeS: Number.NEGATIVE_INFINITY,
            speaker: formatAddress(peer.address),
            to: null,
            message: update,
          });
        }
      }
    }
  } finally {
    source.close();
  }
  if (heard.length === 0) throw new FlowfateError('input', `${path} holds no BGP update`, { file: path });
  return routesFrom(heard, index, model, path);
}

/** RFC 6396 section 4.4.1 */
const ESTABLISHED = 6;

function routesFrom(
  heard: readonly Heard[],
  index: CaptureIndex,
  model: ClusterModel,
  path: string,
): BgpRoutes {
  const vips = model.services.flatMap((service) => service.vips);
  const history = new RouteHistory((prefix) => vips.some((vip) => prefixContains(prefix, vip)));
  const speakers = heard.filter(({ speaker }) => nodeOf(model, speaker) >= 0);
  if (speakers.length === 0) {
    throw new FlowfateError(
      'config',
      `no BGP speaker in ${path} is a node of the scenario: they are ${[...new Set(heard.map((h) => h.speaker))].slice(0, 4).join(', ')}`,
    );
  }
  const startS = Math.min(0, ...speakers.map(({ timeS }) => timeS).filter(Number.isFinite));
  seed(history, speakers, model, vips);
  for (const vip of vips) history.tell(startS, hostPrefix(vip), 'as the capture begins');
  for (const { timeS, speaker, to, message } of heard) {
    if (nodeOf(model, speaker) < 0) {
      if (to === null) continue;
      if (message?.type === MESSAGE_TYPE.open) history.routerOpened(to, message);
      else if (message?.type === MESSAGE_TYPE.notification) history.notified(timeS, to, message);
    } else if (message === null) history.closed(timeS, speaker);
    else history.message(timeS, speaker, message);
  }
  history.advance(index.summary.duration);
  const strangers = new Set<string>();
  const originS = originOf(model, index);
  const { fibDelayS } = model.router.bgp;
  const events = history.changes.map(({ timeS, prefix, nextHops, because }): TimelineEvent => {
    const hops = nextHops.flatMap((address) => {
      const node = nodeOf(model, formatAddress(address));
      if (node < 0) strangers.add(formatAddress(address));
      return node < 0 ? [] : [{ node, weight: 1 }];
    });
    const atS = Number.isFinite(timeS) ? Math.max(timeS, startS) : startS;
    return {
      at: atS - originS + (atS > startS ? fibDelayS : 0),
      kind: 'route',
      prefix,
      nextHops: hops,
      because,
    };
  });
  const timeline = [...model.timeline, ...events].sort((a, b) => a.at - b.at);
  const notes = [`${events.length} route changes come from the BGP of ${path}.`];
  if (strangers.size > 0)
    notes.push(`Next hops that are no node of the scenario are left out: ${[...strangers].join(', ')}.`);
  return { model: { ...model, timeline }, notes };
}

/** What nodes announced before the capture began: those whose session does not open inside it. */
function seed(
  history: RouteHistory,
  heard: readonly Heard[],
  model: ClusterModel,
  vips: readonly Address[],
): void {
  const opened = new Set(
    heard
      .filter(({ message }) => message?.type === MESSAGE_TYPE.open)
      .map(({ speaker }) => nodeOf(model, speaker)),
  );
  const stated = new Map(model.router.routes.map((route) => [formatPrefix(route.prefix), route]));
  for (const vip of vips) {
    const prefix: Prefix = hostPrefix(vip);
    const route = stated.get(formatPrefix(prefix));
    const nodes =
      route?.nextHops.map(({ node }) => node) ??
      model.nodes.flatMap((n, row) => (n.announces === false ? [] : [row]));
    for (const node of nodes) {
      if (opened.has(node)) continue;
      const { addresses } = model.nodes[node]!;
      const nextHop = addresses.find(({ family }) => family === vip.family);
      const speaker =
        heard.find((one) => nodeOf(model, one.speaker) === node)?.speaker ?? formatAddress(addresses[0]!);
      if (nextHop !== undefined) history.seed(speaker, prefix, nextHop);
    }
  }
}

function nodeOf({ nodes }: ClusterModel, address: string): number {
  return nodes.findIndex(({ addresses }) => addresses.some((own) => formatAddress(own) === address));
}
