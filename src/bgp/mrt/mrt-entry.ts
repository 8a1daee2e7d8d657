/** What MRT records say, as values. */
import type { Address } from '../../addr/address.js';
import type { PathAttribute } from '../attribute/descriptor.js';
import type { FamilyKey } from '../codec/address-family.js';
import type { CodecContext } from '../codec/codec-context.js';
import type { PrefixNlri } from '../codec/nlri.js';

export interface MrtPeer {
  readonly address: Address;
  readonly asn: number;
  /** 0 where the record does not tell */
  readonly bgpIdentifier: number;
}

/** RFC 6396 section 4.3.1 */
export interface PeerIndexTable {
  readonly kind: 'peer-index';
  readonly collectorId: number;
  readonly viewName: string;
  readonly peers: readonly MrtPeer[];
}

/** One route of a dumped RIB. */
export interface RibRoute {
  /** `null` where the peer index table has no such row */
  readonly peer: MrtPeer | null;
  readonly originatedS: number;
  /** RFC 8050; absent in dumps without ADD-PATH */
  readonly pathId?: number;
  readonly attributes: readonly PathAttribute[];
}

export interface RibEntry {
  readonly kind: 'rib';
  readonly family: FamilyKey;
  readonly sequence: number;
  /** raw octets where the codec does not take the family apart (RIB_GENERIC) */
  readonly nlri: PrefixNlri | Uint8Array;
  readonly routes: readonly RibRoute[];
}

interface Session {
  readonly peer: MrtPeer;
  readonly local: MrtPeer;
  readonly interfaceIndex: number;
}

/** A BGP message as the collector saw it. Its body is `bytes[at .. end)`, valid until the next record. */
export interface BgpMessageEntry extends Session {
  readonly kind: 'message';
  /** `local`: the collector sent it (the _LOCAL subtypes) */
  readonly sender: 'peer' | 'local';
  readonly type: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly at: number;
  readonly end: number;
  /** AS number width and path identifiers, as the subtype says */
  readonly context: CodecContext;
}

/** RFC 6396 section 4.4.1: states 1 (idle) to 6 (established) */
interface StateChangeEntry extends Session {
  readonly kind: 'state';
  readonly oldState: number;
  readonly newState: number;
}

/** Well-formed, but not BGP or of a subtype that has nothing to say about routes. */
interface OtherEntry {
  readonly kind: 'other';
  readonly type: number;
  readonly subtype: number;
}

/** The record's body is not what its type and subtype call for. */
interface MalformedEntry {
  readonly kind: 'malformed';
  readonly type: number;
  readonly subtype: number;
  readonly reason: string;
}

export type MrtEntry =
  | PeerIndexTable
  | RibEntry
  | BgpMessageEntry
  | StateChangeEntry
  | OtherEntry
  | MalformedEntry;
