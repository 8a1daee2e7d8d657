/**
 * One run of the lab from nothing to nothing: builds the network, lets the routes settle, captures, lets the clients
 * connect while the story happens, writes down what everybody saw, takes everything away.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientPlan, ClientResult } from './client-record.js';
import { addressHex } from './frames.js';
import type { HostProcess } from './host.js';
import { LabNetwork } from './network.js';
import { observedPaths, observedResets } from './observed-paths.js';
import { programFile } from './program-file.js';
import { RouteWatch } from './route-watch.js';
import { type LabRouter, makeRouter, settledRoutes } from './router.js';
import type { Setting } from './setting.js';
import type { Step } from './story.js';
import { Hopeless, sleep, until } from './wait.js';
import { type DoneStep, writeRun } from './write-run.js';

export interface RunOptions {
  readonly setting: Setting;
  /** made if it is not there */
  readonly outDir: string;
  /** called with a sentence for each stage */
  readonly progress: (text: string) => void;
}

/** The clients' process starts within this time, or says that the machine is too busy. */
const CLIENT_START_S = 4;
const CLIENT_END_S = 20;
/** snapshot length: headers with all their options */
const SNAP_BYTES = '120';

export async function runLab(options: RunOptions): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'flowfate-lab-'));
  const network = new LabNetwork(options.setting, dir);
  const clean = (): void => {
    network.remove();
    rmSync(dir, { recursive: true, force: true });
  };
  process.on('exit', clean);
  try {
    mkdirSync(options.outDir, { recursive: true });
    await perform(options, network);
  } finally {
    process.off('exit', clean);
    clean();
  }
}

async function perform({ setting, progress, outDir }: RunOptions, network: LabNetwork): Promise<void> {
  const { durationS, plan } = setting;
  progress('building clients, router, nodes and pods');
  await network.build();
  const router = makeRouter(network);
  await router.start(setting.nextHops);
  await settledRoutes(network, setting.nextHops.length);
  // a daemon may still rearrange what it has just learned
  await sleep(1500);
  const initialRoutes = await settledRoutes(network, setting.nextHops.length);

  const watch = new RouteWatch(network);
  const clientSide = join(outDir, 'capture.pcap');
  const nodeSide = join(network.dir, 'node-side.pcap');
  const captures = await startCaptures(network, clientSide, nodeSide);
  const epochS = Date.now() / 1000 + CLIENT_START_S;
  progress(`${plan.length} connections over ${durationS} s`);
  const clients = startClients(network, { epochS, durationS, connections: plan });
  const steps: DoneStep[] = [];
  for (const step of setting.steps) {
    await sleep(Math.max(0, (epochS + step.atS) * 1000 - Date.now()));
    steps.push(await act(step, network, router));
    progress(`${step.verb} ${'node' in step ? step.node : step.pods.join(', ')}`);
  }
  const results = await resultsOf(clients, epochS + durationS);
  await stopCaptures(captures);
  const routeChanges = await watch.stop();
  await clients.process.kill();
  const { layout } = network;
  const vips = new Set(layout.vips.map(({ address }) => addressHex(address)));
  const paths = observedPaths(nodeSide, layout);
  const resets = observedResets(clientSide, vips);
  writeRun(outDir, { setting, layout, epochS, initialRoutes, steps, routeChanges, results, paths, resets });
}

/** When its effect begins: a withdrawal or announcement is yet to spread; pods have left the rules before they stop. */
async function act(step: Step, network: LabNetwork, router: LabRouter): Promise<DoneStep> {
  const beganS = Date.now() / 1000;
  const done = (): DoneStep => ({ step, doneS: Date.now() / 1000 });
  switch (step.verb) {
    case 'withdraw':
      await router.withdraw(step.node);
      return { step, doneS: beganS };
    case 'announce':
      await router.announce(step.node, step.weight);
      return { step, doneS: beganS };
    case 'crash': {
      await network.cutCable(step.node);
      const crashed = done();
      if (step.noticedAfterS !== null) {
        await sleep(step.noticedAfterS * 1000);
        await router.withdraw(step.node);
      }
      return crashed;
    }
    case 'stop-pods': {
      const pods = network.pods(step.pods);
      await network.retirePods(pods);
      const retired = done();
      await network.stopPods(pods);
      await network.clearPods(pods);
      return retired;
    }
    case 'start-pods':
      await network.startPods(network.pods(step.pods));
      return done();
  }
}

async function startCaptures(
  network: LabNetwork,
  clientSide: string,
  nodeSide: string,
): Promise<HostProcess[]> {
  const quick = ['-B', '32768', '-Z', 'root', '-U', '-s', SNAP_BYTES];
  const to = network.layout.vips.map(({ address }) => `dst host ${address}`).join(' or ');
  const captures = [
    network.router.start('tcpdump', [
      '-i',
      'c0',
      ...quick,
      '-w',
      clientSide,
      to.replaceAll('dst host', 'host'),
    ]),
    network.router.start('tcpdump', ['-i', 'br0', ...quick, '-w', nodeSide, to]),
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

function startClients(network: LabNetwork, plan: ClientPlan): Clients {
  const planFile = join(network.dir, 'plan.json');
  const resultFile = join(network.dir, 'clients.json');
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
