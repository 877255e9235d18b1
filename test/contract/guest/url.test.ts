/**
 * URL and URLSearchParams in an isolate, side by side with Node's: whoever reads parts, changes them, or both.
 */
import { afterAll, expect, test } from 'vitest';
import { openProbe } from '../../support/guest/isolate.ts';

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
