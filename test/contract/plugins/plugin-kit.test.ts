/** The test kit of the SDK against the real harness: isolates, limits, bindings. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test, vi } from 'vitest';

import { COMPILE_CACHE } from '../../support/compile-cache.ts';
import { openPlugin, type OpenOptions, type TestPlugin } from '../../../sdk/testing/index.ts';
import { manifestOf } from '../../support/plugins/bundles.ts';

const CLI = fileURLToPath(new URL('../../support/plugins/plugin-cli.ts', import.meta.url));

// Each plug-in that is opened is three processes: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 180_000 });

/** For all tests that need nothing of their own. */
let shared: Kit;
beforeAll(async () => {
  Object.assign(process.env, COMPILE_CACHE, {
    VCX_COMMAND: JSON.stringify([process.execPath, CLI]),
  });
  shared = await open({ config: { colour: 'blue' } });
});
afterAll(() => shared[Symbol.asyncDispose]());

const SOURCE = `
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === '/api/demo/spin') for (;;);
    if (pathname === '/api/demo/grow') { const held = []; for (;;) held.push(new Array(1000).fill(held.length)); }
    if (pathname === '/api/demo/throw') throw new Error('a reason');
    if (pathname === '/api/demo/late') {
      ctx.waitUntil(env.kv.put('late', 1));
      return new Response(null, { status: 204 });
    }
    if (pathname === '/api/demo/mail') return Response.json(await env.mail.call('send', ['a', 1]));
    console.warn('seen', pathname);
    const body = await request.text();
    const visits = ((await env.kv.get('visits')) ?? 0) + 1;
    await env.kv.put('visits', visits);
    return Response.json({ visits, body, config: env.config, rights: ctx.caller.rights, params: ctx.params });
  },
  async notification(event, env) { await env.kv.put('event', event.type); },
  response(response) { return new Response('filtered', { status: response.status, headers: response.headers }); },
};`;

interface Kit extends AsyncDisposable {
  readonly plugin: TestPlugin;
}

async function open(options: OpenOptions = {}, source = SOURCE): Promise<Kit> {
  const folder = await mkdtemp(join(tmpdir(), 'vcx-kit-'));
  const end = () => rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'main.ts'), source);
  const vcloud = {
    ...(manifestOf()['vcloud'] as object),
    rights: [{ name: 'See' }, { name: 'Do' }],
  };
  const routes = [
    { method: '*', path: '/api/demo/{what}' },
    { method: 'POST', path: '/api/demo/guarded/{what}', rights: ['Do'] },
  ];
  const changes = {
    main: 'main.ts',
    vcloud,
    routes,
    bindings: ['kv', 'mail'],
    limits: { cpuMs: 60, memoryMb: 16 },
  };
  await writeFile(join(folder, 'plugin.json'), JSON.stringify(manifestOf(changes)));
  try {
    const plugin = await openPlugin({ folder, ...options });
    const close = async () => {
      await plugin[Symbol.asyncDispose]();
      await end();
    };
    return { plugin, [Symbol.asyncDispose]: close };
  } catch (error) {
    await end();
    throw error;
  }
}

test('a call runs in a real isolate with store, configuration, rights and parameters', async () => {
  const { plugin } = shared;
  const call = await plugin.call('/api/demo/x?y=1', { method: 'POST', body: { a: 1 } });
  expect(await call.response.json()).toEqual({
    visits: 1,
    body: '{"a":1}',
    config: { colour: 'blue' },
    rights: ['See', 'Do'],
    params: { what: 'x' },
  });
  expect(call).toMatchObject({ code: null, usage: { hostCalls: 2, cold: true } });
  expect(call.hostCalls.map(({ binding, method }) => `${binding}.${method}`)).toEqual([
    'kv.get',
    'kv.put',
  ]);
  expect(call.logs).toMatchObject([{ level: 'warn', text: expect.stringContaining('seen') }]);
  const org = 'urn:vcloud:org:00000000-0000-4000-8000-000000000002';
  const other = await plugin.fetch('/api/demo/x', { caller: { org, rights: [] } });
  expect(await other.json()).toMatchObject({ visits: 1, rights: [] });
});

