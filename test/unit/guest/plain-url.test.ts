import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainPairs, plainUrl } from '../../../sdk/guest/platform/plain-url.ts';

const PIECES =
  `a B 0 9 - _ . .. / %2e %2E %41 % ~ ' " < = & + ; @ : ? # \\ é xn-- 0x1 127.1 [::1]`.split(' ');
const piece = fc.constantFrom(' ', '\t', ...PIECES);
const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
const host = fc.oneof(
  fc.constantFrom('vcloud.example.com', 'h', 'a.b', '1.2.3.4', 'a.1', 'a.0x1', 'a..b', 'b.'),
  text,
);
const urls = fc
  .tuple(fc.constantFrom('http', 'https', 'HTTP', 'ftp'), host, text, fc.option(text))
  .map(
    ([scheme, name, path, query]) =>
      `${scheme}://${name}/${path}${query === null ? '' : `?${query}`}`,
  );

test('a URL that is taken to be plain is one that the parser would leave as it is', () => {
  let plain = 0;
  fc.assert(
    fc.property(urls, (url) => {
      const record = plainUrl(url);
      if (!record) return;
      plain++;
      const { scheme, host: name, path, query } = record;
      expect(`${scheme}://${name}${path}${query === undefined ? '' : `?${query}`}`).toBe(url);
      expect(new URL(url).href).toBe(url);
      expect(new URL(url).host).toBe(name);
    }),
    { numRuns: 20_000 },
  );
  expect(plain).toBeGreaterThan(100);
});

test('usual URLs are plain, and what may mean something else is not', () => {
  const plain = 'https://vcloud.example.com/api/hello?name=x https://h/ http://a.b/c/?';
  for (const url of plain.split(' ')) expect(plainUrl(url), url).not.toBeNull();
  const special = `https://h https://H/ https://u@h/ https://h:80/ https://h/#x https://1.2.3.4/ https://h/../x
    https://h/%2e%2E/x https://xn--a/ data:text/plain,`;
  for (const url of ['https://h/a b', ...special.split(/\s+/)])
    expect(plainUrl(url), url).toBeNull();
});

test('names and values of a query are those that the standard gives', () => {
  fc.assert(
    fc.property(text, (query) => {
      const pairs = plainPairs(query);
      // A leading question mark is no part of a query that comes from a URL.
      if (pairs && !query.startsWith('?')) expect(pairs).toEqual([...new URLSearchParams(query)]);
    }),
    { numRuns: 5_000 },
  );
  expect(plainPairs('a=b&c&=d&&e=f=g')).toHaveLength(4);
  expect(plainPairs('a=%41')).toBeNull();
});
