/**
 * The dispatcher: what goes in and comes out of calls, their ends, their caps.
 */
import { expect, test } from 'vitest';
import {
  openGuest,
  openProbe,
  type Answer,
  type GuestOptions,
} from '../../support/guest/isolate.ts';

/** One call of a plug-in given as the text of an object. */
async function once(
  plugin: string,
  { options, request }: { options?: GuestOptions; request?: object } = {},
): Promise<Answer> {
  await using guest = await openGuest(options);
  await guest.load(`globalThis.__vcx_plugin = ${plugin};0`);
  return await guest.call(request); // the isolate must live until then
}

function reasonOf(answer: Answer): string {
  return answer.kind === 'threw' ? answer.failure.reason : `status ${answer.reply.status}`;
}

test.each([
  ['undefined', 'refused TypeError: the module has no default export'],
  ['{}', 'refused TypeError: the default export has none of: fetch, response, notification'],
  [
    '{ fetch: 1 }',
    'refused TypeError: the default export has none of: fetch, response, notification',
  ],
  ['{ get fetch() { throw new Error("no") } }', 'refused Error: no'],
  ['{ fetch() {}, notification() {} }', 'loaded ["fetch","notification"]'],
])('a default export of %s is answered: %s', async (exported, expected) => {
  await using guest = await openGuest();
  expect(await guest.load(`globalThis.__vcx_plugin = ${exported};0`)).toBe(expected);
  expect(await guest.evaluate('"__vcx_plugin" in globalThis')).toBe('false');
});

test.each([
  ['a text', `"x"`, 'invalid'],
  ['nothing', `undefined`, 'invalid'],
  [
    'an object that looks like a Response',
    `({ status: 200, headers: new Headers(), body: null })`,
    'invalid',
  ],
  ['an object with the prototype of a Response', `Object.create(Response.prototype)`, 'invalid'],
  ['a proxy of a Response', `new Proxy(new Response('x'), {})`, 'invalid'],
  ['an error Response', `Response.error()`, 'invalid'],
  [
    'a Response that was read',
    `(async () => { const r = new Response('x'); await r.text(); return r })()`,
    'invalid',
  ],
  [
    'a locked Response',
    `(() => { const r = new Response('x'); r.body.getReader(); return r })()`,
    'invalid',
  ],
  [
    'a stream of numbers',
    `new Response(new ReadableStream({ start(c) { c.enqueue(1) } }))`,
    'invalid',
  ],
  [
    'a stream that fails',
    `new Response(new ReadableStream({ start(c) { c.error(new Error('x')) } }))`,
    'threw',
  ],
  ['a body over the cap', `new Response('x'.repeat(2000))`, 'tooLarge'],
  ['a body over the cap in UTF-8 only', `new Response('é'.repeat(600))`, 'tooLarge'],
  [
    'a stream without end',
    `new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(100)) } }))`,
    'tooLarge',
  ],
  [
    'too many headers',
    `new Response('', { headers: Array.from({ length: 101 }, (_, n) => ['x' + n, '']) })`,
    'invalid',
  ],
  ['a body at the cap', `new Response('x'.repeat(1024))`, 'status 200'],
  [
    'a streamed body',
    `new Response(ReadableStream.from([new Uint8Array(512), new Uint8Array(512)]))`,
    'status 200',
  ],
  ['a status of its own', `new Response(null, { status: 599 })`, 'status 599'],
])('a handler that returns %s', async (_title, value, expected) => {
  const options = { setup: { responseBytes: 1_024 } };
  expect(reasonOf(await once(`{ fetch: () => ${value} }`, { options }))).toBe(expected);
});

test('cookies and repeated headers cross as separate entries and joined values', async () => {
  const answer = await once(`{ fetch: () => new Response('', { headers: [
    ['Set-Cookie', 'a=1'], ['Set-Cookie', 'b=2'], ['X-Y', '1'], ['X-Y', '2']] }) }`);
  expect(answer.kind === 'reply' && answer.reply.headers).toEqual([
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
    ['X-Y', '1, 2'],
    ['content-type', 'text/plain;charset=UTF-8'],
  ]);
});

test('a header with a line break is refused even when the guest broke the checks', async () => {
  const answer = await once(`{ fetch() {
    RegExp.prototype.test = () => false; String.prototype.includes = () => false; String.prototype.indexOf = () => -1;
    const headers = new Headers(); headers.append('x', 'a\\r\\nset-cookie: b=1'); return new Response('', { headers });
  } }`);
  expect(answer.kind).toBe('threw');
});