test('routes, rights and limits refuse as they do in production', async () => {
  const { plugin } = shared;
  const told = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const codeOf = async (path: string, init = {}) => (await plugin.call(path, init)).code;
  expect(await codeOf('/api/elsewhere')).toBe('ROUTE_NOT_FOUND');
  expect(await codeOf('/api/demo/guarded/x')).toBe('METHOD_NOT_ALLOWED');
  const guarded = { method: 'POST', caller: { rights: ['See'] } };
  expect(await codeOf('/api/demo/guarded/x', guarded)).toBe('RIGHT_MISSING');
  expect(await codeOf('/api/demo/%2e%2e/x')).toBe('PATH_AMBIGUOUS');
  expect(await codeOf('/api/demo/x', { body: 'x'.repeat(300_000) })).toBe('REQUEST_TOO_LARGE');
  expect(await codeOf('/api/demo/spin')).toBe('CPU_EXCEEDED');
  expect(await codeOf('/api/demo/grow')).toMatch(/^(?:MEMORY|CPU)_EXCEEDED$/);
  const threw = await plugin.call('/api/demo/throw');
  // A failing test shows where, in the author's own file.
  const stack = /^Error: a reason\n {4}at Object\.fetch \(main\.ts:7:47\)$/;
  expect(threw.logs).toEqual([{ level: 'error', text: expect.stringMatching(stack) }]);
  expect(told).toHaveBeenCalledWith(`GET /api/demo/throw: ${threw.logs[0]?.text}`);
  told.mockRestore();
  expect(threw).toMatchObject({
    code: 'PLUGIN_THREW',
    message: expect.stringContaining('a reason'),
  });
  expect(threw.response.status).toBe(500);
  expect(await codeOf('/api/demo/x')).toBeNull();
});

test('a stub stands in for a service; what nobody stands in for is refused with what to do', async () => {
  const asked: unknown[] = [];
  const mail = (method: string, args: readonly unknown[]) => {
    asked.push([method, args]);
    return { sent: true };
  };
  await using stubbed = await open({ bindings: { mail } });
  expect(await (await stubbed.plugin.fetch('/api/demo/mail')).json()).toEqual({ sent: true });
  expect(asked).toEqual([['send', ['a', 1]]]);
  const call = await shared.plugin.call('/api/demo/mail');
  expect(call.code).toBe('PLUGIN_THREW');
  expect(call.hostCalls).toMatchObject([{ result: { code: 'BINDING_DENIED' } }]);
});

test('notifications and answers of vCloud are handed in too', async () => {
  const { plugin } = shared;
  const note = await plugin.notify({ type: 'com/example/made' });
  expect(note.hostCalls).toMatchObject([{ args: ['event', 'com/example/made', {}] }]);
  const answer = new Response('whole', { status: 201, headers: { 'x-from': 'vcloud' } });
  const { response } = await plugin.filter('/api/vApp/1', answer);
  expect(response.status).toBe(201);
  expect(await response.text()).toBe('filtered');
});

test('the headroom holds the most of every quota, work after the reply and the heap included', async () => {
  const kit = await open();
  const { plugin } = kit;
  const late = await plugin.call('/api/demo/late');
  await plugin.fetch('/api/demo/x');
  await kit[Symbol.asyncDispose]();
  expect(late.hostCalls).toMatchObject([{ method: 'put', result: { ok: true } }]);
  expect(late.heapKb).toBeGreaterThan(500);
  const headroom = Object.fromEntries(plugin.headroom().map((one) => [one.quota, one]));
  expect(headroom).toMatchObject({
    cpuMs: { unit: 'ms', limit: 60 },
    memoryMb: { limit: 16 },
    hostCalls: { used: 2, limit: 200, left: 0.99 },
  });
  expect(headroom['memoryMb']?.used).toBeGreaterThan(0.5);
  expect(headroom['cpuMs']?.used).toBeGreaterThan(0);
});

test('a plug-in that does not load is refused with the reason', async () => {
  await expect(open({}, 'export default {')).rejects.toThrow('BUNDLE_INVALID');
  await expect(open({}, 'export default {}')).rejects.toThrow('none of');
  await expect(openPlugin({ folder: join(tmpdir(), 'vcx-nowhere') })).rejects.toThrow(
    'plugin.json',
  );
});

test('a kit that can not be started says so', async () => {
  const before = process.env['VCX_COMMAND'];
  process.env['VCX_COMMAND'] = JSON.stringify(['/nowhere/vcx']);
  try {
    await expect(open()).rejects.toThrow('can not be started');
  } finally {
    process.env['VCX_COMMAND'] = before;
  }
});
