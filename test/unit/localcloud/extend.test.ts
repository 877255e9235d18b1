/** What services add to the simulated cell: links, resolvable URNs, rights; and what tenants see of them. */
import { describe, expect, test } from 'vitest';

import {
  BASE,
  type Cloud,
  HEAD,
  children,
  createCloud,
  disable,
  links,
  registerService,
} from './kit.ts';

interface LinkSpec {
  readonly href: string;
  readonly type: string;
  readonly rest?: string;
}

const serviceLinks = (...specs: LinkSpec[]) =>
  `<vmext:ServiceLinks>${specs
    .map(
      ({ href, type, rest = '' }) =>
        `<vmext:ServiceLink><vmext:LinkHref>${href}</vmext:LinkHref><vmext:MimeType>text/x</vmext:MimeType><vmext:Rel>down:x</vmext:Rel><vmext:ResourceType>${type}</vmext:ResourceType>${rest}</vmext:ServiceLink>`,
    )
    .join('')}</vmext:ServiceLinks>`;

const vAppIn = (cloud: Cloud, org: string) =>
  [...cloud.store.vApps.values()].find((vApp) => vApp.org.name === org)?.id ?? '';

describe('links of services', () => {
  test('stand on every object of their type, filled in, after its own links', async () => {
    const cloud = createCloud();
    const service = await registerService(cloud, {
      containers: serviceLinks(
        { href: '{baseUri}org/{resourceId}/$&amp;', type: 'application/vnd.vmware.vcloud.org+xml' },
        {
          href: '{baseUri}vApp/vapp-{resourceId}/b',
          type: 'application/vnd.vmware.vcloud.vApp+xml',
        },
        { href: '{baseUri}adm', type: 'application/vnd.vmware.admin.organization+xml' },
      ),
    });
    const { id } = cloud.org('acme');
    const vApp = vAppIn(cloud, 'acme');
    const as = cloud.user('alice');
    const shown = async (path: string) =>
      links((await cloud.call(`GET ${path}`, { as })).xml).at(-1);
    expect(await shown(`/api/org/${id}`)).toBe(`down:x /api/org/${id}/$&`);
    expect(await shown(`/api/vApp/vapp-${vApp}`)).toBe(`down:x /api/vApp/vapp-${vApp}/b`);
    expect(await shown(`/api/admin/org/${id}`)).toBe('down:x /api/adm');
    await disable(cloud, service);
    expect(await shown(`/api/org/${id}`)).not.toContain('down:x');
  });

  test('with a ResourceId stand on that object only, and carry an external id', async () => {
    const cloud = createCloud();
    const { id } = cloud.org('acme');
    const type = 'application/vnd.vmware.vcloud.org+xml';
    const rest = `<vmext:ResourceId>urn:vcloud:org:${id}</vmext:ResourceId><vmext:ExternalResourceId>ext</vmext:ExternalResourceId>`;
    await registerService(cloud, { containers: serviceLinks({ href: '/l', type, rest }) });
    const own = async (org: string) =>
      children((await cloud.call(`GET /api/org/${cloud.org(org).id}`)).xml, 'Link').filter(
        ({ attributes }) => attributes['rel'] === 'down:x',
      );
    expect((await own('acme')).map(({ attributes }) => attributes['id'])).toEqual(['ext']);
    expect(await own('globex')).toEqual([]);
  });
});

describe('the entity resolver', () => {
  test('leads from a URN to the object of vCloud', async () => {
    const cloud = createCloud();
    const { id } = cloud.org('acme');
    const as = cloud.user('alice');
    const found = await cloud.expectCall(200, `GET /api/entity/urn:vcloud:org:${id}`, { as });
    expect(links(found.xml)).toEqual([
      `alternate /api/org/${id}`,
      `alternate /api/admin/org/${id}`,
    ]);
    const vApp = vAppIn(cloud, 'globex');
    const path = `GET /api/entity/urn:vcloud:vapp:${vApp}`;
    expect(links((await cloud.call(path)).xml)).toEqual([`alternate /api/vApp/vapp-${vApp}`]);
    expect((await cloud.call(path, { as })).status).toBe(403);
  });

  test('leads to objects of services by Nid, UrnPattern and UrlTemplate', async () => {
    const cloud = createCloud();
    const service = await registerService(cloud, {
      containers: `<vmext:ResourceClasses><vmext:ResourceClass name="c"><vmext:MimeType>foo+xml</vmext:MimeType><vmext:UrlTemplate>{baseUri}foo/fooType/{resourceId}</vmext:UrlTemplate><vmext:Nid>nidFoo</vmext:Nid><vmext:UrnPattern>^myNssFoo(?&lt;id&gt;[0-9]*)</vmext:UrnPattern></vmext:ResourceClass></vmext:ResourceClasses>`,
    });
    const path = 'GET /api/entity/urn:nidFoo:myNssFoo17';
    const found = await cloud.expectCall(200, path, { as: cloud.user('bob') });
    expect(children(found.xml, 'Link').map(({ attributes }) => attributes)).toEqual([
      { rel: 'alternate', type: 'foo+xml', href: `${BASE}/api/foo/fooType/17` },
    ]);
    expect(found.xml.attributes['id']).toBe('urn:nidFoo:myNssFoo17');
    expect((await cloud.call('GET /api/entity/urn:nidFoo:other17')).status).toBe(404);
    expect((await cloud.call('GET /api/entity/urn:nidBar:myNssFoo17')).status).toBe(404);
    await disable(cloud, service);
    expect((await cloud.call(path)).status).toBe(404);
  });

  test('refuses what is no URN', async () => {
    const cloud = createCloud();
    for (const text of ['x', 'urn:', 'urn:vcloud:', 'urn::x'])
      expect((await cloud.call(`GET /api/entity/${text}`)).status, text).toBe(400);
    expect((await cloud.call('GET /api/entity/urn:vcloud:constructor:x')).status).toBe(404);
  });
});