test.each([
  ['an Error', `new RangeError('no')`, 'RangeError: no'],
  ['a text', `'just text'`, 'just text'],
  ['undefined', `undefined`, 'undefined'],
  ['a symbol', `Symbol('s')`, 'Symbol(s)'],
  ['a plain object', `({ a: 1 })`, '{"a":1}'],
  [
    'a proxy that throws everywhere',
    `new Proxy({}, new Proxy({}, { get() { throw new Error('trap') } }))`,
    'a value that can not be described',
  ],
  [
    'an error whose message throws',
    `Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } })`,
    'a value that can not be described',
  ],
  [
    'an object whose toJSON throws',
    `({ toJSON() { throw 1 } })`,
    'a value that can not be described',
  ],
  [
    'an error whose name is an object',
    `Object.assign(new Error('x'), { name: { toString() { throw 1 } } })`,
    'Error: x',
  ],
  ['an endless message', `new Error('m'.repeat(1e6))`, `Error: ${'m'.repeat(493)}…`],
])('a handler that throws %s is answered with text', async (_title, value, expected) => {
  for (const word of ['throw', 'return Promise.reject']) {
    const code = word === 'throw' ? `throw ${value}` : `${word}(${value})`;
    const answer = await once(`{ fetch() { ${code} } }`);
    expect(answer.kind === 'threw' && answer.failure.reason).toBe('threw');
    if (answer.kind === 'threw') {
      expect(answer.failure.message.slice(0, 501)).toBe(expected.slice(0, 501));
      expect(answer.failure.message.length).toBeLessThanOrEqual(501);
      expect(answer.failure.stack.length).toBeLessThanOrEqual(4_001);
    }
  }
});

test('ctx says who calls, how long there is, and which route matched', async () => {
  const answer = await once(
    `{ fetch: (request, env, ctx) => Response.json([ctx.caller.org, ctx.params.id, ctx.requestId,
      ctx.remainingMs() <= 900, ctx.deadline > 1e12, ctx.signal.aborted, env.config.a]) }`,
    { request: { params: { id: '7' }, remainingMs: 900, config: { a: 'b' } } },
  );
  expect(answer.kind === 'reply' && answer.body).toBe('["o","7","r-1",true,true,false,"b"]');
});

test('the signal of ctx and of the request fires before the deadline', async () => {
  const answer = await once(
    `{ async fetch(request, env, ctx) {
      await new Promise((r) => request.signal.addEventListener('abort', r));
      return Response.json([ctx.signal === request.signal, ctx.signal.reason.name]) } }`,
    { request: { remainingMs: 60 } },
  );
  expect(answer.kind === 'reply' && answer.body).toBe('[true,"TimeoutError"]');
});

test('settled follows the answer once everything given to waitUntil has settled', async () => {
  await using guest = await openGuest();
  await guest.load(`globalThis.__vcx_plugin = { fetch(request, env, ctx) {
    ctx.waitUntil(new Promise((r) => setTimeout(r, 20)).then(() => console.log('done')));
    ctx.waitUntil(Promise.reject(new Error('in the background')));
    return new Response('x') } };0`);
  await guest.call();
  await guest.until(({ kind }) => kind === 'settled');
  const order = guest.posted.map(({ kind }) => kind).filter((kind) => kind !== 'log');
  expect(order).toEqual(['loaded', 'timer', 'reply', 'settled']);
  expect(guest.logs.join('\n')).toContain('Uncaught Error: in the background');
  expect(guest.logs.at(-1)).toBe('info: done');
});

test('timers left over are cancelled when the call has settled', async () => {
  await using guest = await openGuest();
  await guest.load(`globalThis.__vcx_plugin = { fetch() { setTimeout(() => console.log('never'), 5);
    setInterval(() => console.log('never'), 5); return new Response('x') } };0`);
  await guest.call();
  const order = guest.posted.map(({ kind }) => kind);
  expect(order).toEqual([
    'loaded',
    'timer',
    'timer',
    'reply',
    'cancelTimer',
    'cancelTimer',
    'settled',
  ]);
});

test('timers before any call get an id and never start', async () => {
  await using guest = await openGuest();
  await guest.load(
    `globalThis.n = setTimeout(() => {}, 0); globalThis.__vcx_plugin = { fetch() {} };0`,
  );
  expect([await guest.evaluate('n'), guest.posted.length]).toEqual(['1', 1]);
});

test('what is thrown where nobody waits is logged and the call goes on', async () => {
  await using probe = await openProbe();
  const value = await probe.run(`setTimeout(() => { throw new Error('timer') }, 0);
    queueMicrotask(() => { throw new Error('microtask') });
    new EventTarget().dispatchEvent(new Event('x'));
    await new Promise((r) => setTimeout(r, 5)); return 1`);
  expect(value).toBe(1);
  expect(probe.guest.logs.join('\n')).toMatch(/microtask[^]*timer/);
});

