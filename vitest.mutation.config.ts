import { defineConfig } from 'vitest/config';

/** What `npm run mutate` runs against each mutant: the tests of the rooms that decide a fate, without the world's. */
export default defineConfig({
  test: {
    include: [
      'test/unit/{engine,oracle,state,timeline,verdict}/**/*.test.ts',
      'test/property/engines-agree.test.ts',
    ],
    testTimeout: 30_000,
  },
});
