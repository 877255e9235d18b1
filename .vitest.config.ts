import { defineConfig } from 'vitest/config';

/**
 * One project a kind of test; `test/README.md` says which is for what. Tests that start processes get one
 * second try: on a machine that others use at the same time, an honest guest can miss its CPU time.
 */
const processes = {
  retry: 1,
  hookTimeout: 180_000,
  maxWorkers: 3,
} as const;

/** After the others, one file at a time: what those do would be taken for what is tested here. */
const alone = { ...processes, maxWorkers: 1, sequence: { groupOrder: 1 } } as const;

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], maxWorkers: 3 } },
      {
        test: {
          ...processes,
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          testTimeout: 40_000,
        },
      },
      {
        test: {
          ...processes,
          name: 'live',
          include: ['test/live/**/*.test.ts'],
          globalSetup: 'test/support/rabbit/setup.ts',
          testTimeout: 90_000,
        },
      },
      {
        test: {
          ...alone,
          name: 'load',
          include: ['test/load/**/*.test.ts'],
          globalSetup: 'test/support/rabbit/setup.ts',
          testTimeout: 90_000,
        },
      },
      {
        test: {
          ...alone,
          name: 'hostile',
          include: ['test/hostile/**/*.test.ts'],
          testTimeout: 60_000,
          maxConcurrency: 3,
        },
      },
    ],
  },
});
