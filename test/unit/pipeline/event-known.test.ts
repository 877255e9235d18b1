import { expect, test } from 'vitest';

import { silentLog } from '../../../host/kernel/log.ts';
import { createKnownEvents, type Claim } from '../../../host/pipeline/notifications/known.ts';
import type { HandledEvents } from '../../../host/storage/handled-events.ts';
import { memoryHandledEvents } from '../../support/pipeline/event-corridor.ts';

const known = (store: HandledEvents = memoryHandledEvents()) => createKnownEvents(store, silentLog);

const event = (eventId: string) => ({ eventId, timestamp: 1 });

function mine(claim: Claim) {
  if (claim.kind !== 'mine') throw new Error(claim.kind);
  return claim;
}

test('of two copies that come at once one is handled, the other is known when it is done', async () => {
  const events = known();
  const both = [events.claim('p', event('e'), 1), events.claim('p', event('e'), 1)];
  const first = mine(await (both[0] as Promise<Claim>));
  await first.done();
  first.leave(null);
  expect((await both[1])?.kind).toBe('handled');
  expect((await events.claim('other', event('e'), 1)).kind).toBe('mine');
});

test('after a failure the copy with the later attempt is the one that counts', async () => {
  const events = known();
  mine(await events.claim('p', event('e'), 1)).leave(2);
  expect((await events.claim('p', event('e'), 1)).kind).toBe('waiting');
  mine(await events.claim('p', event('e'), 2)).leave(null);
  // Parked: what an operator replays is new.
  expect((await events.claim('p', event('e'), 1)).kind).toBe('mine');
});

test('what an earlier run has handled is known, and many are written at once', async () => {
  const store = memoryHandledEvents();
  const events = known(store);
  const claims = await Promise.all(['a', 'b', 'c'].map((id) => events.claim('p', event(id), 1)));
  await Promise.all(claims.map((claim) => mine(claim).done()));
  expect(store.writes).toEqual([['p\na', 'p\nb', 'p\nc']]);
  const later = known(store);
  expect((await later.claim('p', event('b'), 1)).kind).toBe('handled');
});

test('a store that fails neither stops events nor loses one', async () => {
  const refuse = () => Promise.reject(new Error('disk full'));
  const events = known({ has: refuse, add: refuse });
  const claim = mine(await events.claim('p', event('e'), 1));
  await claim.done();
  claim.leave(null);
  expect((await events.claim('p', event('e'), 1)).kind).toBe('handled');
});
