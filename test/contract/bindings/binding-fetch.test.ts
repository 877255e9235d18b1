/**
 * The host's half of `fetch` against real servers on loopback.
 */
import { once } from 'node:events';
import { setGlobalProxyFromEnv } from 'node:http';
import { createServer as createTls } from 'node:https';
import { createServer as createTcp, type AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import { expect, test } from 'vitest';

import { createLog } from '../../../host/kernel/log.ts';
import { GRANT, openFetch, serve } from '../../support/fetch-kit.ts';
import { TEST_CERT, TEST_KEY } from '../../support/tls/pair.ts';
import { waitFor } from '../../support/wait.ts';

const refused = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

test('a request arrives as it was meant, and its answer comes back', async () => {
  await using server = await serve((request, response) => {
    const seen = { method: request.method, url: request.url, headers: request.headers };
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.writeHead(201, { 'x-test': 'yes', 'set-cookie': ['a=1', 'b=2'] });
      response.end(JSON.stringify({ ...seen, body }));
    });
  });
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin]);
  const answer = await go(`${origin}/a/b?c=d#e`, {
    method: 'POST',
    headers: [
      ['Content-Type', 'text/plain'],
      ['Host', 'cell.example.com'],
      ['Accept-Encoding', 'zstd'],
      ['Transfer-Encoding', 'chunked'],
      ['Cookie', 'mine=1'],
    ],
    body: 'hällo',
  });
  expect(answer).toMatchObject({ status: 201, url: `${origin}/a/b?c=d`, redirected: false });
  expect(answer.headers).toContainEqual(['x-test', 'yes']);
  expect(answer.headers.filter(([name]) => name === 'set-cookie')).toHaveLength(2);
  const seen = JSON.parse(answer.text) as Record<string, unknown>;
  expect(seen).toMatchObject({ method: 'POST', url: '/a/b?c=d', body: 'hällo' });
  expect(seen['headers']).toMatchObject({
    host: `api.test:${server.port}`,
    'content-length': '6',
    'accept-encoding': 'gzip, deflate, br',
    cookie: 'mine=1',
  });
});

test('a DELETE with a body says how long it is, and no cookie of one answer goes with the next request', async () => {
  const seen: (string | undefined)[][] = [];
  await using server = await serve((request, response) => {
    seen.push([request.headers['content-length'], request.headers.cookie]);
    response.setHeader('set-cookie', 'session=1').end();
  });
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin]);
  await go(origin, { method: 'DELETE', body: 'xyz' });
  await go(origin);
  expect(seen).toEqual([
    ['3', undefined],
    [undefined, undefined],
  ]);
});

test('other origins and methods are refused before anything is resolved', async () => {
  const asked: string[] = [];
  const { go } = openFetch(['https://api.test'], {
    resolve: async (name) => {
      asked.push(name);
      return [];
    },
    grantOf: () => ({ origins: ['https://api.test'], methods: ['GET'] }),
  });
  for (const url of [
    'http://api.test/',
    'https://api.test:444/',
    'https://api.test.evil/',
    'https://api.test./',
    'https://api.test@evil.test/',
    'file:///etc/passwd',
    'data:text/plain,x',
  ])
    await expect(go(url), url).rejects.toThrow(refused('FETCH_ORIGIN_DENIED'));
  await expect(go('https://api.test/', { method: 'POST' })).rejects.toThrow(
    refused('FETCH_ORIGIN_DENIED', 'method'),
  );
  await expect(go('https://api.test/', { method: 'CONNECT' })).rejects.toThrow(
    refused('FETCH_ORIGIN_DENIED'),
  );
  await expect(go('https://u:p@api.test/')).rejects.toThrow(refused('BINDING_ARGUMENT'));
  await expect(go('/relative')).rejects.toThrow(refused('BINDING_ARGUMENT'));
  expect(asked).toEqual([]);
  const { go: ungranted } = openFetch([], { grantOf: () => null });
  await expect(ungranted('https://api.test/')).rejects.toThrow(refused('FETCH_ORIGIN_DENIED'));
});

