/**
 * A real Hono app, unchanged, inside a real isolate.
 */
import { afterAll, expect, test } from 'vitest';
import type { GuestRequest } from '../../../sdk/guest/abi.ts';
import { bundleText, openGuest } from '../../support/guest/isolate.ts';

const APP = `
import { Hono } from 'hono';
import { basicAuth } from 'hono/basic-auth';
import { bodyLimit } from 'hono/body-limit';
import { getCookie, setCookie, setSignedCookie, getSignedCookie } from 'hono/cookie';
import { cors } from 'hono/cors';
import { etag } from 'hono/etag';
import { HTTPException } from 'hono/http-exception';
import { jwt, sign } from 'hono/jwt';
import { logger } from 'hono/logger';
import { secureHeaders } from 'hono/secure-headers';
import { stream, streamSSE } from 'hono/streaming';
import { timeout } from 'hono/timeout';
import { validator } from 'hono/validator';

const app = new Hono();
app.use('/order/*', async (c, next) => { c.set('a', 1); await next(); c.header('x-after', String(c.get('a') + 1)); });
app.get('/order/x', (c) => c.json({ a: c.get('a') }));
app.get('/users/:id{[0-9]+}', (c) => c.json({ id: c.req.param('id'), q: c.req.queries('q') ?? null }));
app.get('/any/*', (c) => c.text(c.req.path));
app.post('/echo', async (c) => c.json(await c.req.json(), 201));
app.post('/twice', async (c) => c.json([await c.req.text(), await c.req.json()]));
app.post('/form', async (c) => c.json(await c.req.parseBody()));
app.post('/raw', (c) => new Response(c.req.raw.body));
app.post('/clone', async (c) => c.json([await c.req.raw.clone().text(), await c.req.raw.text()]));
app.post('/valid', validator('json', (value, c) => typeof value.n === 'number' ? value : c.text('bad', 400)),
  (c) => c.json({ n: c.req.valid('json').n + 1 }));
app.post('/limit', bodyLimit({ maxSize: 4 }), async (c) => c.text(await c.req.text()));
app.use('/cors/*', cors({ origin: 'https://ui.example', allowMethods: ['PUT'] }));
app.get('/cors/x', (c) => c.text('ok'));
app.use('/etag', etag());
app.get('/etag', (c) => c.text('same'));
app.use('/auth', basicAuth({ username: 'u', password: 'p' }));
app.get('/auth', (c) => c.text('in'));
app.get('/jwt/new', async (c) => c.text(await sign({ sub: 'x' }, 'secret', 'HS256')));
app.use('/jwt/see', jwt({ secret: 'secret', alg: 'HS256' }));
app.get('/jwt/see', (c) => c.json(c.get('jwtPayload')));
app.get('/cookies', (c) => { setCookie(c, 'a', '1', { path: '/' }); setCookie(c, 'b', '2'); return c.text(getCookie(c, 'seen') ?? ''); });
app.get('/signed', async (c) => { await setSignedCookie(c, 's', 'v', 'key'); return c.text(String(await getSignedCookie(c, 'key', 's'))); });
app.get('/boom', () => { throw new Error('boom'); });
app.get('/http', () => { throw new HTTPException(418, { message: 'tea' }); });
app.get('/sse', (c) => streamSSE(c, async (s) => { await s.writeSSE({ data: 'a' }); await s.writeSSE({ data: 'b' }); }));
app.get('/stream', (c) => stream(c, async (s) => { await s.write('one '); await s.sleep(1); await s.write('two'); }));
app.get('/slow', timeout(5), async (c) => { await new Promise((r) => setTimeout(r, 1000)); return c.text('late'); });
app.get('/ctx', (c) => { c.executionCtx.waitUntil(Promise.resolve()); return c.json({ caller: c.executionCtx.caller.user, config: c.env.config }); });
app.get('/secure', secureHeaders(), (c) => c.html('<p>x</p>'));
app.get('/log', logger(), (c) => c.body(null, 204));
app.get('/go', (c) => c.redirect('/any/x'));
app.route('/sub', new Hono().get('/in', (c) => c.text('sub')));
app.notFound((c) => c.json({ none: c.req.path }, 404));
app.onError((error, c) => error instanceof HTTPException ? error.getResponse() : c.json({ error: error.message }, 500));
export default app;
`;

const guest = await openGuest();
afterAll(() => guest[Symbol.asyncDispose]());
const loaded = await guest.load((await bundleText(APP)).source);

interface Seen {
  readonly status: number;
  readonly body: string;
  readonly headers: Headers;
}

async function ask(path: string, request: Partial<GuestRequest> = {}): Promise<Seen> {
  const answer = await guest.call({ url: `https://vcloud.example.com${path}`, ...request });
  if (answer.kind === 'threw') throw new Error(answer.failure.message);
  const headers = new Headers();
  for (const [name, value] of answer.reply.headers) headers.append(name, value);
  return { status: answer.reply.status, body: answer.body, headers };
}

