import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../../src/flow/read-capture.js';
import { readRequestHeads } from '../../../src/replay/request-heads.js';
import { failureFor, findStory, runStory } from '../../../src/stories/run-story.js';

const CAPTURE = fileURLToPath(new URL('../../../captures/stories/http-requests.pcap.gz', import.meta.url));
const story = findStory('lost-source-ip');
const index = readCapture(CAPTURE);
const { services } = failureFor(story, index).model;
const heads = readRequestHeads(CAPTURE, index, services);

describe('lost-source-ip', () => {
  const { runs } = runStory(story, index, { seeds: 1, heads });
  const seen = (name: string): [client: number, forged: number] => {
    const { measures } = runs.find((run) => run.name === name)!.figures!;
    return [measures.applicationSeesClient!, measures.forgedWins!];
  };
  const lying = [...heads.values()].filter(({ head }) =>
    head.fields.some(({ name }) => name === 'X-Forwarded-For'),
  );
  const liars = (100 * lying.length) / index.flows.count;

  it('finds the request of every connection, and some that lie', () => {
    // one connection begins as the capture ends, and never gets to its request
    expect(heads.size).toBe(index.flows.count - 1);
    expect(lying.length).toBeGreaterThan(5);
  });

  it('shows the application no client at all under policy Cluster', () => {
    expect(seen('failure')).toEqual([0, 0]);
  });

  it('shows every client under policy Local, whatever clients claim', () => {
    for (const name of ['policy-local', 'append-and-take-last', 'proxy-protocol-to-application']) {
      expect([name, ...seen(name)]).toEqual([name, 100, 0]);
    }
  });

  it('lets exactly the liars win where the first entry is believed', () => {
    expect(seen('trust-everybody')).toEqual([0, liars]);
    expect(seen('append-and-take-first')[1]).toBe(liars);
    expect(seen('append-and-take-first')[0]).toBeCloseTo(100 - liars, 9);
  });
});
