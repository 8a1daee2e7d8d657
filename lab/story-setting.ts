/** A story of story.ts as a setting: four nodes, one service in both families, a router with a real daemon. */
import { layoutOf, type TrafficPolicy, webService } from './layout.js';
import type { RouterKind } from './router.js';
import { makeSetting, type Setting } from './setting.js';
import { type ScenarioName, storyOf } from './story.js';
import { planTraffic } from './traffic-plan.js';

export interface StoryOptions {
  readonly policy: TrafficPolicy;
  readonly scenario: ScenarioName;
  readonly router: RouterKind;
  /** of the router's hash and of the clients' traffic */
  readonly seed: number;
  /** as long as the story needs where null */
  readonly durationS: number | null;
  readonly connections: number;
  readonly connectionsPerSecond: number;
  readonly podsPerNode: ReadonlyMap<string, number>;
  /** of resilient groups */
  readonly buckets: number;
  readonly idleTimerS: number;
}

export function storySetting(options: StoryOptions): Setting {
  const { policy, scenario, router, seed, podsPerNode, buckets, idleTimerS } = options;
  const services = [webService(policy)];
  const { pods } = layoutOf(podsPerNode, services);
  const story = storyOf(scenario, (node) => pods.flatMap((pod) => (pod.node === node ? [pod.name] : [])));
  const durationS = options.durationS ?? story.durationS;
  const traffic = { connections: options.connections, perSecond: options.connectionsPerSecond, seed };
  return makeSetting(seed, {
    ...{ name: `${policy}-${scenario}-${router}`.toLowerCase(), services, durationS, podsPerNode, router },
    ...{ buckets, idleTimerS, nextHops: story.announcing.map((node) => ({ node, weight: 1 })) },
    ...{ plan: planTraffic(traffic, services, story, durationS), steps: story.steps },
  });
}
