import { expect, test } from 'vitest';

import {
  createFairQueue,
  type Entry,
  type FairQueueOptions,
} from '../../../host/pipeline/admission/fair-queue.ts';

/** Calls that work until told to leave, and the order in which they were granted. */
function queueOf(options: FairQueueOptions) {
  const queue = createFairQueue(options);
  const log: string[] = [];
  const ask = (org: string, name: string, bytes = 1) =>
    queue.ask(org, bytes, (entry: Entry) => log.push(`${name} ${entry}`));
  const granted = () =>
    log.filter((line) => line.endsWith('granted')).map((line) => line.split(' ')[0]);
  return { queue, log, ask, granted };
}

test('free slots are taken at once, then calls wait', () => {
  const { queue, ask, granted } = queueOf({ slots: 2 });
  for (const name of ['a1', 'a2', 'a3']) ask('a', name);
  expect(granted()).toEqual(['a1', 'a2']);
  expect(queue.status()).toEqual({ working: 2, waiting: 1, waitingBytes: 1 });
  queue.leave('a');
  expect(granted()).toEqual(['a1', 'a2', 'a3']);
});

test('a quiet org takes the next slot however many another has waiting', () => {
  const { queue, ask, granted } = queueOf({ slots: 1 });
  for (let i = 0; i < 20; i += 1) ask('flood', `f${i}`);
  ask('quiet', 'q0');
  ask('quiet', 'q1');
  for (let i = 0; i < 4; i += 1) queue.leave(granted().at(-1)?.startsWith('q') ? 'quiet' : 'flood');
  expect(granted().slice(0, 5)).toContain('q0');
  expect(granted().slice(0, 5)).toContain('q1');
});

test('an org gets turns by its weight', () => {
  const { queue, ask, granted } = queueOf({ slots: 1, weightOf: (org) => (org === 'big' ? 3 : 1) });
  ask('x', 'x0');
  for (let i = 0; i < 6; i += 1) ask('big', `b${i}`);
  for (let i = 0; i < 6; i += 1) ask('small', `s${i}`);
  let last = 'x';
  for (let i = 0; i < 8; i += 1) {
    queue.leave(last);
    last = granted().at(-1)?.startsWith('b') ? 'big' : 'small';
  }
  expect(granted().slice(1).join(' ')).toBe('b0 b1 b2 s0 b3 b4 b5 s1');
});

test('an org over its own slots waits while others work', () => {
  const { queue, ask, granted } = queueOf({ slots: 10, slotsPerOrg: 2 });
  for (const name of ['a1', 'a2', 'a3']) ask('a', name);
  ask('b', 'b1');
  expect(granted()).toEqual(['a1', 'a2', 'b1']);
  queue.leave('a');
  expect(granted()).toEqual(['a1', 'a2', 'b1', 'a3']);
});

test('over its share an org is refused at once', () => {
  const { log, ask } = queueOf({ slots: 1, waitingPerOrg: 2 });
  for (const name of ['a1', 'a2', 'a3', 'a4']) ask('a', name);
  expect(log).toEqual(['a1 granted', 'a4 refused']);
});

test('when the room is full the newest of the longest queue makes place for a shorter one', () => {
  const { log, ask, queue } = queueOf({ slots: 1, waiting: 3 });
  for (const name of ['a1', 'a2', 'a3', 'a4']) ask('a', name);
  ask('b', 'b1');
  expect(log).toEqual(['a1 granted', 'a4 refused']);
  ask('a', 'a5');
  expect(log.at(-1)).toBe('a5 refused');
  expect(queue.status().waiting).toBe(3);
});

test('the room is bounded in bytes too', () => {
  const { log, ask, queue } = queueOf({ slots: 1, waitingBytes: 100 });
  ask('a', 'a1', 60);
  ask('a', 'a2', 60);
  ask('a', 'a3', 60);
  expect(log).toEqual(['a1 granted', 'a3 refused']);
  expect(queue.status().waitingBytes).toBe(60);
});

test('flushed, whoever waits and whoever comes never begins, and those in work go on', () => {
  const { queue, log, ask } = queueOf({ slots: 1 });
  ask('a', 'a1');
  ask('a', 'a2');
  queue.flush();
  ask('b', 'b1');
  expect(log).toEqual(['a1 granted', 'a2 flushed', 'b1 flushed']);
  queue.leave('a');
  expect(queue.status()).toEqual({ working: 0, waiting: 0, waitingBytes: 0 });
});

test('a long random run loses and doubles nobody, and forgets idle orgs', () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % n;
  const { queue, log, ask } = queueOf({ slots: 4, slotsPerOrg: 2, waitingPerOrg: 5, waiting: 12 });
  const working: string[] = [];
  let seen = 0;
  const absorb = () => {
    for (; seen < log.length; seen += 1)
      if (log[seen]?.endsWith('granted')) working.push(log[seen]?.[0] ?? '');
  };
  for (let i = 0; i < 5_000; i += 1) {
    if (random(3) < 2) ask('abcdef'[random(6)] ?? '', `${'abcdef'[random(6)]}${i}`);
    absorb();
    expect(queue.status().working).toBeLessThanOrEqual(4);
    expect(queue.status().waiting).toBeLessThanOrEqual(12);
    if (random(3) === 0 && queue.status().working > 0) {
      for (const org of 'abcdef') {
        const before = queue.status().working;
        queue.leave(org);
        if (queue.status().working !== before) break;
      }
    }
  }
  expect(new Set(log.map((line) => line.split(' ')[0])).size).toBe(log.length);
});
