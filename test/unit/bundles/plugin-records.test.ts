import { expect, test } from 'vitest';

import { createPrepared } from '../../../host/bundles/live/prepared.ts';
import type { PluginSource } from '../../../host/bundles/live/plugin.ts';
import * as records from '../../../host/bundles/change/record.ts';
import { checkRoom } from '../../../host/bundles/change/room.ts';
import { createTurns } from '../../../host/bundles/live/turns.ts';
import type { InstalledPlugin } from '../../../host/storage/installed.ts';
import { livePlugin } from '../../support/plugins/live-plugins.ts';

const version = (name: string) => ({
  version: name,
  digest: name,
  archive: name,
  sourceMap: null,
  unsigned: false,
  installedAt: 0,
  by: 'test',
});
const record = (changes: Partial<InstalledPlugin> = {}): InstalledPlugin => ({
  ...records.freshRecord('p', { id: 'provider', kind: 'provider' }),
  revision: 1,
  versions: ['1.0.0', '1.1.0', '1.2.0'].map(version),
  ...changes,
});
const where = ({ current, history, waiting }: InstalledPlugin) => [current, ...history, waiting];

test('what becomes current leaves what was before it to go back to, each once', () => {
  const one = records.madeCurrent(record(), '1.0.0');
  expect(where(one)).toEqual(['1.0.0', null]);
  const two = records.madeCurrent(one, '1.1.0');
  expect(where(two)).toEqual(['1.1.0', '1.0.0', null]);
  expect(where(records.madeCurrent(two, '1.1.0'))).toEqual(['1.1.0', '1.0.0', null]);
  expect(where(records.madeCurrent(two, '1.0.0'))).toEqual(['1.0.0', '1.1.0', null]);
});

test('a version that waits goes on waiting unless it goes live or a newer one does', () => {
  const waiting = record({ current: '1.0.0', waiting: '1.1.0' });
  expect(records.madeCurrent(waiting, '1.0.0').waiting).toBe('1.1.0');
  expect(records.madeCurrent(waiting, '1.1.0').waiting).toBe(null);
  expect(records.madeCurrent(waiting, '1.2.0').waiting).toBe(null);
});

test('a rollback goes one version back each time, or to the one that is named', () => {
  const top = record({ current: '1.2.0', history: ['1.1.0', '1.0.0'] });
  const once = records.rolledBack(top, records.rollbackTarget(top, null));
  expect(where(once)).toEqual(['1.1.0', '1.0.0', null]);
  const twice = records.rolledBack(once, records.rollbackTarget(once, null));
  expect(where(twice)).toEqual(['1.0.0', null]);
  expect(() => records.rollbackTarget(twice, null)).toThrow(/no version before 1\.0\.0/);
  expect(() => records.rollbackTarget(top, '0.1.0')).toThrow(/kept are 1\.0\.0, 1\.1\.0, 1\.2\.0/);
});

test('a halt puts back what the host runs, says why, and is none where there is nothing else', () => {
  const top = record({ current: '1.2.0', history: ['1.1.0', '1.0.0'] });
  const why = { host: 'h1', reason: 'it throws' };
  const halted = records.haltedAt(top, { ...why, back: '1.1.0' });
  expect(halted).toMatchObject({ current: '1.1.0', history: ['1.0.0'] });
  expect(halted?.halted).toEqual({ version: '1.2.0', ...why });
  // After a rollback what runs is newer than what should.
  const back = records.haltedAt(record({ current: '1.0.0' }), { ...why, back: '1.2.0' });
  expect(back).toMatchObject({ current: '1.2.0', halted: { version: '1.0.0' } });
  expect(records.haltedAt(top, { ...why, back: '1.2.0' })).toBe(null);
  expect(records.haltedAt(top, { ...why, back: '0.9.0' })).toBe(null);
});

