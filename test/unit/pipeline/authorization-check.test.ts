import { describe, expect, test } from 'vitest';

import { createMetrics } from '../../../host/kernel/metrics.ts';
import type { Doc } from '../../../host/message/xml/documents.ts';
import { encodeXml } from '../../../host/message/xml/documents.ts';
import { createAuthority, wantsCheck } from '../../../host/pipeline/authorization/authority.ts';
import {
  createAuthorizationCheck,
  type AuthorizationCheckOptions,
  type Question,
} from '../../../host/pipeline/authorization/check.ts';
import type { VcloudClient } from '../../../host/vcloud/client.ts';
import { VcloudError } from '../../../host/vcloud/errors.ts';

const SERVICE = 'https://vcd.example.com/api/admin/extension/service/1';
const question: Question = {
  service: 'org.example.backup',
  org: 'urn:vcloud:org:70000000-0000-4000-8000-000000000001',
  user: 'urn:vcloud:user:80000000-0000-4000-8000-000000000001',
  method: 'POST',
  path: '/api/backup/ä 1',
};

type Params = Doc<'AuthorizationCheckParams'>;

/** A vCloud that answers checks as told and keeps what it was asked. */
function scripted(answer: (params: Params) => boolean | Promise<boolean>) {
  const asked: Params[] = [];
  let lookups = 0;
  const client: VcloudClient = {
    origin: 'https://vcd.example.com',
    async request() {
      lookups += 1;
      const record = `<AdminServiceRecord namespace="${question.service}" href="${SERVICE}"/>`;
      const text = `<QueryResultRecords xmlns="http://www.vmware.com/vcloud/v1.5" total="1">${record}</QueryResultRecords>`;
      return { status: 200, headers: {}, contentType: '', body: Buffer.from(text) };
    },
    getXml: async () => ({ name: 'backup', href: SERVICE }) as never,
    async sendXml(method, path, { name, value }) {
      expect([method, path, name]).toEqual([
        'POST',
        `${SERVICE}/authorizationcheck`,
        'AuthorizationCheckParams',
      ]);
      const params = value as Params;
      asked.push(params);
      const IsAuthorized = await answer(params);
      const body = Buffer.from(encodeXml('AuthorizationCheckResponse', { IsAuthorized }));
      return { status: 200, headers: {}, contentType: '', body };
    },
    connect: async () => '37.0',
    status: () => ({ state: 'ready', apiVersion: '37.0', lastError: null }),
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { client, asked, lookups: () => lookups };
}

function open(
  answer: Parameters<typeof scripted>[0],
  options: Partial<AuthorizationCheckOptions> = {},
) {
  const vcloud = scripted(answer);
  let at = 0;
  const clock = { now: () => at, monotonic: () => at };
  const check = createAuthorizationCheck({ client: vcloud.client, clock, ...options });
  return { ...vcloud, check, tick: (ms: number) => void (at += ms) };
}

const down = () => {
  throw new VcloudError({ code: 'VCLOUD_UNAVAILABLE', message: 'no answer from 10.0.0.1' });
};

test('user, method and URL are asked for, the path escaped once', async () => {
  const { check, asked } = open(() => true);
  expect(await check.check(question)).toEqual({ kind: 'allowed' });
  await check.check({ ...question, method: 'HEAD' });
  expect(asked.map(({ User, HttpMethod, URL }) => [User?.href, HttpMethod, URL])).toEqual([
    [
      'https://vcd.example.com/api/admin/user/80000000-0000-4000-8000-000000000001',
      'POST',
      '/api/backup/%C3%A4%201',
    ],
    [expect.anything(), 'GET', expect.anything()],
  ]);
  expect(Object.keys(asked[0] ?? {})).toEqual(['User', 'HttpMethod', 'URL']);
});

test('a thousand calls by twenty users at once cost twenty checks and one look at the service', async () => {
  const { check, asked, lookups } = open(() => true);
  const ask = (n: number) =>
    check.check({
      ...question,
      user: `urn:vcloud:user:80000000-0000-4000-8000-0000000000${String(n % 20).padStart(2, '0')}`,
    });
  const all = await Promise.all(Array.from({ length: 1_000 }, (_, n) => ask(n)));
  expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['allowed']));
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => ask(n)));
  expect([asked.length, lookups()]).toEqual([20, 1]);
});

