/**
 * Responses of text without settings, which have neither headers nor stream before somebody asks for them.
 */
import { afterAll, expect, test } from 'vitest';
import { openProbe } from '../../support/guest/isolate.ts';

const probe = await openProbe();
afterAll(() => probe[Symbol.asyncDispose]());

const REPLIES: Readonly<Record<string, [headers: string[][], body: string]>> = {
  [`return new Response('text')`]: [[['content-type', 'text/plain;charset=UTF-8']], 'text'],
  [`return new Response('')`]: [[['content-type', 'text/plain;charset=UTF-8']], ''],
  [`return new Response('a\\ud800\\nb')`]: [
    [['content-type', 'text/plain;charset=UTF-8']],
    'a\ufffd\nb',
  ],
  [`return Response.json({ a: 'ü' })`]: [[['content-type', 'application/json']], '{"a":"ü"}'],
  [`const r = Response.json(1); r.headers.set('x-a', '1'); r.headers.delete('content-type'); return r`]:
    [[['x-a', '1']], '1'],
  [`const r = Response.json(1); r.headers; return r`]: [
    [['content-type', 'application/json']],
    '1',
  ],
  [`const r = Response.json(1).clone(); r.headers.append('x-a', '1'); return r`]: [
    [
      ['content-type', 'application/json'],
      ['x-a', '1'],
    ],
    '1',
  ],
  [`const r = Response.json(1); return new Response(r.body, r)`]: [
    [['content-type', 'application/json']],
    '1',
  ],
  [`Object.prototype.headers = [['x', 'y']]; try { return Response.json(1) } finally { delete Object.prototype.headers }`]:
    [[['content-type', 'application/json']], '1'],
};

test.for(Object.entries(REPLIES))('%s', async ([code, [headers, body]]) => {
  const answer = await probe.guest.call({
    method: 'POST',
    body: Buffer.from(code).toString('base64'),
  });
  expect(answer).toMatchObject({ kind: 'reply', body, reply: { status: 200, headers } });
});

test('they say of themselves what others do', async () => {
  const looks = `({ status: r.status, ok: r.ok, type: r.type, url: r.url, text: r.statusText, again: r.redirected,
    used: r.bodyUsed, header: r.headers.get('content-type'), same: r.headers === r.headers })`;
  expect(
    await probe.run(`const look = (r) => ${looks};
      const settings = { headers: { 'content-type': 'application/json' } };
      return [look(Response.json(1)), look(Response.json(1).clone()), look(new Response('1', settings))];`),
  ).toEqual(
    Array.from({ length: 3 }, () => ({
      status: 200,
      ok: true,
      type: 'default',
      url: '',
      text: '',
      again: false,
      used: false,
      header: 'application/json',
      same: true,
    })),
  );
});

test('they are used up once, and have limits and errors of their own', async () => {
  expect(
    await probe.run(`const r = Response.json({ a: 1 }); const copy = r.clone();
      const first = await r.json(); const again = await r.text().catch((error) => error.name);
      const cloned = (() => { try { return r.clone() } catch (error) { return error.name } })();
      return [first, again, r.bodyUsed, cloned, await copy.text(), copy.body.locked];`),
  ).toEqual([{ a: 1 }, 'TypeError', true, 'TypeError', '{"a":1}', true]);
  const wrong = ['Response.json()', 'Response.json(undefined)', 'Response.json(() => {})'];
  for (const code of wrong)
    expect(await probe.run(`try { ${code}; } catch (error) { return error.name }`), code).toBe(
      'TypeError',
    );
  const used = `const r = new Response('x'); await r.text(); return r`;
  const answer = await probe.guest.call({
    method: 'POST',
    body: Buffer.from(used).toString('base64'),
  });
  expect(answer).toMatchObject({ kind: 'threw', failure: { reason: 'invalid' } });
});

test('a text is too large by its bytes, not by its characters', async () => {
  const ask = (code: string) =>
    probe.guest.call({ method: 'POST', body: Buffer.from(code).toString('base64') });
  expect(await ask(`return new Response('é'.repeat(131_072))`)).toMatchObject({ kind: 'reply' });
  expect(await ask(`return new Response('x'.repeat(262_144))`)).toMatchObject({ kind: 'reply' });
  for (const code of [`'é'.repeat(131_073)`, `'x'.repeat(262_145)`])
    expect(await ask(`return new Response(${code})`)).toMatchObject({
      kind: 'threw',
      failure: { reason: 'tooLarge' },
    });
});
