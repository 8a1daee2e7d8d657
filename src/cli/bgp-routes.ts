/**
 * Routes of a scenario from BGP itself: the sessions inside the capture, or an MRT dump, drive the router's next hops.
 *
 * Only what the scenario's nodes send counts; a next hop that is no node's address is left out and named. A node whose
 * session began before the capture announces at t = 0 what the scenario says; one that opens a session inside announces
 * nothing before.
 */
import { type Address, formatAddress } from '../addr/address.js';
import { formatPrefix, hostPrefix, type Prefix, prefixContains } from '../addr/prefix.js';
import { ORIGIN } from '../bgp/attribute/001-origin.js';
import { AS_PATH, type AsPathSegment, SEGMENT } from '../bgp/attribute/002-as-path.js';
import { NEXT_HOP } from '../bgp/attribute/003-next-hop.js';
import { MP_REACH_NLRI, type MpReach } from '../bgp/attribute/014-mp-reach-nlri.js';
import { attributeValue, type PathAttribute } from '../bgp/attribute/descriptor.js';
import { IPV4_UNICAST, IPV6_UNICAST } from '../bgp/codec/address-family.js';
import { type CodecContext, OFFLINE } from '../bgp/codec/codec-context.js';
import {
  type BgpMessage,
  HEADER_BYTES,
  MESSAGE_TYPE,
  type NotificationMessage,
  type OpenMessage,
} from '../bgp/codec/message.js';
import { decodeMessage, encodeMessage } from '../bgp/codec/message-codec.js';
import type { PrefixNlri } from '../bgp/codec/nlri.js';
import { makeAttribute } from '../bgp/codec/update-message.js';
import type { BgpMessageEntry } from '../bgp/mrt/mrt-entry.js';
import { messageContext } from '../bgp/mrt/mrt-json.js';
import { readMrt } from '../bgp/mrt/read-mrt.js';
import { mergeAs4Attributes } from '../bgp/mrt/rib-attributes.js';
import { HeardRouter, type HeardSettings } from '../bgp/watch/heard-router.js';
import { bunzip2IfNeeded } from '../capture/bunzip2-source.js';
import { openByteSource } from '../capture/byte-source.js';
import { openCapture } from '../capture/capture-reader.js';
import type { ClusterModel, TimelineEvent } from '../cluster/model.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import { readBgpSessions } from './bgp-segments.js';
import { originOf } from './scenario-input.js';

/** What a speaker did. Times are seconds since the capture's first record. */
interface Heard {
  readonly timeS: number;
  readonly speaker: string;
  /** whom it was told; null in a dump, which is the router's own */
  readonly to: string | null;
  readonly what:
    | { readonly kind: 'open'; readonly open: OpenMessage }
    | { readonly kind: 'notification'; readonly message: NotificationMessage }
    | { readonly kind: 'update'; readonly body: Uint8Array; readonly context: CodecContext }
    | { readonly kind: 'alive' }
    /** the session ended */
    | { readonly kind: 'closed' }
    /** it came up, and nobody saw its OPEN */
    | { readonly kind: 'up' };
}

export interface BgpRoutes {
  readonly model: ClusterModel;
  readonly notes: readonly string[];
  /** messages and records that cannot be read: what they said is missing from the routes */
  readonly unreadable: number;
}

/** The BGP sessions inside the capture, whatever their port. */
export function routesFromCapture(path: string, index: CaptureIndex, model: ClusterModel): BgpRoutes {
  const heard: Heard[] = [];
  let unreadable = 0;
  const reader = openCapture(openByteSource(path));
  try {
    readBgpSessions(
      reader,
      ({ timeS, src, dst, decoded, body, fault }) => {
        if (fault !== null || decoded?.fault != null) unreadable++;
        const message = decoded?.message ?? null;
        if (message === null) return;
        const what = whatWasSaid(message, () => body.slice(), decoded?.context);
        heard.push({ timeS, speaker: src, to: dst, what });
      },
      ({ timeS, src, dst }) => {
        for (const speaker of [src, dst]) heard.push({ timeS, speaker, to: null, what: { kind: 'closed' } });
      },
    );
  } finally {
    reader.close();
  }
  if (heard.length === 0) {
    throw new FlowfateError(
      'input',
      `${path} has no BGP session in it (TCP port 179, or a BGP marker on any other); leave out --bgp-from-capture`,
      {
        file: path,
      },
    );
  }
  return { ...routesFrom(heard, index, model, path), unreadable };
}

