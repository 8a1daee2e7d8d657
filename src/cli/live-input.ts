/** The traffic of a live router, from options: a capture, how fast, and the cluster behind the next hops. */
import type { ClusterModel, EcmpSettings } from '../cluster/model.js';
import { scenarioFromCapture } from '../cluster/scenario/scenario-from-capture.js';
import { FlowfateError } from '../errors.js';
import type { CaptureIndex } from '../flow/flow-columns.js';
import type { TrafficSettings } from '../live/traffic/live-traffic.js';
import { seenTraffic } from '../verdict/seen-traffic.js';
import type { Io } from './io.js';
import type { LiveOptions } from './live-options.js';
import { readWithProgress, warn } from './read-input.js';
import { statedScenario } from './scenario-input.js';

/** Servers of a capture that are looked up in the FIB; each may become a VIP. */
const MOST_VIPS = 64;

/** Null without --capture. Reads the capture, so this takes its time. */
export async function liveTraffic(
  options: LiveOptions,
  ecmp: EcmpSettings,
  io: Io,
): Promise<TrafficSettings | null> {
  const { capture, loop, speed = 1, scenario = [] } = options;
  if (capture === undefined) {
    const given =
      loop === true
        ? '--loop'
        : options.speed !== undefined
          ? '--speed'
          : scenario.length > 0
            ? '--scenario'
            : null;
    if (given !== null)
      throw new FlowfateError('usage', `${given} needs traffic: name a capture with --capture`);
    return null;
  }
  // configuration first: a typing error must not cost the reading of a large capture
  const stated = await statedScenario({ scenario, cluster: [], event: [] }, io);
  if (stated !== null && stated.model.edge !== null) {
    throw new FlowfateError(
      'config',
      'a load balancer before the router (spec.edge) is not part of live traffic; take it out of the scenario, or use flowfate replay',
    );
  }
  const index = readWithProgress(capture, io, {});
  const settings = { index, speed, loop: loop === true };
  if (stated === null) return { ...settings, model: modelOf(index, capture, io), made: true };
  for (const note of [...stated.notes, ...unheeded(stated.model, ecmp)]) warn(io, note);
  return { ...settings, model: stated.model, made: false };
}

function modelOf(index: CaptureIndex, capture: string, io: Io): ClusterModel {
  const seen = seenTraffic(index);
  const { model } = scenarioFromCapture(seen, { event: 'none', vips: MOST_VIPS });
  warn(
    io,
    `No scenario was given: every server of ${capture} that a route covers is a VIP, every next hop a node with one endpoint of each, policy Cluster.`,
  );
  if (seen.servers.length > MOST_VIPS) {
    warn(io, `Of its ${seen.servers.length} servers only the ${MOST_VIPS} with most flows are looked at.`);
  }
  return model;
}

/** What a scenario says and a living router decides. */
function unheeded({ timeline, router }: ClusterModel, ecmp: EcmpSettings): string[] {
  const notes: string[] = [];
  if (timeline.length > 0)
    notes.push(
      `The scenario's timeline does not act here (${timeline.length} events): routes come from BGP.`,
    );
  const { hash, seed, select } = router.ecmp;
  if (hash !== ecmp.hash || seed !== ecmp.seed || select !== ecmp.select)
    notes.push(
      `The scenario's spec.router.ecmp does not count: this router hashes with ${ecmp.hash}, seed ${ecmp.seed}, and selects by ${ecmp.select}; a document of kind Router changes that.`,
    );
  return notes;
}
