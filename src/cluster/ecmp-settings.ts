/** The router's settings: what is written, what they can be at all, and what a selection makes of its buckets. */
import { defaultBuckets } from '../route/create-group.js';
import { isDocumented, refuseDocumentedBuckets } from '../route/documented-resilient.js';
import { isPrime } from '../route/maglev.js';
import { MAX_RESILIENT_BUCKETS, MAX_RING_POINTS } from './limits.js';
import type { EcmpSettings } from './model.js';
import type { RawEcmp } from './scenario/timeline-schema.js';

/** Only what is stated, under the keys of the model. */
export function ecmpSettings(raw: RawEcmp): Partial<EcmpSettings> {
  const { idleTimer, unbalancedTimer, ...same } = raw;
  const settings = { ...same, idleTimerS: idleTimer, unbalancedTimerS: unbalancedTimer };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

/** `settings` with what is newly stated; another selection without a number of buckets gets its own usual number. */
export function changedEcmp(settings: EcmpSettings, stated: Partial<EcmpSettings>): EcmpSettings {
  const select = stated.select ?? settings.select;
  const usual = select === settings.select ? settings.buckets : defaultBuckets(select);
  return { ...settings, ...stated, buckets: stated.buckets ?? usual };
}

/** Why a router cannot have these settings, or null. */
export function refuseEcmp({ select, buckets }: EcmpSettings, nodes: number): string | null {
  if (select === 'resilient' && buckets > MAX_RESILIENT_BUCKETS) {
    return `a resilient group has at most ${MAX_RESILIENT_BUCKETS} buckets, not ${buckets}`;
  }
  if (isDocumented(select)) {
    const refusal = refuseDocumentedBuckets(select, buckets);
    if (refusal !== null) return refusal;
    if (buckets < nodes || buckets > MAX_RESILIENT_BUCKETS) {
      return `a ${select} table has from ${nodes} (the nodes) to ${MAX_RESILIENT_BUCKETS} buckets, not ${buckets}`;
    }
  }
  if (select === 'ring' && buckets > MAX_RING_POINTS) {
    return `a ring has at most ${MAX_RING_POINTS} points a next hop, not ${buckets}`;
  }
  if (select === 'maglev' && buckets < nodes) {
    return `a Maglev table of ${buckets} buckets cannot hold ${nodes} nodes; give it more, 65537 for instance`;
  }
  return null;
}

/** Maglev's permutations reach every position only of a table of prime size: the next one is taken. */
export function fitEcmp(settings: EcmpSettings): EcmpSettings {
  if (settings.select !== 'maglev' || isPrime(settings.buckets)) return settings;
  let buckets = settings.buckets;
  while (!isPrime(buckets)) buckets++;
  return { ...settings, buckets };
}
