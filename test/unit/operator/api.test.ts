/** The operator API over an in-memory catalogue: who may do what, and what is refused before anything is done. */
import { expect, test } from 'vitest';

import type { CallFigures } from '../../../host/bundles/live/logbook.ts';
import { operatorApp } from '../../../host/operator/server.ts';
import { ARCHIVE_DEFAULTS } from '../../../host/bundles/archive/zip.ts';
import { bundleOf, manifestOf, ORG_A } from '../../support/plugins/bundles.ts';
import {
  createOperatorParts,
  OPERATOR_TOKEN,
  type KitOptions,
} from '../../support/operator/kit.ts';

const ORG_B = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000b';
const bare = (org: string) => org.replace('urn:vcloud:org:', '');

interface Init {
  readonly token?: string | null;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly body?: RequestInit['body'];
}

function open(options: KitOptions = {}) {
  const parts = createOperatorParts(options);
  const app = operatorApp(parts.options);
  const ask = async (path: string, init: Init = {}): Promise<Response> => {
    const { token = OPERATOR_TOKEN, json, body = null, method } = init;
    const headers = {
      ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...init.headers,
    };
    const content = json === undefined ? body : JSON.stringify(json);
    return app.request(`/api/v1${path}`, {
      method: method ?? (content === null ? 'GET' : 'POST'),
      headers,
      body: content,
      duplex: 'half',
    });
  };
  const upload = (bundle: Uint8Array, query = '', token = OPERATOR_TOKEN) =>
    ask(`/plugins${query}`, {
      token,
      body: Buffer.from(bundle),
      headers: { 'Content-Type': 'application/octet-stream' },
    });
  const ownerToken = async (owner: string, name = owner.slice(-3)) => {
    const made = await ask('/tokens', { json: { name, owner } });
    return ((await made.json()) as { token: string }).token;
  };
  const outcome = async (answer: Response | Promise<Response>) => {
    const { status, ...rest } = await answer;
    void rest;
    const text = await (await answer).text();
    return [status, text === '' ? null : (JSON.parse(text) as { code?: string }).code];
  };
  return { ...parts, parts: parts.options, ask, upload, ownerToken, outcome };
}

function demo(version: string, changes: Record<string, unknown> = {}): Buffer {
  return bundleOf({ 'plugin.json': JSON.stringify(manifestOf({ version, ...changes })) });
}

test('nobody gets in without a token that counts', async () => {
  const { ask, outcome, parts } = open();
  for (const token of [null, '', 'wrong', 'x'.repeat(5_000), `${OPERATOR_TOKEN}x`])
    for (const path of ['/plugins', '/nothing', '/tokens'])
      expect(await outcome(ask(path, { token }))).toEqual([401, 'OPERATOR_UNAUTHENTICATED']);
  const basic = { token: null, headers: { Authorization: `Basic ${OPERATOR_TOKEN}` } };
  const refused = await ask('/plugins', basic);
  expect(refused.headers.get('www-authenticate')).toContain('Bearer');
  expect(await parts.metrics.total('vcx_operator_refused_total', { reason: 'wrong' })).toBe(6);
  expect((await ask('/plugins')).status).toBe(200);
});

test('wrong tokens are slowed down, the right one is not locked out by them', async () => {
  let now = 0;
  const { ask, outcome } = open({ clock: { now: () => now, monotonic: () => now } });
  for (let i = 0; i < 20; i++) await ask('/plugins', { token: 'wrong' });
  const slowed = await ask('/plugins', { token: 'wrong' });
  expect([slowed.status, slowed.headers.get('retry-after')]).toEqual([429, '2']);
  expect((await ask('/plugins')).status).toBe(200);
  now = 2_000;
  expect(await outcome(ask('/plugins', { token: 'wrong' }))).toEqual([
    401,
    'OPERATOR_UNAUTHENTICATED',
  ]);
});

