/** Nothing runs twice, nobody is served out of turn, and nothing is begun that can not be answered. */
import { expect, test } from 'vitest';

import type { Outcome } from '../../../host/sandbox/sandbox.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { memoryJournal, replied, testCorridor } from '../../support/pipeline/corridor.ts';
import { ACME, delivery } from '../../support/pipeline/messages.ts';

const OK = { status: 200, headers: [], body: 'e30=' };
const post = (id: string, changes: object = {}) => ({ http: { id, method: 'POST', ...changes } });

/** A handler whose calls end when the test says so. */
function gate() {
  const open: ((outcome: Outcome) => void)[] = [];
  return {
    answer: () => new Promise<Outcome>((resolve) => open.push(resolve)),
    release: () => open.splice(0).forEach((resolve) => resolve(replied(OK))),
    waiting: () => open.length,
  };
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('duplicates in flight and after the answer get the reply of the one run, each on its own address', async () => {
  const { answer, release } = gate();
  const { corridor, sent, invocations, idle, metrics } = testCorridor(answer);
  const copies = [1, 2, 3].map((n) => delivery(post('same'), { replyTo: `cell-${n}` }));
  for (const copy of copies.slice(0, 2)) corridor.accept(copy);
  await settled();
  release();
  await idle();
  corridor.accept(copies[2] ?? copies[0]!);
  await idle();
  expect(invocations).toHaveLength(1);
  expect(sent.map(({ routingKey }) => routingKey)).toEqual(['cell-1', 'cell-2', 'cell-3']);
  expect(copies.map((copy) => copy.settled)).toEqual([['ack'], ['ack'], ['ack']]);
  expect(await metrics.total('vcx_duplicates_total', { kind: 'again' })).toBe(2);
});

test('the same id with another caller or request is refused and counted', async () => {
  const { corridor, sent, invocations, idle, metrics } = testCorridor(() => replied(OK));
  corridor.accept(delivery(post('same')));
  await idle();
  corridor.accept(delivery(post('same', { body: 'e30=' })));
  corridor.accept(delivery({ ...post('same'), security: { user: 'urn:vcloud:user:2' } }));
  await idle();
  expect(invocations).toHaveLength(1);
  expect(sent.map(({ reply }) => reply.statusCode)).toEqual([200, 409, 409]);
  expect(await metrics.total('vcx_refusals_total', { code: 'DUPLICATE_ID' })).toBe(2);
});

test('after a restart a call that must not run twice is answered from the journal', async () => {
  const database = openDatabase(':memory:');
  const before = testCorridor(() => replied(OK), { journal: memoryJournal(database) });
  before.corridor.accept(delivery(post('one')));
  await before.idle();
  const after = testCorridor(() => replied(OK), { journal: memoryJournal(database) });
  after.corridor.accept(delivery(post('one')));
  await after.idle();
  expect(after.invocations).toEqual([]);
  expect(after.sent[0]?.reply).toMatchObject({ id: 'one', statusCode: 200, body: 'e30=' });
});

test('when its host died while it may have run, it is not run again: OUTCOME_UNKNOWN', async () => {
  const database = openDatabase(':memory:');
  const { answer } = gate();
  const journal = memoryJournal(database);
  const before = testCorridor(answer, { journal });
  before.corridor.accept(delivery(post('one')));
  before.corridor.accept(delivery({ http: { id: 'two', method: 'GET' } }));
  await settled();
  await journal[Symbol.asyncDispose](); // the host is gone
  const after = testCorridor(() => replied(OK), { journal: memoryJournal(database) });
  after.corridor.accept(delivery(post('one')));
  after.corridor.accept(delivery({ http: { id: 'two', method: 'GET' } }));
  await after.idle();
  const codes = Object.fromEntries(after.sent.map(({ reply }) => [reply.id, reply.statusCode]));
  expect(codes).toEqual({ one: 502, two: 200 });
  expect(after.invocations).toHaveLength(1);
});

test('while another living host works on it, its answer is waited for', async () => {
  const database = openDatabase(':memory:');
  const { answer, release } = gate();
  const first = testCorridor(answer, { journal: memoryJournal(database) });
  const second = testCorridor(() => replied(OK), { journal: memoryJournal(database) });
  first.corridor.accept(delivery(post('one')));
  await settled();
  second.corridor.accept(delivery(post('one')));
  await settled();
  release();
  await Promise.all([first.idle(), second.idle()]);
  expect(second.invocations).toEqual([]);
  expect(second.sent[0]?.reply.statusCode).toBe(200);
});

test('when the journal can not be written, what must not run twice is not begun, and the rest goes on', async () => {
  const database = openDatabase(':memory:');
  const journal = memoryJournal(database);
  await journal[Symbol.asyncDispose]();
  database.close();
  const { corridor, sent, invocations, idle } = testCorridor(() => replied(OK), { journal });
  corridor.accept(delivery(post('one')));
  corridor.accept(delivery());
  await idle();
  expect(sent.map(({ reply }) => reply.statusCode).sort()).toEqual([200, 503]);
  expect(invocations).toHaveLength(1);
});

test('an org over its share is refused at once, and a quiet org is served meanwhile', async () => {
  const { answer, release, waiting } = gate();
  const admission = { slots: 2, slotsPerOrg: 1, waitingPerOrg: 2 };
  const { corridor, sent, idle } = testCorridor(answer, { admission });
  for (let i = 0; i < 5; i += 1) corridor.accept(delivery());
  corridor.accept(delivery({ security: { org: `${ACME}x` } }));
  await settled();
  expect(waiting()).toBe(2);
  expect(sent.map(({ reply }) => reply.statusCode)).toEqual([503, 503]);
  expect(sent[0]?.reply.headers['Retry-After']).toBe('1');
  for (let i = 0; i < 4; i += 1) {
    release();
    await settled();
  }
  await idle();
  expect(sent.filter(({ reply }) => reply.statusCode === 200)).toHaveLength(4);
});

test('an org over its rate gets 429 with the time to wait, and limits of the org count', async () => {
  const orgs = { [ACME.split(':').at(-1) ?? '']: { ratePerSecond: 1, burst: 2 } };
  const { corridor, sent, idle } = testCorridor(() => replied(OK), { orgs });
  for (let i = 0; i < 3; i += 1) corridor.accept(delivery());
  await idle();
  const refusal = sent.find(({ reply }) => reply.statusCode === 429)?.reply;
  expect(refusal?.headers).toMatchObject({
    'Retry-After': '1',
    'RateLimit-Limit': '2',
    'RateLimit-Remaining': '0',
    'RateLimit-Reset': '2',
  });
  expect(sent).toHaveLength(3);
});

test('what waited until its deadline is answered and not begun', async () => {
  const { answer, release } = gate();
  const { corridor, sent, invocations, idle } = testCorridor(answer, { admission: { slots: 1 } });
  corridor.accept(delivery());
  corridor.accept(delivery({}, { arrivedAt: performance.now() - 9_690 }));
  await settled();
  release();
  await idle();
  expect(invocations).toHaveLength(1);
  expect(sent.map(({ reply }) => reply.statusCode).sort()).toEqual([200, 503]);
});

test('closed, what waits and what comes goes back to the broker, and what works is answered', async () => {
  const { answer, release } = gate();
  const { corridor, sent, idle } = testCorridor(answer, { admission: { slots: 1 } });
  const [working, waiting, joined, late] = [
    delivery(post('a')),
    delivery(post('b')),
    delivery(post('b')),
    delivery(post('c')),
  ];
  for (const message of [working, waiting, joined]) corridor.accept(message);
  await settled();
  corridor.close();
  corridor.accept(late);
  await settled();
  release();
  await idle();
  expect([waiting, joined, late].map((message) => message?.settled)).toEqual(
    Array.from({ length: 3 }, () => ['requeue']),
  );
  expect(working?.settled).toEqual(['ack']);
  expect(sent).toHaveLength(1);
});
