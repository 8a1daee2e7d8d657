import { describe, expect, test } from 'vitest';
import { formatPrefix } from '../../../../src/addr/prefix.js';
import { parseEventText } from '../../../../src/cluster/scenario/event-text.js';
import { loadScenario } from '../../../../src/cluster/scenario/load-scenario.js';
import { withEvents } from '../../../../src/cluster/scenario/with-events.js';
import { FlowfateError } from '../../../../src/errors.js';
import { changed, SCENARIO } from './scenario-text.js';

const BARE = changed('  timeline:\n    - { at: 5s, withdraw: n2 }\n', '');

function eventsOf(...entries: string[]) {
  const text = `${BARE}  timeline:\n${entries.map((entry) => `    - ${entry}\n`).join('')}`;
  return loadScenario([{ name: 'f.yaml', text }]).model.timeline;
}

function eventsOfWords(...events: string[]) {
  return loadScenario([{ name: 'f.yaml', text: BARE }], { events }).model.timeline;
}

/** The entry of a file, the words of --event, and what both become. */
const VERBS: [entry: string, words: string, events: object[]][] = [
  ['{ at: 5s, withdraw: n2 }', '5s withdraw n2', [{ at: 5, kind: 'withdraw', node: 1 }]],
  [
    '{ at: 5s, withdraw: [n1, n2] }',
    '5s withdraw n1,n2',
    [
      { at: 5, kind: 'withdraw', node: 0 },
      { at: 5, kind: 'withdraw', node: 1 },
    ],
  ],
  ['{ at: 5s, announce: { node: n2 } }', '5s announce n2', [{ at: 5, kind: 'announce', node: 1 }]],
  ['{ at: 250ms, speakerUp: n1 }', '250ms speakerUp n1', [{ at: 0.25, kind: 'speakerUp', node: 0 }]],
  ['{ at: 1, nodeDown: n1 }', '1 nodeDown n1', [{ at: 1, kind: 'nodeDown', node: 0 }]],
  ['{ at: 2m, nodeUp: 10.0.0.2 }', '2m nodeUp 10.0.0.2', [{ at: 120, kind: 'nodeUp', node: 1 }]],
  ['{ at: 5s, uncordon: n1 }', '5s uncordon n1', [{ at: 5, kind: 'uncordon', node: 0 }]],
  [
    '{ at: 5s, speakerDown: n2 }',
    '5s speakerDown n2',
    [{ at: 5, kind: 'speakerDown', node: 1, mode: 'close' }],
  ],
  [
    '{ at: 5s, speakerDown: n2, mode: silent }',
    '5s speakerDown n2 silent',
    [{ at: 5, kind: 'speakerDown', node: 1, mode: 'silent' }],
  ],
  [
    '{ at: 5s, speakerDown: { node: n2, mode: silent } }',
    '5s speakerDown n2 mode=silent',
    [{ at: 5, kind: 'speakerDown', node: 1, mode: 'silent' }],
  ],
  ['{ at: 5s, drain: n2 }', '5s drain n2', [{ at: 5, kind: 'drain', node: 1, gracePeriodS: 30 }]],
  [
    '{ at: 5s, drain: { node: n2, gracePeriod: 0 } }',
    '5s drain n2 gracePeriod=0',
    [{ at: 5, kind: 'drain', node: 1, gracePeriodS: 0 }],
  ],
  [
    '{ at: 5s, scale: { service: web, replicas: 5 } }',
    '5s scale web 5',
    [{ at: 5, kind: 'scale', service: 0, replicas: 5 }],
  ],
  [
    '{ at: 5s, scale: { replicas: 0 } }',
    '5s scale replicas=0',
    [{ at: 5, kind: 'scale', service: 0, replicas: 0 }],
  ],
  ['{ at: 5s, endpointReady: p1 }', '5s endpointReady p1', [{ at: 5, kind: 'endpointReady', pod: 'p1' }]],
  [
    '{ at: 5s, endpointUnready: [p1] }',
    '5s endpointUnready p1',
    [{ at: 5, kind: 'endpointUnready', pod: 'p1' }],
  ],
  [
    '{ at: 5s, endpointTerminating: { pod: p1 } }',
    '5s endpointTerminating p1',
    [{ at: 5, kind: 'endpointTerminating', pod: 'p1' }],
  ],
  ['{ at: 5s, endpointGone: p1 }', '5s endpointGone p1', [{ at: 5, kind: 'endpointGone', pod: 'p1' }]],
  [
    '{ at: 0s, rollingRedeploy: {} }',
    '0s rollingRedeploy',
    [{ at: 0, kind: 'rollingRedeploy', nodes: [0, 1], everyS: 60, downForS: 20 }],
  ],
  [
    '{ at: 0s, rollingRedeploy: { nodes: [n2, n1], every: 5s, downFor: 3s } }',
    '0s rollingRedeploy n2,n1 every=5s downFor=3s',
    [{ at: 0, kind: 'rollingRedeploy', nodes: [1, 0], everyS: 5, downForS: 3 }],
  ],
  [
    '{ at: 0s, rollingRedeploy: { nodes: n2, every: 5 } }',
    '0s rollingRedeploy nodes=n2 every=5',
    [{ at: 0, kind: 'rollingRedeploy', nodes: [1], everyS: 5, downForS: 20 }],
  ],
  ['{ at: 5s, proxyStall: 30s }', '5s proxyStall 30s', [{ at: 5, kind: 'proxyStall', nodes: [], forS: 30 }]],
  [
    '{ at: 5s, proxyStall: { node: n1, for: 30s } }',
    '5s proxyStall n1 for=30s',
    [{ at: 5, kind: 'proxyStall', nodes: [0], forS: 30 }],
  ],
  [
    '{ at: 5s, proxyStall: { nodes: [n1, n2], for: 30s } }',
    '5s proxyStall nodes=n1,n2 for=30s',
    [{ at: 5, kind: 'proxyStall', nodes: [0, 1], forS: 30 }],
  ],
];