describe('what is remembered', () => {
  test('a yes for seconds, a no for less', async () => {
    const yes = open(() => true);
    const no = open(() => false);
    for (const { check, tick } of [yes, no]) {
      await check.check(question);
      tick(1_999);
      await check.check(question);
      tick(2);
      await check.check(question);
    }
    expect([yes.asked.length, no.asked.length]).toEqual([1, 2]);
    yes.tick(10_000);
    await yes.check.check(question);
    expect(yes.asked.length).toBe(2);
  });

  test.each(['service', 'org', 'user', 'method', 'path'] as const)(
    'never for another %s',
    async (field) => {
      const { check, asked } = open(({ URL }) => asked.length === 1 && URL !== '');
      const other = {
        service: question.service,
        org: 'urn:vcloud:org:70000000-0000-4000-8000-000000000002',
        user: 'urn:vcloud:user:80000000-0000-4000-8000-000000000002',
        method: 'DELETE',
        path: '/api/backup/2',
      };
      expect(await check.check(question)).toEqual({ kind: 'allowed' });
      // The scripted vCloud knows one service, so another one is nobody's.
      const changed = { ...question, [field]: field === 'service' ? 'other' : other[field] };
      const verdict = await check.check(changed);
      expect(verdict.kind).toBe(field === 'service' ? 'unavailable' : 'denied');
    },
  );

  test('nothing after the registration changed, an answer under way included', async () => {
    const gate = Promise.withResolvers<boolean>();
    const { check, asked } = open(() => (asked.length === 1 ? gate.promise : false));
    const first = check.check(question);
    await expect.poll(() => asked.length).toBe(1);
    check.clear();
    gate.resolve(true);
    expect((await first).kind).toBe('allowed');
    expect((await check.check(question)).kind).toBe('denied');
  });

  test('a failure never', async () => {
    let broken = true;
    const { check } = open(() => (broken ? down() : true));
    expect(await check.check(question)).toEqual({
      kind: 'unavailable',
      reason: 'vCloud did not answer in time or failed',
    });
    broken = false;
    expect((await check.check(question)).kind).toBe('allowed');
  });

  test('no more than the bound, the longest unused gone first', async () => {
    const { check, asked } = open(() => true, { entries: 2 });
    const at = (path: string) => check.check({ ...question, path });
    for (const path of ['/a', '/b', '/a', '/c', '/a', '/b']) await at(path);
    expect(asked.map(({ URL }) => URL)).toEqual(['/a', '/b', '/c', '/b']);
  });
});

test('one caller that leaves does not end the question of the others', async () => {
  const gate = Promise.withResolvers<boolean>();
  const { check, asked } = open(() => gate.promise);
  const leaving = new AbortController();
  const [left, stays] = [check.check(question, leaving.signal), check.check(question)];
  await expect.poll(() => asked.length).toBe(1);
  leaving.abort();
  expect((await left).kind).toBe('unavailable');
  gate.resolve(true);
  expect((await stays).kind).toBe('allowed');
});

test('answers are counted by plug-in', async () => {
  const metrics = createMetrics();
  const { check } = open(() => true, { metrics });
  for (const plugin of ['backup', 'backup', 'other']) await check.check({ ...question, plugin });
  const total = (labels: Record<string, string>) =>
    metrics.total('vcx_authorization_checks_total', labels);
  expect(await total({ plugin: 'backup', source: 'vcloud' })).toBe(1);
  expect(await total({ plugin: 'backup', source: 'cache' })).toBe(1);
  expect(await total({ plugin: 'other', result: 'allowed' })).toBe(1);
});

describe('the stage', () => {
  const call = {
    method: 'POST',
    path: '/api/backup/1',
    identity: { org: question.org, user: question.user },
  };
  const routed = (authorizationCheck?: string) => ({
    plugin: {
      manifest: {
        name: 'backup',
        authorizationCheck: 'never',
        vcloud: { namespace: question.service },
      },
    },
    route: { authorizationCheck },
  });
  const ask = (authority: ReturnType<typeof createAuthority>, wanted?: string, method = 'POST') =>
    authority.ask({ ...call, method } as never, routed(wanted) as never, performance.now() + 5_000);

  test.each([
    ['a yes lets through', () => true, null],
    ['a no is a 403', () => false, 'AUTHORIZATION_DENIED'],
    ['no answer is a 503', down, 'AUTHORIZATION_UNAVAILABLE'],
  ])('%s', async (_, answer, code) => {
    const { check } = open(answer);
    const refusal = await ask(createAuthority(check), 'always');
    expect(refusal?.code ?? null).toBe(code);
    expect(refusal?.message ?? '').not.toContain('10.0.0.1');
  });

  test('without a vCloud it is closed, and open only where nobody asks for the check', async () => {
    const authority = createAuthority(null);
    expect((await ask(authority, 'always'))?.code).toBe('AUTHORIZATION_UNAVAILABLE');
    expect((await ask(authority, 'writes'))?.code).toBe('AUTHORIZATION_UNAVAILABLE');
    expect(await ask(authority, 'writes', 'GET')).toBe(null);
    expect(await ask(authority)).toBe(null);
  });

  test('a route overrides the plug-in', () => {
    expect(wantsCheck({ authorizationCheck: 'always' }, {}, 'GET')).toBe(true);
    expect(
      wantsCheck({ authorizationCheck: 'always' }, { authorizationCheck: 'never' }, 'GET'),
    ).toBe(false);
    expect(wantsCheck({ authorizationCheck: 'writes' }, {}, 'PATCH')).toBe(true);
  });
});