test('tenants find enabled services and their definitions, and none that are disabled', async () => {
  const cloud = createCloud();
  const service = await registerService(cloud, {
    containers: `<vmext:ApiDefinitions><vmext:ApiDefinition name="d"><vmext:EntryPoint>{baseUri}backup</vmext:EntryPoint><vmext:Namespace>n</vmext:Namespace><vmext:Files><vmext:FileDescriptor><vmext:File name="f" type="t" href="http://x/f"/></vmext:FileDescriptor></vmext:Files></vmext:ApiDefinition></vmext:ApiDefinitions>`,
  });
  const as = cloud.user('carol');
  const extensibility = await cloud.expectCall(200, 'GET /api/extensibility', { as });
  const records: Record<string, string>[] = [];
  for (const link of children(extensibility.xml, 'Link')) {
    const path = link.attributes['href']?.replace(BASE, '');
    const list = await cloud.expectCall(200, `GET ${path}`, { as });
    records.push(
      ...list.xml.children.filter(({ name }) => name.endsWith('Record')).map((r) => r.attributes),
    );
  }
  expect(records).toMatchObject([
    { name: 's', namespace: 'org.example.s' },
    { name: 'd', entryPoint: `${BASE}/api/backup`, serviceName: 's' },
    { name: 'f', fileUrl: 'http://x/f', apiName: 'd' },
  ]);
  for (const { href } of records.slice(0, 2)) {
    const shown = await cloud.expectCall(200, `GET ${href?.replace(BASE, '')}`, { as });
    expect(shown.text).not.toContain('/admin/');
  }
  await disable(cloud, service);
  const gone = await cloud.call('GET /api/query?type=service', { as });
  expect(gone.xml.attributes['total']).toBe('0');
  expect((await cloud.call(`GET ${records[0]?.['href']?.replace(BASE, '')}`, { as })).status).toBe(
    404,
  );
});

test('deleted rights are forgotten when no role and no rule uses them any more', async () => {
  const cloud = createCloud();
  const service = await registerService(cloud);
  const right = (name: string) => `<Right ${HEAD} name="${name}"><Category>c</Category></Right>`;
  const made = [];
  for (const name of ['A', 'B'])
    made.push((await cloud.expectCall(201, `POST ${service}/rights`, { body: right(name) })).xml);
  const hrefs = made.map(({ attributes }) => attributes['href']?.replace(BASE, '') ?? '');
  await cloud.expectCall(201, `POST /api/admin/org/${cloud.org('acme').id}/roles`, {
    body: `<Role ${HEAD} name="R"><RightReferences><RightReference href="${hrefs[0]}"/></RightReferences></Role>`,
  });
  expect((await cloud.call(`DELETE ${hrefs[0]}`)).status).toBe(400);
  expect((await cloud.call(`GET ${hrefs[0]}`, { as: cloud.user('carol') })).status).toBe(200);
  expect((await cloud.call(`DELETE ${hrefs[1]}`, { as: cloud.user('alice') })).status).toBe(403);
  await disable(cloud, service);
  await cloud.expectCall(204, `DELETE ${service}`);
  expect(cloud.store.deletedRights.size).toBe(2);
  await cloud.expectCall(204, 'POST /api/admin/extension/service/action/clearUnusedRights');
  expect([...cloud.store.deletedRights.values()].map(({ name }) => name)).toEqual([
    '{org.example.s}:A',
  ]);
});