test('arguments of another form are refused', async () => {
  const { binding } = openFetch(['https://api.test']);
  const signal = new AbortController().signal;
  const good = { id: 1, url: 'https://api.test/', method: 'GET', headers: [], body: null };
  for (const args of [
    null,
    [],
    ['https://api.test/'],
    [{ ...good }],
    [{ ...good, redirect: 'follow', lookup: 'x' }],
    [{ ...good, redirect: 'follow', headers: { a: 'b' } }],
    [{ ...good, redirect: 'follow', body: 'eA==' }],
  ])
    await expect(binding.call(GRANT, 'fetch', args, signal)).rejects.toThrow(
      refused('BINDING_ARGUMENT'),
    );
  await expect(binding.call(GRANT, 'connect', [], signal)).rejects.toThrow(
    refused('BINDING_ARGUMENT'),
  );
});

test('a name that changes its address after the check is connected to where it was checked', async () => {
  await using checked = await serve((_request, response) => response.end('checked'), '127.0.0.2');
  const origin = `http://rebind.test:${checked.port}`;
  await using _inside = await serveAt(checked.port, '127.0.0.1', 'inside');
  let asked = 0;
  const { go } = openFetch([origin], {
    addresses: ['127.0.0.2/32'],
    resolve: async () => {
      asked += 1;
      return [{ address: asked === 1 ? '127.0.0.2' : '127.0.0.1', family: 4 }];
    },
  });
  expect((await go(origin)).text).toBe('checked');
  expect(asked).toBe(1);
  // The second fetch gets the second answer, and with it a refusal: nothing is remembered of the first.
  await expect(go(origin)).rejects.toThrow(refused('FETCH_ADDRESS_DENIED'));
  expect(asked).toBe(2);
});

/** A server on a port that another address has already. */
async function serveAt(port: number, host: string, text: string): Promise<AsyncDisposable> {
  const server = createTcp((socket) => {
    socket.on('error', () => {});
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  });
  await new Promise<void>((resolve) => void server.listen(port, host, resolve));
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a server that sends interim answers without end is left', async () => {
  const server = createTcp((socket) => {
    socket.on('error', () => undefined);
    const more = () => socket.writable && socket.write('HTTP/1.1 103 Early Hints\r\nx: y\r\n\r\n');
    socket.on('data', () => more());
    const timer = setInterval(more, 1);
    socket.on('close', () => clearInterval(timer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://api.test:${(server.address() as AddressInfo).port}`;
  const { go } = openFetch([origin], { limits: { timeoutMs: 20_000 } });
  await expect(go(origin)).rejects.toThrow(refused('FETCH_FAILED'));
  server.close();
});

test('each hop of a redirect is resolved once and checked anew', async () => {
  await using server = await serve((request, response) => {
    const target = request.url === '/1' ? '/2' : `http://inside.test:${server.port}/3`;
    response.writeHead(302, { location: target }).end('nobody reads this');
  });
  const asked: string[] = [];
  const names = ['out', 'inside'].map((name) => `http://${name}.test:${server.port}`);
  const { go } = openFetch(names, {
    addresses: ['127.0.0.1/32'],
    resolve: async (name) => {
      asked.push(name);
      return [{ address: name === 'out.test' ? '127.0.0.1' : '10.0.0.1', family: 4 }];
    },
  });
  await expect(go(`${names[0]}/1`)).rejects.toThrow(refused('FETCH_ADDRESS_DENIED', 'private'));
  expect(asked).toEqual(['out.test', 'out.test', 'inside.test']);
  expect(server.hits()).toBe(2);
});

test('a redirect out of the granted origins is refused, and not asked', async () => {
  await using other = await serve((_request, response) => response.end('never'));
  const elsewhere = [
    `http://127.0.0.1:${other.port}/`,
    `//other.test:${other.port}/`,
    'file:///etc/passwd',
    'http://169.254.169.254/',
  ];
  await using server = await serve((request, response) => {
    const location = elsewhere[Number(request.url?.slice(1))] ?? '';
    response.writeHead(307, { location }).end();
  });
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin]);
  for (const [index] of elsewhere.entries())
    await expect(go(`${origin}/${index}`)).rejects.toThrow(refused('FETCH_ORIGIN_DENIED'));
  expect(other.hits()).toBe(0);
});

test('credentials stay with their origin, also on the way back to it', async () => {
  const seen: string[] = [];
  await using server = await serve((request, response) => {
    const { host, authorization, cookie } = request.headers;
    seen.push(
      [
        host?.split('.')[0],
        request.url,
        authorization,
        cookie,
        request.headers['x-api-key'],
        request.headers['x-other'],
      ].join(' '),
    );
    const next: Record<string, string> = {
      '/1': '/2',
      '/2': `http://b.test:${server.port}/3`,
      '/3': `http://a.test:${server.port}/4`,
    };
    const location = next[request.url ?? ''];
    if (location) response.writeHead(307, { location }).end();
    else response.end('done');
  });
  const { go } = openFetch(['a', 'b'].map((name) => `http://${name}.test:${server.port}`));
  const answer = await go(`http://a.test:${server.port}/1`, {
    headers: [
      ['Authorization', 'Bearer t'],
      ['Cookie', 'c=1'],
      ['X-Api-Key', 'k'],
      ['X-Other', 'o'],
    ],
  });
  expect(answer).toMatchObject({
    text: 'done',
    redirected: true,
    url: `http://a.test:${server.port}/4`,
  });
  expect(seen).toEqual([
    'a /1 Bearer t c=1 k o',
    'a /2 Bearer t c=1 k o',
    'b /3    o',
    'a /4    o',
  ]);
});

test('methods and bodies change with redirects as the Fetch Standard says', async () => {
  const seen: string[] = [];
  await using server = await serve((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.url === '/end') {
        seen.push(`${request.method} ${body} ${request.headers['content-type'] ?? '-'}`);
        response.end();
      } else response.writeHead(Number(request.url?.slice(1)), { location: '/end' }).end();
    });
  });
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin]);
  for (const [status, method] of [
    [301, 'POST'],
    [302, 'PUT'],
    [303, 'PUT'],
    [307, 'POST'],
    [308, 'POST'],
  ])
    await go(`${origin}/${status}`, {
      method: String(method),
      body: 'b',
      headers: [['content-type', 'text/x']],
    });
  expect(seen).toEqual(['GET  -', 'PUT b text/x', 'GET  -', 'POST b text/x', 'POST b text/x']);
});

