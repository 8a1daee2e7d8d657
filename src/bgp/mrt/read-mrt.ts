/** An MRT dump as a sequence of entries: the reader, the peer table it carries along, and the record formats. */

import { formatAddress } from '../../addr/address.js';
import type { ByteSource } from '../../capture/byte-source.js';
import { offlineContext } from '../codec/decode-input.js';
import { MESSAGE_TYPE, type OpenMessage } from '../codec/message.js';
import { decodeOpen } from '../codec/open-message.js';
import { decodeBgp4mp, decodeLegacyBgp } from './bgp4mp.js';
import type { BgpMessageEntry, MrtEntry, MrtPeer } from './mrt-entry.js';
import { MRT_TYPE, MrtReader } from './mrt-reader.js';
import { decodeTableDump } from './table-dump.js';
import { decodeTableDumpV2 } from './table-dump-v2.js';

export interface TimedEntry {
  /** seconds since 1970, with microseconds where the record has them */
  readonly timeS: number;
  /** offset of the record in the uncompressed dump */
  readonly offset: number;
  readonly entry: MrtEntry;
}

/**
 * Every entry of the dump, in order. A malformed record is an entry of its own and ends nothing; a dump that
 * cannot be cut into records any further ends, and the generator returns why.
 */
export function* readMrt(source: Pick<ByteSource, 'read'>): Generator<TimedEntry, MrtReader['fault']> {
  const reader = new MrtReader(source);
  let peers: readonly MrtPeer[] = [];
  const opens = new DumpedOpens();
  while (reader.next()) {
    const timeS = reader.timestampS + reader.microseconds / 1e6;
    const { offset } = reader;
    for (const decoded of decodeRecord(reader, peers)) {
      if (decoded.kind === 'peer-index') peers = decoded.peers;
      const entry = decoded.kind === 'message' ? opens.inContext(decoded) : decoded;
      yield { timeS, offset, entry };
    }
  }
  return reader.fault;
}

/**
 * What the OPENs of a dump say of its UPDATEs. Older BIRD writes path identifiers under the plain subtypes, which RFC
 * 8050 has others for: where both OPENs of a session stand in the dump, they decide.
 */
class DumpedOpens {
  private readonly opens = new Map<string, OpenMessage>();

  inContext(entry: BgpMessageEntry): BgpMessageEntry {
    const { type, view, at, end, context } = entry;
    if (type === MESSAGE_TYPE.open) {
      const { value } = decodeOpen(view, at, end);
      if (value !== undefined) this.opens.set(keyOf(entry, entry.sender), value);
    }
    if (type !== MESSAGE_TYPE.update || this.opens.size === 0 || context.addPathReceive.size > 0)
      return entry;
    const sender = this.opens.get(keyOf(entry, entry.sender));
    const receiver = this.opens.get(keyOf(entry, entry.sender === 'peer' ? 'local' : 'peer'));
    if (sender === undefined || receiver === undefined) return entry;
    const { addPathReceive } = offlineContext(sender, receiver);
    return addPathReceive.size === 0 ? entry : { ...entry, context: { ...context, addPathReceive } };
  }
}

function keyOf({ peer, local }: BgpMessageEntry, sender: 'peer' | 'local'): string {
  return `${sender} ${formatAddress(peer.address)} ${formatAddress(local.address)}`;
}

function decodeRecord(reader: MrtReader, peers: readonly MrtPeer[]): Iterable<MrtEntry> {
  switch (reader.type) {
    case MRT_TYPE.tableDump:
      return decodeTableDump(reader);
    case MRT_TYPE.tableDumpV2:
      return [decodeTableDumpV2(reader, peers)];
    case MRT_TYPE.bgp4mp:
    case MRT_TYPE.bgp4mpEt:
      return [decodeBgp4mp(reader)];
    case MRT_TYPE.bgp:
      return [decodeLegacyBgp(reader)];
    default:
      return [{ kind: 'other', type: reader.type, subtype: reader.subtype }];
  }
}
