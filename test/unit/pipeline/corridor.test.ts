import { expect, test } from 'vitest';

import type { Binding } from '../../../host/bindings/binding.ts';
import { HostError } from '../../../host/kernel/errors.ts';
import type { HostCall, Outcome } from '../../../host/sandbox/sandbox.ts';
import { replied, testCorridor, USAGE } from '../../support/pipeline/corridor.ts';
import {
  delivery,
  SYSTEM_ORG,
  type RequestParts,
  type TestDelivery,
} from '../../support/pipeline/messages.ts';

const OK = { status: 200, headers: [['Content-Type', 'application/json']], body: 'e30=' };

async function through(
  messages: TestDelivery[],
  ...[answer = () => replied(OK), options]: Partial<Parameters<typeof testCorridor>>
) {
  const test = testCorridor(answer, options);
  for (const message of messages) test.corridor.accept(message);
  await test.idle();
  return test;
}

test('a call is answered on the address of its own message and then acknowledged, once', async () => {
  const one = delivery({ http: { id: 'one' } }, { replyTo: 'cell-1', correlationId: 'c-1' });
  const two = delivery({ http: { id: 'two' } }, { replyTo: 'cell-2', correlationId: 'c-2' });
  const { sent } = await through([one, two]);
  expect(
    sent.map(({ exchange, routingKey, correlationId, reply }) => [
      exchange,
      routingKey,
      correlationId,
      reply.id,
    ]),
  ).toEqual([
    ['vcd.replyExchange', 'cell-1', 'c-1', 'one'],
    ['vcd.replyExchange', 'cell-2', 'c-2', 'two'],
  ]);
  expect(sent[0]?.reply).toMatchObject({
    statusCode: 200,
    body: 'e30=',
    headers: { 'Content-Type': 'application/json' },
  });
  expect([one.settled, two.settled]).toEqual([['ack'], ['ack']]);
});

test.each<[string, RequestParts, number, string]>([
  ['a foreign path', { http: { requestUri: '/api/other' } }, 404, 'ROUTE_NOT_FOUND'],
  [
    'a method that the path does not have',
    { http: { method: 'DELETE' } },
    405,
    'METHOD_NOT_ALLOWED',
  ],
  ['a missing right', { http: { requestUri: '/api/hello/1' } }, 403, 'RIGHT_MISSING'],
  [
    'a missing right of a system administrator',
    { http: { requestUri: '/api/hello/1' }, security: { org: SYSTEM_ORG } },
    403,
    'RIGHT_MISSING',
  ],
  [
    'rights forged in the body',
    { http: { requestUri: '/api/hello/1', rights: ['urn:vcloud:right:view'] } },
    403,
    'RIGHT_MISSING',
  ],
  [
    'a body over the cap',
    { http: { method: 'POST', body: Buffer.alloc(2_000).toString('base64') } },
    413,
    'REQUEST_TOO_LARGE',
  ],
  ['a body that is not base64', { http: { body: '*' } }, 400, 'BODY_NOT_BASE64'],
  ['an ambiguous path', { http: { requestUri: '/api/hello/..' } }, 400, 'PATH_AMBIGUOUS'],
])('%s is refused with its code in the form the caller accepts', async (_, parts, status, code) => {
  const message = delivery(parts);
  const { sent, invocations, metrics } = await through([message]);
  expect(sent).toHaveLength(1);
  expect(sent[0]?.reply.statusCode).toBe(status);
  const body = JSON.parse(Buffer.from(sent[0]?.reply.body ?? '', 'base64').toString()) as object;
  expect(body).toMatchObject({ majorErrorCode: status, minorErrorCode: code });
  expect(invocations).toEqual([]);
  expect(message.settled).toEqual(['ack']);
  expect(await metrics.total('vcx_refusals_total', { code })).toBe(1);
});

test('a caller who holds the right comes through, with the names of what is held', async () => {
  const rights = ['urn:vcloud:right:view', 'urn:vcloud:right:other'];
  const { sent, invocations } = await through([
    delivery({ http: { requestUri: '/api/hello/17' }, security: { rights } }),
  ]);
  expect(sent[0]?.reply.statusCode).toBe(200);
  expect(JSON.parse(invocations[0]?.payload ?? '')).toMatchObject({
    params: { id: '17' },
    caller: { rights: ['View'], provider: false },
    url: 'https://vcloud.example.com/api/hello/17',
  });
});

test('while rights are not resolved, routes that need one are closed and others open', async () => {
  const corridor = testCorridor(() => replied(OK));
  corridor.setRights(null);
  corridor.corridor.accept(delivery({ http: { requestUri: '/api/hello/1' } }));
  await corridor.idle();
  corridor.corridor.accept(delivery());
  await corridor.idle();
  expect(
    corridor.sent.map(({ reply }) => [reply.statusCode, reply.headers['Retry-After']]),
  ).toEqual([
    [503, '5'],
    [200, undefined],
  ]);
});

