import { expect, test } from 'vitest';

import { notPublic, plainAddress, rangesOf } from '../../../host/bindings/fetch/addresses.ts';
import { fetchGrantSchema } from '../../../host/bindings/fetch/grant.ts';
import { createGuard, type GuardOptions } from '../../../host/bindings/fetch/guard.ts';
import {
  answerHeaders,
  requestHeaders,
  withoutCredentials,
} from '../../../host/bindings/fetch/headers.ts';
import { createFetchMeter } from '../../../host/bindings/fetch/meter.ts';
import { fromHostsFile } from '../../../host/bindings/fetch/resolver.ts';

const never = new AbortController().signal;
const refused = (code: string) => expect.objectContaining({ code });

test.each([
  ['0.0.0.0', 'unspecified'],
  ['10.255.0.1', 'private'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.127.255.255', 'carrier-grade NAT'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['169.254.169.254', 'link-local'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.0.2.1', 'documentation'],
  ['192.88.99.1', '6to4 relay'],
  ['192.168.1.1', 'private'],
  ['198.18.0.1', 'benchmarking'],
  ['203.0.113.9', 'documentation'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.250', 'multicast'],
  ['255.255.255.255', 'broadcast'],
  ['250.1.2.3', 'reserved'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'IPv4-mapped'],
  ['::ffff:a00:1', 'IPv4-mapped'],
  ['::ffff:8.8.8.8', 'IPv4-mapped'],
  ['0:0:0:0:0:ffff:7f00:1', 'IPv4-mapped'],
  ['::127.0.0.1', 'IPv4-compatible'],
  ['64:ff9b::7f00:1', 'NAT64'],
  ['64:ff9b:1::a00:1', 'NAT64'],
  ['2001::1', 'Teredo'],
  ['2001:db8::1', 'documentation'],
  ['2002:7f00:1::', '6to4'],
  ['3fff::1', 'documentation'],
  ['fc00::1', 'unique-local'],
  ['fdff::1', 'unique-local'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'not an address'],
  ['fec0::1', 'site-local'],
  ['ff02::1', 'multicast'],
  ['4000::1', 'reserved'],
  ['localhost', 'not an address'],
])('%s is not public: %s', (address, why) => {
  expect(notPublic(address)).toBe(why);
});

test.each(['8.8.8.8', '100.63.255.255', '100.128.0.1', '172.15.0.1', '172.32.0.1', '2606:4700::1'])(
  '%s is public',
  (address) => expect(notPublic(address)).toBe(null),
);

test('one place has one form, however it is carried', () => {
  expect(plainAddress('::ffff:127.0.0.1')).toBe('127.0.0.1');
  expect(plainAddress('0:0:0:0:0:FFFF:7f00:0001')).toBe('127.0.0.1');
  expect(plainAddress('64:ff9b::808:808')).toBe('8.8.8.8');
  expect(plainAddress('2606:4700:0:0::1')).toBe('2606:4700::1');
});

test.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0/8', 'example.com', '::/129', '10.0.0.0/-1', ''])(
  'the range %j is refused',
  (range) => expect(() => rangesOf([range])).toThrow(refused('CONFIG_INVALID')),
);

function guardFor(
  answers: Record<string, readonly string[]>,
  options: Partial<GuardOptions> & { own?: Record<string, readonly string[]> } = {},
) {
  const asked: string[] = [];
  const guard = createGuard({
    addresses: [],
    forbidden: () => [],
    resolve: async (name) => {
      asked.push(name);
      return (answers[name] ?? []).map((address) => ({
        address,
        family: address.includes(':') ? 6 : 4,
      }));
    },
    resolveOwn: async (name) => {
      const found = options.own?.[name];
      if (!found) throw new Error('ENOTFOUND');
      return found;
    },
    ...options,
  });
  return { asked, admit: (url: string) => guard.admit(new URL(url), never) };
}