test('redirects end: after five, at once when unwanted, or handed over', async () => {
  await using server = await serve((_request, response) =>
    response.writeHead(302, { location: '/again' }).end('moved'),
  );
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin]);
  await expect(go(origin)).rejects.toThrow(refused('FETCH_FAILED', '5 redirects'));
  expect(server.hits()).toBe(6);
  await expect(go(origin, { redirect: 'error' })).rejects.toThrow(refused('FETCH_FAILED'));
  const manual = await go(origin, { redirect: 'manual' });
  expect(manual).toMatchObject({ status: 302, text: 'moved', redirected: false });
  expect(manual.headers).toContainEqual(['location', '/again']);
});

test.each([
  ['gzip', gzipSync('text')],
  ['deflate', deflateSync('text')],
  ['br', brotliCompressSync('text')],
  ['identity', Buffer.from('text')],
  ['deflate, gzip', gzipSync(deflateSync('text'))],
])('a body in %s is handed over plain, without saying so', async (encoding, body) => {
  await using server = await serve((_request, response) =>
    response.setHeader('content-encoding', encoding).end(body),
  );
  const origin = `http://api.test:${server.port}`;
  const answer = await openFetch([origin]).go(origin);
  expect(answer.text).toBe('text');
  const names = answer.headers.map(([name]) => name);
  expect(names).not.toContain('content-encoding');
  expect(names).not.toContain('content-length');
});

const BOMB = 64 * 1_048_576;
const EMPTY = gzipSync('');
test.each([
  ['gzip', gzipSync(Buffer.alloc(BOMB))],
  ['deflate', deflateSync(Buffer.alloc(BOMB))],
  ['br', brotliCompressSync(Buffer.alloc(BOMB))],
  ['gzip, gzip', gzipSync(gzipSync(Buffer.alloc(BOMB)))],
  // A layer that grows to megabytes of members of nothing.
  ['gzip, gzip', gzipSync(Buffer.alloc(EMPTY.length * 100_000, EMPTY))],
])('a %s bomb is cut off at the cap', async (encoding, bomb) => {
  await using server = await serve((_request, response) =>
    response.setHeader('content-encoding', encoding).end(bomb),
  );
  const origin = `http://api.test:${server.port}`;
  expect(bomb.length).toBeLessThan(100_000);
  const { go } = openFetch([origin]);
  await expect(go(origin)).rejects.toThrow(refused('FETCH_TOO_LARGE'));
});

