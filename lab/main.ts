/** `npm run lab`: the failure stories on this machine's own kernel. Arguments in, files out, a verdict on the replay. */
import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { lacksNamespaces } from './host.js';
import { NODE_NAMES } from './layout.js';
import { replayRun, scoreText } from './replay-run.js';
import { ROUTER_KINDS } from './router.js';
import { runLab } from './run-lab.js';
import type { Setting } from './setting.js';
import { SETTINGS } from './settings.js';
import { SCENARIOS } from './story.js';
import { storySetting } from './story-setting.js';

const HELP = `usage: npm run lab -- [options]        (root; network namespaces only, nothing of this machine is changed)

Builds clients, an ECMP router, nodes with kube-proxy's rules and their pods out of network namespaces, runs real
connections through them while the routes change, and leaves capture.pcap, scenario.yaml, truth.tsv and events.json
behind; then replays the capture and says how many fates it gets right.

  --setting NAME             a cluster and clients of their own, instead of a story (then only --seed and --out):
                             ${[...SETTINGS.keys()].join(', ')}
  --policy Cluster|Local     externalTrafficPolicy of the service (Local)
  --scenario NAME            ${SCENARIOS.join(', ')} (withdraw)
  --router KIND              ${ROUTER_KINDS.join(', ')} (bird)
  --seed N                   of the router's hash and of the traffic; decimal or 0x… (random)
  --dur S                    how long the clients run (as the scenario needs)
  --conns N                  connections opened at the beginning, and a fifth as many over IPv6 (400)
  --rate N                   new connections a second afterwards (8)
  --pods N|n1=2,n2=1,…       pods on each node (1)
  --buckets N                of resilient groups (128)
  --idle-timer S             of resilient groups (3)
  --out DIR                  where the files go (lab-<name>-<seed> in the current directory)

example: npm run lab -- --policy Local --scenario rolling --router frr
         npm run lab -- --setting reuse-local
         flowfate replay lab-…/capture.pcap --scenario lab-…/scenario.yaml
`;

/** not 0: to the kernel that means one of its own */
const randomSeed = (): number => randomBytes(4).readUInt32LE() || 1;

class WrongUsage extends Error {}

/** What describes a story, as it was written. */
interface StoryValues {
  readonly policy: string;
  readonly scenario: string;
  readonly router: string;
  readonly dur?: string | undefined;
  readonly conns: string;
  readonly rate: string;
  readonly pods: string;
  readonly buckets: string;
  readonly 'idle-timer': string;
}

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value.toLowerCase() === text.toLowerCase());
  if (found === undefined)
    throw new WrongUsage(`--${name}: expected one of ${allowed.join(', ')}, got "${text}"`);
  return found;
}

function numberFrom(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most)) {
    throw new WrongUsage(`--${name}: expected a number from ${least} to ${most}, got "${text}"`);
  }
  return value;
}

const wholeFrom = (name: string, text: string, least: number, most: number): number => {
  const value = numberFrom(name, text, least, most);
  if (!Number.isInteger(value)) throw new WrongUsage(`--${name}: expected a whole number, got "${text}"`);
  return value;
};

function podsFrom(text: string): Map<string, number> {
  if (!text.includes('=')) {
    const each = wholeFrom('pods', text, 1, 50);
    return new Map(NODE_NAMES.map((name) => [name, each]));
  }
  const counts = new Map<string, number>(NODE_NAMES.map((name) => [name, 0]));
  for (const part of text.split(',')) {
    const [node = '', count = ''] = part.split('=');
    counts.set(oneOf('pods', node, NODE_NAMES), wholeFrom('pods', count, 0, 50));
  }
  return counts;
}

function optionsFrom(args: readonly string[]): { readonly setting: Setting; readonly outDir: string } {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ policy: text('Local'), scenario: text('withdraw'), router: text('bird'), conns: text('400') },
      ...{ rate: text('8'), pods: text('1'), buckets: text('128'), 'idle-timer': text('3') },
      ...{ seed: { type: 'string' }, dur: { type: 'string' }, out: { type: 'string' } },
      setting: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const seed = values.seed === undefined ? randomSeed() : wholeFrom('seed', values.seed, 1, 2 ** 32 - 1);
  const setting =
    values.setting === undefined
      ? storyFrom(values, seed)
      : SETTINGS.get(oneOf('setting', values.setting, [...SETTINGS.keys()]))!(seed);
  return { setting, outDir: values.out ?? `lab-${setting.name}-${seed}` };
}

function storyFrom(values: StoryValues, seed: number): Setting {
  const scenario = oneOf('scenario', values.scenario, SCENARIOS);
  const router = oneOf('router', values.router, ROUTER_KINDS);
  if ((router === 'resilient' || router === 'static') && scenario === 'crash') {
    throw new WrongUsage(
      `--router ${router}: no daemon runs it, so nobody would notice a crash; use bird or frr`,
    );
  }
  return storySetting({
    ...{ policy: oneOf('policy', values.policy, ['Cluster', 'Local']), scenario, router, seed },
    durationS: values.dur === undefined ? null : numberFrom('dur', values.dur, 8, 3600),
    connections: wholeFrom('conns', values.conns, 1, 20_000),
    connectionsPerSecond: numberFrom('rate', values.rate, 0, 1000),
    podsPerNode: podsFrom(values.pods),
    buckets: wholeFrom('buckets', values.buckets, 1, 65_535),
    idleTimerS: numberFrom('idle-timer', values['idle-timer'], 0, 3600),
  });
}

async function main(): Promise<void> {
  const { setting, outDir } = optionsFrom(process.argv.slice(2));
  if (lacksNamespaces !== null) throw new WrongUsage(`the lab ${lacksNamespaces}`);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => process.exit(130));
  await runLab({ setting, outDir, progress: (sentence) => process.stderr.write(`${sentence}\n`) });
  process.stdout.write(`${outDir}, seed ${setting.hash.seed}: ${scoreText(replayRun(outDir))}\n`);
}

main().catch((error: Error) => {
  process.stderr.write(`lab: ${error.message}\n`);
  process.exit(
    error instanceof WrongUsage || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')
      ? 2
      : 4,
  );
});
