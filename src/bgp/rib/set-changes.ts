/** Attribute sets with something changed: what a policy or a role sets on a route, on its way in or out. */
import { type AsPathSegment, SEGMENT } from '../attribute/002-as-path.js';
import type { LargeCommunity } from '../attribute/032-large-communities.js';
import type { PathAttribute } from '../attribute/descriptor.js';
import { ByteWriter } from '../codec/byte-writer.js';
import { OFFLINE } from '../codec/codec-context.js';
import { decodeAttributeList, encodeAttribute, makeAttribute } from '../codec/update-message.js';
import type { AttributeStore } from './attribute-store.js';

export interface SetChanges {
  readonly localPref?: number;
  readonly med?: number;
  readonly addCommunities?: readonly number[];
  readonly removeCommunities?: readonly number[];
  readonly addLargeCommunities?: readonly LargeCommunity[];
  /** AS numbers put before the path, the last one first */
  readonly prepend?: readonly number[];
  readonly onlyToCustomer?: number;
}

const CODE = { asPath: 2, med: 4, localPref: 5, communities: 8, large: 32, onlyToCustomer: 35 } as const;
const OUT = new ByteWriter(1024);

/** Number of the set that `set` becomes; it is interned, not retained. */
export function changeSet(store: AttributeStore, set: number, changes: SetChanges): number {
  const { view } = store;
  const attributes = decodeAttributeList(view, store.startOf(set), store.endOf(set), OFFLINE);
  if (changes.localPref !== undefined) put(attributes, CODE.localPref, changes.localPref);
  if (changes.med !== undefined) put(attributes, CODE.med, changes.med);
  if (changes.onlyToCustomer !== undefined) put(attributes, CODE.onlyToCustomer, changes.onlyToCustomer);
  changeCommunities(attributes, changes);
  if (changes.prepend !== undefined && changes.prepend.length > 0) {
    const path = valueUnder<readonly AsPathSegment[]>(attributes, CODE.asPath) ?? [];
    put(attributes, CODE.asPath, prepended(path, changes.prepend));
  }
  attributes.sort((a, b) => a.code - b.code);
  OUT.rewind();
  for (const attribute of attributes) encodeAttribute(attribute, OUT, OFFLINE);
  return store.intern(OUT.buffer, OUT.view, 0, OUT.at);
}

function changeCommunities(attributes: PathAttribute[], changes: SetChanges): void {
  const { addCommunities = [], removeCommunities = [], addLargeCommunities = [] } = changes;
  if (addCommunities.length > 0 || removeCommunities.length > 0) {
    const before = valueUnder<readonly number[]>(attributes, CODE.communities) ?? [];
    const kept = before.filter((one) => !removeCommunities.includes(one));
    const after = [...kept, ...addCommunities.filter((one) => !kept.includes(one))];
    if (after.length > 0) put(attributes, CODE.communities, after);
    else remove(attributes, CODE.communities);
  }
  if (addLargeCommunities.length === 0) return;
  const before = valueUnder<readonly LargeCommunity[]>(attributes, CODE.large) ?? [];
  const isThere = (one: LargeCommunity): boolean => before.some((b) => b.join() === one.join());
  put(attributes, CODE.large, [...before, ...addLargeCommunities.filter((one) => !isThere(one))]);
}

function valueUnder<V>(attributes: readonly PathAttribute[], code: number): V | undefined {
  return attributes.find((a) => a.code === code)?.value as V | undefined;
}

function put(attributes: PathAttribute[], code: number, value: unknown): void {
  remove(attributes, code);
  attributes.push(makeAttribute({ code }, value));
}

function remove(attributes: PathAttribute[], code: number): void {
  const at = attributes.findIndex((a) => a.code === code);
  if (at >= 0) attributes.splice(at, 1);
}

/** RFC 4271 section 5.1.2: into the leading AS_SEQUENCE while it has room. */
function prepended(path: readonly AsPathSegment[], asns: readonly number[]): AsPathSegment[] {
  const [first, ...rest] = path;
  if (first === undefined || first.type !== SEGMENT.sequence || first.asns.length + asns.length > 255) {
    return [{ type: SEGMENT.sequence, asns }, ...path];
  }
  return [{ type: SEGMENT.sequence, asns: [...asns, ...first.asns] }, ...rest];
}
