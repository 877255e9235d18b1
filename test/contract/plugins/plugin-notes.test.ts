/** The plug-in `notes`, written with Hono, in a real isolate under the limits of its manifest. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { COMPILE_CACHE } from '../../support/compile-cache.ts';
import { openPlugin, type CallInit, type OpenOptions } from '../../../sdk/testing/index.ts';

const CLI = fileURLToPath(new URL('../../support/plugins/plugin-cli.ts', import.meta.url));
const folder = fileURLToPath(new URL('../../../plugins/notes', import.meta.url));

// Each plug-in that is opened is three processes: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 180_000 });

/** With the usual settings; tests that count have an org of their own. */
let usual: Notes;
beforeAll(async () => {
  Object.assign(process.env, COMPILE_CACHE, {
    VCX_COMMAND: JSON.stringify([process.execPath, CLI]),
  });
  usual = await open();
});
afterAll(() => usual[Symbol.asyncDispose]());

interface Note {
  readonly id: string;
  readonly title: string;
  readonly author: string;
}

type Notes = Awaited<ReturnType<typeof open>>;

async function open(options: OpenOptions = {}) {
  const plugin = await openPlugin({ folder, ...options });
  const write = async (title: string, text = '', caller: NonNullable<CallInit['caller']> = {}) => {
    const response = await plugin.fetch('/api/notes', { body: { title, text }, caller });
    return { response, note: (await response.json()) as Note };
  };
  return { plugin, write, [Symbol.asyncDispose]: () => plugin[Symbol.asyncDispose]() };
}

test('a note is written, read, changed and deleted', async () => {
  const { plugin, write } = usual;
  const { response, note } = await write('first', 'a text');
  const path = `/api/notes/${note.id}`;
  expect([response.status, response.headers.get('location')]).toEqual([201, path]);
  expect(note).toMatchObject({
    title: 'first',
    author: expect.stringContaining('urn:vcloud:user'),
  });
  const read = await plugin.fetch(path);
  expect(await read.json()).toEqual(note);
  expect(read.headers.get('etag')).toBe(response.headers.get('etag'));
  const put = await plugin.fetch(path, { method: 'PUT', body: { title: 'second' } });
  expect(await put.json()).toMatchObject({ id: note.id, title: 'second', text: '' });
  expect((await plugin.fetch(path, { method: 'DELETE' })).status).toBe(204);
  expect((await plugin.fetch(path, { method: 'DELETE' })).status).toBe(404);
  expect((await plugin.fetch(path)).status).toBe(404);
});

test('of two who change the same note the second is told', async () => {
  const { plugin, write } = usual;
  const { response, note } = await write('shared');
  const headers = { 'If-Match': response.headers.get('etag') ?? '' };
  const change = (title: string) =>
    plugin.fetch(`/api/notes/${note.id}`, { method: 'PUT', headers, body: { title } });
  expect((await change('mine')).status).toBe(200);
  expect((await change('yours')).status).toBe(412);
  expect(await (await plugin.fetch(`/api/notes/${note.id}`)).json()).toMatchObject({
    title: 'mine',
  });
});

test('the list comes in pages, and each org has its own', async () => {
  const { plugin, write } = usual;
  const caller = { org: `urn:vcloud:org:${randomUUID()}` };
  for (const title of ['a', 'b', 'c']) await write(title, '', caller);
  const seen: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page = await plugin.fetch(`/api/notes?limit=2${query}`, { caller });
    const body = (await page.json()) as { notes: Note[]; cursor: string | null };
    seen.push(...body.notes.map(({ title }) => title));
    ({ cursor } = body);
  }
  expect(seen.sort()).toEqual(['a', 'b', 'c']);
  const org = 'urn:vcloud:org:00000000-0000-4000-8000-000000000002';
  const other = await plugin.fetch('/api/notes', { caller: { org } });
  expect(await other.json()).toEqual({ notes: [], cursor: null });
});

test('what does not fit is refused with the reason, by the configuration of the org', async () => {
  await using notes = await open({ config: { maxNotes: 1, maxTextChars: 5 } });
  const { plugin, write } = notes;
  for (const body of [
    'nonsense',
    '[]',
    '{}',
    { title: '' },
    { title: 1 },
    { title: 'x'.repeat(201) },
  ])
    expect((await plugin.fetch('/api/notes', { body })).status).toBe(400);
  const long = await plugin.fetch('/api/notes', { body: { title: 'a', text: 'too long' } });
  expect(await long.json()).toEqual({ error: 'text: 5 characters at most' });
  expect((await write('fits', 'short')).response.status).toBe(201);
  expect((await write('one too many')).response.status).toBe(409);
  for (const query of ['limit=0', 'limit=51', 'limit=x'])
    expect((await plugin.fetch(`/api/notes?${query}`)).status).toBe(400);
});

test('reading and writing take their rights, and a store that is away is said to be', async () => {
  const caller = { rights: ['Notes: View'] };
  expect((await usual.plugin.fetch('/api/notes', { caller })).status).toBe(200);
  const refused = await usual.plugin.call('/api/notes', { body: { title: 'a' }, caller });
  expect(refused.code).toBe('RIGHT_MISSING');
  const kv = () => {
    throw Object.assign(new Error('the store is away'), { code: 'BINDING_FAILED' });
  };
  await using broken = await open({ bindings: { kv } });
  const away = await broken.plugin.fetch('/api/notes');
  expect([away.status, await away.json()]).toEqual([503, { error: 'BINDING_FAILED' }]);
});

test('its calls stay far below its limits', async () => {
  await using notes = await open();
  const { plugin, write } = notes;
  for (let i = 0; i < 10; i++) await write(`note ${i}`, 'x'.repeat(1_000));
  await plugin.fetch('/api/notes');
  const used = Object.fromEntries(plugin.headroom().map((one) => [one.quota, one]));
  expect(used['memoryMb']?.left).toBeGreaterThan(0.3);
  expect(used['hostCalls']?.used).toBeLessThanOrEqual(11);
});
