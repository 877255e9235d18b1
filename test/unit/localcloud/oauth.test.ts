/** Tokens of the simulated cell: API tokens, service accounts with their rotating token, and sessions that end. */
import { describe, expect, test } from 'vitest';

import { openSession, revokeSessions } from '../../../sdk/localcloud/cell/sessions/sessions.ts';
import { type Answer, type Cloud, createCloud } from './kit.ts';

const URN = 'urn:ietf:params:oauth:grant-type:';

const post = (cloud: Cloud, path: string, fields: Record<string, string>): Promise<Answer> =>
  cloud.call(`POST ${path}`, {
    as: '',
    body: new URLSearchParams(fields).toString(),
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  });

const token = (cloud: Cloud, fields: Record<string, string>, side = 'tenant/acme') =>
  post(cloud, `/oauth/${side}/token`, fields);

const works = async (cloud: Cloud, access: unknown) =>
  (await cloud.call('GET /api/session', { as: String(access) })).status === 200;

async function register(cloud: Cloud, body: object, user = 'alice', side = 'tenant/acme') {
  const as = openSession(cloud.store, cloud.rules, cloud.user(user), true).token;
  const answer = await cloud.call(`POST /oauth/${side}/register`, {
    as,
    body: JSON.stringify(body),
    json: true,
  });
  return { as, answer, id: answer.status === 200 ? String(answer.json['client_id']) : '' };
}

const ACCOUNT = {
  client_name: 'sa',
  software_id: 'x',
  scope: 'urn:vcloud:role:Organization%20Administrator',
};

test('an API token is shown once and good for any number of sessions', async () => {
  const cloud = createCloud();
  const { as, id } = await register(cloud, { client_name: 'mine' });
  const grant = { grant_type: `${URN}jwt-bearer`, client_id: id, assertion: as };
  const first = await token(cloud, grant);
  const refresh = String(first.json['refresh_token']);
  expect(first.json).toMatchObject({ token_type: 'Bearer', expires_in: 3600 });
  expect((await token(cloud, grant)).status).toBe(400);
  for (let use = 0; use < 2; use += 1) {
    const again = await token(cloud, { grant_type: 'refresh_token', refresh_token: refresh });
    expect(await works(cloud, again.json['access_token'])).toBe(true);
    expect(again.json['refresh_token']).toBeNull();
  }
  const elsewhere = { grant_type: 'refresh_token', refresh_token: refresh };
  for (const side of ['tenant/globex', 'provider'])
    expect((await token(cloud, elsewhere, side)).status).toBe(400);
});

