/** Work that is tried until it is done. */
import { expect, test } from 'vitest';

import { openSettling } from '../../../host/kernel/settling.ts';
import { waitFor } from '../../support/wait.ts';

const FAST = { firstMs: 1, maxMs: 2 };

test('a step that throws or waits is tried again, and each new reason is told once', async () => {
  const answers: (string | null | Error)[] = ['a', 'a', new Error('b'), null];
  const told: string[] = [];
  await using settling = openSettling({
    async step() {
      const answer = answers.shift() ?? null;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    waits: (reason) => void told.push(reason),
    at: 'not begun',
    ...FAST,
  });
  expect(settling.problem()).toBe('not begun');
  await waitFor(() => settling.problem() === null);
  expect(told).toEqual(['a', 'b']);
});

test('what changes during a step is seen by another step', async () => {
  let wanted = 1;
  let seen = 0;
  const steps: (() => void)[] = [];
  await using settling = openSettling({
    async step() {
      const now = wanted;
      await new Promise<void>((go) => steps.push(go));
      seen = now;
      return null;
    },
    waits: () => undefined,
    ...FAST,
  });
  wanted = 2;
  settling.refresh();
  steps.shift()?.();
  await waitFor(() => steps.length === 1);
  steps.shift()?.();
  await waitFor(() => seen === 2);
});

test('disposing ends it between two tries', async () => {
  let tries = 0;
  const settling = openSettling({
    async step() {
      tries += 1;
      return 'never';
    },
    waits: () => undefined,
    ...FAST,
  });
  await waitFor(() => tries > 2);
  await settling[Symbol.asyncDispose]();
  const before = tries;
  settling.refresh();
  expect(tries).toBe(before);
});
