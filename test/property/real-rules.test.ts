import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ClusterModel, NodeStateModel, TimelineEvent } from '../../src/cluster/model.js';
import { ColumnsOutcome } from '../../src/engine/columns-outcome.js';
import { FlowEngine } from '../../src/engine/flow-engine.js';
import type { CaptureIndex } from '../../src/flow/flow-columns.js';
import { PacketEngine } from '../../src/oracle/packet-engine.js';
import { REASON_NAMES } from '../../src/state/disposition.js';
import { FlowVerdicts } from '../../src/verdict/flow-verdicts.js';
import { kubeProxyRules, type RuleFaults } from '../support/kube-proxy-rules.js';
import { Dice, randomIndex, randomModel } from '../support/random-world.js';

const runs = { numRuns: Number(process.env.FLOWFATE_RUNS ?? 25), seed: 11 };

/** Verbs that no rule of a node follows. */
const OUTSIDE = new Set(['withdraw', 'announce', 'speakerUp', 'speakerDown', 'route', 'ecmp', 'neighborFailed', 'neighborReachable', 'linkDown', 'linkUp']); // biome-ignore format: a list of words

function iptablesModel(dice: Dice): ClusterModel {
  const model = randomModel(dice);
  return { ...model, dataplane: { ...model.dataplane, proxy: 'iptables', overlay: 'none' } };
}

function withRules(
  model: ClusterModel,
  faults: () => RuleFaults,
  nodes: (node: number) => boolean,
): ClusterModel {
  const nodeStates = model.nodes.flatMap((_, node): NodeStateModel[] =>
    nodes(node) ? [{ node, files: kubeProxyRules(model, node, faults()) }] : [],
  );
  return { ...model, nodeStates };
}

function outcomes(index: CaptureIndex, model: ClusterModel): unknown[] {
  const engine = new FlowEngine(index, model);
  engine.run();
  const verdicts = new FlowVerdicts(index, model, new ColumnsOutcome(engine));
  return Array.from({ length: engine.plan.count }, (_, f) => [
    f,
    verdicts.fate(f),
    verdicts.ending(f)?.atS ?? null,
    engine.paths.steps(f),
  ]);
}

test('kube-proxy’s own rules, walked, give the fates and paths of the modelled plane', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new Dice(seed);
      const model = iptablesModel(dice);
      const timeline = model.timeline.filter(({ kind }) => OUTSIDE.has(kind));
      // which packets a full table keeps out is not a matter of rules
      const conntrack = { ...model.dataplane.conntrack, max: 262_144 };
      const modelled = { ...model, timeline, dataplane: { ...model.dataplane, conntrack } };
      const index = randomIndex(dice, 40, 'own', dice.pick(['one', 'several'] as const));
      expect(
        outcomes(
          index,
          withRules(
            modelled,
            () => ({}),
            () => true,
          ),
        ),
      ).toEqual(outcomes(index, modelled));
    }),
    runs,
  );
});

function randomFaults(dice: Dice): RuleFaults {
  const client = `198.51.100.${dice.below(8)}`;
  const forward = [
    `-s ${client} -m conntrack --ctstate ESTABLISHED -j DROP`,
    `-d ${client} -j DROP`,
    `-s ${client} -p tcp -j REJECT --reject-with tcp-reset`,
    `-s ${client} -j REJECT --reject-with icmp-admin-prohibited`,
    `-s ${client} -m u32 --u32 "0=0" -j DROP`,
    `-s ${client} -m statistic --mode random --probability 0.5 -j DROP`,
    `-s ${client} -m conntrack --ctstate NEW -m statistic --mode random --probability 0.5 -j DROP`,
    `-s ${client} -p tcp --tcp-flags FIN FIN -j DROP`,
  ];
  const prerouting = [
    `-s ${client} -p tcp -j DNAT --to-destination 10.9.9.9:99`,
    `-s ${client} -p tcp -j ACCEPT`,
    `-s ${client} -p tcp -j REDIRECT --to-ports 1`,
  ];
  return {
    filterForward: dice.chance(0.6) ? [dice.pick(forward), dice.pick(forward)] : [],
    natPrerouting: dice.chance(0.3) ? [dice.pick(prerouting)] : [],
    noMasquerade: dice.chance(0.2),
    without: dice.chance(0.1) ? [0] : [],
  };
}

