import { describe, expect, test } from 'vitest';
import { readCapture } from '../../../src/flow/read-capture.js';
import { replay } from '../../../src/verdict/replay.js';
import { compare, spread } from '../../../src/what-if/compare.js';
import { combinations, parseVariation, seeded, varied } from '../../../src/what-if/variation.js';
import { smallCluster } from '../../support/small-cluster.js';

const index = readCapture('captures/cluster-withdraw.pcap.gz');
const model = smallCluster({ timeline: [{ at: 5, kind: 'withdraw', node: 1 }] });

function brokenIn({ byFate }: ReturnType<typeof replay>['summary']): number {
  return byFate.reset + byFate.refused + byFate.timeout + byFate['endpoint-closed'] + byFate.misdelivered;
}

describe('variations', () => {
  test('combine, the last knob varying fastest', () => {
    const all = combinations([
      parseVariation('select=modulo,maglev'),
      parseVariation('policy=Local,Cluster'),
    ]);
    expect(all.map((c) => c.map(({ value }) => value).join(' '))).toEqual([
      'modulo Local',
      'modulo Cluster',
      'maglev Local',
      'maglev Cluster',
    ]);
  });

  test('change what they name and nothing else', () => {
    const changed = varied(model, [{ knob: 'holdTime', value: '3s' }]);
    expect(changed.router.bgp.holdTimeS).toBe(3);
    expect({ ...changed, router: model.router }).toEqual(model);
  });

  test('of the speakers leave the first ones, in stated routes as well', () => {
    const fewer = varied(model, [{ knob: 'speakers', value: '2' }]);
    expect(fewer.nodes.map(({ announces }) => announces)).toEqual([true, true, false, false]);
    expect(() => varied(model, [{ knob: 'speakers', value: '9' }])).toThrow(/only 4 nodes announce/);
  });

  test('that mean nothing are refused with what would do', () => {
    expect(() => parseVariation('colour=red')).toThrow(/knows no "colour"; it takes hash, /);
    expect(() => parseVariation('select')).toThrow(/needs values/);
    expect(() => varied(model, [{ knob: 'select', value: 'best' }])).toThrow(
      /there is no "best"; it takes modulo/,
    );
    expect(() => varied(model, [{ knob: 'holdTime', value: 'soon' }])).toThrow(/no duration/);
  });

  test('the first seed is the model as it is', () => {
    expect(seeded(model, 0)).toBe(model);
    expect(seeded(model, 1).router.ecmp.seed).not.toBe(model.router.ecmp.seed);
  });
});

describe('the survival matrix', () => {
  test('holds for each combination what its replays say, ranked, alike in one thread and in several', async () => {
    const variations = [
      parseVariation('select=hash-threshold,modulo,rendezvous'),
      parseVariation('policy=Local,Cluster'),
    ];
    const here = await compare(index, model, variations, { seeds: 3, threads: 0 });
    expect(await compare(index, model, variations, { seeds: 3, threads: 2 })).toEqual(here);
    expect(here.rows.length).toBe(6);
    const means = here.rows.map(({ broken }) => broken.mean);
    expect(means).toEqual([...means].sort((a, b) => a - b));
    const { combination, broken } = here.rows[0]!;
    const runs = [0, 1, 2].map((seed) =>
      brokenIn(replay(index, seeded(varied(model, combination), seed)).summary),
    );
    expect(broken).toEqual(spread(runs));
  });

  test('refuses an impossible combination with the reason and goes on', async () => {
    const { rows } = await compare(
      index,
      varied(model, [{ knob: 'select', value: 'maglev' }]),
      [parseVariation('buckets=64,67')],
      { seeds: 1, threads: 0 },
    );
    expect(rows.map(({ refused }) => refused)).toEqual([null, expect.stringContaining('prime')]);
  });

  test('says how many flows there are even where every combination is refused', async () => {
    const maglev = varied(model, [{ knob: 'select', value: 'maglev' }]);
    const { flows, rows } = await compare(index, maglev, [parseVariation('buckets=64')], {
      seeds: 1,
      threads: 0,
    });
    expect([rows[0]!.refused === null, flows]).toEqual([false, replay(index, model).summary.flows]);
  });

  test('gives a mean with its interval: Student’s t', () => {
    expect(spread([1, 2, 3, 4, 5])).toMatchObject({ mean: 3, min: 1, max: 5 });
    expect(spread([1, 2, 3, 4, 5]).interval).toBeCloseTo(2.776 * Math.sqrt(2.5 / 5), 6);
    expect(spread([7]).interval).toBe(0);
  });
});