describe('the timeline', () => {
  test.each(VERBS)('reads %s and "%s" as the same', (entry, words, events) => {
    expect(eventsOf(entry)).toEqual(events);
    expect(eventsOfWords(words)).toEqual(events);
  });

  test('reads the bare effect on the FIB with order and weights', () => {
    const [fromFile] = eventsOf(
      '{ at: 5s, route: { prefix: 203.0.113.10/32, nextHops: ["n2*2", 10.0.0.1] } }',
    );
    const [fromWords] = eventsOfWords('5s route 203.0.113.10 n2*2,n1');
    expect(fromFile).toEqual(fromWords);
    if (fromFile?.kind !== 'route') throw new Error('no route');
    expect(formatPrefix(fromFile.prefix)).toBe('203.0.113.10/32');
    expect(fromFile.nextHops).toEqual([
      { node: 1, weight: 2 },
      { node: 0, weight: 1 },
    ]);
    expect(eventsOfWords('5s route 203.0.113.10 none')).toMatchObject([{ kind: 'route', nextHops: [] }]);
  });

  test('merges changed settings of the router over those in force', () => {
    const events = eventsOf(
      '{ at: 9s, ecmp: { seed: 0x10 } }',
      '{ at: 5s, ecmp: { select: resilient, idleTimer: 3s } }',
      '{ at: 7s, ecmp: { select: maglev } }',
      '{ at: 8s, ecmp: { select: resilient } }',
    );
    const settings = events.map((event) => (event.kind === 'ecmp' ? event.settings : null));
    expect(settings.map((s) => [s?.select, s?.idleTimerS, s?.seed, s?.buckets, s?.hash])).toEqual([
      ['resilient', 3, 1, 64, 'linux-l4'],
      ['maglev', 3, 1, 16381, 'linux-l4'],
      ['resilient', 3, 1, 64, 'linux-l4'],
      ['resilient', 3, 16, 64, 'linux-l4'],
    ]);
    const [words] = eventsOfWords('5s ecmp select=resilient buckets=128 seed=0x10');
    expect(words).toMatchObject({
      settings: { select: 'resilient', buckets: 128, seed: 16, hash: 'linux-l4' },
    });
  });

  test('is sorted by time, and stays in the order of writing where times are equal', () => {
    const text = `${BARE}  timeline:\n    - { at: 6s, announce: n2 }\n    - { at: 5s, withdraw: n2 }\n    - { at: 5s, withdraw: n1 }\n`;
    const { model, notes } = loadScenario([{ name: 'f.yaml', text }], {
      events: ['5s uncordon n1', '1s nodeUp n1'],
    });
    expect(model.timeline.map(({ at, kind }) => `${at} ${kind}`)).toEqual([
      '1 nodeUp',
      '5 withdraw',
      '5 withdraw',
      '5 uncordon',
      '6 announce',
    ]);
    expect(notes).toEqual(['The timeline is not in the order of time (5 s stands late); it was sorted.']);
  });

  test('needs the service of a scale where there are two', () => {
    const two = `${changed('  timeline:', '    - { name: api, vip: 203.0.113.11, ports: [{ port: 80 }] }\n  timeline:')}    - { at: 6s, scale: { replicas: 2 } }\n`;
    expect(() => loadScenario([{ name: 'f.yaml', text: two }])).toThrow(
      'f.yaml:22:24: scale needs a service where there is more than one',
    );
  });
});

