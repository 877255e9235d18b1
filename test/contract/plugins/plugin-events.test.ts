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
    const one = { eventId: 'one', type, timestamp: '2026-01-01T00:00:00.000Z' };
    const timestamp = '2026-01-01T00:00:01.000Z';
    await plugin.notify({ eventId: 'two', user: null, operationSuccess: false, timestamp });
    await plugin.notify(one);
    expect(await plugin.notify(one, { attempt: 2 })).toMatchObject({ code: null });
    await plugin.notify({ eventId: 'theirs' }, { org: 'urn:vcloud:org:other' });
    const shown = (await (await plugin.fetch(`/api/org/${ORG}/audit`)).json()) as Shown;
    expect(shown.older).toBe(null);
    expect(shown.entries).toMatchObject([
      { eventId: 'two', user: null, success: false },
      { eventId: 'one', type, user: expect.stringContaining('urn:vcloud:user:') },
    ]);
  });

  test('goes on over pages, also when events come side by side', async () => {
    const org = `urn:vcloud:org:${OTHER}`;
    for (let from = 0; from < 104; from += 16)
      await Promise.all(
        Array.from({ length: Math.min(16, 104 - from) }, (_, i) =>
          plugin.notify({ eventId: `e${from + i}` }, { org }),
        ),
      );
    const read = async (path: string) =>
      (await (await plugin.fetch(path, { caller: { org } })).json()) as Shown;
    const pages = [await read(`/api/org/${OTHER}/audit`)];
    for (let older = pages[0]?.older; older; older = pages.at(-1)?.older)
      pages.push(await read(older));
    expect(pages.map(({ entries }) => entries.length)).toEqual([50, 50, 4]);
    const ids = pages.flatMap(({ entries }) => entries.map(({ eventId }) => eventId));
    expect(new Set(ids).size).toBe(104);
    // None was in another's way: each wrote once.
    const writes = plugin.calls.map(({ hostCalls }) =>
      hostCalls.filter(({ method }) => method === 'put'),
    );
    expect(Math.max(...writes.map(({ length }) => length))).toBe(1);
    expect(plugin.calls.filter(({ code }) => code !== null)).toEqual([]);
  });

  test.each([
    ['another org', 403, `/api/org/${OTHER}/audit`],
    ['a page that is none', 400, `/api/org/${ORG}/audit?behind=x`],
  ])('refuses %s', async (_, status, path) => {
    expect((await plugin.fetch(path)).status).toBe(status);
  });
});
