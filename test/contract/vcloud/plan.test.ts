/** Planning and applying against a scripted vCloud: what the simulated cell does not show. */
import { describe, expect, test } from 'vitest';
import { encodeXml } from '../../../host/message/xml/documents.ts';
import { readReplyExchange } from '../../../host/vcloud/amqp-settings.ts';
import { openVcloud } from '../../../host/vcloud/client.ts';
import { readRecords } from '../../../host/vcloud/links.ts';
import { applyRegistration } from '../../../host/vcloud/registration/apply.ts';
import { planRegistration } from '../../../host/vcloud/registration/plan.ts';
import { uploadLocalization } from '../../../host/vcloud/registration/localization.ts';
import { encodeZip } from '../../../host/vcloud/registration/zip.ts';
import type { FakeVcloud } from '../../support/vcloud/fake-vcloud.ts';
import { errorXml, openFakeVcloud } from '../../support/vcloud/fake-vcloud.ts';
import { backupSpec } from '../../support/vcloud/service-specs.ts';

const RECORDS = 'xmlns="http://www.vmware.com/vcloud/v1.5"';
const none = () => ({ body: `<QueryResultRecords ${RECORDS} total="0"/>` });

function open(fake: FakeVcloud) {
  const credentials = { kind: 'password', user: 'a', password: 'pass-word-1', org: 'o' } as const;
  return openVcloud({ url: fake.url, credentials, retryPauseMs: 1 });
}

describe('a plan', () => {
  test('is not made for a service with errors; all of them are named and nothing is asked', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake);
    const spec = { ...backupSpec, priority: 500, rights: [{ name: 'A' }, { name: 'A' }] };
    await expect(planRegistration(client, spec)).rejects.toMatchObject({
      code: 'BUNDLE_INVALID',
      message: expect.stringMatching(/priority.*FIELD_INVALID.*RIGHT_TWICE/) as string,
    });
    expect(fake.seen).toHaveLength(0);
  });

  test('does not take a service of another namespace, should a server pass over the filter', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake);
    fake.on('GET /api/query', () => ({
      body: `<QueryResultRecords ${RECORDS}><AdminServiceRecord namespace="somebody.else" href="/api/x"/></QueryResultRecords>`,
    }));
    const { changes } = await planRegistration(client, backupSpec);
    expect(changes[0]).toMatchObject({ action: 'create' });
  });

  test('that meets a duplicate namespace names the refusal', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake);
    fake.on('GET /api/query', none);
    fake.on('GET /api/admin/extension', () => ({
      body: encodeXml('VMWExtension', {}),
    }));
    fake.on('POST /api/admin/extension/service', () => errorXml(400, 'DUPLICATE_NAME', 'taken'));
    const plan = await planRegistration(client, backupSpec);
    await expect(applyRegistration(client, plan)).rejects.toMatchObject({
      code: 'VCLOUD_REFUSED',
      minorErrorCode: 'DUPLICATE_NAME',
    });
    expect(fake.count('POST /api/admin/extension/service')).toBe(1);
  });
});

describe('removing a right', () => {
  test('that roles hold is declined by vCloud, which is told and is no failure', async () => {
    await using fake = await openFakeVcloud();
    await using client = open(fake);
    fake.on('DELETE /api/right/1', () => errorXml(400, 'BAD_REQUEST', 'in use'));
    fake.on('DELETE /api/right/2', () => errorXml(404, 'RESOURCE_NOT_FOUND', 'gone'));
    const remove = (label: string) =>
      ({ action: 'remove', kind: 'Right', label, href: `/api/right/${label}` }) as const;
    const changes = [remove('1'), remove('2')];
    const plan = { spec: backupSpec, href: '/x', changes, findings: [], resources: {}, rights: {} };
    const { kept, applied } = await applyRegistration(client, plan);
    expect([kept.length, applied.length]).toEqual([1, 1]);
  });
});

test('queries are read page by page, by links or by counting', async () => {
  await using fake = await openFakeVcloud();
  await using client = open(fake);
  const page = (n: number, link = '') => ({
    body: `<QueryResultRecords ${RECORDS} page="${n}" pageSize="2" total="5">${link}${`<RightRecord name="r${n}"/>`.repeat(n < 3 ? 2 : 1)}</QueryResultRecords>`,
  });
  fake.on('GET /api/query', ({ path }) =>
    page(Number(new URL(path, 'http://x').searchParams.get('page') ?? '1')),
  );
  expect(await readRecords(client, '/api/query?type=right')).toHaveLength(5);
  fake.on('GET /api/linked', () => page(1, '<Link rel="nextPage" href="http://other/api/two"/>'));
  fake.on('GET /api/two', () => page(2, '<Link rel="nextPage" href="http://other/api/three"/>'));
  fake.on('GET /api/three', () => page(3));
  expect(await readRecords(client, '/api/linked')).toHaveLength(5);
  fake.on('GET /api/loop', () => page(1, '<Link rel="nextPage" href="/api/loop"/>'));
  expect((await readRecords(client, '/api/loop')).length).toBeLessThan(1_000);
});

test('texts are announced by size and namespace, then put where vCloud says, on our own address', async () => {
  await using fake = await openFakeVcloud();
  await using client = open(fake);
  fake.on('GET /api/service/1', () => ({ body: encodeXml('Service', { name: 's' }) }));
  fake.on('POST /api/service/1/localizationbundles', () => ({
    body: encodeXml('BundleUploadSocket', { uploadLocation: 'https://other.invalid/transfer/1' }),
  }));
  fake.on('PUT /transfer/1', () => ({}));
  const localization = { files: { 'en.properties': 'a=b' } };
  await uploadLocalization(client, { service: '/api/service/1', namespace: 'n', localization });
  const size = Number(fake.seen.at(-1)?.headers['content-length']);
  expect(size).toBeGreaterThan(100);
  expect(fake.seen.at(-2)?.body).toContain(`fileSize="${size}" serviceNamespace="n"`);
});

test('the archive is one that readers of ZIP understand', () => {
  const zip = encodeZip({ 'en.properties': 'a=b\n', 'd\u00e9.properties': '' });
  const end = zip.length - 22;
  expect(zip.readUInt32LE(end)).toBe(0x06054b50);
  expect(zip.readUInt16LE(end + 10)).toBe(2);
  const directory = zip.readUInt32LE(end + 16);
  expect(zip.readUInt32LE(directory)).toBe(0x02014b50);
  expect(zip.readUInt32LE(zip.readUInt32LE(directory + 42))).toBe(0x04034b50);
  const name = zip.subarray(directory + 46, directory + 46 + zip.readUInt16LE(directory + 28));
  expect(name.toString()).toBe('en.properties');
  expect(zip.subarray(30 + name.length, 30 + name.length + 4).toString()).toBe('a=b\n');
});

test('the reply exchange is unknown when the settings may not be read, and an error when vCloud is away', async () => {
  await using fake = await openFakeVcloud();
  await using client = open(fake);
  const path = 'GET /api/admin/extension/settings/amqp';
  fake.on(path, () => errorXml(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'no'));
  expect(await readReplyExchange(client)).toBeNull();
  fake.on(path, () => errorXml(500, 'INTERNAL_SERVER_ERROR', 'no'));
  await expect(readReplyExchange(client)).rejects.toMatchObject({ code: 'VCLOUD_UNAVAILABLE' });
});
