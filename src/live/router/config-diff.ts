/** What another configuration of a running router changes, peer by peer and key by key, and what that does to sessions. */
import { formatAddress } from '../../addr/address.js';
import { formatPrefix } from '../../addr/prefix.js';
import { type FamilyKey, familyName } from '../../bgp/codec/address-family.js';
import type { PeerSettings } from '../../bgp/session/peer-settings.js';
import type { ConfigChange } from '../control/control-request.js';
import type { PeerPolicy, RouterConfig } from './router-config.js';

/** keys of a peer that change while its session goes on */
const IN_PLACE = new Set(['import', 'export', 'maxPrefixes']);
const EFFECT = {
  added: 'a session is opened',
  removed: 'its session ends, and its routes go',
  inPlace: 'at once, without ending its session',
  restart: 'its session ends and is opened anew',
  rangeAdded: 'peers of the range may connect',
  rangeRemoved: 'sessions of its peers end, unless another range holds them',
  fib: 'every group of next hops is made anew; sessions go on',
} as const;

export function configDiff(before: RouterConfig, after: RouterConfig): ConfigChange[] {
  return [...routerChanges(before, after), ...peerChanges(before, after), ...rangeChanges(before, after)];
}

/** `peer 10.0.0.1 changed: holdTimeS 90 -> 9; its session ends and is opened anew` */
export function changeSentence({ of, change, keys, effect }: ConfigChange): string {
  const values = keys.map(({ key, before, after }) => `${key} ${valueText(before)} -> ${valueText(after)}`);
  return `${of} ${change}${values.length === 0 ? '' : `: ${values.join(', ')}`}; ${effect}`;
}

function valueText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}

function routerChanges(before: RouterConfig, after: RouterConfig): ConfigChange[] {
  const keys = keysThatDiffer({ ...before.ecmp }, { ...after.ecmp }).map(({ key, ...values }) => ({
    key: `ecmp.${key}`,
    ...values,
  }));
  return keys.length === 0 ? [] : [{ of: 'router', change: 'changed', keys, effect: EFFECT.fib }];
}

function peerChanges(before: RouterConfig, after: RouterConfig): ConfigChange[] {
  const changes: ConfigChange[] = [];
  const old = new Map(before.peers.peers.map((peer) => [peer.id, peer]));
  const ids = new Set(after.peers.peers.map(({ id }) => id));
  for (const id of old.keys()) {
    if (!ids.has(id)) changes.push({ of: `peer ${id}`, change: 'removed', keys: [], effect: EFFECT.removed });
  }
  for (const peer of after.peers.peers) {
    const was = old.get(peer.id);
    const of = `peer ${peer.id}`;
    if (was === undefined) changes.push({ of, change: 'added', keys: [], effect: EFFECT.added });
    else {
      const change = changed(
        of,
        { ...told(was), ...policyOf(before.policies.get(peer.id)) },
        { ...told(peer), ...policyOf(after.policies.get(peer.id)) },
      );
      if (change !== null) changes.push(change);
    }
  }
  return changes;
}

function rangeChanges(before: RouterConfig, after: RouterConfig): ConfigChange[] {
  const rangesOf = ({ peers, rangePolicies }: RouterConfig) =>
    new Map(
      peers.ranges.map(({ prefix, template }, i) => [
        formatPrefix(prefix),
        { ...told(template), ...policyOf(rangePolicies[i]) },
      ]),
    );
  const [old, fresh] = [rangesOf(before), rangesOf(after)];
  const changes: ConfigChange[] = [];
  for (const prefix of old.keys()) {
    if (fresh.has(prefix)) continue;
    changes.push({ of: `range ${prefix}`, change: 'removed', keys: [], effect: EFFECT.rangeRemoved });
  }
  for (const [prefix, settings] of fresh) {
    const was = old.get(prefix);
    const of = `range ${prefix}`;
    if (was === undefined) changes.push({ of, change: 'added', keys: [], effect: EFFECT.rangeAdded });
    else {
      const change = changed(of, was, settings);
      if (change !== null) changes.push(change);
    }
  }
  return changes;
}

type Settings = Readonly<Record<string, unknown>>;

function changed(of: string, before: Settings, after: Settings): ConfigChange | null {
  const keys = keysThatDiffer(before, after);
  if (keys.length === 0) return null;
  const effect = keys.every(({ key }) => IN_PLACE.has(key)) ? EFFECT.inPlace : EFFECT.restart;
  return { of, change: 'changed', keys, effect };
}

/** Settings of a session as a configuration writes them. */
function told(settings: Omit<PeerSettings, 'id' | 'address'>): Settings {
  const { localAddress, families, ...rest } = settings as Partial<PeerSettings> &
    Omit<PeerSettings, 'id' | 'address'>;
  const { id: _id, address: _address, ...plain } = rest as Partial<PeerSettings>;
  return {
    ...plain,
    localAddress: localAddress === null ? null : formatAddress(localAddress),
    families: families.map((family: FamilyKey) => familyName(family)),
  };
}

function policyOf(policy: PeerPolicy | undefined): Settings {
  return policy === undefined ? {} : { ...policy };
}

function keysThatDiffer(before: Settings, after: Settings): ConfigChange['keys'] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    JSON.stringify(before[key]) === JSON.stringify(after[key])
      ? []
      : [{ key, before: before[key] ?? null, after: after[key] ?? null }],
  );
}
