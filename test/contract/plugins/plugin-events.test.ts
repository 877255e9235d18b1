/** The example plug-ins that react to the cloud, in the real sandbox by the SDK's own test kit. */
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openPlugin, type TestPlugin } from '../../../sdk/testing/index.ts';

const CLI = fileURLToPath(new URL('../../support/plugins/plugin-cli.ts', import.meta.url));
const folderOf = (name: string) =>
  fileURLToPath(new URL(`../../../plugins/${name}`, import.meta.url));
const ORG = '00000000-0000-4000-8000-000000000001';
const OTHER = '70000000-0000-4000-8000-000000000002';

beforeAll(() => {
  process.env['VCX_COMMAND'] = JSON.stringify([process.execPath, CLI]);
});

describe('approval', () => {
  const blockingTask = { operation: 'vdcInstantiateVapp' };
  const OWN = '70000000-0000-4000-8000-00000000000a';
  const taskOwner = { id: `urn:vcloud:vapp:${OWN}`, type: 'vapp', name: 'web' };
  /** vApps of the org in the order of their making; null while vCloud is away. */
  let all: readonly { href: string }[] | null = [];
  let plugin: TestPlugin;

  beforeAll(async () => {
    plugin = await openPlugin({ folder: folderOf('approval'), bindings: { vcloud } });
  });
  afterAll(() => plugin?.[Symbol.asyncDispose]());

  /** So many of them, the one that waits among them. */
  function fill(vApps: number, own = vApps): void {
    all = Array.from({ length: vApps }, (_, i) => ({
      href: `https://vcloud/api/vApp/vapp-${i === own - 1 ? OWN : crypto.randomUUID()}`,
    }));
  }

  function vcloud(_: string, args: readonly unknown[]) {
    if (!all) throw Object.assign(new Error('away'), { code: 'VCLOUD_UNAVAILABLE' });
    const { page, pageSize, sortAsc } = args[1] as {
      page: number;
      pageSize: number;
      sortAsc: string;
    };
    expect(sortAsc).toBe('creationDate');
    return { records: all.slice((page - 1) * pageSize, page * pageSize), total: all.length };
  }

  test.each([
    ['resumes while there is room', 10, 10, ['resume', 'vApp 10 of 10']],
    ['aborts when the quota is used up', 11, 11, ['abort', 'its 10 vApps']],
    ['gives the last place to the first that asked', 12, 10, ['resume', 'vApp 10 of 10']],
    ['and not to those that asked later', 12, 11, ['abort', 'its 10 vApps']],
    ['aborts one that is far down the list', 400, 300, ['abort', 'its 10 vApps']],
  ] as const)('%s', async (_, vApps, own, [action, message]) => {
    fill(vApps, own);
    const call = await plugin.notify({ taskOwner }, { blockingTask });
    expect(call).toMatchObject({ code: null, decision: { action } });
    expect(call.decision?.message).toContain(message);
  });

  test('goes by what is configured, over pages of records', async () => {
    const config = { vApps: 300 };
    const folder = folderOf('approval');
    await using other = await openPlugin({ folder, bindings: { vcloud }, config });
    fill(300);
    const { decision } = await other.notify({ taskOwner }, { blockingTask });
    expect(decision).toMatchObject({ action: 'resume', message: 'vApp 300 of 300' });
  });

  test('decides on nothing that is not held for it, and on nothing it can not count', async () => {
    fill(1);
    expect(await plugin.notify({})).toMatchObject({ code: null, decision: null, hostCalls: [] });
    const foreign = { blockingTask: { operation: 'importMedia' } };
    expect(await plugin.notify({}, foreign)).toMatchObject({ decision: null, hostCalls: [] });
    all = null;
    const call = await plugin.notify({ taskOwner }, { blockingTask });
    expect(call).toMatchObject({ code: 'PLUGIN_THREW', decision: null });
  });

  test('shows an org its own quota', async () => {
    fill(4);
    const own = await plugin.fetch(`/api/org/${ORG}/vAppQuota`);
    expect(await own.json()).toEqual({ quota: 10, used: 4, full: false });
    const other = await plugin.fetch(`/api/org/${OTHER}/vAppQuota`);
    expect(other.status).toBe(403);
  });
});

describe('audit-trail', () => {
  interface Shown {
    readonly page: number;
    readonly entries: readonly { eventId: string; type: string; user: string | null }[];
    readonly older: string | null;
  }
  let plugin: TestPlugin;
  beforeAll(async () => {
    plugin = await openPlugin({ folder: folderOf('audit-trail') });
  });
  afterAll(() => plugin?.[Symbol.asyncDispose]());

  test('keeps the events of each org, the newest first, each once', async () => {
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
    const org = `urn:vcloud:org:${OTHER}`;
    for (let from = 0; from < 104; from += 8)
      await Promise.all(
        Array.from({ length: 8 }, (_, i) => plugin.notify({ eventId: `e${from + i}` }, { org })),
      );
    const read = async (path: string) =>
      (await (await plugin.fetch(path, { caller: { org } })).json()) as Shown;
    const newest = await read(`/api/org/${OTHER}/audit`);
    expect(newest).toMatchObject({ page: 2, older: `/api/org/${OTHER}/audit?page=1` });
    const oldest = await read(newest.older ?? '');
    const ids = [...newest.entries, ...oldest.entries].map(({ eventId }) => eventId);
    expect([ids.length, new Set(ids).size]).toEqual([104, 104]);
    expect(plugin.calls.filter(({ code }) => code !== null)).toEqual([]);
  });

  test.each([
    ['another org', 403, `/api/org/${OTHER}/audit`],
    ['a page that is none', 400, `/api/org/${ORG}/audit?page=x`],
    ['a page that is not there', 404, `/api/org/${ORG}/audit?page=7`],
  ])('refuses %s', async (_, status, path) => {
    expect((await plugin.fetch(path)).status).toBe(status);
  });
});