/** The updates of an MRT dump, and what a RIB dump holds. */
export function routesFromMrt(path: string, index: CaptureIndex, model: ClusterModel): BgpRoutes {
  const heard: Heard[] = [];
  let unreadable = 0;
  const source = bunzip2IfNeeded(openByteSource(path));
  try {
    const baseS = Number(index.summary.baseNs) / 1e9;
    const isWanted = wantedBy(model);
    for (const { timeS: absoluteS, entry } of readMrt(source)) {
      const timeS = absoluteS - baseS;
      if (entry.kind === 'message') {
        const { value, fault } = heardInDump(timeS, entry);
        if (value !== null) heard.push(value);
        if (fault) unreadable++;
      } else if (entry.kind === 'malformed') {
        unreadable++;
      } else if (entry.kind === 'state') {
        const speaker = formatAddress(entry.peer.address);
        if (entry.newState === ESTABLISHED) heard.push({ timeS, speaker, to: null, what: { kind: 'up' } });
        else if (entry.oldState === ESTABLISHED) {
          heard.push({ timeS, speaker, to: null, what: { kind: 'closed' } });
        }
      } else if (entry.kind === 'rib' && !(entry.nlri instanceof Uint8Array)) {
        if (!isWanted(entry.nlri.prefix)) continue;
        for (const { peer, attributes } of entry.routes) {
          if (peer === null) continue;
          const body = announcement(entry.nlri, attributes);
          const what = { kind: 'update', body, context: OFFLINE } as const;
          const speaker = formatAddress(peer.address);
          heard.push({ timeS: Number.NEGATIVE_INFINITY, speaker, to: null, what });
        }
      }
    }
  } finally {
    source.close();
  }
  if (heard.length === 0) throw new FlowfateError('input', `${path} holds no BGP update`, { file: path });
  // many collectors leave KEEPALIVEs out: silence in such a dump means nothing
  const alive = new Set(heard.filter(({ what }) => what.kind === 'alive').map(({ speaker }) => speaker));
  const all = heard.map((one) =>
    one.what.kind !== 'open' || alive.has(one.speaker)
      ? one
      : { ...one, what: { ...one.what, open: { ...one.what.open, holdTimeS: 0 } } },
  );
  return { ...routesFrom(all, index, model, path), unreadable };
}

/** RFC 6396 section 4.4.1 */
const ESTABLISHED = 6;

function whatWasSaid(
  message: BgpMessage,
  body: () => Uint8Array,
  context: CodecContext = OFFLINE,
): Heard['what'] {
  switch (message.type) {
    case MESSAGE_TYPE.open:
      return { kind: 'open', open: message };
    case MESSAGE_TYPE.notification:
      return { kind: 'notification', message };
    case MESSAGE_TYPE.update:
      return { kind: 'update', body: body(), context };
    case MESSAGE_TYPE.keepalive:
    case MESSAGE_TYPE.routeRefresh:
      return { kind: 'alive' };
    default:
      return message satisfies never;
  }
}

/** A message of a peer, or of the collector to it. */
function heardInDump(timeS: number, entry: BgpMessageEntry): { value: Heard | null; fault: boolean } {
  const { type, bytes, view, at, end, peer, local, sender } = entry;
  const context = messageContext(entry);
  const { value, fault } = decodeMessage(type, bytes, view, at, end, context);
  if (value === undefined) return { value: null, fault: true };
  const what = whatWasSaid(value, () => bytes.slice(at, end), context);
  const [from, to] = sender === 'peer' ? [peer, local] : [local, peer];
  const said = { timeS, speaker: formatAddress(from.address), to: formatAddress(to.address), what };
  return { value: said, fault: fault !== undefined };
}

