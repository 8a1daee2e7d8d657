/** An MRT dump as a sequence of entries: the reader, the peer table it carries along, and the record formats. */
import type { ByteSource } from '../../capture/byte-source.js';
import { decodeBgp4mp, decodeLegacyBgp } from './bgp4mp.js';
import type { MrtEntry, MrtPeer } from './mrt-entry.js';
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
  while (reader.next()) {
    const timeS = reader.timestampS + reader.microseconds / 1e6;
    const { offset } = reader;
    for (const entry of decodeRecord(reader, peers)) {
      if (entry.kind === 'peer-index') peers = entry.peers;
      yield { timeS, offset, entry };
    }
  }
  return reader.fault;
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
