import { expect, test } from 'vitest';

import type { Outcome } from '../../../host/sandbox/sandbox.ts';
import {
  replied,
  testCorridor,
  USAGE,
  type TestCorridorOptions,
} from '../../support/pipeline/corridor.ts';
import { ACME, delivery } from '../../support/pipeline/messages.ts';

const ORIGINAL = {
  statusCode: 200,
  body: Buffer.from('original').toString('base64'),
  headers: { 'Content-Type': 'text/plain', 'Set-Cookie': 'vcloud-token=MARK', 'X-Other': 'kept' },
  request: false,
};
const message = (http = {}) =>
  delivery(
    { http: { ...ORIGINAL, requestUri: '/api/org/1', ...http } },
    { headers: { messageType: 'ProcessHttpResponse', replyToExchange: 'vcd.replyExchange' } },
  );

async function filtered(outcome: Outcome, options: TestCorridorOptions = {}) {
  const test = testCorridor(() => outcome, { handlers: ['fetch', 'response'], ...options });
  test.corridor.accept(message());
  await test.idle();
  return { ...test, reply: test.sent[0]?.reply };
}
const changed = replied({ status: 201, headers: [['Content-Type', 'text/plain']], body: 'eA==' });
const failed: Outcome = { kind: 'failed', code: 'PLUGIN_THREW', message: 'x', usage: null };

test('a response goes through the handler, without vCloud’s cookies, which go back untouched', async () => {
  const { invocations, reply } = await filtered(changed);
  expect(invocations[0]).toMatchObject({ handler: 'response', idempotent: true });
  const seen = invocations[0]?.payload ?? '';
  expect(JSON.parse(seen)).toMatchObject({ handler: 'response', status: 200, body: ORIGINAL.body });
  expect(seen).not.toContain('MARK');
  expect(reply).toMatchObject({ statusCode: 201, body: 'eA==' });
  expect(reply?.headers).toMatchObject({ 'Set-Cookie': 'vcloud-token=MARK' });
});

test('filters are charged to the org, whose next one yields when it is over its CPU time', async () => {
  const usage = { ...USAGE, cpuMs: 150 };
  const orgs = { [ACME.slice(-36)]: { cpuBucketMs: 100, cpuPerSecondMs: 1 } };
  const test = testCorridor(() => ({ ...changed, usage }), {
    handlers: ['fetch', 'response'],
    orgs,
  });
  for (const id of ['first', 'second']) {
    test.corridor.accept(message({ id }));
    await test.idle();
  }
  expect(test.sent.map(({ reply }) => reply.statusCode)).toEqual([201, 201]);
  expect(test.invocations.map(({ bundle }) => bundle.niced ?? false)).toEqual([false, true]);
});

test('a failing handler lets the original through unchanged, and is counted', async () => {
  const { reply, metrics } = await filtered(failed);
  expect(reply).toMatchObject({ statusCode: 200, body: ORIGINAL.body, headers: ORIGINAL.headers });
  expect(await metrics.total('vcx_filter_failures_total', { code: 'PLUGIN_THREW' })).toBe(1);
});

test('a manifest that says failClosed turns a failure into a refusal', async () => {
  const manifest = { responseFilter: { failClosed: true } };
  expect((await filtered(failed, { manifest })).reply?.statusCode).toBe(500);
});

test('a plug-in without the handler leaves responses alone', async () => {
  const { reply, invocations } = await filtered(changed, { handlers: ['fetch'] });
  expect(reply).toMatchObject({ statusCode: 200, headers: ORIGINAL.headers });
  expect(invocations).toEqual([]);
});

test.each([
  ['lets it through unchanged', {}, 200],
  ['refuses it when the manifest says failClosed', { responseFilter: { failClosed: true } }, 503],
])('a response for which there is no room: %s', async (_, manifest, status) => {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const admission = { slots: 1, slotsPerOrg: 1, waitingPerOrg: 1 };
  const handlers = ['fetch', 'response'] as const;
  const { corridor, sent, idle } = testCorridor(() => promise, { handlers, admission, manifest });
  for (let i = 0; i < 3; i += 1) corridor.accept(message());
  await new Promise((done) => setImmediate(done));
  expect(sent.map(({ reply }) => reply.statusCode)).toEqual([status]);
  if (status === 200) expect(sent[0]?.reply.headers).toEqual(ORIGINAL.headers);
  resolve(changed);
  await idle();
});

test('the answer to a request may have its id', async () => {
  const { corridor, sent, idle } = testCorridor(() => changed, { handlers: ['fetch', 'response'] });
  corridor.accept(delivery({ http: { id: 'one' } }));
  await idle();
  corridor.accept(message({ id: 'one' }));
  await idle();
  expect(sent.map(({ reply }) => reply.statusCode)).toEqual([201, 201]);
});
