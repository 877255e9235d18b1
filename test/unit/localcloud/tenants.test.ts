/** Orgs, users, roles, vApps and queries of the simulated cell: what is shown, and to whom. */
import { describe, expect, test } from 'vitest';

import { type Cloud, HEAD, child, children, createCloud, hrefOf, links } from './kit.ts';

const FORBIDDEN = 'minorErrorCode="ACCESS_TO_RESOURCE_IS_FORBIDDEN"';
const vAppIn = (cloud: Cloud, org: string) =>
  [...cloud.store.vApps.values()].find((vApp) => vApp.org.name === org)?.id ?? '';
const tenantContext = (id: string) => ({ headers: { 'X-VMWARE-VCLOUD-TENANT-CONTEXT': id } });

describe('tenants', () => {
  test('see their own org and its vApps, and are refused those of others', async () => {
    const cloud = createCloud();
    const as = cloud.user('alice');
    const [acme, globex] = [cloud.org('acme'), cloud.org('globex')];
    const list = await cloud.call('GET /api/org', { as });
    expect(children(list.xml, 'Org').map(({ attributes }) => attributes['name'])).toEqual(['acme']);
    expect((await cloud.call(`GET /api/org/${acme.id}`, { as })).status).toBe(200);
    expect((await cloud.call(`GET /api/vApp/vapp-${vAppIn(cloud, 'acme')}`, { as })).status).toBe(
      200,
    );
    for (const path of [
      `/api/org/${globex.id}`,
      `/api/admin/org/${globex.id}`,
      `/api/vApp/vapp-${vAppIn(cloud, 'globex')}`,
      `/api/tasksList/${globex.id}`,
      `/api/admin/user/${cloud.user('bob', 'globex').id}`,
      `/api/admin/role/${cloud.user('bob', 'globex').role}`,
      `/api/entity/urn:vcloud:org:${globex.id}`,
      '/api/admin',
      '/api/admin/extension/service',
    ]) {
      const answer = await cloud.call(`GET ${path}`, { as });
      expect(answer.status, path).toBe(403);
      expect(answer.text, path).toContain(FORBIDDEN);
    }
  });

  test('get 404 for what does not exist', async () => {
    const cloud = createCloud();
    const id = '00000000-0000-4000-8000-000000000000';
    for (const path of [
      `/api/org/${id}`,
      `/api/vApp/vapp-${id}`,
      `/api/vApp/${id}`,
      `/api/task/${id}`,
    ])
      expect((await cloud.call(`GET ${path}`, { as: cloud.user('alice') })).status, path).toBe(404);
  });

  test('without the administrator’s view see no administrative documents but themselves', async () => {
    const cloud = createCloud();
    const bob = cloud.user('bob');
    const status = async (path: string) => (await cloud.call(`GET ${path}`, { as: bob })).status;
    expect(await status(`/api/admin/org/${bob.org.id}`)).toBe(403);
    expect(await status(`/api/admin/role/${bob.role}`)).toBe(403);
    expect(await status(`/api/admin/user/${cloud.user('alice').id}`)).toBe(403);
    expect(await status(`/api/admin/user/${bob.id}`)).toBe(200);
    expect(await status('/api/query?type=user')).toBe(403);
  });

  test('may name their own org as tenant context, and no other', async () => {
    const cloud = createCloud();
    const as = cloud.user('alice');
    const get = (id: string) => cloud.call('GET /api/org', { as, ...tenantContext(id) });
    expect((await get(cloud.org('acme').id)).status).toBe(200);
    expect((await get(cloud.org('globex').id)).status).toBe(403);
  });
});

describe('a system administrator', () => {
  test('sees all orgs, and with a tenant context only that one', async () => {
    const cloud = createCloud();
    const { id } = cloud.org('acme');
    expect(children((await cloud.call('GET /api/org')).xml, 'Org')).toHaveLength(3);
    for (const context of [id, `urn:vcloud:org:${id}`]) {
      const list = await cloud.call('GET /api/org', tenantContext(context));
      expect(children(list.xml, 'Org')).toHaveLength(1);
    }
    const other = `GET /api/vApp/vapp-${vAppIn(cloud, 'globex')}`;
    expect((await cloud.call(other)).status).toBe(200);
    expect((await cloud.call(other, tenantContext(id))).status).toBe(403);
    const vApps = await cloud.call('GET /api/query?type=adminVApp', tenantContext(id));
    expect(vApps.xml.attributes['total']).toBe('2');
    expect((await cloud.call('GET /api/org', tenantContext('nonsense'))).status).toBe(400);
    const named = { headers: { 'X-VMWARE-VCLOUD-AUTH-CONTEXT': 'acme' } };
    expect((await cloud.call(other, named)).status).toBe(403);
  });

  test('finds the links for tasks and events on an org, which its own administrators do not', async () => {
    const cloud = createCloud();
    const { id } = cloud.org('acme');
    const made = [`task:create /api/tasksList/${id}`, `event:create /api/admin/org/${id}/events`];
    const org = await cloud.call(`GET /api/admin/org/${id}`);
    expect(links(org.xml)).toEqual(expect.arrayContaining(made));
    const own = await cloud.call(`GET /api/admin/org/${id}`, { as: cloud.user('alice') });
    expect(links(own.xml)).not.toEqual(expect.arrayContaining(made.slice(0, 1)));
    expect(children(child(org.xml, 'Users'), 'UserReference')).toHaveLength(3);
  });

  test('finds everything from the session on', async () => {
    const cloud = createCloud();
    const session = await cloud.call('GET /api/session');
    for (const link of links(session.xml).filter((text) => /^(?:down|down:\w+) /.test(text))) {
      const path = link.split(' ')[1];
      expect((await cloud.call(`GET ${path}`)).status, link).toBe(200);
    }
    const queries = links((await cloud.call('GET /api/query')).xml);
    for (const query of queries)
      expect((await cloud.call(`GET ${query.split(' ')[1]}`)).status, query).toBe(200);
  });
});

