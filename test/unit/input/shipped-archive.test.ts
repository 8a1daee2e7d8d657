import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRouterTables } from '../../../src/cluster/router-tables/read-router-tables.js';
import { loadScenario } from '../../../src/cluster/scenario/load-scenario.js';
import { readCapture } from '../../../src/flow/read-capture.js';
import { readSources } from '../../../src/input/read-sources.js';
import { replay } from '../../../src/verdict/replay.js';
import { runCommand } from '../cli/made-io.js';

const shipped = (name: string): string => join(import.meta.dirname, '..', '..', '..', 'captures', name);

async function loaded(name: string, events: readonly string[]) {
  const { files, router } = await readSources(shipped(name), { stdin: 0, many: name.endsWith('.tgz') });
  return loadScenario(files, { events, routerTables: readRouterTables(router) });
}

describe('the shipped archive of a cluster', () => {
  test('with the withdrawal as an event gives every flow the fate that the recorded scenario gives it', async () => {
    const index = readCapture(shipped('cluster-withdraw.pcap.gz'));
    const recorded = replay(index, (await loaded('cluster-withdraw.yaml', [])).model);
    // the first packet came 0.209 s after the recording's t = 0, the withdrawal 5.000 s after it
    const { model } = await loaded('cluster-withdraw.tgz', ['4.8s withdraw n2']);
    const derived = replay(index, model);
    expect(derived.flowCount).toBe(recorded.flowCount);
    const fates = (result: typeof derived): string[] =>
      Array.from({ length: result.flowCount }, (_, row) => result.flowVerdict(row).fate);
    expect(fates(derived)).toEqual(fates(recorded));
    expect(fates(derived).filter((fate) => fate === 'reset')).toHaveLength(159);
  });

  test('states the router’s hash, seed and next hops, and the data plane', async () => {
    const { model } = await loaded('cluster-withdraw.tgz', []);
    expect(model.router.ecmp).toMatchObject({
      hash: 'linux-l4',
      seed: 1592639710,
      select: 'hash-threshold',
      order: 'address',
    });
    expect(
      model.router.routes.map(({ nextHops }) => nextHops.map(({ node }) => model.nodes[node]!.name)),
    ).toEqual([
      ['n1', 'n2', 'n3', 'n4'],
      ['n1', 'n2', 'n3', 'n4'],
    ]);
    expect(model.dataplane.proxy).toBe('iptables');
  });

  test('as a scenario says of each node, service and table where it was read, and loads again', async () => {
    const { status, out } = await runCommand([
      'replay',
      shipped('cluster-withdraw.pcap.gz'),
      '--cluster',
      shipped('cluster-withdraw.tgz'),
      '--print-scenario',
    ]);
    expect(status).toBe(0);
    expect(out).toMatch(
      /^# {3}node n1: .*cluster-withdraw\.tgz:flowfate-collect\/cluster\/nodes\.json:\d+:\d+$/m,
    );
    expect(out).toMatch(/^# {3}service web: .*services\.json:\d+:\d+$/m);
    expect(out).toMatch(/^# {3}router: sysctl, .*router\/sysctl\.txt$/m);
    expect(loadScenario([{ name: 'printed.yaml', text: out }]).model.router.ecmp.seed).toBe(1592639710);
  });
});