test.each([
  [{ Host: 'evil.example' }, 403],
  [{ Host: 'localhost.evil.example:8780' }, 403],
  [{ Host: 'evil.example@localhost' }, 403],
  [{ Host: '' }, 403],
  [{ Host: 'localhost:8780' }, 200],
  [{ Host: '127.0.0.1:1' }, 200],
  [{ Host: '[::1]:8780' }, 200],
  [{ Host: 'VCX.example:443' }, 200],
  [{ Host: 'localhost:8780', Origin: 'http://evil.example' }, 403],
  [{ Host: 'localhost:8780', Origin: 'http://localhost:9999' }, 403],
  [{ Host: 'localhost:8780', Origin: 'null' }, 403],
  [{ Host: 'localhost:8780', Origin: 'http://localhost:8780' }, 200],
  [{ Host: 'localhost', 'Sec-Fetch-Site': 'cross-site' }, 403],
])('a request with %j gets %i: no rebinding, no foreign pages', async (headers, status) => {
  const { ask } = open({ hosts: ['vcx.example'] });
  const answer = await ask('/plugins', { headers });
  expect(answer.status).toBe(status);
  expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual(
    [],
  );
});

test('an owner sees and changes what is theirs and nothing else', async () => {
  const { ask, upload, ownerToken, outcome, parts } = open();
  const a = await ownerToken(ORG_A);
  const b = await ownerToken(ORG_B);
  expect((await upload(demo('1.0.0'), '', a)).status).toBe(201);
  parts.logbook.write({
    plugin: 'demo',
    version: '1.0.0',
    org: ORG_A,
    callId: 'c',
    kind: 'log',
    level: 'info',
    text: 'for a alone',
  });
  expect(await (await ask('/plugins', { token: a })).json()).toMatchObject({
    plugins: [{ name: 'demo', owner: ORG_A }],
  });
  expect(await (await ask('/plugins', { token: b })).json()).toEqual({ plugins: [] });
  expect(await (await ask('/plugins/demo/logs', { token: a })).json()).toMatchObject({
    lines: [{ text: 'for a alone' }],
  });
  const tenant = `/plugins/demo/tenants/${bare(ORG_A)}`;
  const foreign: [string, Init][] = [
    ['/plugins/demo', {}],
    ['/plugins/demo/logs', {}],
    ['/plugins/demo/logs?follow=1', {}],
    ['/plugins/demo/tenants', {}],
    [tenant, {}],
    [`${tenant}/secrets`, {}],
    ['/plugins/demo', { method: 'DELETE' }],
    ['/plugins/demo/rollback', { json: {} }],
    ['/plugins/demo/disable', { method: 'POST' }],
    [`${tenant}/config`, { method: 'PUT', json: {} }],
    [`${tenant}/secrets/key`, { method: 'PUT', json: { value: 'x' } }],
  ];
  for (const [path, init] of foreign)
    expect([path, ...(await outcome(ask(path, { ...init, token: b })))]).toEqual([
      path,
      403,
      'BUNDLE_OWNER_FOREIGN',
    ]);
  expect(await outcome(upload(demo('1.0.1'), '', b))).toEqual([403, 'BUNDLE_OWNER_FOREIGN']);
  expect(await (await ask('/changes', { token: b })).json()).toEqual({ changes: [] });
});

test('what is the operator’s to decide is refused to every owner', async () => {
  const { ask, upload, ownerToken, outcome } = open();
  const token = await ownerToken(ORG_A);
  await upload(demo('1.0.0'), '', token);
  const asks: [string, Init][] = [
    ['/tokens', {}],
    ['/tokens', { json: { name: 'mine', owner: 'provider' } }],
    ['/tokens/mine', { method: 'DELETE' }],
    ['/plugins/demo/approve', { json: { version: '1.0.0' } }],
    [`/plugins/demo/tenants/${ORG_A}/limits`, { method: 'PUT', json: { cpuMs: 9_999 } }],
    ['/plugins?approve=1', { body: 'x' }],
  ];
  for (const [path, init] of asks)
    expect(await outcome(ask(path, { ...init, token }))).toEqual([403, 'OPERATOR_FORBIDDEN']);
});

test('a token is shown once, kept as a digest, and opens nothing once deleted', async () => {
  const { ask, parts, ownerToken, actions, outcome } = open();
  const token = await ownerToken(ORG_A, 'ci');
  expect(token).toMatch(/^vcxo_[\w-]{43}$/);
  expect(await (await ask('/me', { token })).json()).toEqual({
    who: 'token:ci',
    role: 'owner',
    owner: ORG_A,
  });
  const listed = await (await ask('/tokens')).text();
  const kept = JSON.stringify(await parts.tokens.list());
  expect(listed).toContain('"ci"');
  for (const text of [listed, kept]) expect(text).not.toContain(token.slice(5));
  expect(await outcome(ask('/tokens', { json: { name: 'ci', owner: 'x' } }))).toEqual([
    409,
    'TOKEN_NAME_TAKEN',
  ]);
  expect((await ask('/tokens/ci', { method: 'DELETE' })).status).toBe(204);
  expect((await ask('/me', { token })).status).toBe(401);
  expect((await ask('/tokens/ci', { method: 'DELETE' })).status).toBe(404);
  expect(await actions()).toEqual(['token.delete', 'token.create']);
});

