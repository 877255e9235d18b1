/**
 * The web platform inside a real isolate: each check is code that runs there.
 */
import { glob, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createContext, Script } from 'node:vm';
import { afterAll, expect, test } from 'vitest';
import { openProbe } from '../../support/guest/isolate.ts';

const probe = await openProbe();
afterAll(() => probe[Symbol.asyncDispose]());

/** Names that the language itself has; everything else in a guest comes from the prelude. */
const BARE = new Script('Object.getOwnPropertyNames(globalThis)').runInContext(
  createContext({}),
) as string[];

/** Title, code, expected value. */
const CHECKS: readonly (readonly [title: string, code: string, expected: unknown])[] = [
  // Request and Response
  [
    'Response.json sets type and body',
    `const r = Response.json({a:1}); return [r.headers.get('content-type'), await r.text()]`,
    ['application/json', '{"a":1}'],
  ],
  [
    'a text Response has a UTF-8 type',
    `return new Response('x').headers.get('content-type')`,
    'text/plain;charset=UTF-8',
  ],
  ['text drops a byte order mark', `return (await new Response('\\ufeffx').text()).length`, 1],
  [
    'lone surrogates become replacement characters',
    `return (await new Response('\\ud800').text()).charCodeAt(0)`,
    0xfffd,
  ],
  [
    'a body can be read once',
    `const r = new Response('x'); await r.text(); try { await r.text() } catch (e) { return e.name }`,
    'TypeError',
  ],
  [
    'bodyUsed tells whether it was read',
    `const r = new Response('x'); const before = r.bodyUsed; await r.json().catch(() => {}); return [before, r.bodyUsed]`,
    [false, true],
  ],
  [
    'the body of a read Response is locked',
    `const r = new Response('x'); await r.text(); return r.body.locked`,
    true,
  ],
  [
    'a clone has its own body',
    `const r = new Response('x'); const c = r.clone(); return [await r.text(), await c.text()]`,
    ['x', 'x'],
  ],
  [
    'a clone after the stream was seen has its own body',
    `const r = new Response('xy'); r.body; const c = r.clone(); return [await r.text(), await c.text()]`,
    ['xy', 'xy'],
  ],
  [
    'a body is a stream of bytes',
    `const chunks = []; for await (const c of new Response('é').body) chunks.push([...c]); return chunks`,
    [[195, 169]],
  ],
  [
    'a Response wraps the body of another',
    `const r = new Response('x'); return new Response(r.body, r).text()`,
    'x',
  ],
  [
    'bytes are copied when the Response is made',
    `const b = new Uint8Array([65]); const r = new Response(b); b[0] = 66; return r.text()`,
    'A',
  ],
  [
    'arrayBuffer and blob read bytes',
    `const b = new Uint8Array([1, 2]); const blob = await new Response(b).blob(); return [(await new Response(b).arrayBuffer()).byteLength, blob.size]`,
    [2, 2],
  ],
  ['bytes gives a Uint8Array', `return [...await new Response('hé').bytes()]`, [104, 195, 169]],
  [
    'a stream of something else than bytes is refused',
    `const s = new ReadableStream({ start(c) { c.enqueue(1); c.close() } }); try { await new Response(s).text() } catch (e) { return e.name }`,
    'TypeError',
  ],
  [
    'a 204 takes no body',
    `try { new Response('x', { status: 204 }) } catch (e) { return e.name }`,
    'TypeError',
  ],
  [
    'a status outside 200 to 599 is refused',
    `try { new Response('x', { status: 99 }) } catch (e) { return e.name }`,
    'RangeError',
  ],
  [
    'redirect sets the location',
    `const r = Response.redirect('https://a.example/x', 303); return [r.status, r.headers.get('location')]`,
    [303, 'https://a.example/x'],
  ],
  [
    'a Request copies another with its body',
    `const r = new Request('https://a.example/', { method: 'PUT', body: 'x' }); return new Request(r).text()`,
    'x',
  ],
  [
    'a Request has a signal that follows',
    `const c = new AbortController(); const r = new Request('https://a.example/', { signal: c.signal }); c.abort(); return r.signal.aborted`,
    true,
  ],
  [
    'GET takes no body',
    `try { new Request('https://a.example/', { body: 'x' }) } catch (e) { return e.name }`,
    'TypeError',
  ],
  [
    'method names are normalized',
    `return new Request('https://a.example/', { method: 'post' }).method`,
    'POST',
  ],
  // Headers and FormData
  [
    'header values are joined, cookies kept apart',
    `const h = new Headers([['a', '1'], ['a', '2'], ['set-cookie', 'x=1'], ['set-cookie', 'y=2']]); return [h.get('a'), h.getSetCookie(), [...h].length]`,
    ['1, 2', ['x=1', 'y=2'], 3],
  ],
  [
    'headers refuse line breaks',
    `try { new Headers({ a: 'x\\r\\ny: z' }) } catch (e) { return e.name }`,
    'TypeError',
  ],
  [
    'header names are iterated sorted and lower case',
    `return [...new Headers({ B: '2', A: '1' }).keys()]`,
    ['a', 'b'],
  ],
  [
    'multipart form data survives the trip',
    `const f = new FormData(); f.append('a', 'é'); f.append('f', new File(['text'], 'n.txt', { type: 'text/plain' })); const g = await new Response(f).formData(); const file = g.get('f'); return [g.get('a'), file.name, file.type, await file.text()]`,
    ['é', 'n.txt', 'text/plain', 'text'],
  ],
  [
    'urlencoded form data is parsed',
    `const r = new Response(new URLSearchParams({ a: '1 &' })); return (await r.formData()).get('a')`,
    '1 &',
  ],
  // Streams
  [
    'TransformStream changes chunks',
    `const t = new TransformStream({ transform: (c, k) => k.enqueue(c * 2) }); const w = t.writable.getWriter(); w.write(21); w.close(); return (await t.readable.getReader().read()).value`,
    42,
  ],
  [
    'tee gives both the same',
    `const [a, b] = ReadableStream.from([1, 2]).tee(); const all = async (s) => { const out = []; for await (const c of s) out.push(c); return out }; return [await all(a), await all(b)]`,
    [
      [1, 2],
      [1, 2],
    ],
  ],
  [
    'a byte stream serves a BYOB reader',
    `const r = new Blob(['hello']).stream().getReader({ mode: 'byob' }); const { value } = await r.read(new Uint8Array(3)); return new TextDecoder().decode(value)`,
    'hel',
  ],
  [
    'TextDecoderStream joins split characters',
    `const s = ReadableStream.from([new Uint8Array([195]), new Uint8Array([169])]).pipeThrough(new TextDecoderStream()); let t = ''; for await (const c of s) t += c; return t`,
    'é',
  ],
  // Encoding
  [
    'TextEncoder and TextDecoder agree',
    `return new TextDecoder().decode(new TextEncoder().encode('aé€😀'))`,
    'aé€😀',
  ],
  [
    'a fatal decoder throws',
    `try { new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255])) } catch (e) { return e.name }`,
    'TypeError',
  ],
  [
    'utf-16 and latin1 are decoded',
    `return [new TextDecoder('utf-16le').decode(new Uint8Array([65, 0])), new TextDecoder('latin1').decode(new Uint8Array([233]))]`,
    ['A', 'é'],
  ],
  [
    'atob and btoa',
    `return [btoa('héllo'), atob('aGk='), atob(' aGk ')]`,
    ['aOlsbG8=', 'hi', 'hi'],
  ],
  [
    'atob and btoa refuse what they can not take',
    `const n = (f) => { try { f() } catch (e) { return e.name } }; return [n(() => btoa('€')), n(() => atob('a'))]`,
    ['InvalidCharacterError', 'InvalidCharacterError'],
  ],
  // URLs
  [
    'URL resolves and normalizes',
    `const u = new URL('../b?x=1#y', 'HTTPS://A.example:443/a/c/'); return [u.href, u.origin, u.searchParams.get('x')]`,
    ['https://a.example/a/b?x=1#y', 'https://a.example', '1'],
  ],
  [
    'non-ASCII host names become punycode',
    `return new URL('https://bücher.example/').host`,
    'xn--bcher-kva.example',
  ],
  [
    'URL.canParse and URL.parse',
    `return [URL.canParse('x'), URL.parse('x'), URL.parse('a:b').href]`,
    [false, null, 'a:b'],
  ],
  [
    'URLSearchParams decodes and sorts',
    `const p = new URLSearchParams('b=%C3%A9&a=1+2'); p.sort(); return [...p]`,
    [
      ['a', '1 2'],
      ['b', 'é'],
    ],
  ],
  [
    'URLPattern matches paths',
    `return new URLPattern({ pathname: '/api/:id' }).exec('https://a.example/api/7').pathname.groups.id`,
    '7',
  ],
  // Events and aborting
  [
    'EventTarget calls listeners once',
    `const t = new EventTarget(); let n = 0; t.addEventListener('x', () => n++, { once: true }); t.dispatchEvent(new Event('x')); t.dispatchEvent(new Event('x')); return n`,
    1,
  ],
  [
    'AbortSignal.any follows the first',
    `const a = new AbortController(), b = new AbortController(); const s = AbortSignal.any([a.signal, b.signal]); b.abort('why'); return [s.aborted, s.reason]`,
    [true, 'why'],
  ],
  [
    'AbortSignal.timeout fires with a TimeoutError',
    `const s = AbortSignal.timeout(1); await new Promise((r) => { s.onabort = r }); return s.reason.name`,
    'TimeoutError',
  ],
  [
    'abort has a default reason',
    `const s = AbortSignal.abort(); try { s.throwIfAborted() } catch (e) { return [e.name, e.code, e instanceof DOMException] }`,
    ['AbortError', 20, true],
  ],
  // Timers
  [
    'timers run in order and can be cleared',
    `const out = []; const t = setTimeout(() => out.push('never'), 1); clearTimeout(t); await new Promise((r) => { setTimeout(() => out.push('a'), 1); setTimeout(() => { out.push('b'); r() }, 20) }); return out`,
    ['a', 'b'],
  ],
  [
    'setInterval repeats until cleared',
    `let n = 0; await new Promise((r) => { const t = setInterval(() => { if (++n === 3) { clearInterval(t); r() } }, 1) }); return n`,
    3,
  ],
  [
    'queueMicrotask runs before timers',
    `const out = []; queueMicrotask(() => out.push(1)); await null; out.push(2); return out`,
    [1, 2],
  ],
  ['timers pass arguments', `return new Promise((r) => setTimeout(r, 0, 'x'))`, 'x'],
  // Clone and crypto
  [
    'structuredClone keeps cycles, maps and dates',
    `const a = { m: new Map([[1, new Date(5)]]) }; a.self = a; const b = structuredClone(a); return [b.self === b, b.m.get(1).getTime(), b !== a]`,
    [true, 5, true],
  ],
  [
    'structuredClone refuses functions',
    `try { structuredClone(() => {}) } catch (e) { return e.name }`,
    'DataCloneError',
  ],
  [
    'randomUUID is a version 4 UUID and never the same',
    `const a = crypto.randomUUID(); return /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(a) && a !== crypto.randomUUID()`,
    true,
  ],
  [
    'getRandomValues fills more than one refill',
    `const a = crypto.getRandomValues(new Uint32Array(1000)); return new Set(a).size > 990`,
    true,
  ],
  [
    'getRandomValues refuses floats and too much',
    `const n = (f) => { try { f() } catch (e) { return e.name } }; return [n(() => crypto.getRandomValues(new Float32Array(1))), n(() => crypto.getRandomValues(new Uint8Array(65537)))]`,
    ['TypeMismatchError', 'QuotaExceededError'],
  ],
  [
    'digest gives SHA-256',
    `return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode('abc'))).toHex()`,
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  ],
  [
    'HMAC signs and verifies',
    `const k = await crypto.subtle.importKey('raw', new Uint8Array(3), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']); const d = new Uint8Array([1]); const s = await crypto.subtle.sign('HMAC', k, d); return [s.byteLength, await crypto.subtle.verify('HMAC', k, s, d), await crypto.subtle.verify('HMAC', k, s, new Uint8Array([2]))]`,
    [32, true, false],
  ],
  [
    'other algorithms are not supported',
    `try { await crypto.subtle.digest('MD5', new Uint8Array(0)) } catch (e) { return e.name }`,
    'NotSupportedError',
  ],
  // Blobs
  [
    'Blob joins parts and slices',
    `const b = new Blob(['ab', new Uint8Array([99])], { type: 'Text/Plain' }); return [await b.slice(1).text(), b.size, b.type]`,
    ['bc', 3, 'text/plain'],
  ],
  [
    'File has a name and is a Blob',
    `const f = new File(['x'], 'n', { lastModified: 5 }); return [f instanceof Blob, f.name, f.lastModified, String(f)]`,
    [true, 'n', 5, '[object File]'],
  ],
  // The incoming request
  [
    'the incoming Request has URL, method and headers',
    `return [request.url, request.method, request.headers.get('Accept'), request instanceof Request]`,
    ['https://vcloud.example.com/api/hello?name=x', 'POST', 'application/json', true],
  ],
  [
    'classes keep their names',
    `return [Response, Blob, AbortSignal, URL, ReadableStream, DOMException].map((c) => c.name)`,
    ['Response', 'Blob', 'AbortSignal', 'URL', 'ReadableStream', 'DOMException'],
  ],
  [
    'performance.now grows from zero',
    `return performance.now() >= 0 && performance.timeOrigin > 1e12`,
    true,
  ],
];

test.each(CHECKS)('%s', async (_title, code, expected) => {
  expect(await probe.run(code)).toEqual(expected);
});

async function declaredNames(): Promise<{ values: string[]; all: string[] }> {
  const folder = fileURLToPath(new URL('../../../sdk/guest/globals/', import.meta.url));
  let text = '';
  for await (const file of glob('*.d.ts', { cwd: folder }))
    text += await readFile(folder + file, 'utf8');
  const names = (pattern: RegExp): string[] =>
    [...text.matchAll(pattern)].map((match) => match[1] ?? '');
  return {
    values: names(/^declare (?:class|const|function) (\w+)/gm),
    all: names(/^(?:declare )?(?:class|const|function|interface|type) (\w+)/gm),
  };
}

test('the types of the globals and the globals are the same names', async () => {
  const { values, all } = await declaredNames();
  const present = (await probe.run(`return Object.getOwnPropertyNames(globalThis)`)) as string[];
  // `fetch` is there for those only who were granted it.
  expect(values.filter((name) => !present.includes(name))).toEqual(['fetch']);
  const own = present.filter((name) => !BARE.includes(name));
  expect(own.filter((name) => !all.includes(name))).toEqual([]);
});
