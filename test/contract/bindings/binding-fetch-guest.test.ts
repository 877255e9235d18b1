/**
 * `fetch` and `env.secrets` as a plug-in sees them: a real isolate, the real bindings, a real server.
 */
import { createServer as createTcp, type AddressInfo } from 'node:net';

import { expect, test } from 'vitest';

import { createSecretsBinding } from '../../../host/bindings/secrets/index.ts';
import { GRANT, openFetch, serve } from '../../support/fetch-kit.ts';
import { openGuest, openProbe } from '../../support/guest/isolate.ts';
import { waitFor } from '../../support/wait.ts';

async function openFetching(origin: string) {
  const { binding } = openFetch([origin]);
  const call = new AbortController();
  const probe = await openProbe({
    setup: { bindings: ['fetch'] },
    host: ({ method, args }) => binding.call(GRANT, method, args, call.signal),
  });
  return probe;
}

test('without the grant there is no fetch; with it there is one like everywhere', async () => {
  await using plain = await openProbe();
  expect(await plain.run('return typeof fetch')).toBe('undefined');
  await using granted = await openFetching('https://api.test');
  expect(
    await granted.run(
      'return [typeof fetch, fetch.name, Object.keys(globalThis).includes("fetch")]',
    ),
  ).toEqual(['function', 'fetch', false]);
});

test('a Response comes back with status, headers, body, url', async () => {
  await using server = await serve((request, response) => {
    if (request.url === '/moved') {
      response.writeHead(302, { location: '/there' }).end();
      return;
    }
    response.writeHead(200, 'Fine', {
      'content-type': 'application/json',
      'set-cookie': ['a=1', 'b=2'],
    });
    response.end('{"hello":"wörld"}');
  });
  const origin = `http://api.test:${server.port}`;
  await using probe = await openFetching(origin);
  expect(
    await probe.run(`const r = await fetch('${origin}/moved#x');
      return [r instanceof Response, r.ok, r.status, r.statusText, r.url, r.redirected, r.type,
        r.headers.get('content-type'), r.headers.getSetCookie(), await r.json(), r.bodyUsed]`),
  ).toEqual([
    true,
    true,
    200,
    'Fine',
    `${origin}/there`,
    true,
    'basic',
    'application/json',
    ['a=1', 'b=2'],
    { hello: 'wörld' },
    true,
  ]);
});

test('bodies of every kind go out, with their type', async () => {
  await using server = await serve((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () =>
      response.end([request.method, request.headers['content-type'] ?? '-', body].join(' ')),
    );
  });
  const origin = `http://api.test:${server.port}`;
  await using probe = await openFetching(origin);
  const sent = await probe.run(`
    const post = async (body, more = {}) => (await fetch('${origin}', { method: 'POST', body, ...more })).text();
    return [
      await post('text'),
      await post(new URLSearchParams({ a: '1' })),
      await post(new Uint8Array([65, 66])),
      await post(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([67])); c.close() } }), { duplex: 'half' }),
      await (await fetch(new Request('${origin}', { method: 'put', body: 'r', headers: { 'content-type': 'x/y' } }))).text(),
      await (await fetch(new URL('${origin}'), { method: 'DELETE' })).text(),
    ]`);
  expect(sent).toEqual([
    'POST text/plain;charset=UTF-8 text',
    'POST application/x-www-form-urlencoded;charset=UTF-8 a=1',
    'POST - AB',
    'POST - C',
    'PUT x/y r',
    'DELETE - ',
  ]);
});

test('an answer can be handed on as the reply of the plug-in, bodiless ones too', async () => {
  await using server = await serve((request, response) =>
    response.writeHead(request.url === '/none' ? 204 : 200).end(),
  );
  const origin = `http://api.test:${server.port}`;
  await using probe = await openFetching(origin);
  for (const [path, status] of [
    ['none', 204],
    ['empty', 200],
  ] as const) {
    const body = Buffer.from(`return fetch('${origin}/${path}')`).toString('base64');
    const answer = await probe.guest.call({ method: 'POST', body });
    expect(answer).toMatchObject({ kind: 'reply', reply: { status } });
  }
});

