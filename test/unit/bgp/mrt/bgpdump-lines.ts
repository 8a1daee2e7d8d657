/** MRT entries in the line format of `bgpdump -m`, so that its output can serve as an independent oracle. */
import { formatAddress, formatIpv4 } from '../../../../src/addr/address.js';
import { formatPrefix } from '../../../../src/addr/prefix.js';
import type { AsPathSegment } from '../../../../src/bgp/attribute/002-as-path.js';
import type { Aggregator } from '../../../../src/bgp/attribute/007-aggregator.js';
import { type MpReach, nextHopTexts } from '../../../../src/bgp/attribute/014-mp-reach-nlri.js';
import type { MpUnreach } from '../../../../src/bgp/attribute/015-mp-unreach-nlri.js';
import type { PathAttribute } from '../../../../src/bgp/attribute/descriptor.js';
import { MESSAGE_TYPE, type UpdateMessage } from '../../../../src/bgp/codec/message.js';
import { decodeMessage } from '../../../../src/bgp/codec/message-codec.js';
import type { PrefixNlri } from '../../../../src/bgp/codec/nlri.js';
import type { MrtPeer } from '../../../../src/bgp/mrt/mrt-entry.js';
import { messageContext } from '../../../../src/bgp/mrt/mrt-json.js';
import type { TimedEntry } from '../../../../src/bgp/mrt/read-mrt.js';
import { mergeAs4Attributes } from '../../../../src/bgp/mrt/rib-attributes.js';

/** `heads` are the words bgpdump puts first for updates and for routes of a dump. */
export function bgpdumpLines(
  { timeS, entry }: TimedEntry,
  heads: { readonly update: string; readonly rib: string },
): string[] {
  const time = heads.update === 'BGP4MP_ET' ? timeS.toFixed(6) : String(timeS);
  const head = `${heads.update}|${time}`;
  if (entry.kind === 'state') {
    return [`${head}|STATE|${peerText(entry.peer)}|${entry.oldState}|${entry.newState}`];
  }
  if (entry.kind === 'rib') {
    const prefix = formatPrefix((entry.nlri as PrefixNlri).prefix);
    return entry.routes.map(({ peer, pathId, attributes }) => {
      const line = routeText(attributes, `${prefix}${pathId === undefined ? '' : `|${pathId}`}`);
      return `${heads.rib}|${time}|B|${peerText(peer!)}|${line}`;
    });
  }
  if (entry.kind !== 'message' || entry.type !== MESSAGE_TYPE.update) return [];
  const { bytes, view, at, end } = entry;
  const decoded = decodeMessage(entry.type, bytes, view, at, end, messageContext(entry));
  if (decoded.fault !== undefined) return [`fault ${decoded.fault.reason}`];
  return updateLines(head, entry.peer, decoded.value as UpdateMessage);
}

function updateLines(head: string, peer: MrtPeer, update: UpdateMessage): string[] {
  const reach = find<MpReach>(update.attributes, 14);
  const unreach = find<MpUnreach>(update.attributes, 15);
  const prefixes = (nlri: readonly PrefixNlri[] | Uint8Array | undefined) =>
    nlri === undefined || nlri instanceof Uint8Array ? [] : nlri;
  const withdrawn = [...update.withdrawn, ...prefixes(unreach?.nlri)];
  const announced = [...update.nlri, ...prefixes(reach?.nlri)];
  return [
    ...withdrawn.map(({ prefix }) => `${head}|W|${peerText(peer)}|${formatPrefix(prefix)}`),
    ...announced.map(
      ({ prefix }) => `${head}|A|${peerText(peer)}|${routeText(update.attributes, formatPrefix(prefix))}`,
    ),
  ];
}

function peerText(peer: MrtPeer): string {
  return `${formatAddress(peer.address)}|${peer.asn}`;
}

function find<V>(attributes: readonly PathAttribute[], code: number): V | undefined {
  return attributes.find((a) => a.code === code && a.fault === undefined)?.value as V | undefined;
}

/** prefix | path | origin | next hop | local preference | MED | communities | atomic | aggregator | */
function routeText(unmerged: readonly PathAttribute[], prefix: string): string {
  const attributes = mergeAs4Attributes(unmerged);
  const reach = find<MpReach>(attributes, 14);
  const nextHop = find<number>(attributes, 3);
  const hop = reach !== undefined ? nextHopTexts(reach.nextHop)[0]! : formatIpv4(nextHop ?? 0xffffffff);
  const aggregator = find<Aggregator>(attributes, 7);
  return [
    prefix,
    (find<readonly AsPathSegment[]>(attributes, 2) ?? []).map(segmentText).join(' '),
    ['IGP', 'EGP', 'INCOMPLETE'][find<number>(attributes, 1) ?? 2],
    hop,
    find<number>(attributes, 5) ?? 0,
    find<number>(attributes, 4) ?? 0,
    (find<readonly number[]>(attributes, 8) ?? []).map(communityText).join(' '),
    find(attributes, 6) === undefined ? 'NAG' : 'AG',
    aggregator === undefined ? '' : `${aggregator.asn} ${formatIpv4(aggregator.address)}`,
    '',
  ].join('|');
}

function segmentText({ type, asns }: AsPathSegment): string {
  if (type === 2) return asns.join(' ');
  if (type === 1) return `{${asns.join(',')}}`;
  return type === 3 ? `(${asns.join(' ')})` : `[${asns.join(',')}]`;
}

function communityText(value: number): string {
  if (value === 0xffffff01) return 'no-export';
  if (value === 0xffffff02) return 'no-advertise';
  if (value === 0xffffff03) return 'local-AS';
  return `${value >>> 16}:${value & 0xffff}`;
}
