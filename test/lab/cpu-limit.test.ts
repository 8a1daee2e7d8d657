/**
 * The model of CPU bandwidth control beside the kernel's: one busy process under a
 * limit of 100m. Needs root and a writable cpu controller (cgroup v1 or v2).
 */
import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { expect, test } from 'vitest';
import { simulateCfs } from '../../src/control/cfs-bandwidth.js';

const V1 = '/sys/fs/cgroup/cpu';
const V2 = '/sys/fs/cgroup';
const QUOTA_US = 10_000;
const PERIOD_US = 100_000;
const RUN_S = 4;
const BUSY = `const end = Date.now() + ${RUN_S * 1000}; while (Date.now() < end);`;

interface CpuGroup {
  readonly path: string;
  stat(): { periods: number; throttled: number };
}

function makeGroup(): CpuGroup | string {
  const isV1 = existsSync(`${V1}/cpu.cfs_quota_us`);
  const path = `${isV1 ? V1 : V2}/flowfate-${process.pid}`;
  try {
    accessSync(isV1 ? V1 : V2, constants.W_OK);
    if (!isV1) writeFileSync(`${V2}/cgroup.subtree_control`, '+cpu');
    mkdirSync(path);
    if (isV1) {
      writeFileSync(`${path}/cpu.cfs_period_us`, String(PERIOD_US));
      writeFileSync(`${path}/cpu.cfs_quota_us`, String(QUOTA_US));
    } else writeFileSync(`${path}/cpu.max`, `${QUOTA_US} ${PERIOD_US}`);
  } catch (error) {
    return `no cpu controller of cgroups can be used here: ${(error as Error).message}`;
  }
  const stat = () => {
    const text = readFileSync(`${path}/cpu.stat`, 'utf8');
    const figure = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
    return { periods: figure('nr_periods'), throttled: figure('nr_throttled') };
  };
  return { path, stat };
}

test('throttles a busy process in the same share of periods as the kernel does, and gives it the same time', async (ctx) => {
  if (process.getuid?.() !== 0) return ctx.skip('limiting CPU time needs root');
  const group = makeGroup();
  if (typeof group === 'string') return ctx.skip(group);
  // the shell joins the group before node starts in it; node prints the CPU time it had
  const program = `${BUSY} const { user, system } = process.cpuUsage(); console.log(user + system);`;
  const child = spawn('/bin/sh', [
    '-c',
    `echo $$ > ${group.path}/cgroup.procs && exec "$0" -e "$1"`,
    process.execPath,
    program,
  ]);
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  await new Promise((done) => child.on('close', done));
  const real = group.stat();
  rmdirSync(group.path);
  const model = simulateCfs(
    { quotaMs: QUOTA_US / 1000, periodMs: PERIOD_US / 1000, slices: 'kept' },
    [{ burstMs: Number.POSITIVE_INFINITY, sleepMs: 0 }],
    (real.periods * PERIOD_US) / 1000,
    () => 0,
  );
  expect(real.periods).toBeGreaterThan(20);
  expect(real.throttled / real.periods).toBeGreaterThan(model.throttledPeriods / model.periods - 0.15);
  const realMs = Number(printed) / 1000;
  // what a CPU has begun at the end of its time it may overdraw by up to a tick
  expect(realMs / model.ranMs[0]!).toBeGreaterThan(0.75);
  expect(realMs / model.ranMs[0]!).toBeLessThan(1.5);
});