test('the owner of a token is named by id or URN, as an org is everywhere', async () => {
  const { ask, ownerToken } = open();
  for (const [index, owner] of [ORG_A, ORG_A.toUpperCase(), ORG_A.slice(-36)].entries()) {
    const token = await ownerToken(owner, `t${index}`);
    expect(await (await ask('/me', { token })).json()).toMatchObject({ owner: ORG_A });
  }
});

test('an upload is handed on whole with its options and its source map', async () => {
  const { ask, upload, parts, outcome } = open();
  expect((await upload(demo('1.0.0'))).status).toBe(201);
  expect((await upload(demo('1.0.0'))).status).toBe(200);
  expect(await outcome(upload(demo('0.9.0')))).toEqual([409, 'BUNDLE_DOWNGRADE']);
  expect((await upload(demo('0.9.0'), '?force=1')).status).toBe(201);
  const form = new FormData();
  const bytes = demo('2.0.0', { bindings: ['kv'] });
  form.set('bundle', new Blob([Buffer.from(bytes)]), 'demo.vcx');
  form.set('sourceMap', new Blob(['{"version":3}']), 'demo.vcx.map');
  const waits = await ask('/plugins', { body: form });
  expect(waits.status).toBe(202);
  expect(await waits.json()).toMatchObject({ state: 'waiting', asks: ['binding kv'] });
  const { bytes: size, options } = parts.admin.uploads.at(-1)!;
  expect(size).toBe(bytes.length);
  expect(Buffer.from(options.sourceMap ?? '').toString()).toBe('{"version":3}');
  const approved = await ask('/plugins/demo/approve', { json: { version: '2.0.0' } });
  expect(await approved.json()).toMatchObject({ current: '2.0.0', waiting: null });
  const back = await ask('/plugins/demo/rollback', { method: 'POST' });
  expect(await back.json()).toMatchObject({ current: '0.9.0' });
});

test('what is too large is refused by its length and while it comes, and nothing is handed on', async () => {
  const { ask, parts, outcome } = open();
  const type = { 'Content-Type': 'application/octet-stream' };
  const declared = { ...type, 'Content-Length': String(ARCHIVE_DEFAULTS.archiveBytes + 1) };
  expect(await outcome(ask('/plugins', { body: 'x', headers: declared }))).toEqual([
    413,
    'BUNDLE_TOO_LARGE',
  ]);
  let given = 0;
  const endless = new ReadableStream({
    pull(controller) {
      given += 1_048_576;
      controller.enqueue(new Uint8Array(1_048_576));
    },
  });
  expect(await outcome(ask('/plugins', { body: endless, headers: type }))).toEqual([
    413,
    'BUNDLE_TOO_LARGE',
  ]);
  expect(given).toBeLessThan(ARCHIVE_DEFAULTS.archiveBytes + 4 * 1_048_576);
  const huge = { method: 'PUT', json: { value: 'x'.repeat(300_000) } };
  expect(await outcome(ask(`/plugins/demo/tenants/${ORG_A}/secrets/k`, huge))).toEqual([
    413,
    'OPERATOR_BODY_TOO_LARGE',
  ]);
  expect(parts.admin.uploads).toEqual([]);
});

test.each([
  ['octet-stream', 'application/octet-stream', demo('1.0.0').subarray(0, -7), 'BUNDLE_ARCHIVE'],
  ['empty body', 'application/octet-stream', Buffer.alloc(0), 'OPERATOR_INPUT'],
  ['text', 'text/plain', Buffer.from('x'), 'OPERATOR_INPUT'],
  ['no boundary', 'multipart/form-data; x=y', Buffer.from('--b\r\n'), 'OPERATOR_INPUT'],
  ['no end', ...form('--b\r\nContent-Disposition: form-data; name="bundle"\r\n\r\nabc')],
  ['cut in the end', ...form(`${part('bundle', 'abc')}\r\n--b`)],
  ['unknown part', ...form(`${part('other', 'abc')}\r\n--b--`)],
  ['twice', ...form(`${part('bundle', 'abc')}\r\n${part('bundle', 'abc')}\r\n--b--`)],
  ['no bundle', ...form(`${part('sourceMap', 'abc')}\r\n--b--`)],
  ['large header', ...form(`--b\r\nX: ${'y'.repeat(3_000)}\r\n\r\nabc\r\n--b--`)],
] as const)('an upload that is wrong (%s) is refused', async (_what, type, body, code) => {
  const { ask, parts, outcome } = open();
  const headers = { 'Content-Type': type };
  expect(await outcome(ask('/plugins', { method: 'POST', body, headers }))).toEqual([400, code]);
  expect(parts.admin.uploads).toEqual([]);
});

