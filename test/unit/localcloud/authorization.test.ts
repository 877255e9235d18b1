/** Resource classes, actions and ACL rules of the simulated cell: every decision, by call and by check. */
import { describe, expect, test } from 'vitest';

import type { User } from '../../../sdk/localcloud/cell/model.ts';
import {
  type Cloud,
  HEAD,
  answerWith,
  child,
  createCloud,
  filters,
  registerService,
  urlFilter,
} from './kit.ts';
import { access, params, published, setUp } from './authorization-kit.ts';

/** The decision in the three ways to get it, which must agree. */
async function decides(cloud: Cloud, service: string, user: User, path: string): Promise<boolean> {
  const called = (await cloud.call(`GET ${path}`, { as: user })).status;
  const checks = [
    `${service}/authorizationcheck`,
    '/api/admin/extension/service/authorizationcheck',
  ];
  const verdicts: string[] = [];
  for (const check of checks) {
    const answer = await cloud.expectCall(200, `POST ${check}`, {
      body: params(user, 'GET', path),
    });
    verdicts.push(child(answer.xml, 'IsAuthorized').text);
  }
  expect(verdicts).toEqual(called === 200 ? ['true', 'true'] : ['false', 'false']);
  if (called !== 200) expect(called).toBe(403);
  return called === 200;
}

/** Who of all the users gets through, for a path with acme's id. */
async function allowed(
  cloud: Cloud,
  service: string,
  id = cloud.org('acme').id,
): Promise<string[]> {
  const through: string[] = [];
  for (const user of cloud.store.users.values())
    if (await decides(cloud, service, user, `/api/backup/${id}`))
      through.push(`${user.name}@${user.org.name}`);
  return through;
}

const ALL = [
  'administrator@System',
  ...['acme', 'globex'].flatMap((org) => ['alice', 'bob', 'carol'].map((name) => `${name}@${org}`)),
];

