/** The authorization check of the simulated cell, and rules that it refuses to store. */
import { describe, expect, test } from 'vitest';

import { access, params, setUp } from './authorization-kit.ts';
import { HEAD, child, createCloud, registerService } from './kit.ts';

describe('the check', () => {
  test('says true for a service that lets everybody in, and ignores the query string', async () => {
    const cloud = createCloud();
    const open = await registerService(cloud, { name: 'open' });
    await setUp(cloud, {});
    const user = cloud.user('carol');
    const ask = async (path: string, url: string) => {
      const answer = await cloud.expectCall(200, `POST ${path}/authorizationcheck`, {
        body: params(user, 'GET', url),
        json: false,
      });
      return child(answer.xml, 'IsAuthorized').text;
    };
    expect(await ask(open, '/api/anything')).toBe('true');
    const all = '/api/admin/extension/service';
    expect(await ask(all, `/api/backup/${cloud.org('acme').id}?a=b`)).toBe('true');
    expect(await ask(all, 'https://vcloud.example.com/api/backup/x')).toBe('false');
  });

  test('speaks JSON', async () => {
    const cloud = createCloud();
    const service = await registerService(cloud);
    const body = JSON.stringify({
      user: { href: cloud.user('bob').id },
      httpMethod: 'GET',
      url: '/a',
    });
    const answer = await cloud.expectCall(200, `POST ${service}/authorizationcheck`, {
      body,
      json: true,
    });
    expect(answer.json).toEqual({ otherAttributes: {}, isAuthorized: true });
  });

  test.each([
    [
      'the wrong order',
      (body: string) =>
        body.replace(
          /(<vmext:HttpMethod>.*<\/vmext:HttpMethod>)(<vmext:URL>.*<\/vmext:URL>)/,
          '$2$1',
        ),
      400,
    ],
    ['no user', (body: string) => body.replace(/<vmext:User[^>]*>/, ''), 400],
    ['an unknown user', (body: string) => body.replace(/user\/[-0-9a-f]+/, 'user/x'), 400],
    ['another method', (body: string) => body.replace('GET', 'PATCH'), 400],
    ['a URL without slash', (body: string) => body.replace('/api/x', 'api/x'), 400],
  ])('with %s is refused', async (_, change, status) => {
    const cloud = createCloud();
    const body = change(params(cloud.user('bob'), 'GET', '/api/x'));
    const path = '/api/admin/extension/service/authorizationcheck';
    expect((await cloud.call(`POST ${path}`, { body })).status).toBe(status);
  });

  test('is the provider’s, and 404 for a service that is not there', async () => {
    const cloud = createCloud();
    const body = params(cloud.user('bob'), 'GET', '/api/x');
    const stem = '/api/admin/extension/service';
    expect(
      (await cloud.call(`POST ${stem}/authorizationcheck`, { as: cloud.user('alice'), body }))
        .status,
    ).toBe(403);
    expect((await cloud.call(`POST ${stem}/x/authorizationcheck`, { body })).status).toBe(404);
  });
});

test.each([
  [
    'a method that is none',
    '<vmext:HttpMethod>FETCH</vmext:HttpMethod><vmext:UrlPattern>/(?&lt;id&gt;x)</vmext:UrlPattern>',
  ],
  [
    'the group twice',
    '<vmext:HttpMethod>GET</vmext:HttpMethod><vmext:UrlPattern>/(?&lt;id&gt;x)(?&lt;id&gt;y)</vmext:UrlPattern>',
  ],
])('an action with %s is refused', async (_, inner) => {
  const cloud = createCloud();
  await setUp(cloud, {});
  const resourceClass = [...cloud.store.entities.values()].find(
    ({ kind }) => kind === 'resourceClass',
  );
  const path = `/api/admin/extension/service/resourceclass/${resourceClass?.id}/resourceclassactions`;
  const body = `<vmext:ResourceClassAction ${HEAD} name="a">${inner}</vmext:ResourceClassAction>`;
  expect((await cloud.call(`POST ${path}`, { body })).status).toBe(400);
});

test.each([
  ['None', access('OrganizationAccess', 'None') + access('PrincipalAccess', 'Shared')],
  [
    'Entity without one',
    access('OrganizationAccess', 'Entity') + access('PrincipalAccess', 'Shared'),
  ],
  ['no principal', access('OrganizationAccess', 'Shared')],
  [
    'Published principals',
    access('OrganizationAccess', 'Shared') + access('PrincipalAccess', 'Published'),
  ],
])('a rule with %s is refused', async (_, inner) => {
  const cloud = createCloud();
  await setUp(cloud, {});
  const action = [...cloud.store.entities.values()].find(
    ({ kind }) => kind === 'resourceClassAction',
  );
  const path = `/api/admin/extension/service/resourceclassaction/${action?.id}/aclrules`;
  const body = `<vmext:AclRule ${HEAD} name="r">${inner}</vmext:AclRule>`;
  expect((await cloud.call(`POST ${path}`, { body })).status).toBe(400);
});
