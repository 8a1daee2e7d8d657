/** Further events for a model that is already there: a scenario made from a capture, a variation. */

import type { ClusterModel, TimelineEvent } from '../model.js';
import { Problems } from '../yaml/problems.js';
import { eventFacts } from './event-text.js';
import { TimelineReader } from './timeline-events.js';

/**
 * The model with the events that `texts` write ("5s withdraw n2") in its timeline, after what happens at the
 * same time. Throws a FlowfateError where one is no event or names what the model has not.
 */
export function withEvents(model: ClusterModel, texts: readonly string[]): ClusterModel {
  const problems = new Problems();
  const reader = new TimelineReader(model, problems);
  const facts = texts.map(eventFacts).sort((a, b) => a.entry.at - b.entry.at);
  let timeline = model.timeline;
  for (const fact of facts) {
    const { at } = fact.entry;
    const before = timeline.filter((event) => event.at <= at);
    const settings = before.reduce(settingsAfter, model.router.ecmp);
    timeline = [...before, ...reader.read([fact], settings), ...timeline.filter((event) => event.at > at)];
  }
  problems.throwIfAny();
  return { ...model, timeline };
}

function settingsAfter(settings: ClusterModel['router']['ecmp'], event: TimelineEvent) {
  return event.kind === 'ecmp' ? event.settings : settings;
}