describe('users and roles', () => {
  const user = (inner: string, name = 'dave') => `<User ${HEAD} name="${name}">${inner}</User>`;

  test('are made, changed and deleted, and what was changed holds at once', async () => {
    const cloud = createCloud();
    const as = cloud.user('alice');
    const { id } = as.org;
    const [right] = cloud.store.rights.values();
    const role = await cloud.expectCall(201, `POST /api/admin/org/${id}/roles`, {
      as,
      body: `<Role ${HEAD} name="R"><Description>d</Description><RightReferences><RightReference href="/api/admin/right/${right?.id}"/></RightReferences></Role>`,
    });
    expect(children(child(role.xml, 'RightReferences'), 'RightReference')).toHaveLength(1);
    const body = user(
      `<FullName>Dave</FullName><IsEnabled>true</IsEnabled><Role href="${role.xml.attributes['href']}"/><Password>secret</Password>`,
    );
    const made = await cloud.expectCall(201, `POST /api/admin/org/${id}/users`, { as, body });
    expect(made.text).not.toContain('secret');
    const dave = cloud.user('dave');
    const gets = async () => (await cloud.call('GET /api/org', { as: dave })).status;
    expect(await gets()).toBe(200);
    expect((await cloud.call(`DELETE ${hrefOf(role)}`, { as })).status).toBe(400);
    const off = user('<IsEnabled>false</IsEnabled>');
    await cloud.expectCall(200, `PUT ${hrefOf(made)}`, { as, body: off });
    expect(await gets()).toBe(401);
    await cloud.expectCall(204, `DELETE ${hrefOf(made)}`, { as });
    await cloud.expectCall(204, `DELETE ${hrefOf(role)}`, { as });
    expect((await cloud.call(`GET ${hrefOf(made)}`, { as })).status).toBe(404);
  });

  test.each([
    ['no password', '<Role href="ROLE"/>', 'Password'],
    ['no role', '<Password>p</Password>', 'Role'],
    ['the wrong order', '<Password>p</Password><Role href="ROLE"/>', 'Role'],
    ['another org’s role', '<Role href="OTHER"/><Password>p</Password>', 'role'],
  ])('a user with %s is refused', async (_, inner, word) => {
    const cloud = createCloud();
    const roleIn = (org: string) => `/api/admin/role/${cloud.user('bob', org).role}`;
    const body = user(inner.replace('ROLE', roleIn('acme')).replace('OTHER', roleIn('globex')));
    const answer = await cloud.call(`POST /api/admin/org/${cloud.org('acme').id}/users`, { body });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(word);
  });

  test('names are unique in an org, and roles without the right to administer change nothing', async () => {
    const cloud = createCloud();
    const path = `POST /api/admin/org/${cloud.org('acme').id}/users`;
    const inner = `<Role href="/api/admin/role/${cloud.user('bob').role}"/><Password>p</Password>`;
    const twice = await cloud.call(path, { body: user(inner, 'Alice') });
    expect(twice.text).toContain('DUPLICATE_NAME');
    expect((await cloud.call(path, { as: cloud.user('bob'), body: user(inner) })).status).toBe(403);
    expect(
      (await cloud.call(path, { as: cloud.user('alice', 'globex'), body: user(inner) })).status,
    ).toBe(403);
  });

  test('a role whose rights were chosen takes no new ones by itself', async () => {
    const cloud = createCloud();
    const { role } = cloud.user('alice');
    await cloud.expectCall(200, `PUT /api/admin/role/${role}`, {
      body: `<Role ${HEAD} name="Organization Administrator"><RightReferences/></Role>`,
    });
    expect((await cloud.call('GET /api/query?type=role', { as: cloud.user('alice') })).status).toBe(
      403,
    );
  });
});

test('queries know JSON, references and ids, and only attributes that exist', async () => {
  const cloud = createCloud();
  const records = await cloud.call('GET /api/query?type=organization&sortAsc=name', { json: true });
  expect(records.json).toMatchObject({
    total: 3,
    record: [
      { _type: 'QueryResultOrgRecordType', name: 'acme', isEnabled: true, numberOfVApps: 2 },
      { name: 'globex' },
      { name: 'System' },
    ],
  });
  const references = await cloud.call(
    'GET /api/query?type=user&format=references&filter=name==alice',
  );
  expect(references.xml.name).toBe('UserReferences');
  expect(children(references.xml, 'UserReference')).toHaveLength(2);
  const ids = await cloud.call('GET /api/query?type=vApp&format=idrecords', {
    as: cloud.user('bob'),
  });
  for (const { attributes } of children(ids.xml, 'VAppRecord')) {
    expect(attributes['id']).toMatch(/^urn:vcloud:vapp:/);
    expect(attributes['href']).toBeUndefined();
  }
  for (const bad of [
    'type=nothing',
    'type=__proto__',
    'type=user&filter=color==red',
    'type=user&format=x',
  ])
    expect((await cloud.call(`GET /api/query?${bad}`)).status, bad).toBe(400);
  expect(
    (await cloud.call('GET /api/query?type=adminUser', { as: cloud.user('alice') })).status,
  ).toBe(403);
});