function form(text: string): ['multipart/form-data; boundary=b', Buffer, 'OPERATOR_INPUT'] {
  return ['multipart/form-data; boundary=b', Buffer.from(text), 'OPERATOR_INPUT'];
}

function part(name: string, content: string): string {
  return `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}`;
}

test('settings of an org are kept under its URN however it is named, secrets go in and never out', async () => {
  const { ask, upload, parts, outcome } = open();
  await upload(demo('1.0.0'));
  const tenant = `/plugins/demo/tenants/${bare(ORG_A).toUpperCase()}`;
  const put = (path: string, json: unknown) => ask(path, { method: 'PUT', json });
  expect((await put(`${tenant}/config`, { colour: 'blue' })).status).toBe(204);
  expect((await put(`/plugins/demo/tenants/${ORG_A}/limits`, { cpuMs: 20 })).status).toBe(204);
  expect((await put(`${tenant}/version`, { version: '1.0.0' })).status).toBe(204);
  expect((await put(`${tenant}/secrets/key`, { value: 'hush hush' })).status).toBe(204);
  expect(parts.admin.secretValues.get(`demo ${ORG_A} key`)).toBe('hush hush');
  expect((await ask(`${tenant}/disable`, { method: 'POST' })).status).toBe(204);
  const seen = await (await ask('/plugins/demo/tenants')).text();
  expect(seen).not.toContain('hush');
  expect(JSON.parse(seen)).toEqual({
    orgs: 'all',
    tenants: [
      {
        org: ORG_A,
        enabled: false,
        config: { colour: 'blue' },
        limits: { cpuMs: 20 },
        version: '1.0.0',
        secrets: [{ name: 'key', changedAt: 1_000 }],
      },
    ],
  });
  expect(await (await ask(`/plugins/demo/tenants/${ORG_B}`)).json()).toMatchObject({
    enabled: true,
    config: null,
  });
  expect((await put('/plugins/demo/tenants', { orgs: [bare(ORG_B)] })).status).toBe(204);
  expect(await (await ask('/plugins/demo')).json()).toMatchObject({ orgs: [ORG_B] });
  expect((await ask(`${tenant}/secrets/key`, { method: 'DELETE' })).status).toBe(204);
  expect(await outcome(ask(`${tenant}/secrets/key`, { method: 'DELETE' }))).toEqual([
    404,
    'OPERATOR_NOT_FOUND',
  ]);
  const { changes } = (await (await ask(`/changes?org=${bare(ORG_A)}&limit=3`)).json()) as {
    changes: { who: string; org: string }[];
  };
  expect(changes.map(({ who, org }) => [who, org])).toEqual(
    Array.from({ length: 3 }, () => ['operator', ORG_A]),
  );
});

test.each([
  ['GET', '/plugins/demo/tenants/nobody', undefined, 'org: the id of an org'],
  ['PUT', `/plugins/demo/tenants/${ORG_A}/version`, { version: 'new' }, 'body.version'],
  ['PUT', `/plugins/demo/tenants/${ORG_A}/version`, { versoin: null }, 'body'],
  ['PUT', `/plugins/demo/tenants/${ORG_A}/limits`, { cpuMs: -1 }, 'body.cpuMs'],
  ['PUT', '/plugins/demo/tenants', { orgs: ['x'] }, 'body.orgs'],
  ['POST', '/plugins?forse=1', undefined, 'forse'],
  ['GET', '/plugins/demo/logs?limit=many', undefined, 'query.limit'],
  ['GET', '/changes?limit=0', undefined, 'query.limit'],
  ['POST', '/tokens', { name: '../x', owner: 'a' }, 'body.name'],
])('%s %s with %j is refused naming the place', async (method, path, json, place) => {
  const { ask, upload } = open();
  await upload(demo('1.0.0'));
  const answer = await ask(path, { method, ...(json === undefined ? {} : { json }) });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    code: 'OPERATOR_INPUT',
    message: expect.stringContaining(place),
  });
});