test('a public address passes, resolved once', async () => {
  const { admit, asked } = guardFor({ 'api.example.com': ['8.8.8.8', '2606:4700::1'] });
  expect(await admit('https://API.example.com/x')).toEqual([
    { address: '8.8.8.8', family: 4 },
    { address: '2606:4700::1', family: 6 },
  ]);
  expect(asked).toEqual(['api.example.com']);
});

test('one bad address among good ones refuses the name', async () => {
  const { admit } = guardFor({ 'api.example.com': ['8.8.8.8', '10.0.0.1'] });
  await expect(admit('https://api.example.com/')).rejects.toThrow(refused('FETCH_ADDRESS_DENIED'));
});

test.each([
  'http://127.0.0.1/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://0177.0.0.1/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[64:ff9b::127.0.0.1]/',
  'http://169.254.169.254/latest/meta-data',
  'http://0/',
])('the literal %s is refused without a look-up', async (url) => {
  const { admit, asked } = guardFor({});
  await expect(admit(url)).rejects.toThrow(refused('FETCH_ADDRESS_DENIED'));
  expect(asked).toEqual([]);
});

test('listed ranges pass, and nothing beside them', async () => {
  const { admit } = guardFor(
    { a: ['10.1.2.3'], b: ['10.2.0.1'], c: ['fd00:1::5'] },
    { addresses: ['10.1.0.0/16', 'fd00:1::/32'] },
  );
  await admit('http://a/');
  await admit('http://c/');
  await expect(admit('http://b/')).rejects.toThrow(refused('FETCH_ADDRESS_DENIED'));
});

test('a name without an address, and a resolver that fails, are FETCH_FAILED', async () => {
  const { admit } = guardFor({});
  await expect(admit('http://nowhere/')).rejects.toThrow(refused('FETCH_FAILED'));
  const failing = guardFor({}, { resolve: () => Promise.reject(new Error('SERVFAIL')) });
  await expect(failing.admit('http://x/')).rejects.toThrow(refused('FETCH_FAILED'));
});

test('the cell is refused by name and by address, at every port, even when it is listed', async () => {
  const { admit } = guardFor(
    {
      'cell.example.com': ['9.9.9.9'],
      alias: ['10.0.0.7'],
      mapped: ['::ffff:10.0.0.7'],
      nat64: ['64:ff9b::a00:7'],
      neighbour: ['10.0.0.8'],
    },
    {
      addresses: ['10.0.0.0/8', '::ffff:0:0/96', '64:ff9b::/96'],
      forbidden: () => [{ host: 'Cell.Example.com', port: 443 }],
      own: { 'cell.example.com': ['10.0.0.7'] },
    },
  );
  for (const url of [
    'https://cell.example.com/',
    'http://alias:8443/',
    'http://mapped/',
    'http://nat64/',
    'http://10.0.0.7/',
    'http://[::ffff:10.0.0.7]/',
  ])
    await expect(admit(url), url).rejects.toThrow(refused('FETCH_ADDRESS_DENIED'));
  await admit('http://neighbour/');
});

test('a server of ours on loopback is refused at its port by every address of this machine, others are not', async () => {
  const { admit } = guardFor(
    { here: ['127.0.0.2'], 'plugin-db': ['127.0.0.1'] },
    {
      addresses: ['127.0.0.0/8', '::1/128', '0.0.0.0/32'],
      forbidden: () => [{ host: 'localhost', port: 9_090 }],
      own: { localhost: ['127.0.0.1', '::1'] },
    },
  );
  for (const url of [
    'http://127.0.0.1:9090/',
    'http://here:9090/',
    'http://[::1]:9090/',
    'http://0:9090/',
  ])
    await expect(admit(url), url).rejects.toThrow(refused('FETCH_ADDRESS_DENIED'));
  await admit('http://plugin-db:9091/');
});

test('while the addresses of our own servers are not known nothing passes; once known they are remembered', async () => {
  const own: Record<string, readonly string[]> = {};
  let now = 0;
  const { admit } = guardFor(
    { a: ['8.8.8.8'] },
    {
      forbidden: () => [{ host: 'cell', port: 443 }],
      own,
      clock: { now: () => now, monotonic: () => now },
    },
  );
  await expect(admit('http://a/')).rejects.toThrow(refused('FETCH_FAILED'));
  own['cell'] = ['9.9.9.9'];
  await admit('http://a/');
  delete own['cell'];
  now += 3_600_000;
  await admit('http://a/');
});

