/** What services add to the simulated cell: links, resolvable URNs, texts, rights; and what tenants see of them. */
import { deflateRawSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { localizations } from '../../sdk/localcloud/cell/extend/bundles.ts';
import {
  BASE,
  type Cloud,
  HEAD,
  child,
  children,
  createCloud,
  links,
  registerService,
} from './localcloud-kit.ts';

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

const disable = (cloud: Cloud, service: string) =>
  cloud.expectCall(200, `PUT ${service}`, {
    body: `<vmext:Service ${HEAD} name="s"><vmext:Enabled>false</vmext:Enabled></vmext:Service>`,
  });

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

/** One stored or deflated file a name; enough of the format for a reader that goes by the directory. */
function zip(files: Readonly<Record<string, string>>, deflate = true): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const content = deflate ? deflateRawSync(text) : Buffer.from(text);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(deflate ? 8 : 0, 10);
    entry.writeUInt32LE(content.length, 20);
    entry.writeUInt32LE(text.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    parts.push(local, Buffer.from(name), content);
    directory.push(entry, Buffer.from(name));
    offset += 30 + name.length + content.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

describe('a localization bundle', () => {
  async function announce(cloud: Cloud, fileSize: number, path?: string): Promise<string> {
    const service = path ?? (await registerService(cloud));
    const body = `<vmext:BundleUploadParams ${HEAD} fileSize="${fileSize}" serviceNamespace="org.example.s"/>`;
    const socket = await cloud.expectCall(200, `POST ${service}/localizationbundles`, { body });
    return socket.xml.attributes['uploadLocation']?.replace(BASE, '') ?? '';
  }

  test('is announced, sent, and shown by key; sent again, keys are merged', async () => {
    const cloud = createCloud();
    const first = zip({ 'en.properties': '# c\na=1\nb = 2=3\n', 'l/de.properties': 'a=eins' });
    await cloud.expectCall(200, `PUT ${await announce(cloud, first.length)}`, { body: first });
    const second = zip({ 'en.properties': 'a=one' }, false);
    const all = '/api/admin/extension/service';
    await cloud.expectCall(200, `PUT ${await announce(cloud, second.length, all)}`, {
      body: second,
    });
    expect(
      localizations(cloud.store.bundles).map(({ locale, key, value }) => [locale, key, value]),
    ).toEqual([
      ['en', 'a', 'one'],
      ['en', 'b', '2=3'],
      ['de', 'a', 'eins'],
    ]);
    const query = await cloud.call('GET /api/query?type=externalLocalization&filter=locale==de');
    expect(child(query.xml, 'ExternalLocalizationRecord').attributes).toMatchObject({
      value: 'eins',
    });
    expect(cloud.store.bundles.bundles[0]?.archive.equals(first)).toBe(true);
  });

  test('comes in parts, one of them twice', async () => {
    const cloud = createCloud();
    const archive = zip({ 'en.properties': 'a=1' });
    const size = archive.length;
    const path = await announce(cloud, size);
    const put = (from: number, to: number, range = `bytes ${from}-${to - 1}/${size}`) =>
      cloud.call(`PUT ${path}`, {
        body: archive.subarray(from, to),
        headers: { 'Content-Range': range },
      });
    expect((await put(50, size)).status).toBe(400);
    expect((await put(0, 50)).status).toBe(200);
    expect((await put(0, 60)).status).toBe(200);
    expect((await put(50, 70, `bytes 50-69/${size + 1}`)).status).toBe(400);
    expect((await put(50, 70, 'bytes 50-70/*')).status).toBe(400);
    expect((await put(60, size)).status).toBe(200);
    expect(localizations(cloud.store.bundles)).toHaveLength(1);
    expect((await put(60, size)).status).toBe(404);
  });

  test('that is none, or of another size than announced, is refused', async () => {
    const cloud = createCloud();
    const service = await registerService(cloud);
    const body = Buffer.from('no archive at all, however long this is');
    const path = await announce(cloud, body.length, service);
    expect((await cloud.call(`PUT ${path}`, { body: body.subarray(1) })).status).toBe(400);
    const refused = await cloud.call(`PUT ${path}`, { body });
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('ZIP');
    const bomb = zip({ 'en.properties': `a=${'x'.repeat(17 * 1024 * 1024)}` });
    const there = await announce(cloud, bomb.length, service);
    expect((await cloud.call(`PUT ${there}`, { body: bomb })).status).toBe(400);
    for (const size of ['0', '99999999999', '-1']) {
      const params = `<vmext:BundleUploadParams ${HEAD} fileSize="${size}"/>`;
      const answer = await cloud.call(`POST ${service}/localizationbundles`, { body: params });
      expect(answer.status, size).toBe(400);
    }
    expect(cloud.store.bundles.bundles).toEqual([]);
  });

  test('goes when its service is gone and somebody cleans up', async () => {
    const cloud = createCloud();
    const service = await registerService(cloud);
    const archive = zip({ 'en.properties': 'a=1' });
    const path = await announce(cloud, archive.length, service);
    expect(
      (await cloud.call(`PUT ${path}`, { as: cloud.user('alice'), body: archive })).status,
    ).toBe(403);
    await cloud.expectCall(200, `PUT ${path}`, { body: archive });
    const clear = 'POST /api/admin/extension/service/action/clearunusedlocalizationbundles';
    await cloud.expectCall(204, clear);
    expect(cloud.store.bundles.bundles).toHaveLength(1);
    await disable(cloud, service);
    await cloud.expectCall(204, `DELETE ${service}`);
    await cloud.expectCall(204, clear);
    expect(cloud.store.bundles.bundles).toEqual([]);
  });
});
