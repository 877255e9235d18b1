/**
 * URL and URLSearchParams in an isolate, side by side with Node's: whoever reads parts, changes them, or both.
 */
import { afterAll, expect, test } from 'vitest';
import { bundleText, openGuest, openProbe } from '../../support/guest/isolate.ts';

const probe = await openProbe();
afterAll(() => probe[Symbol.asyncDispose]());

/** The same code here and there must give the same JSON. */
async function same(code: string): Promise<void> {
  // oxlint-disable-next-line typescript/no-implied-eval -- the code is the test's own
  const here = new Function(code) as () => unknown;
  expect(await probe.run(code), code).toEqual(JSON.parse(JSON.stringify(here())));
}

const PARTS =
  'href origin protocol username password host hostname port pathname search hash'.split(' ');
const URLS = [
  'https://vcloud.example.com/api/hello?name=x&name=y&b',
  'https://vcloud.example.com/api/hello',
  'https://vcloud.example.com/?',
  'http://h/a?x=%41+b',
  'HTTP://User:pass@H:80/../x#frag',
  'https://xn--a/',
];
const STEPS = [
  `url.search = '?q=1'`,
  `url.searchParams.append('é', 'a b')`,
  `url.searchParams.delete('name')`,
  `url.pathname = '/other path'`,
  `url.port = '8443'`,
  `url.href = 'https://other.example.com/x?name=z'`,
  `url.searchParams.sort()`,
];
const LOOK = `[${PARTS.map((part) => `url.${part}`).join(',')}, String(url), JSON.stringify(url),
  String(params), params.get('name'), params.getAll('name'), params.has('name'), params.has('name', 'y'), params.size,
  [...params], [...params.keys()], params === url.searchParams]`;

test('parts are those of every platform, before and after each change', async () => {
  for (const url of URLS)
    await same(`const seen = [];
      for (const step of [() => {}, ${STEPS.map((step) => `(url) => { ${step} }`).join(',')}]) {
        for (const early of [true, false]) {
          let url; try { url = new URL(${JSON.stringify(url)}); } catch { seen.push('invalid'); continue; }
          let params = early ? url.searchParams : null;
          if (early) params.get('name');
          step(url);
          params ??= url.searchParams;
          seen.push(${LOOK});
        }
      }
      return seen;`);
});

test('queries of their own are made of whatever the standard takes', async () => {
  await same(`return ["a=1&a=2", "?a=b", "", "a=%41&b=+", [["x", "y"]], { k: "v" }, new URLSearchParams("p=q"), 5, null]
    .map((init) => { const params = new URLSearchParams(init); const before = [params.get('a'), params.getAll('a'), String(params)];
      params.append('z', 'ü'); const visited = []; params.forEach(function (value, key, all) { visited.push([key, value, all === params, this]); }, 7);
      return [before, String(params), params.has('z'), visited, [...params.entries()]]; });`);
  await same(`const params = new URLSearchParams('a=1'); const list = []; for (const [key] of params) list.push(key);
    return [list, new URLSearchParams().size, new URLSearchParams(params).get('a'), String(new URLSearchParams(undefined))];`);
});

test('wrong use fails, and the classes look as they do elsewhere', async () => {
  const throwing = [
    'new URL()',
    `new URL('/x')`,
    `URL('https://h/')`,
    `new URL('https://h/').searchParams.get()`,
    `new URLSearchParams('a=1').has()`,
    `new URLSearchParams('a=1').forEach()`,
    `URL.prototype.href`,
    `URLSearchParams.prototype.get.call({}, 'a')`,
    `URL.parse()`,
    `URL.canParse()`,
  ];
  for (const code of throwing)
    await same(
      `try { ${code}; return 'fine'; } catch (error) { return error instanceof TypeError; }`,
    );
  await same(`const shape = (of) => Object.entries(Object.getOwnPropertyDescriptors(of))
      .filter(([key]) => key !== 'constructor')
      .map(([key, { enumerable, configurable, writable, get, set, value }]) =>
        [key, enumerable, configurable, writable ?? null, typeof get, typeof set, value?.length ?? null]).sort();
    return [shape(URL.prototype), shape(URLSearchParams.prototype), URL.length, URL.name, URL.parse.length, URL.canParse.length, Object.getOwnPropertyDescriptor(URL, 'parse').enumerable, URLSearchParams.name,
      URL.canParse('https://h/'), URL.canParse('x', 'https://h/'), URL.canParse('x'), URL.parse('x'), URL.parse('/y', 'https://h/z').href,
      new URL('../x', new URL('https://h/a/b/c')).href, Object.prototype.toString.call(new URL('https://h/')),
      URLSearchParams.prototype[Symbol.iterator] === URLSearchParams.prototype.entries,
      new (class extends URL {})('https://h/p').pathname];`);
});

test('a guest that spoils built-ins before the parser is there harms itself and gets nothing', async () => {
  await using guest = await openGuest();
  const { source } = await bundleText(`const seen = new Set();
    const spy = (owner, name) => { const was = owner[name]; owner[name] = function (...args) {
      for (const each of [this, ...args]) if (typeof each === 'function') seen.add(each);
      return was.apply ? Reflect.apply(was, this, args) : undefined; }; };
    export default { fetch(request) {
      if (request.method === 'POST') {
        const { apply } = Reflect;
        for (const name of ['call', 'bind']) spy(Function.prototype, name);
        for (const name of ['push', 'map', 'forEach']) spy(Array.prototype, name);
        for (const name of ['set', 'get', 'has']) spy(Map.prototype, name);
        for (const name of ['defineProperty', 'defineProperties', 'create', 'assign']) spy(Object, name);
        let host = '';
        try { host = new URL('http://user@1.2.3.4:81/x').host } catch {}
        for (const each of seen) try { apply(each, undefined, ['log', 0, '["info","forged"]']) } catch {}
        for (const each of seen) try { apply(each, undefined, ['reply', 99, '{"status":200}']) } catch {}
        return new Response(host + ' ' + (seen.size > 0));
      }
      Object.defineProperty = Object.create = Reflect.ownKeys = () => { throw new Error('spoilt') };
      return new Response('still here');
    } };`);
  await guest.load(source);
  expect(await guest.call({ method: 'POST' })).toMatchObject({ body: '1.2.3.4:81 true' });
  expect(await guest.call()).toMatchObject({ body: 'still here' });
  expect(await guest.call({ url: 'https://10.0.0.1/a' })).toMatchObject({ body: 'still here' });
  expect(guest.logs.join()).not.toContain('forged');
  expect(guest.posted.some(({ id }) => id === 99)).toBe(false);
});

test('texts in other encodings, whose tables come late, are read as everywhere', async () => {
  await same(`const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    return ['windows-1251', ' KOI8-R ', 'iso_8859-2:1987', 'latin1', 'macintosh'].map((label) => {
      const decoder = new TextDecoder(label); return [decoder.encoding, decoder.decode(bytes)]; });`);
  await same(`try { new TextDecoder('no-such'); } catch (error) { return error.name }`);
});