/** An UPDATE that says what a dumped route says. */
function announcement(nlri: PrefixNlri, attributes: readonly PathAttribute[]): Uint8Array {
  const { prefix } = nlri;
  const isIpv4 = prefix.address.family === 4;
  const merged = mergeAs4Attributes(attributes.filter(({ fault }) => fault === undefined));
  const all = merged.map((attribute) => {
    if (attribute.code !== MP_REACH_NLRI.code) return attribute;
    const { nextHop } = attribute.value as MpReach;
    const family = isIpv4 ? IPV4_UNICAST : IPV6_UNICAST;
    return makeAttribute(MP_REACH_NLRI, { family, nextHop, nlri: [{ prefix }] });
  });
  const isMultiprotocol = all.some(({ code }) => code === MP_REACH_NLRI.code);
  const update: BgpMessage = {
    type: MESSAGE_TYPE.update,
    withdrawn: [],
    attributes: all,
    nlri: isMultiprotocol ? [] : [{ prefix }],
  };
  return encodeMessage(update, OFFLINE).subarray(HEADER_BYTES);
}

function wantedBy({ services }: ClusterModel): (prefix: Prefix) => boolean {
  const vips = services.flatMap((service) => service.vips);
  return (prefix) => vips.some((vip) => prefixContains(prefix, vip));
}