test('what is in use is never trimmed: current, waiting, pinned, and where a rollback goes', () => {
  const names = Array.from({ length: 40 }, (_, index) => `1.${index}.0`);
  const versions = names.map(version);
  const history = ['1.1.0', '1.2.0', '1.3.0', '1.5.0'];
  const full = record({ versions, current: '1.0.0', waiting: '1.4.0', history });
  const kept = records.trimmed(full, new Set(['1.6.0']));
  const left = kept.versions.map((one) => one.version);
  expect(left.slice(0, 6)).toEqual(['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0', '1.6.0']);
  expect(left).toHaveLength(6 + 20);
  expect(kept.history).toEqual(['1.1.0', '1.2.0', '1.3.0']);
  expect(records.trimmed(kept, new Set(['1.6.0']))).toEqual(kept);
});

test('what was loaded lately is found by content and signer, and the oldest makes room', () => {
  const prepared = createPrepared();
  const make = (name: string, changes: Partial<PluginSource> = {}) => {
    const plugin = livePlugin({ name: 'p', version: name });
    const { manifest, owner } = plugin;
    const rest = { script: '', scriptDigest: '', sourceMap: null, source: 'bundle' as const };
    const source = { manifest, owner, digest: name, trusted: true, ...rest, ...changes };
    return { plugin, source };
  };
  const one = make('1.0.0');
  prepared.put(one.plugin, one.source);
  expect(prepared.get(one.source, [])).toBe(one.plugin);
  expect(prepared.get({ ...one.source, trusted: false }, [])).toBe(null);
  expect(prepared.get({ ...one.source, owner: { id: 'o', kind: 'org' } }, [])).toBe(null);
  for (const name of ['1.1.0', '1.2.0', '1.3.0']) {
    const { plugin, source } = make(name);
    prepared.put(plugin, source);
  }
  prepared.touch(one.plugin);
  const last = make('1.4.0');
  prepared.put(last.plugin, last.source);
  expect(prepared.find('p', '1.1.0')).toBe(null);
  expect(prepared.find('p', '1.0.0')).toBe(one.plugin);
  prepared.forget('p');
  expect(prepared.get(one.source, [])).toBe(null);
  // What is live is known, however long ago it was loaded.
  expect(prepared.get(one.source, [one.plugin])).toBe(one.plugin);
});

test('work under one name goes in turn, also after a failure, and other names do not wait', async () => {
  const turns = createTurns();
  const done: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = turns.run('a', async () => {
    await gate.promise;
    done.push('a1');
    throw new Error('no');
  });
  const second = turns.run('a', async () => void done.push('a2'));
  await turns.run('b', async () => void done.push('b'));
  expect(done).toEqual(['b']);
  gate.resolve();
  await expect(first).rejects.toThrow('no');
  await second;
  await turns.idle();
  expect(done).toEqual(['b', 'a1', 'a2']);
});

test('what an org keeps is bounded, in plug-ins and in bytes', () => {
  const org = { id: 'urn:vcloud:org:a', kind: 'org' as const };
  const kept = (count: number, bytes: number) =>
    Array.from({ length: count }, (_, i) => ({
      ...records.freshRecord(`p${i}`, org),
      versions: [{ ...version('1.0.0'), bytes }],
    }));
  const check =
    (all: ReturnType<typeof kept>, plugin: string, owner = org) =>
    () =>
      checkRoom(all, { plugin, owner, bytes: 32_000_000 });
  expect(check(kept(49, 1), 'new')).not.toThrow();
  expect(check(kept(50, 1), 'new')).toThrow(/50 plug-ins/);
  expect(check(kept(50, 1), 'p7')).not.toThrow();
  expect(check(kept(20, 60_000_000), 'p7')).toThrow(
    expect.objectContaining({ code: 'BUNDLE_TOO_LARGE' }),
  );
  expect(check(kept(50, 60_000_000), 'new', { ...org, id: 'urn:vcloud:org:b' })).not.toThrow();
});
