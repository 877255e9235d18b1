/** What every implementation of the tenant store promises. */
import { expect, test } from 'vitest';

import type { Clock } from '../../../host/kernel/time.ts';
import type { TenantCaps, TenantStore } from '../../../host/storage/tenants.ts';
import { waitFor } from '../../support/wait.ts';

const ORG_A = 'urn:vcloud:org:a';
const ORG_B = 'urn:vcloud:org:b';
const A = { plugin: 'p', org: ORG_A };
const B = { plugin: 'p', org: ORG_B };
const WHO = 'admin@System';
const ALL = { owner: 'provider', orgs: 'all' } as const;
const invalid = expect.objectContaining({ code: 'TENANT_INVALID' });

/** `open` gives stores that share what they keep. */
export function tenantCases(
  name: string,
  open: (clock: Clock, caps: TenantCaps) => Promise<() => Promise<TenantStore>>,
): void {
  async function stores(caps: TenantCaps = {}) {
    let now = 1_000_000;
    const clock = { now: () => now, monotonic: () => now };
    const another = await open(clock, caps);
    return { tenants: await another(), another, later: (ms: number) => (now += ms) };
  }

  test(`${name}: a plug-in that nobody adopted is nobody's`, async () => {
    const { tenants } = await stores();
    expect(tenants.tenancy('p')).toBe(null);
    expect(tenants.view('p', ORG_A)).toEqual({
      enabled: false,
      config: null,
      limits: {},
      version: null,
    });
    await expect(tenants.setOrgs('p', 'all', WHO)).rejects.toThrow(invalid);
  });

  test(`${name}: a provider's plug-in is for all orgs or for those that are named`, async () => {
    const { tenants } = await stores();
    await tenants.adopt('p', ALL, WHO);
    expect(tenants.view('p', ORG_A).enabled).toBe(true);
    await tenants.setOrgs('p', [ORG_B, ORG_B], WHO);
    expect(tenants.tenancy('p')).toEqual({ owner: 'provider', orgs: [ORG_B] });
    expect([ORG_A, ORG_B].map((org) => tenants.view('p', org).enabled)).toEqual([false, true]);
    expect(tenants.view('q', ORG_B).enabled).toBe(false);
  });

  test(`${name}: what was set by an operator outlives the next adoption`, async () => {
    const { tenants } = await stores();
    await tenants.adopt('p', ALL, WHO);
    await tenants.setOrgs('p', [ORG_A], WHO);
    await tenants.adopt('p', ALL, WHO);
    expect(tenants.tenancy('p')?.orgs).toEqual([ORG_A]);
  });

  test(`${name}: a view stays the same object until something that it shows is changed`, async () => {
    const { tenants } = await stores();
    for (const plugin of ['p', 'pp']) await tenants.adopt(plugin, ALL, WHO);
    const before = tenants.view('pp', ORG_A);
    const own = tenants.view('p', ORG_A);
    await tenants.setConfig(A, { a: 1 }, WHO);
    await tenants.setSecret(A, { name: 's', value: 'x' }, WHO);
    expect(tenants.view('pp', ORG_A)).toBe(before);
    expect(tenants.view('p', ORG_A)).not.toBe(own);
    expect(tenants.view('p', ORG_A).config).toEqual({ a: 1 });
  });

  test(`${name}: a plug-in of an org is for that org, and nobody else takes its name`, async () => {
    const { tenants } = await stores();
    await tenants.adopt('p', { owner: { org: ORG_A }, orgs: [ORG_A] }, WHO);
    expect([ORG_A, ORG_B].map((org) => tenants.view('p', org).enabled)).toEqual([true, false]);
    await expect(tenants.setOrgs('p', 'all', WHO)).rejects.toThrow(invalid);
    await expect(tenants.setOrgs('p', [ORG_A, ORG_B], WHO)).rejects.toThrow(invalid);
    await expect(tenants.adopt('p', ALL, WHO)).rejects.toThrow(invalid);
    await expect(tenants.adopt('p', { owner: { org: ORG_B }, orgs: [] }, WHO)).rejects.toThrow(
      invalid,
    );
    await expect(tenants.adopt('q', { owner: { org: ORG_A }, orgs: 'all' }, WHO)).rejects.toThrow(
      invalid,
    );
    await tenants.setOrgs('p', [], WHO);
    expect(tenants.view('p', ORG_A).enabled).toBe(false);
  });

  test(`${name}: settings are kept for one org of one plug-in, and null takes them away`, async () => {
    const { tenants } = await stores();
    await tenants.adopt('p', ALL, WHO);
    await tenants.setConfig(A, { level: 1 }, WHO);
    await tenants.setLimits(A, { cpuMs: 50 }, WHO);
    await tenants.pinVersion(A, '1.2.0', WHO);
    expect(tenants.view('p', ORG_A)).toEqual({
      enabled: true,
      config: { level: 1 },
      limits: { cpuMs: 50 },
      version: '1.2.0',
    });
    const nothing = { enabled: true, config: null, limits: {}, version: null };
    expect(tenants.view('p', ORG_B)).toEqual(nothing);
    expect(tenants.view('q', ORG_A)).toEqual({ ...nothing, enabled: false });
    await tenants.setConfig(A, null, WHO);
    await tenants.setLimits(A, null, WHO);
    await tenants.pinVersion(A, null, WHO);
    expect(tenants.view('p', ORG_A)).toEqual(nothing);
  });

  test(`${name}: what can not be kept is refused, and changes nothing`, async () => {
    const { tenants } = await stores({ configBytes: 20, secretBytes: 5, secrets: 1 });
    await tenants.setConfig(A, { a: 1 }, WHO);
    await expect(tenants.setConfig(A, 'x'.repeat(20), WHO)).rejects.toThrow(invalid);
    await expect(tenants.setConfig(A, () => 1, WHO)).rejects.toThrow(invalid);
    for (const wrong of [-1, 1.5, Infinity, NaN])
      await expect(tenants.setLimits(A, { cpuMs: wrong }, WHO)).rejects.toThrow(invalid);
    for (const wrong of ['', 'latest', '1.2', '1.2.3\n'])
      await expect(tenants.pinVersion(A, wrong, WHO)).rejects.toThrow(invalid);
    await tenants.setSecret(A, { name: 's', value: 'ok' }, WHO);
    for (const wrong of ['', '1', 'a b', 'x'.repeat(65), 'é'])
      await expect(tenants.setSecret(A, { name: wrong, value: 'v' }, WHO)).rejects.toThrow(invalid);
    for (const value of ['', 'x'.repeat(6), 'ééé'])
      await expect(tenants.setSecret(A, { name: 's', value }, WHO)).rejects.toThrow(invalid);
    await expect(tenants.setSecret(A, { name: 'second', value: 'v' }, WHO)).rejects.toThrow(
      invalid,
    );
    await tenants.setSecret(A, { name: 's', value: 'new' }, WHO);
    await tenants.setSecret(B, { name: 'second', value: 'v' }, WHO);
    expect(tenants.view('p', ORG_A)).toMatchObject({ config: { a: 1 }, limits: {}, version: null });
    expect(await tenants.changes.list()).toHaveLength(4);
  });

  test(`${name}: a view is the same object until something changes, here or in another process`, async () => {
    const { tenants, another, later } = await stores();
    const other = await another();
    await tenants.adopt('p', ALL, WHO);
    const first = tenants.view('p', ORG_A);
    expect(tenants.view('p', ORG_A)).toBe(first);
    await waitFor(() => other.view('p', ORG_A).enabled);
    expect(other.view('p', ORG_A)).toEqual(first);
    await tenants.setConfig(A, 1, WHO);
    expect(tenants.view('p', ORG_A).config).toBe(1);
    later(1_000);
    await waitFor(() => other.view('p', ORG_A).config === 1);
    await other.setConfig(A, 2, WHO);
    later(1_000);
    await waitFor(() => tenants.view('p', ORG_A).config === 2);
  });

  test(`${name}: a secret is given to its plug-in and org only; names are listed, values are not`, async () => {
    const { tenants, another } = await stores();
    await tenants.setSecret(A, { name: 'key', value: 'of a' }, WHO);
    await tenants.setSecret(B, { name: 'key', value: 'of b' }, WHO);
    await tenants.setSecret({ plugin: 'q', org: ORG_A }, { name: 'other', value: 'x' }, WHO);
    expect(await tenants.readSecret(A, 'key')).toBe('of a');
    expect(await (await another()).readSecret(B, 'key')).toBe('of b');
    expect(await tenants.readSecret(A, 'other')).toBe(null);
    expect(await tenants.readSecret({ plugin: 'p', org: 'urn:vcloud:org:' }, 'key')).toBe(null);
    expect(tenants.secrets(A)).toEqual([{ name: 'key', changedAt: 1_000_000 }]);
    expect(tenants.orgsOf('p')).toEqual([ORG_A, ORG_B]);
    expect(await tenants.deleteSecret(A, 'key', WHO)).toBe(true);
    expect(await tenants.deleteSecret(A, 'key', WHO)).toBe(false);
    expect(await tenants.readSecret(A, 'key')).toBe(null);
    expect(await tenants.readSecret(B, 'key')).toBe('of b');
  });

  test(`${name}: with the plug-in all that was kept for it goes, and nothing of another`, async () => {
    const { tenants } = await stores();
    for (const plugin of ['p', 'q']) {
      await tenants.adopt(plugin, ALL, WHO);
      await tenants.setConfig({ plugin, org: ORG_A }, 1, WHO);
      await tenants.setSecret({ plugin, org: ORG_A }, { name: 'key', value: 'v' }, WHO);
    }
    await tenants.forget('p', WHO);
    await tenants.adopt('p', { owner: { org: ORG_A }, orgs: [ORG_A] }, WHO);
    expect(tenants.view('p', ORG_A).config).toBe(null);
    expect(await tenants.readSecret(A, 'key')).toBe(null);
    expect(await tenants.readSecret({ plugin: 'q', org: ORG_A }, 'key')).toBe('v');
  });

  test(`${name}: every change is recorded with who, when and digests, never with values`, async () => {
    const { tenants, later } = await stores();
    await tenants.adopt('p', ALL, 'installer');
    later(5);
    await tenants.setConfig(A, { password: 'hunter2' }, WHO);
    await tenants.setConfig(A, { password: 'hunter2' }, WHO);
    await tenants.setSecret(A, { name: 'key', value: 'hunter3' }, WHO);
    await tenants.setSecret(A, { name: 'key', value: 'hunter3' }, WHO);
    await tenants.deleteSecret(A, 'key', WHO);
    await tenants.changes.record({ who: WHO, action: 'upload', plugin: 'q', subject: '1.0.0' });
    const all = await tenants.changes.list();
    expect(all.map(({ action }) => action)).toEqual([
      'upload',
      'secret',
      'secret',
      'secret',
      'config',
      'config',
      'adopt',
    ]);
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted((x, y) => y - x));
    expect(all.at(-1)).toMatchObject({ who: 'installer', at: 1_000_000, plugin: 'p', org: null });
    expect(all.at(-2)).toMatchObject({ who: WHO, at: 1_000_005, org: ORG_A, before: null });
    // The same configuration has the same digest; the same secret has not, or a short one could be guessed.
    expect(all[4]?.before).toBe(all[4]?.after);
    expect(all[3]).toMatchObject({ subject: 'key', before: null, after: expect.any(String) });
    expect(all[2]?.before).toBe(all[3]?.after);
    expect(all[2]?.before).not.toBe(all[2]?.after);
    expect(all[1]?.after).toBe(null);
    expect(JSON.stringify(all)).not.toMatch(/hunter/);
    expect(await tenants.changes.list({ plugin: 'p', org: ORG_A, limit: 2 })).toEqual(
      all.slice(1, 3),
    );
    expect(await tenants.changes.list({ before: all[2]?.id ?? 0, limit: 1 })).toEqual(
      all.slice(3, 4),
    );
  });
}