function routesFrom(
  heard: readonly Heard[],
  index: CaptureIndex,
  model: ClusterModel,
  path: string,
): Omit<BgpRoutes, 'unreadable'> {
  const vips = model.services.flatMap((service) => service.vips);
  const speakers = heard.filter(({ speaker }) => nodeOf(model, speaker) >= 0);
  if (speakers.length === 0) {
    throw new FlowfateError(
      'config',
      `no BGP speaker in ${path} is a node of the scenario: they are ${[...new Set(heard.map((h) => h.speaker))].slice(0, 4).join(', ')}`,
    );
  }
  const history = new HeardRouter(settingsFor(model, heard));
  const startS = Math.min(0, ...speakers.map(({ timeS }) => timeS).filter(Number.isFinite));
  seed(history, speakers, model, vips, startS);
  const isEarlier = ({ timeS }: Heard): boolean => timeS === Number.NEGATIVE_INFINITY;
  for (const one of heard) if (isEarlier(one)) hear(history, model, { ...one, timeS: startS });
  history.changes.length = 0;
  for (const vip of vips) history.tell(startS, hostPrefix(vip), 'as the capture begins');
  for (const one of heard) if (!isEarlier(one)) hear(history, model, one);
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
    const atS = Math.max(timeS, startS);
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

/** One thing that was said, told to the router that is to have heard it. */
function hear(history: HeardRouter, model: ClusterModel, { timeS, speaker, to, what }: Heard): void {
  if (nodeOf(model, speaker) < 0) {
    if (to === null) return;
    if (what.kind === 'open') history.routerOpened(to, what.open);
    else if (what.kind === 'notification') history.notified(timeS, to, what.message);
    return;
  }
  switch (what.kind) {
    case 'open':
      history.opened(timeS, speaker, what.open);
      break;
    case 'notification':
      history.notified(timeS, speaker, what.message);
      break;
    case 'update':
      history.update(timeS, speaker, what.body, what.context);
      break;
    case 'alive':
    case 'up':
      history.alive(timeS, speaker);
      break;
    case 'closed':
      history.closed(timeS, speaker);
      break;
    default:
      what satisfies never;
  }
}

/** What a router that hears this is: its AS from its own OPEN, the order of its next hops from the scenario. */
function settingsFor(model: ClusterModel, heard: readonly Heard[]): HeardSettings {
  const own = heard.find(({ speaker, what }) => what.kind === 'open' && nodeOf(model, speaker) < 0);
  return {
    localAsn: own?.what.kind === 'open' ? own.what.open.asn : 0,
    order: model.router.ecmp.order,
    maxPaths: MAX_PATHS,
    asPaths: 'relax',
    importPolicy: () => 'all',
    isWanted: wantedBy(model),
  };
}

/** as the live router has it where nothing is configured */
const MAX_PATHS = 64;

/**
 * What nodes announced before the capture began: those whose session does not open inside it. Nobody heard with which
 * attributes; they are taken to be equally good: the AS path of what the node, or any, announces later, as short as the
 * shortest of these, and neither MED nor LOCAL_PREF.
 */
function seed(
  history: HeardRouter,
  heard: readonly Heard[],
  model: ClusterModel,
  vips: readonly Address[],
  startS: number,
): void {
  const opened = new Set(
    heard
      .filter(({ what }) => what.kind === 'open' || what.kind === 'up')
      .map(({ speaker }) => nodeOf(model, speaker)),
  );
  const stated = new Map(model.router.routes.map((route) => [formatPrefix(route.prefix), route]));
  for (const vip of vips) {
    const prefix: Prefix = hostPrefix(vip);
    const route = stated.get(formatPrefix(prefix));
    const later = laterAnnouncements(heard, model, vip);
    const nodes =
      route?.nextHops.map(({ node }) => node) ??
      model.nodes.flatMap((n, row) => (n.announces === false ? [] : [row]));
    for (const node of nodes) {
      if (opened.has(node)) continue;
      const { addresses } = model.nodes[node]!;
      const nextHop = addresses.find(({ family }) => family === vip.family);
      const speaker =
        heard.find((one) => nodeOf(model, one.speaker) === node)?.speaker ?? formatAddress(addresses[0]!);
      if (nextHop === undefined) continue;
      const attributes = [...usualAttributes(later, node), hopAttribute(nextHop)];
      history.update(startS, speaker, announcement({ prefix }, attributes), OFFLINE);
    }
  }
}

interface LaterAnnouncement {
  readonly node: number;
  readonly attributes: readonly PathAttribute[];
}

function laterAnnouncements(heard: readonly Heard[], model: ClusterModel, vip: Address): LaterAnnouncement[] {
  return heard.flatMap(({ speaker, what }) => {
    if (what.kind !== 'update') return [];
    const { body, context } = what;
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    const { value } = decodeMessage(MESSAGE_TYPE.update, body, view, 0, body.length, context);
    if (value?.type !== MESSAGE_TYPE.update) return [];
    const { attributes, nlri } = value;
    const reach = attributeValue(attributes, MP_REACH_NLRI)?.nlri;
    const named = [...nlri, ...(Array.isArray(reach) ? (reach as PrefixNlri[]) : [])];
    const isTold = named.some(({ prefix }) => prefixContains(prefix, vip));
    return isTold ? [{ node: nodeOf(model, speaker), attributes }] : [];
  });
}

/** AS of a speaker of which nothing is heard: the first private one */
const UNKNOWN_ASN = 64512;

function usualAttributes(later: readonly LaterAnnouncement[], node: number): PathAttribute[] {
  const own = later.find((one) => one.node === node) ?? later[0];
  const pathOf = ({ attributes }: LaterAnnouncement): readonly number[] =>
    (attributeValue(attributes, AS_PATH) ?? []).flatMap(({ type, asns }: AsPathSegment) =>
      type === SEGMENT.sequence ? asns : asns.slice(0, 1),
    );
  const shortest = Math.min(...later.map((one) => pathOf(one).length));
  const asns = own === undefined ? [UNKNOWN_ASN] : pathOf(own).slice(0, shortest);
  const origins = later.map(({ attributes }) => attributeValue(attributes, ORIGIN) ?? 0);
  return [
    makeAttribute(ORIGIN, origins.length === 0 ? 0 : Math.min(...origins)),
    makeAttribute(AS_PATH, asns.length === 0 ? [] : [{ type: SEGMENT.sequence, asns }]),
  ];
}

function hopAttribute(hop: Address): PathAttribute {
  if (hop.family === 4) return makeAttribute(NEXT_HOP, hop.w0);
  const nextHop = new Uint8Array(16);
  const view = new DataView(nextHop.buffer);
  [hop.w0, hop.w1, hop.w2, hop.w3].forEach((word, i) => {
    view.setUint32(4 * i, word);
  });
  return makeAttribute(MP_REACH_NLRI, { family: IPV6_UNICAST, nextHop, nlri: [] });
}

function nodeOf({ nodes }: ClusterModel, address: string): number {
  return nodes.findIndex(({ addresses }) => addresses.some((own) => formatAddress(own) === address));
}