/** What a node's table may have held: some flows of the capture, towards some endpoint. */
function randomTable(dice: Dice, { flows }: CaptureIndex, model: ClusterModel): string {
  const lines: string[] = [];
  const pods = model.services.flatMap(({ endpoints }) => endpoints);
  for (let row = 0; row < flows.count; row++) {
    if (flows.family[row] !== 4 || !dice.chance(0.3) || pods.length === 0) continue;
    const word = (at: number): string => {
      const value = flows.addresses[8 * row + at]!;
      return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
    };
    const isTcp = flows.proto[row] === 6;
    const pod = dice.chance(0.9) ? dice.pick(pods).addresses[0]!.w0 : 0x0a090909;
    const address = [pod >>> 24, (pod >>> 16) & 255, (pod >>> 8) & 255, pod & 255].join('.');
    const original = `src=${word(0)} dst=${word(4)} sport=${flows.aPort[row]} dport=${flows.bPort[row]}`;
    const reply = `src=${address} dst=${word(0)} sport=${isTcp ? 8080 : 5353} dport=${flows.aPort[row]}`;
    const state = dice.pick(['ESTABLISHED', 'TIME_WAIT', 'SYN_SENT', 'FIN_WAIT']);
    lines.push(
      isTcp
        ? `tcp      6 ${dice.pick([1, 100, 86000])} ${state} ${original} ${reply} [ASSURED] mark=0 use=1`
        : `udp      17 ${dice.pick([1, 25])} ${original} ${reply} mark=0 use=1`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function verdicts(
  { tracker, paths }: Pick<FlowEngine, 'tracker' | 'paths'>,
  undecided: Uint8Array,
  said: ReadonlyMap<number, string>,
): unknown[] {
  return Array.from(tracker.fate, (fate, f) => ({
    flow: f,
    fate,
    life: tracker.life[f],
    brokenS: tracker.brokenS[f],
    reason: REASON_NAMES[tracker.reason[f]!],
    event: tracker.event[f],
    hop: tracker.hop[f],
    undecided: undecided[f],
    said: said.get(f),
    path: paths.steps(f),
  }));
}

test('both engines agree on nodes with real rules, whatever stands in them and in their tables', () => {
  const reasons = new Set<string>();
  let undecided = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const dice = new Dice(seed);
      const model = iptablesModel(dice);
      const index = randomIndex(dice, 40);
      // which entry a full table drops depends on the order in which they were made, and no dump shows that
      const conntrack = { ...model.dataplane.conntrack, max: 262_144 };
      const roomy = { ...model, dataplane: { ...model.dataplane, conntrack } };
      const real = withRules(
        roomy,
        () => randomFaults(dice),
        () => dice.chance(0.7),
      );
      const nodeStates = (real.nodeStates ?? []).map(({ node, files }) =>
        dice.chance(0.4)
          ? { node, files: [...files, { name: 'conntrack.txt', text: randomTable(dice, index, model) }] }
          : { node, files },
      );
      const node = dice.below(model.nodes.length);
      const becomes: TimelineEvent[] = dice.chance(0.4)
        ? [
            {
              at: 4,
              kind: 'rulesBecome',
              node,
              paths: ['x'],
              files: kubeProxyRules(model, node, randomFaults(dice)),
            },
          ]
        : [];
      const timeline = [...model.timeline, ...becomes].sort((a, b) => a.at - b.at);
      const whole = { ...real, nodeStates, timeline };
      const fast = new FlowEngine(index, whole);
      fast.run();
      const slow = new PacketEngine(index, whole);
      slow.run();
      expect(verdicts(fast, fast.walk.real.undecided, fast.walk.real.said)).toEqual(
        verdicts(slow, slow.undecided, slow.said),
      );
      expect(fast.walk.real.wasKnown).toEqual(slow.wasKnown);
      for (const code of fast.tracker.reason) reasons.add(REASON_NAMES[code]!);
      for (const one of fast.walk.real.undecided) undecided += one;
    }),
    runs,
  );
  expect(undecided).toBeGreaterThan(0);
  expect([...reasons]).toEqual(
    expect.arrayContaining(['rule-dropped', 'rule-rejected', 'stack-refused', 'answer-astray']),
  );
});