describe('parseEventText()', () => {
  test.each([
    ['', 'it needs a time and a verb, as in "5s withdraw n2"'],
    ['5s', 'it needs a time and a verb, as in "5s withdraw n2"'],
    ['5s withdrw n2', 'there is no verb "withdrw"; did you mean withdraw?'],
    [
      'soon withdraw n2',
      'expected a duration like 250ms, 5s, 2m, 1h30m, or a number of seconds, found "soon"',
    ],
    ['-5s withdraw n2', 'expected a duration like 250ms, 5s, 2m, 1h30m, or a number of seconds, found "-5s"'],
    ['5s withdraw', 'withdraw needs a name, as in "5s withdraw …"'],
    ['5s withdraw node=n1', 'withdraw takes names only, not "node="'],
    ['5s drain', 'node: expected a name, or a list of names'],
    ['5s drain n1 n2', '"n2" is one word too many'],
    ['5s drain n1 grace=5s', 'unknown key "grace"; known keys are node, gracePeriod'],
    ['5s drain n1 graceperiod=5s', 'unknown key "graceperiod"; did you mean "gracePeriod"?'],
    ['5s speakerDown n2 loud', 'mode: expected one of silent, close'],
    ['5s speakerDown n2 silent now', '"now" is one word too many'],
    ['5s scale web x', 'replicas: expected a whole number from 0 to 10000'],
    [
      '5s proxyStall',
      'for: expected a duration like 250ms, 5s, 2m, 1h30m, or a number of seconds, more than 0',
    ],
    ['5s route', 'prefix: expected a prefix like 203.0.113.0/24 or 2001:db8::/32'],
    ['5s route web n1', 'prefix: expected a prefix like 203.0.113.0/24 or 2001:db8::/32'],
    ['5s ecmp', 'it names no setting, as in select=resilient'],
    [
      '5s ecmp select=resilent',
      'select: expected one of modulo, hash-threshold, resilient, resilient-cumulus, resilient-arista, resilient-juniper, rendezvous, maglev, ring',
    ],
    ['5s ecmp selct=modulo', 'unknown key "selct"; did you mean "select"?'],
  ])('refuses "%s" with the reason', (text, reason) => {
    let error: unknown;
    try {
      parseEventText(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(FlowfateError);
    expect((error as FlowfateError).code).toBe('usage');
    expect((error as FlowfateError).message).toBe(`--event "${text}": ${reason}`);
  });

  test('is where an unknown name of an event is looked for', () => {
    const load = (event: string) => loadScenario([{ name: 'f.yaml', text: SCENARIO }], { events: [event] });
    expect(() => load('5s withdraw n9')).toThrow(
      '--event "5s withdraw n9": there is no node "n9"; did you mean "n1"? (known: n1, n2)',
    );
    expect(() => load('5s poolMember add n1')).toThrow(
      /^--event "5s poolMember add n1": poolMember acts on a pool of spec.edge, and this scenario has no edge/,
    );
  });
});

describe('withEvents()', () => {
  const { model } = loadScenario([{ name: 'f.yaml', text: SCENARIO }]);

  test('puts events into the timeline of a model, after those of the same time', () => {
    const after = withEvents(model, ['9s announce n2', '5s nodeDown n1', '1s drain n1']);
    expect(after.timeline.map(({ at, kind }) => `${at} ${kind}`)).toEqual([
      '1 drain',
      '5 withdraw',
      '5 nodeDown',
      '9 announce',
    ]);
    expect(model.timeline).toHaveLength(1);
  });

  test('gives the same as the loader', () => {
    const events = ['3s ecmp select=modulo', '4s ecmp seed=5', '5s nodeDown n1'];
    const loaded = loadScenario([{ name: 'f.yaml', text: SCENARIO }], { events }).model;
    expect({ ...withEvents(model, events), assumed: loaded.assumed }).toEqual(loaded);
  });

  test('refuses names that the model has not', () => {
    expect(() => withEvents(model, ['5s endpointGone p9'])).toThrow(
      '--event "5s endpointGone p9": there is no pod "p9"; did you mean "p1"? (known: p1)',
    );
  });
});
