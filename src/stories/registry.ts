/** The stories there are: a line each. A story's file says everything else about it. */
import { cpuThrottling } from './cpu-throttling.js';
import { lostRack } from './lost-rack.js';
import { lostSourceIp } from './lost-source-ip.js';
import { probesStory } from './probes.js';
import { rehashOnRedeploy } from './rehash-on-redeploy.js';
import { rehashOnScale } from './rehash-on-scale.js';
import { staleRules } from './stale-rules.js';
import type { Story } from './story.js';
import { tunnelAddress } from './tunnel-address.js';
import { unevenLoad } from './uneven-load.js';
import { unknownMember } from './unknown-member.js';

export const STORIES: readonly Story[] = [
  unknownMember,
  lostSourceIp,
  rehashOnRedeploy,
  rehashOnScale,
  unevenLoad,
  tunnelAddress,
  cpuThrottling,
  staleRules,
  lostRack,
  probesStory,
];