function send(body: string, type = 'application/json'): Partial<GuestRequest> {
  return {
    method: 'POST',
    body: Buffer.from(body).toString('base64'),
    headers: [['content-type', type]],
  };
}

test('an app is a plug-in with a fetch handler', () => expect(loaded).toBe('loaded ["fetch"]'));

test('middleware runs around the handler', async () => {
  const { body, headers } = await ask('/order/x');
  expect([body, headers.get('x-after')]).toEqual(['{"a":1}', '2']);
});

test.each([
  ['/users/12?q=1&q=2', 200, '{"id":"12","q":["1","2"]}'],
  ['/users/ab', 404, '{"none":"/users/ab"}'],
  ['/any/a%20b', 200, '/any/a b'],
  ['/sub/in', 200, 'sub'],
  ['/boom', 500, '{"error":"boom"}'],
  ['/http', 418, 'tea'],
  ['/stream', 200, 'one two'],
  ['/sse', 200, 'data: a\n\ndata: b\n\n'],
  ['/slow', 504, 'Gateway Timeout'],
  ['/ctx', 200, '{"caller":"u","config":null}'],
  ['/log', 204, ''],
])('GET %s gives %i', async (path, status, expected) => {
  const { status: seen, body } = await ask(path);
  expect([seen, body]).toEqual([status, expected]);
});

test.each([
  ['/echo', '{"a":[1,"é"]}', 201, '{"a":[1,"é"]}'],
  ['/twice', '{"a":1}', 200, '["{\\"a\\":1}",{"a":1}]'],
  ['/raw', 'as it is', 200, 'as it is'],
  ['/clone', 'x', 200, '["x","x"]'],
  ['/valid', '{"n":1}', 200, '{"n":2}'],
  ['/valid', '{"n":"1"}', 400, 'bad'],
  ['/limit', 'abcd', 200, 'abcd'],
])('POST %s %s gives %i', async (path, sent, status, expected) => {
  const { status: seen, body } = await ask(path, send(sent));
  expect([seen, body]).toEqual([status, expected]);
});

test('a body over the limit is refused', async () => {
  expect((await ask('/limit', send('abcde'))).status).toBe(413);
});

test('forms are parsed, urlencoded and multipart', async () => {
  const urlencoded = await ask('/form', send('a=1&b=%C3%A9', 'application/x-www-form-urlencoded'));
  expect(urlencoded.body).toBe('{"a":"1","b":"é"}');
  const boundary = '----boundary0123456789012345678';
  const part = `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--${boundary}--\r\n`;
  const multipart = await ask('/form', send(part, `multipart/form-data; boundary=${boundary}`));
  expect(multipart.body).toBe('{"a":"1"}');
});

test('a preflight and a simple request get CORS headers', async () => {
  const headers = [['origin', 'https://ui.example']] as const;
  const preflight = await ask('/cors/x', { method: 'OPTIONS', headers });
  expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
    204,
    'PUT',
  ]);
  const simple = await ask('/cors/x', { headers });
  expect(simple.headers.get('access-control-allow-origin')).toBe('https://ui.example');
});

test('an etag makes the second answer a 304', async () => {
  const first = await ask('/etag');
  const tag = first.headers.get('etag') ?? '';
  expect(tag).toMatch(/^"[0-9a-f]{40}"$/);
  const second = await ask('/etag', { headers: [['if-none-match', tag]] });
  expect([second.status, second.body]).toEqual([304, '']);
});

test('basic auth lets only the right password in', async () => {
  const withPassword = (text: string): Partial<GuestRequest> => ({
    headers: [['authorization', `Basic ${Buffer.from(text).toString('base64')}`]],
  });
  expect((await ask('/auth', withPassword('u:p'))).body).toBe('in');
  expect((await ask('/auth', withPassword('u:q'))).status).toBe(401);
});

test('a token is signed and verified', async () => {
  const { body: token } = await ask('/jwt/new');
  const bearer = (text: string): Partial<GuestRequest> => ({
    headers: [['authorization', `Bearer ${text}`]],
  });
  expect((await ask('/jwt/see', bearer(token))).body).toBe('{"sub":"x"}');
  expect((await ask('/jwt/see', bearer(`${token.slice(0, -4)}AAAA`))).status).toBe(401);
});

test('cookies stay separate entries', async () => {
  const { headers, body } = await ask('/cookies', { headers: [['cookie', 'seen=yes']] });
  expect([body, headers.getSetCookie()]).toEqual(['yes', ['a=1; Path=/', 'b=2; Path=/']]);
});

test('a signed cookie is written', async () => {
  const { headers } = await ask('/signed');
  expect(headers.getSetCookie()[0]).toMatch(/^s=v\./);
});

test('security headers, redirects and the logger work', async () => {
  expect((await ask('/secure')).headers.get('x-frame-options')).toBe('SAMEORIGIN');
  const { status, headers } = await ask('/go');
  expect([status, headers.get('location')]).toEqual([302, '/any/x']);
  expect(guest.logs.some((line) => line.includes('GET /log'))).toBe(true);
});
