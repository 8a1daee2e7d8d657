/**
 * Which rule of a chain to try next. A chain of thousands of rules that each ask for one destination address (as
 * kube-proxy writes them) is not walked: rules are filed by the conditions in their guards, and the next rule that could
 * match is found by a binary search in each file.
 */
import type { Packet } from './packet.js';
import type { Chain } from './rule-set.js';

/** Shorter chains are walked. */
const WORTH_FILING = 16;

interface Files {
  /** places of rules without a destination */
  readonly any: Int32Array;
  readonly byDst: ReadonlyMap<number | string, Int32Array>;
}

const files = new WeakMap<Chain, Files | null>();

/** Place of the first rule at or after `at` that may match; the number of rules where there is none. */
export function nextRule(chain: Chain, at: number, packet: Packet): number {
  const { rules } = chain;
  if (rules.length - at < WORTH_FILING) return at;
  let filed = files.get(chain);
  if (filed === undefined) {
    filed = fileRules(chain);
    files.set(chain, filed);
  }
  if (filed === null) return at;
  const own = filed.byDst.get(packet.dstKey);
  for (let from = at; ; ) {
    const next = Math.min(
      firstFrom(filed.any, from),
      own === undefined ? rules.length : firstFrom(own, from),
    );
    if (next >= rules.length) return rules.length;
    const { proto, dstPort } = rules[next]!.guard;
    const fits =
      (proto === undefined || proto === packet.proto) &&
      (dstPort === undefined || dstPort === packet.dstPort);
    if (fits) return next;
    from = next + 1;
  }
}

function fileRules({ rules }: Chain): Files | null {
  const any: number[] = [];
  const byDst = new Map<number | string, number[]>();
  rules.forEach(({ guard: { dst } }, at) => {
    if (dst === undefined) any.push(at);
    else {
      const list = byDst.get(dst);
      if (list === undefined) byDst.set(dst, [at]);
      else list.push(at);
    }
  });
  if (byDst.size < 8) return null;
  return {
    any: Int32Array.from(any),
    byDst: new Map([...byDst].map(([key, list]) => [key, Int32Array.from(list)])),
  };
}

/** The first entry that is at least `from`. */
function firstFrom(places: Int32Array, from: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low < places.length ? places[low]! : Number.MAX_SAFE_INTEGER;
}