test('compressed bytes that never become any count too, and so does an endless body', async () => {
  // Empty stored blocks: input without output, for as long as one likes.
  const nothing = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]),
    ...Array.from({ length: 20_000 }, () => Buffer.from([0, 0, 0, 0xff, 0xff])),
  ]);
  await using server = await serve((request, response) => {
    if (request.url === '/empty') {
      response.setHeader('content-encoding', 'gzip').end(nothing);
      return;
    }
    const write = (): void => {
      while (response.write(Buffer.alloc(16_384)));
    };
    response.on('drain', write);
    write();
  });
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin], { limits: { responseBytes: 50_000 } });
  await expect(go(`${origin}/empty`)).rejects.toThrow(refused('FETCH_TOO_LARGE'));
  await expect(go(`${origin}/endless`)).rejects.toThrow(refused('FETCH_TOO_LARGE'));
});

test.each([
  ['zstd', Buffer.from('x')],
  ['gzip, gzip, gzip', Buffer.from('x')],
  ['gzip', Buffer.from('not gzip')],
  ['gzip', gzipSync('a text that is cut').subarray(0, 20)],
])('a body that says %s and is not is a failure', async (encoding, body) => {
  await using server = await serve((_request, response) =>
    response.setHeader('content-encoding', encoding).end(body),
  );
  const origin = `http://api.test:${server.port}`;
  await expect(openFetch([origin]).go(origin)).rejects.toThrow(refused('FETCH_FAILED'));
});

test('answers without a body are taken, whatever their headers say', async () => {
  await using server = await serve((request, response) => {
    response.setHeader('content-encoding', 'gzip');
    response.writeHead(request.method === 'HEAD' ? 200 : 304).end();
  });
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin]);
  expect(await go(origin, { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  expect(await go(origin)).toMatchObject({ status: 304, text: '' });
});

test('a body that is too large is not sent', async () => {
  await using server = await serve((_request, response) => response.end());
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin], { limits: { requestBytes: 10 } });
  await expect(go(origin, { method: 'POST', body: 'x'.repeat(11) })).rejects.toThrow(
    refused('FETCH_TOO_LARGE'),
  );
  expect(server.hits()).toBe(0);
});

test('no head, a slow body and a resolver that does not answer end with the time', async () => {
  await using server = await serve((request, response) => {
    if (request.url === '/slow') response.write('a little');
  });
  const origin = `http://api.test:${server.port}`;
  const limits = { timeoutMs: 100 };
  const { go } = openFetch([origin], { limits });
  await expect(go(`${origin}/never`)).rejects.toThrow(refused('FETCH_TIMEOUT'));
  await expect(go(`${origin}/slow`)).rejects.toThrow(refused('FETCH_TIMEOUT'));
  const stuck = openFetch([origin], { limits, resolve: () => new Promise(() => {}) });
  await expect(stuck.go(origin)).rejects.toThrow(refused('FETCH_TIMEOUT'));
});

test('a fetch ends with its call, and when the plug-in gives it up; its connection is closed', async () => {
  let open = 0;
  await using server = await serve((request) => {
    open += 1;
    request.socket.on('close', () => (open -= 1));
  });
  const origin = `http://api.test:${server.port}`;
  const { go, binding } = openFetch([origin]);
  const call = new AbortController();
  const first = go(origin, { signal: call.signal, id: 7 });
  const second = go(origin, { id: 8 });
  const outcomes = Promise.allSettled([first, second]);
  await waitFor(() => open === 2);
  const { signal } = new AbortController();
  // Numbers of another org's or call's fetches are not known.
  await binding.call({ ...GRANT, org: 'urn:vcloud:org:b' }, 'abort', [8], signal);
  await binding.call({ ...GRANT, callId: 'c-2' }, 'abort', [8], signal);
  call.abort();
  await waitFor(() => open === 1);
  await binding.call(GRANT, 'abort', [8], signal);
  await waitFor(() => open === 0);
  expect((await outcomes).map((one) => one.status === 'rejected' && one.reason)).toEqual([
    refused('FETCH_TIMEOUT'),
    refused('FETCH_FAILED', 'gave it up'),
  ]);
});