test('names in the hosts file are found, comments and other names are not', () => {
  const text =
    '127.0.0.1 localhost\n# 1.2.3.4 api\n10.0.0.5\tapi.example.com api # here\n::1 api\n';
  expect(fromHostsFile(text, 'api')).toEqual([
    { address: '10.0.0.5', family: 4 },
    { address: '::1', family: 6 },
  ]);
  expect(fromHostsFile(text, 'here')).toEqual([]);
});

test('origins are exact: no path, user, wildcard, default port, or other scheme', () => {
  const parse = (origin: string) => fetchGrantSchema.safeParse({ origins: [origin] }).success;
  expect(parse('https://api.example.com')).toBe(true);
  expect(parse('http://10.1.2.3:8080')).toBe(true);
  expect(parse('http://[2606:4700::1]')).toBe(true);
  for (const wrong of [
    'https://api.example.com/',
    'https://api.example.com:443',
    'https://API.example.com',
    'https://user@api.example.com',
    'https://*.example.com',
    'https://api.example.com.',
    'ftp://api.example.com',
    'file://',
    'api.example.com',
    '*',
  ])
    expect(parse(wrong), wrong).toBe(false);
});

test('headers of the connection and of ours are taken out, both ways', () => {
  const sent = requestHeaders([
    ['Host', 'cell'],
    ['Connection', 'close, X-Mine'],
    ['X-Mine', '1'],
    ['Transfer-Encoding', 'chunked'],
    ['Content-Length', '3'],
    ['Proxy-Authorization', 'Basic x'],
    ['Expect', '100-continue'],
    ['Accept', 'text/plain'],
  ]);
  expect(sent).toEqual([['accept', 'text/plain']]);
  const raw = ['Connection', 'X-Hop', 'X-Hop', '1', 'Content-Encoding', 'gzip', 'ETag', '"e"'];
  expect(answerHeaders([...raw, 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'])).toEqual([
    ['etag', '"e"'],
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ]);
});

test.each([
  ['x\r\ny', '1'],
  ['x y', '1'],
  ['', '1'],
  ['x', '1\r\nHost: evil'],
  ['x', '1\n'],
  ['x', '\u0000'],
  ['x', '\u010a'],
])('the header %j: %j is refused', (name, value) => {
  expect(() => requestHeaders([[name, value]])).toThrow(refused('BINDING_ARGUMENT'));
});

test('too many headers are refused', () => {
  const many = Array.from({ length: 101 }, (_, i): [string, string] => [`x-${i}`, '1']);
  expect(() => requestHeaders(many)).toThrow(refused('BINDING_ARGUMENT'));
  expect(() => requestHeaders([['x', 'y'.repeat(40_000)]])).toThrow(refused('BINDING_ARGUMENT'));
});

test('whatever carries a credential does not go to another origin', () => {
  const names = ['authorization', 'cookie', 'x-api-key', 'x-auth-token', 'accept'];
  expect(withoutCredentials(names.map((name) => [name, '1']))).toEqual([['accept', '1']]);
});

test('fetches are counted for each plug-in and org, at once and over time', () => {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  const meter = createFetchMeter({ concurrency: 2, perSecond: 1, burst: 3 }, clock);
  const first = meter.enter('p', 'a');
  meter.enter('p', 'a');
  expect(() => meter.enter('p', 'a')).toThrow(refused('FETCH_RATE_EXCEEDED'));
  meter.enter('p', 'b');
  meter.enter('q', 'a');
  first[Symbol.dispose]();
  const third = meter.enter('p', 'a');
  third[Symbol.dispose]();
  expect(() => meter.enter('p', 'a')).toThrow(/per second/);
  now += 1_000;
  meter.enter('p', 'a');
});