test('a body that is not JSON is refused without being quoted', async () => {
  const { ask } = open();
  const path = `/plugins/demo/tenants/${ORG_A}/secrets/key`;
  const headers = { 'Content-Type': 'application/json' };
  const answer = await ask(path, { method: 'PUT', body: '{"value": hush', headers });
  expect([answer.status, await answer.text()]).toEqual([
    400,
    '{"code":"OPERATOR_INPUT","message":"body: not JSON in UTF-8"}',
  ]);
  // As deep as it takes to use up the stack while it is checked.
  const config = `/plugins/demo/tenants/${ORG_A}/config`;
  const deep = await ask(config, {
    method: 'PUT',
    body: '['.repeat(100_000) + ']'.repeat(100_000),
    headers,
  });
  expect([deep.status, await deep.text()]).toEqual([
    400,
    '{"code":"OPERATOR_INPUT","message":"body: nested too deep"}',
  ]);
  const typeless = await ask(path, { method: 'PUT', body: '{}', headers: {} });
  expect(typeless.status).toBe(400);
});

const FIGURES: CallFigures = {
  method: 'GET',
  path: '/api/demo',
  status: 200,
  code: null,
  cpuMs: 1,
  wallMs: 2,
  hostCalls: 0,
  memoryKb: 900,
  cold: false,
};

test('followed logs begin with what there is, go on by org, tell what was dropped, and end with the token', async () => {
  let now = 0;
  const clock = { now: () => now, monotonic: () => now };
  const { ask, upload, ownerToken, parts } = open({ clock });
  const token = await ownerToken(ORG_A, 'ci');
  await upload(demo('1.0.0'), '', token);
  const write = (org: string, text: string) => {
    const line = { plugin: 'demo', version: '1.0.0', org, callId: 'c', text } as const;
    parts.logbook.write({ ...line, kind: 'call', level: 'info', call: FIGURES });
  };
  write(ORG_A, 'first');
  write(ORG_B, 'not asked for');
  const answer = await ask(`/plugins/demo/logs?follow=1&org=${bare(ORG_A)}`, { token });
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
  const reader = answer.body!.getReader();
  const next = async () => {
    const { value, done } = await reader.read();
    if (done) return 'end';
    const lines = Buffer.from(value).toString().trim().split('\n');
    return lines.map((line) => JSON.parse(line) as { text?: string; dropped?: number });
  };
  expect(await next()).toMatchObject([{ text: 'first', call: { path: '/api/demo' } }]);
  for (let i = 0; i < 1_500; i++) write(ORG_A, `line ${i}`);
  const seen: { text?: string; dropped?: number }[] = [];
  while (!seen.some(({ dropped }) => dropped)) seen.push(...((await next()) as typeof seen));
  expect(seen.length + (seen.at(-1)?.dropped ?? 0)).toBe(1_501);

  const instance = answer.headers.get('vcx-instance') ?? '';
  const after = async (of: string) => {
    const read = await ask(`/plugins/demo/logs?after=1501&limit=5&instance=${of}`);
    return ((await read.json()) as { lines: unknown[] }).lines.length;
  };
  expect([await after(instance), await after('another')]).toEqual([1, 5]);
  expect((await ask('/tokens/ci', { method: 'DELETE' })).status).toBe(204);
  now += 60_000;
  write(ORG_A, 'too late');
  expect(await next()).toBe('end');
});

test('nobody follows more logs at once than they may', async () => {
  const { ask, upload } = open();
  await upload(demo('1.0.0'));
  const streams: Response[] = [];
  for (let i = 0; i < 16; i++) streams.push(await ask('/plugins/demo/logs?follow=1'));
  expect((await ask('/plugins/demo/logs?follow=1', { method: 'HEAD' })).status).toBe(200);
  expect((await ask('/plugins/demo/logs?follow=1')).status).toBe(503);
  await streams[0]!.body!.cancel();
  const again = await ask('/plugins/demo/logs?follow=1');
  expect(again.status).toBe(200);
  for (const { body } of [...streams.slice(1), again]) await body!.cancel();
});