test('one org at its cap does not take the place of another', async () => {
  const held: (() => void)[] = [];
  await using server = await serve((_request, response) => void held.push(() => response.end()));
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin], { limits: { concurrency: 1 } });
  const first = go(origin);
  await waitFor(() => held.length === 1);
  await expect(go(origin)).rejects.toThrow(refused('FETCH_RATE_EXCEEDED'));
  const other = go(origin, { grant: { ...GRANT, org: 'urn:vcloud:org:b' } });
  await waitFor(() => held.length === 2);
  for (const end of held) end();
  await Promise.all([first, other]);
});

test('what is no HTTP, no connection, or an upgrade is a failure with a short reason', async () => {
  const texts: Record<string, string> = {
    nonsense: 'SSH-2.0-OpenSSH\r\n',
    upgrade: 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
    status: 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n',
    head: `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
    cut: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort',
    nowhere: 'HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n',
  };
  const server = createTcp((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      const name = /^GET \/(\w+)/.exec(data.toString())?.[1] ?? '';
      socket.end(texts[name] ?? '');
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const origin = `http://api.test:${port}`;
  const { go } = openFetch([origin]);
  for (const name of [...Object.keys(texts), 'nothing'])
    await expect(go(`${origin}/${name}`), name).rejects.toThrow(refused('FETCH_FAILED'));
  await new Promise((resolve) => server.close(resolve));
  await expect(go(origin)).rejects.toThrow(refused('FETCH_FAILED', 'ECONNREFUSED'));
});

test('certificates are checked against the name that was asked for, not the address', async () => {
  const make = (listener: Parameters<typeof serve>[0]) =>
    createTls({ cert: TEST_CERT, key: TEST_KEY }, listener) as unknown as ReturnType<
      NonNullable<Parameters<typeof serve>[2]>
    >;
  await using server = await serve((_request, response) => response.end('safe'), '127.0.0.1', make);
  const [right, wrong] = ['localhost', 'api.test'].map((name) => `https://${name}:${server.port}`);
  const trusting = openFetch([right ?? '', wrong ?? ''], { ca: [TEST_CERT] });
  expect((await trusting.go(right ?? '')).text).toBe('safe');
  await expect(trusting.go(wrong ?? '')).rejects.toThrow(
    refused('FETCH_FAILED', 'ERR_TLS_CERT_ALTNAME_INVALID'),
  );
  const { go } = openFetch([right ?? '']);
  await expect(go(right ?? '')).rejects.toThrow(refused('FETCH_FAILED'));
  expect(server.hits()).toBe(1);
});

test('proxy variables are not looked at', async () => {
  await using proxy = await serve((_request, response) => response.end('proxied'));
  await using server = await serve((_request, response) => response.end('direct'));
  const restore = setGlobalProxyFromEnv({ HTTP_PROXY: `http://127.0.0.1:${proxy.port}` });
  try {
    const origin = `http://api.test:${server.port}`;
    expect((await openFetch([origin]).go(origin)).text).toBe('direct');
    expect(proxy.hits()).toBe(0);
  } finally {
    restore();
  }
});

test('every fetch leaves a line that names plug-in, org and origin, and no path', async () => {
  await using server = await serve((_request, response) => response.end('x'));
  const lines: string[] = [];
  const log = createLog({ write: (line) => void lines.push(line) });
  const origin = `http://api.test:${server.port}`;
  const { go } = openFetch([origin], { log });
  await go(`${origin}/private/path?key=hunter2`);
  await expect(go('http://evil.test/')).rejects.toThrow();
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({
      event: 'fetch.done',
      plugin: 'p',
      org: GRANT.org,
      origin,
      code: 'OK',
    }),
    expect.objectContaining({ origin: 'http://evil.test', code: 'FETCH_ORIGIN_DENIED' }),
  ]);
  expect(lines.join('')).not.toMatch(/private|hunter2/);
});
