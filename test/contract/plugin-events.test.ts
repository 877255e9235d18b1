/** The example plug-ins that react to the cloud, in the real sandbox by the SDK's own test kit. */
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import { openPlugin, type OpenOptions } from '../../sdk/testing/index.ts';

const CLI = fileURLToPath(new URL('../support/plugin-cli.ts', import.meta.url));
const folderOf = (name: string) => fileURLToPath(new URL(`../../plugins/${name}`, import.meta.url));
const ORG = '00000000-0000-4000-8000-000000000001';

beforeAll(() => {
  process.env['VCX_COMMAND'] = JSON.stringify([process.execPath, CLI]);
});

describe('approval', () => {
  const blockingTask = { operation: 'vdcInstantiateVapp' };
  const OWN = '70000000-0000-4000-8000-00000000000a';
  const taskOwner = { id: `urn:vcloud:vapp:${OWN}`, type: 'vapp', name: 'web' };

  /** An org with so many vApps, the one that waits among them. */
  function approval(vApps: number, options: OpenOptions = {}) {
    const all = Array.from({ length: vApps }, (_, i) => ({
      href: `https://vcloud/api/vApp/vapp-${i === 0 ? OWN : crypto.randomUUID()}`,
    }));
    const vcloud = (_: string, args: readonly unknown[]) => {
      const { page, pageSize } = args[1] as { page: number; pageSize: number };
      return { records: all.slice((page - 1) * pageSize, page * pageSize), total: all.length };
    };
    const bindings = { vcloud };
    return openPlugin({ folder: folderOf('approval'), bindings, ...options });
  }

  test.each([
    ['resumes while there is room', 10, null, ['resume', 'vApp 10 of 10']],
    ['aborts when the quota is used up', 11, null, ['abort', 'its 10 vApps']],
    ['goes by what is configured', 300, { vApps: 300 }, ['resume', 'vApp 300 of 300']],
  ] as const)('%s', async (_, vApps, config, [action, message]) => {
    await using plugin = await approval(vApps, { config });
    const call = await plugin.notify({ taskOwner }, { blockingTask });
    expect(call).toMatchObject({ code: null, decision: { action } });
    expect(call.decision?.message).toContain(message);
  });

  test('decides on nothing that is not held for it, and on nothing it can not count', async () => {
    await using plugin = await approval(1);
    expect(await plugin.notify({})).toMatchObject({ code: null, decision: null, hostCalls: [] });
    const foreign = { blockingTask: { operation: 'importMedia' } };
    expect(await plugin.notify({}, foreign)).toMatchObject({ decision: null, hostCalls: [] });
    const vcloud = () => {
      throw Object.assign(new Error('away'), { code: 'VCLOUD_UNAVAILABLE' });
    };
    await using blind = await approval(1, { bindings: { vcloud } });
    const call = await blind.notify({ taskOwner }, { blockingTask });
    expect(call).toMatchObject({ code: 'PLUGIN_THREW', decision: null });
  });

  test('shows an org its own quota', async () => {
    await using plugin = await approval(4);
    const own = await plugin.fetch(`/api/org/${ORG}/vAppQuota`);
    expect(await own.json()).toEqual({ quota: 10, used: 4, full: false });
    const other = await plugin.fetch('/api/org/70000000-0000-4000-8000-000000000002/vAppQuota');
    expect(other.status).toBe(403);
  });
});

describe('audit-trail', () => {
  interface Shown {
    readonly page: number;
    readonly entries: readonly { eventId: string; type: string; user: string | null }[];
    readonly older: string | null;
  }

  test('keeps the events of each org, the newest first, each once', async () => {
    await using plugin = await openPlugin({ folder: folderOf('audit-trail') });
    const type = 'com/vmware/vcloud/event/vm/create';
    await plugin.notify({ eventId: 'one', type });
    await plugin.notify({ eventId: 'two', user: null, operationSuccess: false });
    expect(await plugin.notify({ eventId: 'one' }, { attempt: 2 })).toMatchObject({ code: null });
    await plugin.notify({ eventId: 'theirs' }, { org: 'urn:vcloud:org:other' });
    const shown = (await (await plugin.fetch(`/api/org/${ORG}/audit`)).json()) as Shown;
    expect(shown).toMatchObject({ page: 1, older: null });
    expect(shown.entries).toMatchObject([
      { eventId: 'two', user: null, success: false },
      { eventId: 'one', type, user: expect.stringContaining('urn:vcloud:user:') },
    ]);
  });

  test('goes on over pages, also when events come side by side', async () => {
    const folder = folderOf('audit-trail');
    await using plugin = await openPlugin({ folder });
    for (let from = 0; from < 104; from += 8)
      await Promise.all(
        Array.from({ length: 8 }, (_, i) => plugin.notify({ eventId: `e${from + i}` })),
      );
    const read = async (path: string) => (await (await plugin.fetch(path)).json()) as Shown;
    const newest = await read(`/api/org/${ORG}/audit`);
    expect(newest).toMatchObject({ page: 2, older: `/api/org/${ORG}/audit?page=1` });
    const oldest = await read(newest.older ?? '');
    const ids = [...newest.entries, ...oldest.entries].map(({ eventId }) => eventId);
    expect([ids.length, new Set(ids).size]).toEqual([104, 104]);
    expect(plugin.calls.filter(({ code }) => code !== null)).toEqual([]);
  });

  test.each([
    ['another org', 403, '/api/org/70000000-0000-4000-8000-000000000002/audit'],
    ['a page that is none', 400, `/api/org/${ORG}/audit?page=x`],
    ['a page that is not there', 404, `/api/org/${ORG}/audit?page=7`],
  ])('refuses %s', async (_, status, path) => {
    await using plugin = await openPlugin({ folder: folderOf('audit-trail') });
    expect((await plugin.fetch(path)).status).toBe(status);
  });
});
