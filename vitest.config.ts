import { defineConfig } from 'vitest/config';

/** Tests with real daemons and a real kernel: one file at a time, after all the others, so that nothing starves them. */
const WORLD = [
  'test/interop/**/*.test.ts',
  'test/lab/{cpu-limit,fresh-runs,ipvs-kernel,next-hop-health,node-port,overlay-and-nftables}.test.ts',
];

export default defineConfig({
  test: {
    pool: 'forks',
    // runs of the lab mostly wait, but more than two at once would make each other's clients late
    maxConcurrency: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // a state that is waited for may be late on a busy machine
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: WORLD,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'world',
          include: WORLD,
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 120_000,
          // daemons and kernels keep their own time on a busy machine; the report names what needed a second attempt
          retry: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
