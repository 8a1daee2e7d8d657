/** The stories there are: a line each. A story's file says everything else about it. */
import { lostSourceIp } from './lost-source-ip.js';
import { rehashOnRedeploy } from './rehash-on-redeploy.js';
import { rehashOnScale } from './rehash-on-scale.js';
import type { Story } from './story.js';
import { unevenLoad } from './uneven-load.js';

export const STORIES: readonly Story[] = [lostSourceIp, rehashOnRedeploy, rehashOnScale, unevenLoad];