test('what nobody can be answered for is parked redacted, acknowledged, and the next message answered', async () => {
  const bad = [
    delivery({}, { body: Buffer.from('not JSON') }),
    delivery({}, { replyTo: null }),
    delivery({ http: { id: undefined } }),
    delivery({}, { headers: { messageType: 'ProcessHttpRequest', replyToExchange: 'amq.topic' } }),
  ];
  const good = delivery();
  const { parked, sent, metrics } = await through([...bad, good]);
  expect(parked.map(({ code }) => code)).toEqual([
    'MESSAGE_NOT_JSON',
    'REPLY_ADDRESS_MISSING',
    'MESSAGE_INVALID',
    'REPLY_TARGET_REFUSED',
  ]);
  expect(sent).toHaveLength(1);
  expect([...bad, good].map(({ settled }) => settled)).toEqual(
    Array.from({ length: 5 }, () => ['ack']),
  );
  expect(await metrics.total('vcx_parked_total')).toBe(4);
});

test.each([
  ['status 99', { ...OK, status: 99 }, 500, 'RESPONSE_INVALID'],
  ['status 101', { ...OK, status: 101 }, 500, 'RESPONSE_INVALID'],
  ['a status of text', { ...OK, status: '200' }, 500, 'RESPONSE_INVALID'],
  ['a header with CR/LF', { ...OK, headers: [['X-A', 'b\r\nc: d']] }, 500, 'RESPONSE_INVALID'],
  ['headers of a wrong shape', { ...OK, headers: [['a', 'b', 'c']] }, 500, 'RESPONSE_INVALID'],
  ['a body that is not base64', { ...OK, body: '?' }, 500, 'RESPONSE_INVALID'],
  ['null', null, 500, 'RESPONSE_INVALID'],
  [
    'a body over the cap',
    { ...OK, body: Buffer.alloc(1_100).toString('base64') },
    502,
    'RESPONSE_TOO_LARGE',
  ],
])('a handler that returns %s gets a coded refusal instead', async (_, reply, status, code) => {
  const { sent } = await through([delivery()], () => replied(reply));
  expect(sent[0]?.reply.statusCode).toBe(status);
  expect(Buffer.from(sent[0]?.reply.body ?? '', 'base64').toString()).toContain(code);
});

test('a reply of text that is not JSON is refused as well', async () => {
  const { sent } = await through([delivery()], () => ({
    kind: 'replied',
    reply: '{',
    usage: USAGE,
  }));
  expect(sent[0]?.reply.statusCode).toBe(500);
});

test('an outcome of the sandbox keeps its code, and 429 and 503 say when to retry', async () => {
  const { sent } = await through([delivery()], () => ({
    kind: 'failed',
    code: 'CPU_EXCEEDED',
    message: 'over 100 ms',
    usage: null,
  }));
  expect(sent[0]?.reply).toMatchObject({ statusCode: 503, headers: { 'Retry-After': '1' } });
  const body = Buffer.from(sent[0]?.reply.body ?? '', 'base64').toString();
  expect(body).toMatch(/over 100 ms \(limits\.cpuMs is \d+\)/);
});

test('as many headers as a guest lets through are taken, and one that no reply may have is left out', async () => {
  const many = Array.from({ length: 99 }, (_, n) => [`X-${n}`, '']);
  const { sent, logbook } = await through([delivery()], ({ log }) => {
    log(
      'error',
      '\u001b[31mError\u001b[0m: x\n    at f (plugin:main.js:1:2)\n    at Gb (vcx:prelude:1:2)',
    );
    return replied({ ...OK, headers: [...many, ['Set-Cookie', 'a=b']] });
  });
  expect(sent[0]?.reply).toMatchObject({ statusCode: 200, headers: { 'X-98': '' } });
  expect(sent[0]?.reply).not.toHaveProperty('dropped');
  expect(sent[0]?.reply.headers).not.toHaveProperty('Set-Cookie');
  await expect
    .poll(() => logbook.read({ plugin: 'hello' }).map(({ text }) => text))
    .toEqual([
      'Error: x\n    at f (plugin:main.js:1:2)',
      'a reply may not set set-cookie: left out',
    ]);
});

test('where vCloud can not be asked, a route that wants its word is closed', async () => {
  const corridor = testCorridor(() => replied(OK), { manifest: { authorizationCheck: 'always' } });
  corridor.corridor.accept(delivery());
  await corridor.idle();
  expect(corridor.invocations).toEqual([]);
  expect(corridor.sent[0]?.reply.statusCode).toBe(503);
  expect(
    await corridor.metrics.total('vcx_refusals_total', { code: 'AUTHORIZATION_UNAVAILABLE' }),
  ).toBe(1);
});

