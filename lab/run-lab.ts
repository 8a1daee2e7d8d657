/**
 * One run of the lab from nothing to nothing: builds the network, lets the routes settle, captures, lets the clients
 * connect while the story happens, writes down what everybody saw, takes everything away.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientPlan, ClientResult } from './client-record.js';
import type { HostProcess } from './host.js';
import type { TrafficPolicy } from './kube-proxy.js';
import { layoutOf, VIP } from './layout.js';
import { LabNetwork } from './network.js';
import { observedPaths } from './observed-paths.js';
import { programFile } from './program-file.js';
import { RouteWatch } from './route-watch.js';
import { type LabRouter, makeRouter, type RouterKind, settledRoutes } from './router.js';
import { type ScenarioName, type Step, storyOf } from './story.js';
import { planTraffic } from './traffic-plan.js';
import { Hopeless, sleep, until } from './wait.js';
import { type DoneStep, writeRun } from './write-run.js';

export interface LabOptions {
  readonly policy: TrafficPolicy;
  readonly scenario: ScenarioName;
  readonly router: RouterKind;
  /** of the router's hash and of the clients' traffic */
  readonly seed: number;
  /** as long as the story needs where null */
  readonly durationS: number | null;
  readonly connections: number;
  readonly connectionsPerSecond: number;
  readonly podsPerNode: ReadonlyMap<string, number>;
  /** of resilient groups */
  readonly buckets: number;
  readonly idleTimerS: number;
  /** made if it is not there */
  readonly outDir: string;
  /** called with a sentence for each stage */
  readonly progress: (text: string) => void;
}

/** The clients' process starts within this time, or says that the machine is too busy. */
const CLIENT_START_S = 2.5;
const CLIENT_END_S = 10;
/** snapshot length: headers with all their options */
const SNAP_BYTES = '96';

export async function runLab(options: LabOptions): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'flowfate-lab-'));
  const layout = layoutOf(options.podsPerNode);
  const network = new LabNetwork(layout, { policy: options.policy, hashSeed: options.seed, dir });
  const clean = (): void => {
    network.remove();
    rmSync(dir, { recursive: true, force: true });
  };
  process.on('exit', clean);
  try {
    mkdirSync(options.outDir, { recursive: true });
    await perform(options, network, dir);
  } finally {
    process.off('exit', clean);
    clean();
  }
}

async function perform(options: LabOptions, network: LabNetwork, dir: string): Promise<void> {
  const { progress, outDir } = options;
  const story = storyOf(options.scenario);
  const durationS = options.durationS ?? story.durationS;
  progress('building clients, router, nodes and pods');
  await network.build();
  const router = makeRouter(options.router, network, options);
  await router.start(story.announcing);
  await settledRoutes(network, story.announcing.length);
  // a daemon may still rearrange what it has just learned
  await sleep(1500);
  const initialRoutes = await settledRoutes(network, story.announcing.length);

  const watch = new RouteWatch(network);
  const rawPaths = join(dir, 'node-side.pcap');
  const captures = await startCaptures(network, join(outDir, 'capture.pcap'), rawPaths);
  const plan = planTraffic(
    { connections: options.connections, perSecond: options.connectionsPerSecond, seed: options.seed },
    story,
    durationS,
  );
  const epochS = Date.now() / 1000 + CLIENT_START_S;
  progress(`${plan.length} connections over ${durationS} s`);
  const clients = startClients(network, dir, { epochS, durationS, connections: plan });
  const steps: DoneStep[] = [];
  for (const step of story.steps) {
    await sleep(Math.max(0, (epochS + step.atS) * 1000 - Date.now()));
    steps.push(await act(step, network, router));
    progress(`${step.verb} ${step.node}`);
  }
  const results = await resultsOf(clients, epochS + durationS);
  await stopCaptures(captures);
  const routeChanges = await watch.stop();
  await clients.process.kill();
  const paths = observedPaths(rawPaths, network.layout);
  const seen = { steps, routeChanges, plan, results, paths };
  writeRun(outDir, {
    options,
    layout: network.layout,
    epochS,
    announcing: story.announcing,
    initialRoutes,
    ...seen,
  });
}

/** When its effect begins: a withdrawal or announcement is yet to spread; pods have left the rules before they stop. */
async function act(step: Step, network: LabNetwork, router: LabRouter): Promise<DoneStep> {
  const beganS = Date.now() / 1000;
  const done = (): DoneStep => ({ ...step, doneS: Date.now() / 1000 });
  switch (step.verb) {
    case 'withdraw':
      await router.withdraw(step.node);
      return { ...step, doneS: beganS };
    case 'announce':
      await router.announce(step.node);
      return { ...step, doneS: beganS };
    case 'crash':
      await network.cutCable(step.node);
      return done();
    case 'stop-pods': {
      await network.retirePods(step.node);
      const retired = done();
      await network.stopPods(step.node);
      await network.clearPods(step.node);
      return retired;
    }
    case 'start-pods':
      await network.startPods(step.node);
      return done();
  }
}

async function startCaptures(
  network: LabNetwork,
  clientSide: string,
  nodeSide: string,
): Promise<HostProcess[]> {
  const quick = ['-B', '32768', '-Z', 'root', '-U'];
  const hosts = `host ${VIP.ipv4} or host ${VIP.ipv6}`;
  const captures = [
    network.router.start('tcpdump', [
      ...['-i', 'c0', '-s', SNAP_BYTES, ...quick, '-w', clientSide],
      `(tcp or icmp or icmp6) and (${hosts})`,
    ]),
    network.router.start('tcpdump', [
      ...['-i', 'br0', '-s', SNAP_BYTES, ...quick, '-w', nodeSide],
      `dst host ${VIP.ipv4} or dst host ${VIP.ipv6}`,
    ]),
  ];
  await until('tcpdump to listen', () => captures.every((capture) => capture.log().includes('listening on')));
  return captures;
}

async function stopCaptures(captures: readonly HostProcess[]): Promise<void> {
  // what the kernel has queued is still to be written
  await sleep(300);
  for (const capture of captures) {
    capture.signal('SIGINT');
    await capture.ended;
    const dropped = /(\d+) packets? dropped by kernel/.exec(capture.log())?.[1];
    if (dropped !== '0') throw new Error(`tcpdump lost packets (${dropped}): the run says nothing`);
  }
}

interface Clients {
  readonly process: HostProcess;
  readonly resultFile: string;
}

function startClients(network: LabNetwork, dir: string, plan: ClientPlan): Clients {
  const planFile = join(dir, 'plan.json');
  const resultFile = join(dir, 'clients.json');
  writeFileSync(planFile, JSON.stringify(plan));
  const process_ = network.clients.start(process.execPath, [programFile('client'), planFile, resultFile]);
  return { process: process_, resultFile };
}

async function resultsOf(clients: Clients, endS: number): Promise<ClientResult[]> {
  await until(
    'the clients to finish',
    () => {
      if (!clients.process.running) throw new Hopeless(`they ended: ${clients.process.log().slice(-500)}`);
      return existsSync(clients.resultFile);
    },
    { timeoutMs: endS * 1000 - Date.now() + CLIENT_END_S * 1000, everyMs: 20 },
  );
  return JSON.parse(readFileSync(clients.resultFile, 'utf8')) as ClientResult[];
}
