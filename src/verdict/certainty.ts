/**
 * How much a result may be relied on that depends on how the router chooses: what is only documented, what is the
 * published algorithm without a product's bits, and a hash that nobody outside its maker knows.
 */
import type { ClusterModel, EcmpSettings } from '../cluster/model.js';
import { isLinuxHash } from '../hash/linux-dissect.js';
import { documentedRemark, isDocumented } from '../route/documented-resilient.js';
import { unverifiedNote } from '../state/proxy-plane.js';

/** One sentence a doubt; none where the choice is that of a Linux kernel, bit by bit. */
export function doubtsOf({ router, timeline, dataplane }: ClusterModel): string[] {
  const all = [router.ecmp, ...timeline.flatMap((event) => (event.kind === 'ecmp' ? [event.settings] : []))];
  const plane = unverifiedNote(dataplane.proxy);
  return [...new Set([...all.flatMap(doubts), ...(plane === null ? [] : [`The ${plane}.`])])];
}

/** Whether one run is but one draw: the hash stands for one that is unknown. */
export function isHashUnknown({ router, timeline }: ClusterModel): boolean {
  const unknown = ({ hash, select }: EcmpSettings): boolean => !isLinuxHash(hash) || isDocumented(select);
  return unknown(router.ecmp) || timeline.some((event) => event.kind === 'ecmp' && unknown(event.settings));
}

function doubts({ hash, select }: EcmpSettings): string[] {
  const remark = documentedRemark(select);
  const found: string[] = [];
  if (remark !== null) found.push(`Selection ${select} is ${remark}.`);
  if (select === 'maglev') {
    found.push(
      'Selection maglev is the algorithm, not the bits of Cilium or Katran: read it over many seeds.',
    );
  }
  if (!isLinuxHash(hash) || remark !== null) {
    found.push(
      `The hash of such a router is not published: ${hash} stands for it, and one seed is one draw.`,
    );
  }
  return found;
}