test('a rejection nobody handles does not break later calls', async () => {
  await using probe = await openProbe();
  await probe.run(`Promise.reject(new Error('lost')); return 1`);
  expect(await probe.run('return 2')).toBe(2);
});

test('log lines are formatted, cut, and stop after a thousand', async () => {
  await using probe = await openProbe({ setup: { logLineChars: 50 } });
  await probe.run(`console.warn('%s is %d', 'x', 1, { a: [1n] }); const loop = {}; loop.loop = loop; console.log(loop);
    console.error(new Error('shown')); console.log({ get a() { throw new Error('bad') } }); console.log('y'.repeat(100))
    for (let n = 0; n < 2000; n++) console.log(n)`);
  expect(probe.guest.logs.slice(0, 2)).toEqual([
    'warn: x is 1 {"a":["1n"]}',
    'info: {"loop":"[seen]"}',
  ]);
  expect(probe.guest.logs[2]).toMatch(/^error: Error: shown/);
  expect(probe.guest.logs[3]).toMatch(/^info: \(a log line that can not be/);
  expect(probe.guest.logs[4]).toBe(`info: ${'y'.repeat(50)}…`);
  expect(probe.guest.logs.length).toBe(1_000);
});

test('what a console has elsewhere it has here, and errors and headers inside objects are shown', async () => {
  await using probe = await openProbe();
  await probe.run(`console.groupCollapsed('g'); console.groupEnd(); console.clear(); console.time('t'); console.timeLog('t', 'on');
    console.count(); console.countReset(); console.count(); console.dirxml('d');
    console.log({ error: new TypeError('inside'), headers: new Headers({ a: '1' }), map: new Map([['k', 2]]), list: [1] });
    console.trace('here')`);
  expect(probe.guest.logs.slice(0, -1)).toEqual([
    'info: g',
    expect.stringMatching(/^info: t: \d+ ms on$/),
    'info: default: 1',
    'info: default: 1',
    'info: d',
    'info: {"error":"TypeError: inside","headers":{"a":"1"},"map":{"k":2},"list":[1]}',
  ]);
  expect(probe.guest.logs.at(-1)).toMatch(/^debug: here Error: Trace\n[^]*main\.js/);
});

test('a failure is told with its code, its causes and the line that waited for a binding', async () => {
  const options: GuestOptions = {
    setup: { bindings: ['kv', 'fetch'] },
    host: () => {
      throw Object.assign(new Error('no'), { code: 'DENIED' });
    },
  };
  const stackOf = async (work: string): Promise<string> => {
    const answer = await once(`{ async fetch(request, env) { ${work} } }`, { options });
    return answer.kind === 'threw' ? `${answer.failure.message} | ${answer.failure.stack}` : '';
  };
  expect(await stackOf(`await env.kv.get('k')`)).toMatch(
    /^BindingError \[DENIED\]: no \| BindingError \[DENIED\]: no\n[^]*at async [^\n]*main\.js/,
  );
  expect(await stackOf(`await env.kv.put('k', 1)`)).toMatch(/main\.js/);
  expect(await stackOf(`await fetch('https://a.example/')`)).toMatch(/\[DENIED\][^]*main\.js/);
  expect(
    await stackOf(`throw new Error('outer', { cause: new TypeError('inner', { cause: 5 }) })`),
  ).toMatch(
    /^Error: outer \| Error: outer\n[^]*\n {2}\[cause\]: TypeError: inner\n[^]*\n {2}\[cause\]: 5$/,
  );
  expect(await stackOf(`throw new AggregateError([new Error('a'), 'b'], 'many')`)).toMatch(
    /\n {2}\[errors 0\]: Error: a\n {2}\[errors 1\]: b$/,
  );
  expect(await stackOf(`const e = new Error('loop'); e.cause = e; throw e`)).toMatch(/loop/);
});

test.each([
  ['undefined', 'The handler returned no Response but undefined: is a `return` missing?'],
  ['null', 'no Response but null'],
  ['"text"', 'no Response but a string: `new Response(…)` makes one of it'],
  ['{ a: 1 }', 'no Response but an object: `Response.json(…)` makes one of it'],
])('a handler that returns %s is told so', async (value, expected) => {
  const answer = await once(`{ fetch: () => (${value}) }`);
  expect(answer.kind === 'threw' && answer.failure.message).toContain(expected);
});

test('kv methods are host calls, and their refusals are errors with a code', async () => {
  const seen: unknown[] = [];
  await using probe = await openProbe({
    setup: { bindings: ['kv', 'other'] },
    host: (call) => {
      seen.push(call);
      if (call.method === 'delete') throw Object.assign(new Error('no'), { code: 'DENIED' });
      return call.method === 'get' ? null : 3;
    },
  });
  const value = await probe.run(`const { kv, other } = env;
    const refused = await kv.delete('k').catch((e) => [e.name, e.code, e.message]);
    return [await kv.get('k'), await kv.put('k', { a: 1 }, { ifVersion: 2 }), refused, await other.call('x', [1]), Object.keys(env)]`);
  expect(value).toEqual([null, 3, ['BindingError', 'DENIED', 'no'], 3, ['config', 'kv', 'other']]);
  expect(seen).toContainEqual({
    binding: 'kv',
    method: 'put',
    args: ['k', { a: 1 }, { ifVersion: 2 }],
  });
});

test('env of a call that is over asks for nothing', async () => {
  await using probe = await openProbe({ setup: { bindings: ['kv'] }, host: () => 1 });
  await probe.run('globalThis.old = env');
  expect(await probe.run('return old.kv.get("k").catch((e) => e.code)')).toBe('CALL_OVER');
});

test('host calls have a cap in number and size', async () => {
  await using probe = await openProbe({
    setup: { bindings: ['kv'] },
    host: () => new Promise(() => {}),
  });
  const code = `const all = []; for (let n = 0; n < 65; n++) all.push(env.kv.get('k'));
    return [await all[64].catch((e) => e.code), await env.kv.put('k', 'x'.repeat(2e6)).catch((e) => e.code)]`;
  expect(await probe.run(code)).toEqual(['HOST_CALLS_IN_FLIGHT', 'HOST_CALLS_IN_FLIGHT']);
  expect(await probe.run(`return env.kv.put('k', 'x'.repeat(2e6)).catch((e) => e.code)`)).toBe(
    'HOST_CALL_TOO_LARGE',
  );
});

test('a response handler sees the answer, and returning nothing leaves it as it was', async () => {
  const request = {
    handler: 'response',
    status: 404,
    body: Buffer.from('old').toString('base64'),
    headers: [['x', 'y']],
  };
  const changed = await once(
    `{ async response(response) { return new Response((await response.text()) + '!', { status: response.status, headers: response.headers }) } }`,
    { request },
  );
  expect(changed.kind === 'reply' && [changed.reply.status, changed.body]).toEqual([404, 'old!']);
  const same = await once(`{ async response(response) { await response.text() } }`, { request });
  expect(same.kind === 'reply' && [same.reply.headers, same.body]).toEqual([[['x', 'y']], 'old']);
});

test('a notification handler gets the event and answers with nothing', async () => {
  const body = Buffer.from('{"type":"com/vmware/vcloud/event/vm/create"}').toString('base64');
  await using guest = await openGuest();
  await guest.load(
    `globalThis.__vcx_plugin = { notification(event) { console.log(event.type) } };0`,
  );
  const answer = await guest.call({ handler: 'notification', body });
  expect(answer.kind === 'reply' && answer.reply.status).toBe(204);
  expect(guest.logs).toEqual(['info: com/vmware/vcloud/event/vm/create']);
});

test('a call for a handler that is not there is answered', async () => {
  expect(reasonOf(await once(`{ fetch() {} }`, { request: { handler: 'response' } }))).toBe(
    'invalid',
  );
});

test('the request is what the URL parser and undici would make of it', async () => {
  for (const [url, expected] of [
    ['https://vcloud.example.com/a/./b/../c', 'https://vcloud.example.com/a/c'],
    ['https://vcloud.example.com/a/%2E%2e/c', 'https://vcloud.example.com/c'],
    ['https://vcloud.example.com:443/a b?q="x"', 'https://vcloud.example.com/a%20b?q=%22x%22'],
    ['https://VCLOUD.example.com/é', 'https://vcloud.example.com/%C3%A9'],
    ["https://vcloud.example.com/a?q='", 'https://vcloud.example.com/a?q=%27'],
    ['https://vcloud.example.com/plain?a=b', 'https://vcloud.example.com/plain?a=b'],
  ]) {
    const answer = await once(
      `{ fetch: (request) => Response.json([request.url, request.clone().url, new Request(request).url]) }`,
      { request: { url } },
    );
    expect(answer.kind === 'reply' && JSON.parse(answer.body)).toEqual([
      expected,
      expected,
      expected,
    ]);
  }
});

test('a request can be wrapped in another with other headers and its body', async () => {
  const answer = await once(
    `{ async fetch(request) { const next = new Request(request, { headers: { a: '1' } });
      return Response.json([next.headers.get('a'), next.method, await next.text(), request.bodyUsed]) } }`,
    { request: { method: 'PUT', body: Buffer.from('é').toString('base64') } },
  );
  expect(answer.kind === 'reply' && answer.body).toBe('["1","PUT","é",true]');
});
