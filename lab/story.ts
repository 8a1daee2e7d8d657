/** What happens to the cluster in each story, and when: seconds after t = 0. */
import { NODE_NAMES } from './layout.js';

export const SCENARIOS = ['withdraw', 'add', 'rolling', 'crash', 'withdraw-readd', 'none'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

/**
 * What happens at a moment. `crash` cuts the node's cable: the routes stay until somebody notices, as BFD would after
 * `noticedAfterS` (null: nobody but a daemon's hold time).
 */
export type Step = { readonly atS: number } & (
  | { readonly verb: 'withdraw'; readonly node: string }
  | { readonly verb: 'announce'; readonly node: string; readonly weight: number }
  | { readonly verb: 'crash'; readonly node: string; readonly noticedAfterS: number | null }
  | { readonly verb: 'stop-pods' | 'start-pods'; readonly pods: readonly string[] }
);

export interface Story {
  /** nodes that announce at t = 0 */
  readonly announcing: readonly string[];
  readonly steps: readonly Step[];
  /** long enough for what the last step breaks to show */
  readonly durationS: number;
}

const EVENT_S = 3.5;
const READD_S = 8;
/** a rolling redeploy: each node in turn, its pods replaced while it does not announce */
const ROLLING = { firstS: 3, everyS: 4, stopAfterS: 0.8, startAfterS: 1.6, announceAfterS: 2.4 } as const;
const AFTERMATH_S = 8;
/** until the hold time runs out, and the retransmissions after it */
const CRASH_AFTERMATH_S = 12;

/** `podsOf`: names of the pods on a node. */
export function storyOf(scenario: ScenarioName, podsOf: (node: string) => readonly string[]): Story {
  const all = [...NODE_NAMES];
  const withdraw: Step = { atS: EVENT_S, verb: 'withdraw', node: 'n2' };
  switch (scenario) {
    case 'none':
      return { announcing: all, steps: [], durationS: EVENT_S + AFTERMATH_S };
    case 'withdraw':
      return { announcing: all, steps: [withdraw], durationS: EVENT_S + AFTERMATH_S };
    case 'add':
      return {
        announcing: all.filter((name) => name !== 'n3'),
        steps: [{ atS: EVENT_S, verb: 'announce', node: 'n3', weight: 1 }],
        durationS: EVENT_S + AFTERMATH_S,
      };
    case 'crash':
      return {
        announcing: all,
        steps: [{ atS: EVENT_S, verb: 'crash', node: 'n2', noticedAfterS: null }],
        durationS: EVENT_S + CRASH_AFTERMATH_S,
      };
    case 'withdraw-readd':
      return {
        announcing: all,
        steps: [withdraw, { atS: READD_S, verb: 'announce', node: 'n2', weight: 1 }],
        durationS: READD_S + AFTERMATH_S,
      };
    case 'rolling': {
      const steps = all.flatMap((node, i) =>
        rollingSteps(node, podsOf(node), ROLLING.firstS + i * ROLLING.everyS),
      );
      return { announcing: all, steps, durationS: steps.at(-1)!.atS + AFTERMATH_S - 1 };
    }
  }
}

function rollingSteps(node: string, pods: readonly string[], atS: number): Step[] {
  return [
    { atS, verb: 'withdraw', node },
    { atS: atS + ROLLING.stopAfterS, verb: 'stop-pods', pods },
    { atS: atS + ROLLING.startAfterS, verb: 'start-pods', pods },
    { atS: atS + ROLLING.announceAfterS, verb: 'announce', node, weight: 1 },
  ];
}
