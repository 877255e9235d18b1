/** Resource classes, actions and ACL rules of the simulated cell: every decision, by call and by check. */
import { describe, expect, test } from 'vitest';

import type { User } from '../../sdk/localcloud/cell/store.ts';
import {
  type Cloud,
  HEAD,
  answerWith,
  child,
  createCloud,
  filters,
  registerService,
  urlFilter,
} from './localcloud-kit.ts';

const access = (name: string, value: string, href?: string) =>
  `<vmext:${name}><vmext:Access>${value}</vmext:Access>${href === undefined ? '' : `<vmext:Entity xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="ResourceReferenceType" href="${href}"/>`}</vmext:${name}>`;

interface Rule {
  readonly resource?: string;
  readonly org: string;
  readonly principal: string;
}

const published: Rule = {
  org: access('OrganizationAccess', 'Published'),
  principal: access('PrincipalAccess', 'Shared'),
};

interface Setting {
  readonly rules?: readonly Rule[];
  readonly pattern?: string;
  readonly method?: string;
  readonly mime?: string;
  readonly resources?: string;
}

/** A service for `/api/backup/…` whose one class has one action with the rules. */
async function setUp(cloud: Cloud, setting: Setting): Promise<string> {
  const {
    rules = [published],
    pattern = '/api/backup/(?&lt;id&gt;[-A-Za-z0-9]+)',
    method = 'GET',
    mime = 'application/vnd.vmware.admin.organization+xml',
    resources = '',
  } = setting;
  const acl = rules
    .map(
      ({ resource = '', org, principal }) =>
        `<vmext:AclRule name="r">${resource}${org}${principal}</vmext:AclRule>`,
    )
    .join('');
  const containers = `${filters(urlFilter('/api/backup/.*'))}<vmext:ResourceClasses><vmext:ResourceClass name="c"><vmext:MimeType>${mime}</vmext:MimeType><vmext:Nid>n</vmext:Nid>${resources}<vmext:ResourceClassActions><vmext:ResourceClassAction name="a"><vmext:HttpMethod>${method}</vmext:HttpMethod><vmext:UrlPattern>${pattern}</vmext:UrlPattern><vmext:AclRules>${acl}</vmext:AclRules></vmext:ResourceClassAction></vmext:ResourceClassActions></vmext:ResourceClass></vmext:ResourceClasses>`;
  cloud.services.set('s', (message) => answerWith(message, 'yes'));
  return registerService(cloud, { authorization: true, containers });
}

const params = (user: User, method: string, url: string) =>
  `<vmext:AuthorizationCheckParams ${HEAD}><vmext:User href="http://x/api/admin/user/${user.id}"/><vmext:HttpMethod>${method}</vmext:HttpMethod><vmext:URL>${url}</vmext:URL></vmext:AuthorizationCheckParams>`;

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
    const rules = [bob, alice].map((principal) => ({ ...published, principal }));
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
  const [resourceClass] = [...cloud.store.entities.values()].filter(
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