test('a reply that is returned or nacked is tried again, and acknowledged only when confirmed', async () => {
  const corridor = testCorridor(() => replied(OK));
  const message = delivery();
  const before: number[] = [];
  corridor.whenPublished((attempt) => {
    before.push(message.settled.length);
    return attempt < 3 ? { kind: 'unroutable' } : { kind: 'confirmed' };
  });
  corridor.corridor.accept(message);
  await corridor.idle();
  expect(before).toEqual([0, 0, 0]);
  expect(message.settled).toEqual(['ack']);
});

test('a reply that can not be delivered until the deadline is parked with the reason', async () => {
  const corridor = testCorridor(() => replied(OK));
  corridor.whenPublished(() => ({ kind: 'unroutable' }));
  const message = delivery({}, { arrivedAt: performance.now() - 9_600 });
  corridor.corridor.accept(message);
  await corridor.idle();
  expect(corridor.parked).toMatchObject([{ code: 'REPLY_UNROUTABLE' }]);
  expect(message.settled).toEqual(['ack']);
});

test('a call that nobody waits for any more is acknowledged and not worked on', async () => {
  const headers = { messageType: 'ProcessHttpRequest', replyToExchange: 'vcd.replyExchange' };
  const late = delivery({}, { headers: { ...headers, replyByTimestamp: Date.now() - 1_000 } });
  const { sent, invocations, metrics } = await through([late]);
  expect([sent, invocations]).toEqual([[], []]);
  expect(late.settled).toEqual(['ack']);
  expect(await metrics.total('vcx_late_total')).toBe(1);
});

test("vCloud's own response goes back as it came", async () => {
  const headers = { messageType: 'ProcessHttpResponse', replyToExchange: 'vcd.replyExchange' };
  const message = delivery(
    {
      http: {
        statusCode: 201,
        body: 'e30=',
        headers: { 'Content-Type': 'a/b', 'Set-Cookie': 'x' },
        request: false,
      },
    },
    { headers },
  );
  const { sent } = await through([message]);
  expect(sent[0]?.reply).toMatchObject({
    statusCode: 201,
    body: 'e30=',
    headers: { 'Content-Type': 'a/b', 'Set-Cookie': 'x' },
  });
});

test('marker tokens reach neither guest, reply, log nor dead letters', async () => {
  const MARK = 'MARKER-6f1c';
  const headers = {
    Authorization: MARK,
    Cookie: MARK,
    'x-vcloud-authorization': MARK,
    'X-Vcloud-Other': MARK,
  };
  const bodies = [
    delivery({ http: { headers } }),
    delivery({ http: { headers, requestUri: '/api/none' } }),
    delivery({ http: { headers, body: '*' } }),
    delivery({ http: { headers } }, { replyTo: null }),
    delivery({ http: { headers, id: undefined } }),
  ];
  const { sent, parked, lines, invocations } = await through(bodies);
  const seen =
    JSON.stringify([sent, parked, lines, invocations]) +
    Buffer.concat(sent.map(({ body }) => Buffer.from(body))).toString();
  expect(invocations).toHaveLength(1);
  expect(seen).not.toContain(MARK);
});

test('a defect of ours is answered as INTERNAL and does not wedge the queue', async () => {
  const message = delivery();
  const { sent } = await through([message], () => {
    throw new TypeError('oops');
  });
  expect(sent[0]?.reply.statusCode).toBe(500);
  expect(message.settled).toEqual(['ack']);
});

test('a handler that throws since what the hosts share is away is answered 503, and any other 500', async () => {
  const threw = async ({ hostCall }: { hostCall: HostCall }): Promise<Outcome> => {
    await hostCall('kv', 'get', '["key"]', new AbortController().signal);
    return { kind: 'failed', code: 'PLUGIN_THREW', message: 'it said so', usage: USAGE };
  };
  for (const [code, status, answered] of [
    ['CLUSTER_UNAVAILABLE', 503, 'CLUSTER_UNAVAILABLE'],
    ['BINDING_ARGUMENT', 500, 'PLUGIN_THREW'],
  ] as const) {
    const away: Binding = {
      name: 'kv',
      call: () => Promise.reject(new HostError(code, 'no')),
    };
    const manifest = { bindings: ['kv'] };
    const { sent } = await through([delivery()], threw, { bindings: [away], manifest });
    expect(sent[0]?.reply.statusCode).toBe(status);
    const body = Buffer.from(sent[0]?.reply.body ?? '', 'base64').toString();
    expect(body).toContain(answered);
    // What it threw is for its log.
    expect(body).not.toContain('it said so');
  }
});
