/** What every implementation of the store of installed plug-ins promises. */
import { expect, test } from 'vitest';

import type { InstalledPlugin, InstalledStore } from '../../../host/storage/installed.ts';
import { waitFor } from '../../support/wait.ts';

export function installedRecord(plugin: string, revision = 0): InstalledPlugin {
  return {
    plugin,
    revision,
    owner: 'provider',
    ownerKind: 'provider',
    enabled: true,
    current: null,
    history: [],
    waiting: null,
    allowed: [],
    halted: null,
    versions: [],
  };
}

/** `open` gives stores that share what they keep; `alter` writes other bytes under the name of a blob. */
export function installedCases(
  name: string,
  open: () => Promise<{
    another: () => Promise<InstalledStore>;
    alter: (hash: string) => Promise<void>;
  }>,
): void {
  test(`${name}: of two that change the same record, one is told`, async () => {
    const { another } = await open();
    await using first = await another();
    await using second = await another();
    const revision = await first.save(installedRecord('p'));
    expect(revision).toBeGreaterThan(0);
    expect(await second.save(installedRecord('p'))).toBe(null);
    const there = await second.get('p');
    expect(there).toEqual(installedRecord('p', revision ?? -1));
    const next = await second.save({ ...installedRecord('p', revision ?? -1), current: '1.0.0' });
    expect(next).toBeGreaterThan(revision ?? Infinity);
    expect(await first.save(installedRecord('p', revision ?? -1))).toBe(null);
    expect((await first.get('p'))?.current).toBe('1.0.0');
  });

  test(`${name}: records are listed by name, and what was removed can be made anew`, async () => {
    const { another } = await open();
    await using store = await another();
    for (const plugin of ['b', 'a', 'c.d']) await store.save(installedRecord(plugin));
    expect((await store.list()).map(({ plugin }) => plugin)).toEqual(['a', 'b', 'c.d']);
    const revision = (await store.get('b'))?.revision ?? -1;
    expect(await store.remove('b', revision + 1_000)).toBe(false);
    expect(await store.remove('b', revision)).toBe(true);
    expect(await store.remove('b', revision)).toBe(false);
    expect(await store.get('b')).toBe(null);
    expect(await store.save(installedRecord('b'))).toBeGreaterThan(revision);
  });

  test(`${name}: everybody who watches hears of a change, whoever made it`, async () => {
    const { another } = await open();
    await using first = await another();
    await using second = await another();
    let [heard, heardToo] = [0, 0];
    using _one = first.watch(() => (heard += 1));
    using _two = second.watch(() => (heardToo += 1));
    await first.save(installedRecord('p'));
    await waitFor(() => heard > 0 && heardToo > 0);
    const before = heardToo;
    await first.remove('p', (await first.get('p'))?.revision ?? -1);
    await waitFor(() => heardToo > before);
  });

  test(`${name}: bytes come back as they were put, and altered ones do not`, async () => {
    const { another, alter } = await open();
    await using store = await another();
    const bytes = new Uint8Array(300_000).map((_, index) => index % 251);
    const hash = await store.putBlob(bytes);
    expect(await store.putBlob(bytes)).toBe(hash);
    expect(Buffer.from((await store.getBlob(hash)) ?? []).equals(bytes)).toBe(true);
    expect(await store.getBlob('0'.repeat(64))).toBe(null);
    await alter(hash);
    await expect(store.getBlob(hash)).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_BLOB_ALTERED' }),
    );
    // Installed again, it is whole again.
    await store.putBlob(bytes);
    expect((await store.getBlob(hash))?.length).toBe(bytes.length);
    await store.dropBlob(hash);
    expect(await store.getBlob(hash)).toBe(null);
    await store.dropBlob(hash);
  });
}