describe('a service account', () => {
  async function activate(cloud: Cloud) {
    const { id } = await register(cloud, ACCOUNT);
    const urn = `urn:vcloud:serviceAccount:${id}`;
    const state = async () =>
      (
        await cloud.call(`GET /cloudapi/1.0.0/serviceAccounts/${urn}`, {
          as: cloud.user('alice'),
          json: true,
        })
      ).json['status'];
    const states = [await state()];
    const asked = await post(cloud, '/oauth/tenant/acme/device_authorization', { client_id: id });
    states.push(await state());
    const device = {
      grant_type: `${URN}device_code`,
      client_id: id,
      device_code: String(asked.json['device_code']),
    };
    const early = await token(cloud, device);
    expect(early.json).toMatchObject({ error: 'authorization_pending' });
    const body = JSON.stringify({ userCode: asked.json['user_code'] });
    const grant = 'POST /cloudapi/1.0.0/deviceLookup/grant';
    expect((await cloud.call(grant, { as: cloud.user('bob'), body, json: true })).status).toBe(403);
    expect(
      (await cloud.call(grant, { as: cloud.user('alice', 'globex'), body, json: true })).status,
    ).toBe(404);
    await cloud.expectCall(204, grant, { as: cloud.user('alice'), body, json: true });
    states.push(await state());
    const first = await token(cloud, device);
    states.push(await state());
    expect(states).toEqual(['CREATED', 'REQUESTED', 'GRANTED', 'ACTIVE']);
    expect((await token(cloud, device)).status).toBe(400);
    return { urn, first };
  }

  test('goes through its four states, and its refresh token changes with every use', async () => {
    const cloud = createCloud();
    const { first } = await activate(cloud);
    const one = String(first.json['refresh_token']);
    const second = await token(cloud, { grant_type: 'refresh_token', refresh_token: one });
    const two = String(second.json['refresh_token']);
    expect(two).not.toBe(one);
    expect((await token(cloud, { grant_type: 'refresh_token', refresh_token: one })).status).toBe(
      400,
    );
    const third = await token(cloud, { grant_type: 'refresh_token', refresh_token: two });
    expect(await works(cloud, third.json['access_token'])).toBe(true);
    expect(await works(cloud, first.json['access_token'])).toBe(true);
    const users = await cloud.call('GET /api/query?type=user', { as: cloud.user('alice') });
    expect(users.text).not.toContain('"sa"');
  });

  test('that is revoked or deleted has no access any more', async () => {
    const cloud = createCloud();
    const { urn, first } = await activate(cloud);
    const path = `/cloudapi/1.0.0/serviceAccounts/${urn}`;
    await cloud.expectCall(204, `POST ${path}/revoke`, { as: cloud.user('alice') });
    expect(await works(cloud, first.json['access_token'])).toBe(false);
    const refresh = {
      grant_type: 'refresh_token',
      refresh_token: String(first.json['refresh_token']),
    };
    expect((await token(cloud, refresh)).status).toBe(400);
    await cloud.expectCall(204, `DELETE ${path}`, { as: cloud.user('alice') });
    expect((await cloud.call(`GET ${path}`, { as: cloud.user('alice') })).status).toBe(404);
  });

  test('is registered by administrators, for their own org and a role that is there', async () => {
    const cloud = createCloud();
    expect((await register(cloud, ACCOUNT, 'bob')).answer.status).toBe(403);
    expect((await register(cloud, ACCOUNT, 'alice', 'tenant/globex')).answer.status).toBe(403);
    expect((await register(cloud, ACCOUNT, 'alice', 'provider')).answer.status).toBe(403);
    const scope = 'urn:vcloud:role:System%20Administrator';
    expect((await register(cloud, { ...ACCOUNT, scope })).answer.json).toMatchObject({
      error: 'invalid_scope',
    });
  });
});

test.each([
  [{ grant_type: 'password' }, 'unsupported_grant_type'],
  [{ grant_type: 'refresh_token' }, 'invalid_grant'],
  [{ grant_type: 'refresh_token', refresh_token: 'x' }, 'invalid_grant'],
  [{ grant_type: `${URN}device_code`, client_id: 'x' }, 'invalid_grant'],
  [{ grant_type: `${URN}jwt-bearer`, client_id: 'x', assertion: 'y' }, 'invalid_grant'],
])('the token request %j is refused as %s', async (fields, code) => {
  const answer = await token(createCloud(), fields);
  expect([answer.status, answer.json['error'], answer.json['minorErrorCode']]).toEqual([
    400,
    code,
    code,
  ]);
});

describe('sessions', () => {
  test('end after their time, those that are open too', async () => {
    const cloud = createCloud();
    const session = openSession(cloud.store, cloud.rules, cloud.user('bob'), true);
    expect(await works(cloud, session.token)).toBe(true);
    cloud.rules.expireAfterMs = 0;
    expect(await works(cloud, session.token)).toBe(false);
    cloud.rules.expireAfterMs = 3_600_000;
    expect(await works(cloud, session.token)).toBe(false);
  });

  test('are revoked at once, or in the middle of what a client does', async () => {
    const cloud = createCloud();
    const open = () => openSession(cloud.store, cloud.rules, cloud.user('bob'), true).token;
    const first = open();
    revokeSessions(cloud.store, cloud.rules, 0);
    expect(await works(cloud, first)).toBe(false);
    const second = open();
    revokeSessions(cloud.store, cloud.rules, 2);
    const seen = [];
    for (let at = 0; at < 4; at += 1) seen.push(await works(cloud, second));
    expect(seen).toEqual([true, true, false, false]);
    expect(await works(cloud, open())).toBe(true);
  });
});
