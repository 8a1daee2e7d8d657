/** Random network policies over a random cluster: every kind of rule, peer and end of a tier, by one dice. */
import { formatAddress, ipv4, ipv6 } from '../../src/addr/address.js';
import type { Prefix } from '../../src/addr/prefix.js';
import type { ClusterModel } from '../../src/cluster/model.js';
import {
  POLICY_ENGINES,
  type PolicyModel,
  type PolicyPeer,
  type PolicyRule,
  type PolicyTier,
} from '../../src/cluster/policy-model.js';
import type { Dice } from './random-world.js';

export function withRandomPolicies(model: ClusterModel, dice: Dice): ClusterModel {
  const groups = Array.from({ length: 1 + dice.below(3) }, () => ({
    tiers: Array.from({ length: 1 + dice.below(2) }, () => tier(dice)),
  }));
  const endpoints = model.services.flatMap((service) => service.endpoints);
  const policies: PolicyModel = {
    engine: dice.pick(POLICY_ENGINES),
    denial: dice.pick(['drop', 'reject']),
    groups,
    groupOf: new Map(
      endpoints.filter(() => dice.chance(0.7)).map(({ pod }) => [pod, dice.below(groups.length)]),
    ),
    knownPods: new Set(
      endpoints.flatMap(({ addresses }) => addresses.slice(0, dice.below(2)).map(formatAddress)),
    ),
    podRanges: [],
    restricted: new Map(),
    mayRestrict: dice.chance(0.1) ? 'NetworkPolicy shop/out' : null,
    netsMatchNodes: dice.chance(0.5),
  };
  return { ...model, policies };
}

function tier(dice: Dice): PolicyTier {
  return {
    rules: Array.from({ length: dice.below(4) }, (_, i) => rule(dice, i)),
    end: dice.pick(['deny', 'deny', 'pass', 'unsure']),
    policies: ['NetworkPolicy shop/end'],
  };
}

function rule(dice: Dice, i: number): PolicyRule {
  const peers = (): PolicyPeer[] => Array.from({ length: 1 + dice.below(2) }, () => peer(dice));
  return {
    policy: `NetworkPolicy shop/p${i}`,
    action: dice.pick(['allow', 'allow', 'deny', 'pass']),
    from: dice.chance(0.3) ? [] : [peers()],
    notFrom: dice.chance(0.8) ? [] : peers(),
    ports: dice.chance(0.6) ? null : [{ proto: 6, first: 8000, last: dice.pick([8080, 8079]) }],
    notPorts: dice.chance(0.8) ? [] : [{ proto: null, first: 5353, last: 5353 }],
    unsure: dice.chance(0.1) ? 'nobody said' : null,
  };
}

function peer(dice: Dice): PolicyPeer {
  if (dice.chance(0.3))
    return { kind: dice.pick(['place', 'maybe'] as const), place: dice.pick(['outside', 'pod', 'node']) };
  return dice.chance(0.2)
    ? { kind: 'pods', addresses: [ipv4(0x0af4010a)], maybe: [] }
    : { kind: 'net', net: dice.pick(NETS), except: dice.chance(0.7) ? [] : [dice.pick(NETS)] };
}

/** everything, the nodes, halves of the clients, the first pods */
const NETS: readonly Prefix[] = [
  { address: ipv4(0), length: 0 },
  { address: ipv6(0, 0, 0, 0), length: 0 },
  { address: ipv4(0x0a000000), length: 24 },
  { address: ipv4(0xc6336400), length: 25 },
  { address: ipv6(0x20010db8, 0, 0, 0), length: 33 },
  { address: ipv4(0x0af40000), length: 16 },
];