test('refusals carry their code, bad requests are TypeErrors', async () => {
  await using probe = await openFetching('http://api.test');
  const codeOf = (code: string) =>
    probe.run(`try { await ${code}; return 'none' } catch (e) { return [e.name, e.code ?? ''] }`);
  expect(await codeOf(`fetch('http://other.test/')`)).toEqual([
    'BindingError',
    'FETCH_ORIGIN_DENIED',
  ]);
  expect(await codeOf(`fetch('http://api.test/', { method: 'OPTIONS' })`)).toEqual([
    'BindingError',
    'FETCH_ORIGIN_DENIED',
  ]);
  expect(await codeOf(`fetch('/relative')`)).toEqual(['TypeError', '']);
  expect(await codeOf(`fetch('http://api.test/', { headers: { x: 'a\\r\\nb' } })`)).toEqual([
    'TypeError',
    '',
  ]);
  expect(await codeOf(`fetch('http://api.test/', { method: 'TRACE' })`)).toEqual(['TypeError', '']);
  expect(
    await codeOf(
      `env.fetch.call('fetch', [{ id: 1, url: 'http://api.test/', method: 'GET', headers: [['x', 'a\\r\\nb']], body: null, redirect: 'follow' }])`,
    ),
  ).toEqual(['BindingError', 'BINDING_ARGUMENT']);
});

test('an abort rejects with its reason and ends the request outside', async () => {
  let open = 0;
  const server = createTcp((socket) => {
    open += 1;
    socket.on('error', () => {}).on('close', () => (open -= 1));
    socket.resume();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const origin = `http://api.test:${(server.address() as AddressInfo).port}`;
  await using probe = await openFetching(origin);
  expect(
    await probe.run(
      `try { await fetch('${origin}', { signal: AbortSignal.timeout(50) }) } catch (e) { return e.name }`,
    ),
  ).toBe('TimeoutError');
  await waitFor(() => open === 0);
  expect(
    await probe.run(
      `try { await fetch('${origin}', { signal: AbortSignal.abort(new Error('mine')) }) } catch (e) { return e.message }`,
    ),
  ).toBe('mine');
  await new Promise((resolve) => server.close(resolve));
});

test('after its call a kept fetch asks for nothing', async () => {
  const asked: string[] = [];
  await using guest = await openGuest({
    setup: { bindings: ['fetch', 'secrets'] },
    host: ({ method }) => {
      asked.push(method);
      return null;
    },
  });
  await guest.load(`globalThis.__vcx_plugin = { fetch(request, env) {
    globalThis.kept = env; return new Response('x') } };0`);
  await guest.call();
  await waitFor(() => guest.posted.some(({ kind }) => kind === 'settled'));
  await guest.evaluate(`(fetch('http://api.test/').catch((e) => { globalThis.first = e.code }),
    kept.secrets.get('a').catch((e) => { globalThis.second = e.code }))`);
  expect(await guest.evaluate('[globalThis.first, globalThis.second]')).toBe('CALL_OVER,CALL_OVER');
  expect(asked).toEqual([]);
});

test('env.secrets gives the secret of the calling org, or null', async () => {
  const kept: Record<string, string> = {
    [`p ${GRANT.org} key`]: 'mine',
    'p urn:vcloud:org:b key2': 'theirs',
  };
  const binding = createSecretsBinding({
    readSecret: async ({ plugin, org }, name) => kept[`${plugin} ${org} ${name}`] ?? null,
  });
  const { signal } = new AbortController();
  await using probe = await openProbe({
    setup: { bindings: ['secrets'] },
    host: ({ method, args }) => binding.call(GRANT, method, args, signal),
  });
  expect(
    await probe.run(`return [await env.secrets.get('key'), await env.secrets.get('key2')]`),
  ).toEqual(['mine', null]);
  for (const attempt of [
    `env.secrets.call('list')`,
    `env.secrets.call('set', ['key', 'x'])`,
    `env.secrets.call('get', ['key', 'urn:vcloud:org:b'])`,
    `env.secrets.call('get', [{ org: 'urn:vcloud:org:b', name: 'key2' }])`,
    `env.secrets.get()`,
  ])
    expect(await probe.run(`try { return await ${attempt} } catch (e) { return e.code }`)).toBe(
      'BINDING_ARGUMENT',
    );
});