describe('with authorization enabled', () => {
  test('nobody gets through without classes, a system administrator neither', async () => {
    const cloud = createCloud();
    const containers = filters(urlFilter('/api/backup/.*'));
    const service = await registerService(cloud, { authorization: true, containers });
    expect(await allowed(cloud, service)).toEqual([]);
  });

  test('a rule for everybody lets everybody through, for the method and the path of its action', async () => {
    const cloud = createCloud();
    const service = await setUp(cloud, {});
    expect(await allowed(cloud, service)).toEqual(ALL);
    const path = `/api/backup/${cloud.org('acme').id}`;
    expect((await cloud.call(`PUT ${path}`, { body: 'x' })).status).toBe(403);
    expect((await cloud.call(`GET ${path}/more`)).status).toBe(403);
    expect((await cloud.call('GET /api/backup/00000000-0000-4000-8000-000000000000')).status).toBe(
      403,
    );
  });

  test('an action without the group id never authorizes', async () => {
    const cloud = createCloud();
    for (const pattern of ['/api/backup/.*', '/api/backup/(?&lt;url&gt;.*)']) {
      const service = await setUp(cloud, { pattern });
      expect(await allowed(cloud, service)).toEqual([]);
      const body = `<vmext:Service ${HEAD} name="s"><vmext:Enabled>false</vmext:Enabled></vmext:Service>`;
      await cloud.expectCall(200, `PUT ${service}`, { body });
      await cloud.expectCall(204, `DELETE ${service}`);
    }
  });

  test('an action without rules never authorizes', async () => {
    const cloud = createCloud();
    expect(await allowed(cloud, await setUp(cloud, { rules: [] }))).toEqual([]);
  });

  test('Shared means members of the org that owns the resource, Entity those of the org named', async () => {
    const shared = createCloud();
    const ofOwner = { ...published, org: access('OrganizationAccess', 'Shared') };
    expect(await allowed(shared, await setUp(shared, { rules: [ofOwner] }))).toEqual(
      ALL.filter((name) => name.endsWith('@acme')),
    );
    const named = createCloud();
    const href = `http://x/api/admin/org/${named.org('globex').id}`;
    const ofGlobex = { ...published, org: access('OrganizationAccess', 'Entity', href) };
    expect(await allowed(named, await setUp(named, { rules: [ofGlobex] }))).toEqual(
      ALL.filter((name) => name.endsWith('@globex')),
    );
  });

  test('a principal is one user, or whoever holds a right', async () => {
    const one = createCloud();
    const user = `http://x/api/admin/user/${one.user('bob').id}`;
    const forBob = { ...published, principal: access('PrincipalAccess', 'Entity', user) };
    expect(await allowed(one, await setUp(one, { rules: [forBob] }))).toEqual(['bob@acme']);

    const many = createCloud();
    const service = await setUp(many, { rules: [] });
    const right = await many.expectCall(201, `POST ${service}/rights`, {
      body: `<Right ${HEAD} name="Backup: View"><Category>c</Category></Right>`,
    });
    const href = right.xml.attributes['href'] ?? '';
    const action = [...many.store.entities.values()].find(
      ({ kind }) => kind === 'resourceClassAction',
    );
    const rule = `<vmext:AclRule ${HEAD} name="r">${published.org}${access('PrincipalAccess', 'Entity', href)}</vmext:AclRule>`;
    const actions = '/api/admin/extension/service/resourceclassaction';
    await many.expectCall(201, `POST ${actions}/${action?.id}/aclrules`, { body: rule });
    expect(await allowed(many, service)).toEqual(ALL.filter((name) => !name.startsWith('carol')));
    const refused = await many.call(`DELETE ${href.replace('http://127.0.0.1:1', '')}`);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('ACL rule');
  });

  test('any one of several rules is enough', async () => {
    const cloud = createCloud();
    const bob = access('PrincipalAccess', 'Entity', `/api/admin/user/${cloud.user('bob').id}`);
    const alice = access('PrincipalAccess', 'Entity', `/api/admin/user/${cloud.user('alice').id}`);
    const { org } = published;
    const rules = [bob, alice].map((principal) => ({ org, principal }));
    expect(await allowed(cloud, await setUp(cloud, { rules }))).toEqual(['alice@acme', 'bob@acme']);
  });

  test('resources of a service belong to the org that it named, and rules may be for one of them', async () => {
    const cloud = createCloud();
    const mime = 'application/vnd.example.backup+xml';
    const org = (name: string) => `<vmext:Org href="/api/admin/org/${cloud.org(name).id}"/>`;
    const resource = (name: string, id: string) =>
      `<vmext:ServiceResource name="${id}">${org(name)}<vmext:ExternalObjectId>${id}</vmext:ExternalObjectId></vmext:ServiceResource>`;
    const resources = `<vmext:ServiceResources>${resource('acme', '17')}${resource('globex', '18')}</vmext:ServiceResources>`;
    const shared = access('OrganizationAccess', 'Shared');
    const service = await setUp(cloud, { mime, resources, rules: [{ ...published, org: shared }] });
    const members = (name: string) => ALL.filter((user) => user.endsWith(`@${name}`));
    expect(await allowed(cloud, service, '17')).toEqual(members('acme'));
    expect(await allowed(cloud, service, '18')).toEqual(members('globex'));
    expect(await allowed(cloud, service, '19')).toEqual([]);
  });

  test('a rule for one resource is for that one only', async () => {
    const cloud = createCloud();
    const acme = cloud.org('acme').id;
    const resource = access('ServiceResourceAccess', 'Entity', `/api/admin/org/${acme}`);
    const service = await setUp(cloud, { rules: [{ ...published, resource }] });
    expect(await allowed(cloud, service)).toEqual(ALL);
    expect(await allowed(cloud, service, cloud.org('globex').id)).toEqual([]);
  });
});

test('all services that match are authorized before the first gets the request', async () => {
  const cloud = createCloud();
  const seen: string[] = [];
  const containers = filters(urlFilter('/api/x'));
  for (const [name, authorization] of [
    ['first', false],
    ['second', true],
  ] as const) {
    const priority = name === 'first' ? 90 : 10;
    await registerService(cloud, { name, authorization, containers, priority });
    cloud.services.set(name, (message) => {
      seen.push(name);
      return answerWith(message, name);
    });
  }
  expect((await cloud.call('GET /api/x')).status).toBe(403);
  expect(seen).toEqual([]);
});
