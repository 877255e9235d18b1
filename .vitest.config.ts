import { defineConfig } from 'vitest/config';

/**
 * One project a kind of test; `test/README.md` says which is for what. Tests that start processes get one
 * second try: on a machine that others use at the same time, an honest guest can miss its CPU time.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 40_000,
          retry: 1,
        },
      },
      {
        test: {
          name: 'live',
          include: ['test/live/**/*.test.ts'],
          testTimeout: 90_000,
          hookTimeout: 180_000,
          retry: 1,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'hostile',
          include: ['test/hostile/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          retry: 1,
          fileParallelism: false,
          maxConcurrency: 3,
        },
      },
    ],
  },
});
