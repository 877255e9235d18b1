/** Localization bundles in the simulated cell: announced, sent in one piece or several, merged, cleared. */
import { deflateRawSync } from 'node:zlib';

import { describe, expect, test } from 'vitest';

import { localizations } from '../../../sdk/localcloud/cell/extension/bundles/bundles.ts';
import { BASE, type Cloud, HEAD, child, createCloud, disable, registerService } from './kit.ts';

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
