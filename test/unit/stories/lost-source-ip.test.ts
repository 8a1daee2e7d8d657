import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readCapture } from '../../../src/flow/read-capture.js';
import { failureFor, findStory, runStory } from '../../../src/stories/run-story.js';
import { replay } from '../../../src/verdict/replay.js';
import { readRequestHeads } from '../../../src/verdict/request-heads.js';

const CAPTURE = fileURLToPath(new URL('../../../captures/stories/http-requests.pcap.gz', import.meta.url));
const story = findStory('lost-source-ip');
const index = readCapture(CAPTURE);
const { model: failing } = failureFor(story, index);
const heads = readRequestHeads(CAPTURE, index, failing);

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

  test('finds the request of every connection, and some that lie', () => {
    // one connection begins as the capture ends, and never gets to its request
    expect(heads.size).toBe(index.flows.count - 1);
    expect(lying.length).toBeGreaterThan(5);
  });

  test('shows the application no client at all behind two translations, and none by policy Local alone', () => {
    expect(seen('failure')).toEqual([0, 0]);
    expect(seen('policy-local-alone')).toEqual([0, 0]);
  });

  test.each([
    'reset-at-the-first-hop',
    'append-and-rightmost-untrusted',
    'forwarded-rfc-7239',
    'proxy-protocol',
    'no-gateway-snat-and-local',
    'no-gateway-snat-and-dsr',
    'pool-over-vxlan',
  ])('shows every client with %s, whatever clients claim', (name) => {
    expect(seen(name)).toEqual([100, 0]);
  });

  test('lets exactly the liars win where what they send is believed', () => {
    expect(seen('trust-everybody')).toEqual([0, liars]);
    expect(seen('append-at-the-first-hop')[1]).toBe(liars);
    expect(seen('append-at-the-first-hop')[0]).toBeCloseTo(100 - liars, 9);
  });

  test('shows nothing where a PROXY header meets a proxy that was not told', () => {
    expect(seen('proxy-protocol-unexpected')).toEqual([0, 0]);
  });

  test('names the settings that restore the address, each of which does', () => {
    const model = failureFor(story, index).model;
    const verdict = replay(index, model, { heads }).flowVerdict(0);
    const { restoredBy } = verdict.source!.application!;
    expect(restoredBy).toContain('edge.snat: none and externalTrafficPolicy: Local');
    expect(restoredBy).toContain(
      'edge.insert.forward: replace, with the load balancer in l7Proxy.trustedIPs',
    );
    const hops = verdict.source!.steps.map(({ mechanism }) => mechanism);
    expect(hops).toEqual(['snat-automap', 'masquerade', 'traefik, a connection of its own']);
  });
});
