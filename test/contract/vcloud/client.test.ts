/** The vCloud client against a server that misbehaves in every way that was thought of. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openVcloud } from '../../../host/vcloud/client.ts';
import type { VcloudOptions } from '../../../host/vcloud/options.ts';
import { createLog } from '../../../host/kernel/log.ts';
import { errorXml, openFakeVcloud } from '../../support/vcloud/fake-vcloud.ts';

const PASSWORD = 'pass-word-1';

function open(url: string, options: Partial<VcloudOptions> = {}) {
  return openVcloud({
    url,
    credentials: { kind: 'password', user: 'admin', password: PASSWORD, org: 'System' },
    retryPauseMs: 1,
    ...options,
  });
}

const service = (name: string) => ({
  body: `<s:Service xmlns:s="http://www.vmware.com/vcloud/extension/v1.5" name="${name}"/>`,
});

describe('signing in', () => {
  test('nothing is sent before the first use, then version and session are got once for all callers', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    expect(client.status()).toEqual({ state: 'idle', apiVersion: null, lastError: null });
    expect(fake.seen).toHaveLength(0);
    fake.on('GET /api/a', () => service('a'));
    await Promise.all(Array.from({ length: 20 }, () => client.getXml('Service', '/api/a')));
    expect(fake.count('GET /api/versions')).toBe(1);
    expect(fake.count('POST /cloudapi/1.0.0/sessions/provider')).toBe(1);
    expect(client.status()).toMatchObject({ state: 'ready', apiVersion: '37.0' });
    const last = fake.seen.at(-1);
    expect(last?.headers).toMatchObject({
      accept: 'application/*+xml;version=37.0',
      authorization: 'Bearer access-token-1',
    });
  });

  test('a tenant signs in at the tenant endpoint', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url, {
      credentials: { kind: 'password', user: 'u', password: PASSWORD, org: 'acme' },
    });
    expect(await client.connect()).toBe('37.0');
    expect(fake.count('POST /cloudapi/1.0.0/sessions')).toBe(1);
  });

  test('before API 33.0 the old endpoint and the old token are used', async () => {
    await using fake = await openFakeVcloud({ versions: ['31.0', '32.0', '40.0'] });
    await using client = open(fake.url);
    fake.on('GET /api/a', () => service('a'));
    await client.getXml('Service', '/api/a');
    expect(fake.count('POST /api/sessions')).toBe(1);
    expect(fake.seen.at(-1)?.headers).toMatchObject({ 'x-vcloud-authorization': 'access-token-1' });
  });

  test('no version in the range is a configuration error that names what is offered', async () => {
    await using fake = await openFakeVcloud({ versions: ['5.1', '40.0'] });
    await using client = open(fake.url);
    await expect(client.connect()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('5.1, 40.0') as string,
    });
  });

  test('wrong credentials are not tried again at once, and the password is in no error, log or status', async () => {
    const lines: string[] = [];
    await using fake = await openFakeVcloud({ password: 'another' });
    let now = 0;
    await using client = open(fake.url, {
      log: createLog({ level: 'debug', write: (line) => lines.push(line) }),
      clock: { now: () => now, monotonic: () => now },
    });
    const failure = await client.request('GET', '/api/a').catch((error: unknown) => error);
    await expect(client.request('GET', '/api/a')).rejects.toMatchObject({
      code: 'VCLOUD_REFUSED',
      status: 401,
      minorErrorCode: 'UNAUTHORIZED',
    });
    expect(fake.count('POST /cloudapi/1.0.0/sessions/provider')).toBe(1);
    now = 2_001;
    await expect(client.request('GET', '/api/a')).rejects.toThrow();
    expect(fake.count('POST /cloudapi/1.0.0/sessions/provider')).toBe(2);
    // The server echoed "user:password" in its error.
    const everything = `${String(failure)} ${lines.join()} ${JSON.stringify(client.status())}`;
    expect(everything).toContain('[redacted]');
    expect(everything).not.toContain(PASSWORD);
  });

  test('an API token buys an access token and is used again after a 401', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url, {
      credentials: { kind: 'apiToken', token: 'refresh-token-0', org: 'acme' },
    });
    fake.on('GET /api/a', () => service('a'));
    await client.getXml('Service', '/api/a');
    fake.revokeAll();
    await client.getXml('Service', '/api/a');
    expect(fake.count('POST /oauth/tenant/acme/token')).toBe(2);
  });
});

describe('a service account', () => {
  async function withFile(content: string) {
    const folder = await mkdtemp(join(tmpdir(), 'vcx-token-'));
    const file = join(folder, 'token');
    await writeFile(file, content);
    return {
      folder,
      file,
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  }

  test('stores each new refresh token before the access token is used', async () => {
    await using token = await withFile('{"refresh_token": "refresh-token-0", "note": "kept"}');
    await using fake = await openFakeVcloud();
    const stored: unknown[] = [];
    let pending: Promise<unknown> = Promise.resolve();
    fake.on('GET /api/a', () => {
      pending = readFile(token.file, 'utf8').then((text) => stored.push(JSON.parse(text)));
      return service('a');
    });
    await using client = open(fake.url, {
      credentials: { kind: 'serviceAccount', tokenFile: token.file, org: 'System' },
    });
    await client.getXml('Service', '/api/a');
    await pending;
    expect(stored).toEqual([{ refresh_token: 'refresh-token-1', note: 'kept' }]);
    fake.revokeAll();
    await client.getXml('Service', '/api/a');
    await pending;
    expect(stored[1]).toEqual({ refresh_token: 'refresh-token-2', note: 'kept' });
    expect(await readdir(token.folder)).toEqual(['token']);
  });

  test('two clients with one file take turns', async () => {
    await using token = await withFile('refresh-token-0\n');
    await using fake = await openFakeVcloud();
    const credentials = { kind: 'serviceAccount', tokenFile: token.file, org: 'System' } as const;
    await using one = open(fake.url, { credentials });
    await using two = open(fake.url, { credentials });
    await Promise.all([one.connect(), two.connect()]);
    expect(await readFile(token.file, 'utf8')).toBe('refresh-token-2\n');
  });

  test('a file that is not there is a configuration error, and nothing was sent with it', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url, {
      credentials: { kind: 'serviceAccount', tokenFile: '/nonexistent/token', org: 'System' },
    });
    await expect(client.connect()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect(fake.count('POST /oauth/provider/token')).toBe(0);
  });
});

describe('a session that ends', () => {
  test('is renewed once for all calls that met a 401, and the calls succeed', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    fake.on('GET /api/a', () => service('a'));
    fake.on('POST /api/b', () => ({ status: 201 }));
    await client.connect();
    fake.revokeAll();
    const calls = Array.from({ length: 10 }, () => client.getXml('Service', '/api/a'));
    await Promise.all([...calls, client.request('POST', '/api/b', { body: 'x' })]);
    expect(fake.count('POST /cloudapi/1.0.0/sessions/provider')).toBe(2);
  });

  test('and is refused again in the new session is an error with status 401', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    fake.on('GET /api/a', () => errorXml(401, 'UNAUTHORIZED', 'never'));
    await expect(client.request('GET', '/api/a')).rejects.toMatchObject({ status: 401 });
    expect(fake.count('GET /api/a')).toBe(2);
  });
});

describe('failures', () => {
  test('idempotent requests are repeated, a POST is not unless it says so', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    const down = () => errorXml(503, 'UNAVAILABLE', 'busy');
    fake.on('GET /api/a', down, down, () => service('a'));
    expect(await client.getXml('Service', '/api/a')).toMatchObject({ name: 'a' });
    fake.on('POST /api/b', down, () => service('b'));
    await expect(client.request('POST', '/api/b')).rejects.toMatchObject({
      code: 'VCLOUD_UNAVAILABLE',
      status: 503,
    });
    expect(fake.count('POST /api/b')).toBe(1);
    fake.on('POST /api/c', down, () => service('c'));
    expect((await client.request('POST', '/api/c', { idempotent: true })).status).toBe(200);
  });

  test('several in a row open the breaker, which lets one try through after its pause', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url, { attempts: 1, breakerFailures: 3, breakerPauseMs: 50 });
    fake.on('GET /api/a', () => errorXml(500, 'INTERNAL_SERVER_ERROR', 'no'));
    for (let n = 0; n < 3; n += 1) await expect(client.request('GET', '/api/a')).rejects.toThrow();
    await expect(client.request('GET', '/api/a')).rejects.toThrow(/several times in a row/);
    expect(fake.count('GET /api/a')).toBe(3);
    fake.on('GET /api/a', () => service('a'));
    await expect
      .poll(() =>
        client.request('GET', '/api/a').then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
    expect(client.status().state).toBe('ready');
  });

  test('a server that is not there is VCLOUD_UNAVAILABLE, and the client recovers when it comes', async () => {
    const fake = await openFakeVcloud();
    await fake[Symbol.asyncDispose]();
    await using client = open(fake.url);
    await expect(client.connect()).rejects.toMatchObject({ code: 'VCLOUD_UNAVAILABLE' });
    expect(client.status()).toMatchObject({ state: 'failing' });
  });

  test('a slow answer ends at the time limit', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url, { requestTimeoutMs: 100, attempts: 1 });
    await client.connect();
    fake.on('GET /api/a', () => null);
    await expect(client.request('GET', '/api/a')).rejects.toThrow(/no answer in 100 ms/);
  });

  test('a caller that gives up gets VCLOUD_UNAVAILABLE, and it does not count for the breaker', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url, { breakerFailures: 1 });
    await client.connect();
    const leaving = new AbortController();
    fake.on('GET /api/a', () => {
      leaving.abort();
      return null;
    });
    await expect(client.request('GET', '/api/a', { signal: leaving.signal })).rejects.toMatchObject(
      { code: 'VCLOUD_UNAVAILABLE' },
    );
    fake.on('GET /api/b', () => service('b'));
    expect((await client.request('GET', '/api/b')).status).toBe(200);
  });

  test('an answer above the cap is cut off while it streams', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url, { maxAnswerBytes: 100_000 });
    let sent = 0;
    fake.on('GET /api/a', (_, response) => {
      const chunk = Buffer.alloc(65_536, 'x');
      const more = (): void => {
        while (!response.destroyed && sent < 100_000_000) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
      return null;
    });
    await expect(client.request('GET', '/api/a')).rejects.toMatchObject({
      code: 'XML_INVALID',
      message: expect.stringContaining('larger than 100000') as string,
    });
    expect(sent).toBeLessThan(50_000_000);
  });

  test.each([
    ['malformed XML', '<a><b></a>'],
    ['a bomb', '<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'],
    ['another document', '<a/>'],
    ['a page of a proxy', 'hello'],
    ['nothing', ''],
  ])('%s instead of the document is XML_INVALID', async (_, body) => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    fake.on('GET /api/a', () => ({ body }));
    await expect(client.getXml('Service', '/api/a')).rejects.toMatchObject({ code: 'XML_INVALID' });
  });

  test('errors come typed from XML, from JSON and from a page that is neither', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    fake.on('GET /api/a', () => errorXml(400, 'DUPLICATE_NAME', 'taken'));
    await expect(client.request('GET', '/api/a')).rejects.toMatchObject({
      code: 'VCLOUD_REFUSED',
      status: 400,
      majorErrorCode: 400,
      minorErrorCode: 'DUPLICATE_NAME',
      message: 'GET /api/a: 400 DUPLICATE_NAME: taken',
    });
    const body = JSON.stringify({ message: 'no', majorErrorCode: 403, minorErrorCode: 'X' });
    fake.on('GET /api/b', () => ({ status: 403, type: 'application/json', body }));
    await expect(client.request('GET', '/api/b?secret=1')).rejects.toMatchObject({
      message: 'GET /api/b: 403 X: no',
    });
    fake.on('GET /api/c', () => ({ status: 404, type: 'text/html', body: '<html>' }));
    await expect(client.request('GET', '/api/c')).rejects.toMatchObject({
      status: 404,
      minorErrorCode: null,
    });
    expect((await client.request('GET', '/api/c', { raw: true })).status).toBe(404);
  });
});

describe('where the session goes', () => {
  test('redirects are not followed', async () => {
    await using other = await openFakeVcloud();
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    fake.on('GET /api/a', () => ({ status: 302, headers: { location: `${other.url}/api/a` } }));
    await expect(client.request('GET', '/api/a')).rejects.toMatchObject({ status: 302 });
    expect(other.seen).toHaveLength(0);
  });

  test.each([
    'http://elsewhere.invalid/api/a',
    '//elsewhere.invalid/api/a',
    'http://user:x@elsewhere.invalid/api/a',
    'http://elsewhere.invalid//api/a',
  ])('only the path of the href %s is used', async (href) => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    fake.on('GET /api/a', () => service('a'));
    fake.on('GET //api/a', () => service('a'));
    expect((await client.request('GET', href)).status).toBe(200);
  });

  test('headers of a caller never replace those of the session', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake.url);
    fake.on('GET /api/a', () => service('a'));
    await client.request('GET', '/api/a', {
      headers: { Authorization: 'Bearer mine', 'X-B': 'c' },
    });
    expect(fake.seen.at(-1)?.headers).toMatchObject({
      authorization: 'Bearer access-token-1',
      'x-b': 'c',
    });
  });

  test.each([
    ['http://vcd.example.com', {}],
    ['ftp://127.0.0.1', {}],
    ['https://user:pw@vcd.example.com', {}],
    ['https://vcd.example.com', { fingerprint: 'AB:CD' }],
    ['https://vcd.example.com', { caFile: '/nonexistent/ca.pem' }],
  ])('%s with %j is refused at the door', (url, tls) => {
    expect(() => open(url, { tls })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  test('disposing signs out', async () => {
    await using fake = await openFakeVcloud();
    const client = open(fake.url);
    await client.connect();
    await client[Symbol.asyncDispose]();
    expect(fake.count('DELETE /api/session')).toBe(1);
  });
});
