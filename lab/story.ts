/** What happens to the cluster in each scenario, and when: seconds after t = 0. */
import { NODE_NAMES } from './layout.js';

export const SCENARIOS = ['withdraw', 'add', 'rolling', 'crash', 'withdraw-readd', 'none'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

export type Verb = 'withdraw' | 'announce' | 'crash' | 'stop-pods' | 'start-pods';

export interface Step {
  readonly atS: number;
  readonly verb: Verb;
  readonly node: string;
}

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

export function storyOf(scenario: ScenarioName): Story {
  const all = [...NODE_NAMES];
  const once = (verb: Verb, node: string): Step[] => [{ atS: EVENT_S, verb, node }];
  switch (scenario) {
    case 'none':
      return { announcing: all, steps: [], durationS: EVENT_S + AFTERMATH_S };
    case 'withdraw':
      return { announcing: all, steps: once('withdraw', 'n2'), durationS: EVENT_S + AFTERMATH_S };
    case 'add':
      return {
        announcing: all.filter((name) => name !== 'n3'),
        steps: once('announce', 'n3'),
        durationS: EVENT_S + AFTERMATH_S,
      };
    case 'crash':
      return { announcing: all, steps: once('crash', 'n2'), durationS: EVENT_S + CRASH_AFTERMATH_S };
    case 'withdraw-readd':
      return {
        announcing: all,
        steps: [...once('withdraw', 'n2'), { atS: READD_S, verb: 'announce', node: 'n2' }],
        durationS: READD_S + AFTERMATH_S,
      };
    case 'rolling': {
      const steps = all.flatMap((node, i) => rollingSteps(node, ROLLING.firstS + i * ROLLING.everyS));
      return { announcing: all, steps, durationS: steps.at(-1)!.atS + AFTERMATH_S - 1 };
    }
  }
}

function rollingSteps(node: string, atS: number): Step[] {
  return [
    { atS, verb: 'withdraw', node },
    { atS: atS + ROLLING.stopAfterS, verb: 'stop-pods', node },
    { atS: atS + ROLLING.startAfterS, verb: 'start-pods', node },
    { atS: atS + ROLLING.announceAfterS, verb: 'announce', node },
  ];
}
