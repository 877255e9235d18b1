/** What is remembered of calls: for how long, how much of it, and what a duplicate gets. */
import { expect, test } from 'vitest';

import { createRecall, type Recall } from '../../../host/pipeline/admission/recall.ts';
import type { ReplyMessage } from '../../../host/message/encode.ts';

const reply = (body = ''): ReplyMessage => ({
  id: 'i',
  status: 201,
  headers: { 'Content-Type': 'text/plain' },
  body,
});

/** A recall with a clock that stands still until it is told. */
function withClock(options: Parameters<typeof createRecall>[0] = {}) {
  const clock = { at: 1_000 };
  const recall = createRecall({
    ...options,
    clock: { now: () => clock.at, monotonic: () => clock.at },
  });
  return { recall, clock };
}

function settle(recall: Recall, key: string, answer: ReplyMessage | null): void {
  const entered = recall.enter({ key, digest: 'd' });
  if (entered.kind !== 'first') throw new Error(`${key} is known`);
  entered.settle(answer);
}

test('a duplicate gets the reply of the first, while it runs and after', async () => {
  const { recall } = withClock();
  const first = recall.enter({ key: 'k', digest: 'd' });
  const during = recall.enter({ key: 'k', digest: 'd' });
  if (first.kind !== 'first' || during.kind !== 'again') throw new Error('not told apart');
  first.settle(reply('Ym9keQ=='));
  const after = recall.enter({ key: 'k', digest: 'd' });
  if (after.kind !== 'again') throw new Error('forgotten');
  expect(await during.reply).toEqual(reply('Ym9keQ=='));
  expect(await after.reply).toEqual(reply('Ym9keQ=='));
});

test('the same id with another request is a conflict, while it runs and after', () => {
  const { recall } = withClock();
  const first = recall.enter({ key: 'k', digest: 'd' });
  expect(recall.enter({ key: 'k', digest: 'e' }).kind).toBe('conflict');
  if (first.kind === 'first') first.settle(reply());
  expect(recall.enter({ key: 'k', digest: 'e' }).kind).toBe('conflict');
});

test('a call that was not begun may come again', async () => {
  const { recall } = withClock();
  const first = recall.enter({ key: 'k', digest: 'd' });
  const during = recall.enter({ key: 'k', digest: 'd' });
  if (first.kind === 'first') first.settle(null);
  expect(during.kind === 'again' && (await during.reply)).toBeNull();
  expect(recall.enter({ key: 'k', digest: 'd' }).kind).toBe('first');
});

test('replies are forgotten after their time, in the order of their answers', () => {
  const { recall, clock } = withClock({ keepMs: 100 });
  settle(recall, 'a', reply());
  clock.at += 60;
  settle(recall, 'b', reply());
  clock.at += 40;
  expect(recall.enter({ key: 'a', digest: 'd' }).kind).toBe('first');
  expect(recall.enter({ key: 'b', digest: 'd' }).kind).toBe('again');
});

test('over the bound the oldest replies go first, and what runs stays', () => {
  const { recall } = withClock({ maxEntries: 3 });
  recall.enter({ key: 'running', digest: 'd' });
  for (const key of ['a', 'b', 'c', 'd']) settle(recall, key, reply());
  expect(recall.enter({ key: 'a', digest: 'd' }).kind).toBe('first');
  expect(recall.enter({ key: 'running', digest: 'd' }).kind).toBe('again');
  expect(recall.enter({ key: 'd', digest: 'd' }).kind).toBe('again');
});

test('over its bytes the oldest replies go first, and none are left of what is forgotten', () => {
  const { recall, clock } = withClock({ maxBytes: 2_000, keepMs: 100 });
  for (let call = 0; call < 10_000; call += 1) settle(recall, String(call), reply('A'.repeat(400)));
  recall.enter({ key: 'last', digest: 'd' });
  expect(recall.status().bytes).toBeLessThanOrEqual(2_000);
  expect(recall.enter({ key: '9999', digest: 'd' }).kind).toBe('again');
  clock.at += 101;
  expect(recall.enter({ key: 'last', digest: 'd' }).kind).toBe('again');
  expect(recall.status()).toEqual({ entries: 1, bytes: 0 });
});
