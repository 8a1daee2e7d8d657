/** Dashboard and alert rules name metrics and labels that the program really has. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatAddress } from '../../../../src/addr/address.js';
import { LiveService } from '../../../../src/live/live-service.js';
import { LiveMetrics } from '../../../../src/live/web/metrics.js';
import { MadeRouter } from '../../../support/made-router.js';
import { Dice, randomIndex } from '../../../support/random-world.js';
import { nodeAddress, smallCluster, VIP } from '../../../support/small-cluster.js';

const DEPLOY = join(import.meta.dirname, '..', '..', '..', '..', 'deploy');
const METRIC = /\b(?:flowfate|nodejs|process)_[a-z0-9_]+\b/g;

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { alert: string; expr: string; annotations: Record<string, string> }[];
  }[];
}
interface Dashboard {
  readonly panels: readonly {
    readonly title: string;
    readonly gridPos: { x: number; y: number; w: number; h: number };
    readonly targets: readonly { expr: string; legendFormat: string }[];
  }[];
}

const rules = (
  parse(readFileSync(join(DEPLOY, 'prometheus', 'flowfate.rules.yaml'), 'utf8')) as Rules
).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(
  readFileSync(join(DEPLOY, 'grafana', 'flowfate-router.json'), 'utf8'),
) as Dashboard;

/** labels of each metric, by its name, as a router with traffic and a lost session shows them */
const labels = new Map<string, Set<string>>();

beforeAll(async () => {
  const router = new MadeRouter();
  let nowMs = 2_000_000;
  const settings = {
    ...{ index: randomIndex(new Dice(7), 300), model: smallCluster({ service: { vips: [VIP] } }) },
    ...{ made: false, speed: 1, loop: true },
  };
  const service = new LiveService(router, settings, '1.2.3', () => nowMs);
  service.start();
  const hops = [0, 1, 2].map((node) => formatAddress(nodeAddress(node + 1)));
  router.peer('10.0.0.1', 64601, 'Established', nowMs);
  router.route(`${formatAddress(VIP)}/32`, hops, nowMs);
  for (const endMs = nowMs + 4000; nowMs < endMs; nowMs += 50) service.tick();
  router.route(`${formatAddress(VIP)}/32`, hops.slice(1), nowMs);
  router.peer('10.0.0.1', 64601, 'Idle', nowMs, 'the cable is out');
  for (const endMs = nowMs + 3000; nowMs < endMs; nowMs += 50) service.tick();
  const text = await new LiveMetrics(service, () => nowMs).text();
  for (const line of text.split('\n')) {
    const found = /^([a-z0-9_]+)(?:\{(.*)\})? /.exec(line);
    if (found === null) continue;
    const names = labels.get(found[1]!) ?? new Set<string>();
    for (const [, name] of (found[2] ?? '').matchAll(/([a-z_]+)="/g)) names.add(name!);
    labels.set(found[1]!, names);
  }
  service.stop();
});

const expressions = [
  ...rules.map(
    ({ alert, expr, annotations }) => [alert, expr, Object.values(annotations).join(' ')] as const,
  ),
  ...dashboard.panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => [title, expr, legendFormat] as const),
  ),
];

describe('deploy/', () => {
  test.each(expressions)('%s: %s', (_, expr, words) => {
    const metrics = [...expr.matchAll(METRIC)].map(([name]) => name);
    expect(metrics.length).toBeGreaterThan(0);
    for (const name of metrics) expect([...labels.keys()], name).toContain(name);
    const known = new Set(['instance', ...metrics.flatMap((name) => [...labels.get(name)!])]);
    const selected = [...expr.matchAll(/[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, name]) => name!);
    const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, names]) =>
      names!.split(/,\s*/),
    );
    const shown = [...words.matchAll(/\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}/g)].map(([, name]) => name!);
    for (const name of [...selected, ...grouped, ...shown]) expect([...known]).toContain(name);
  });

  test('shows every metric of the router on the dashboard or in a rule', () => {
    const used = new Set(expressions.flatMap(([, expr]) => [...expr.matchAll(METRIC)].map(([name]) => name)));
    const quiet = [
      'flowfate_bgp_peer_messages_total',
      'flowfate_bgp_peer_uptime_seconds',
      'flowfate_events_total',
      'flowfate_flows_started_total',
      'flowfate_flows_total',
      'flowfate_traffic_skipped_seconds_total',
    ];
    const own = [...labels.keys()].filter((name) => name.startsWith('flowfate_'));
    expect(own.filter((name) => !used.has(name)).sort()).toEqual(quiet);
  });

  test('places no panel over another', () => {
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});
