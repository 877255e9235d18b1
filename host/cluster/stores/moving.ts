/**
 * All of what the hosts share on NATS as items, and back.
 * May import: kernel, storage, cluster.
 */
import { createHash } from 'node:crypto';

import { HostError } from '../../kernel/errors.ts';
import type { Change } from '../../storage/changes.ts';
import type { InstalledStore } from '../../storage/installed.ts';
import type { KvStore } from '../../storage/kv-store.ts';
import {
  isSameEnd,
  takeBlob,
  takeInstalled,
  type MovedItem,
  type MovedOf,
  type Movable,
} from '../../storage/moving.ts';
import type { Seal } from '../../storage/seal.ts';
import { secretPlace, type SettingKind } from '../../storage/tenant-values.ts';
import { openBucket, type Bucket } from '../link/bucket.ts';
import type { Link } from '../link/link.ts';
import { openBlobs, type Blobs } from './blobs.ts';
import type { NatsChanges } from './changes.ts';
import { decodeValue } from './kv.ts';
import {
  decodeKept,
  isPlugin,
  isSecret,
  isSetting,
  pluginKey,
  secretKey,
  settingKey,
  type Kept,
} from './tenant-keys.ts';

export interface NatsMovableParts {
  readonly link: Link;
  /** That of the secrets. */
  readonly seal: Seal;
  readonly kv: KvStore;
  readonly changes: NatsChanges;
  readonly installed: InstalledStore;
}

interface Rooms extends NatsMovableParts {
  readonly values: Bucket;
  readonly tenants: Bucket;
  readonly blobs: Blobs;
}

const PAGE = 1_000;

/** Owns nothing. Throws a CLUSTER code. */
export async function openNatsMovable(parts: NatsMovableParts): Promise<Movable> {
  const rooms: Rooms = {
    ...parts,
    values: await openBucket(parts.link, 'kv'),
    tenants: await openBucket(parts.link, 'tenants'),
    blobs: await openBlobs(parts.link),
  };
  let known: Promise<Set<string>> | null = null;
  return {
    title: 'NATS',
    async count() {
      const sizes = await Promise.all([rooms.values.size(), rooms.tenants.size()]);
      const changes = (await changesUp(parts.changes)).length;
      const blobs = (await rooms.blobs.hashes()).length;
      const records = (await parts.installed.list()).length;
      return sizes.reduce((sum, { entries }) => sum + entries, 0) + changes + blobs + records;
    },
    items: () => items(rooms),
    async take(item) {
      if (item.kind === 'change') {
        known ??= changesUp(parts.changes).then((all) => new Set(all.map(printOf)));
        return takeChange(parts.changes, item.change, await known);
      }
      return take(rooms, item);
    },
  };
}

async function* items(rooms: Rooms): AsyncIterable<MovedItem> {
  for await (const { revision, value } of rooms.values.scan('d.>')) {
    const item = value && valueItem(revision, value);
    if (item) yield item;
  }
  for await (const { value } of rooms.tenants.scan('>'))
    if (value !== null) yield tenantItem(rooms.seal, decodeKept(value));
  for (const change of await changesUp(rooms.changes)) yield { kind: 'change', change };
  for (const hash of await rooms.blobs.hashes()) {
    const bytes = await rooms.blobs.get(hash);
    if (bytes) yield { kind: 'blob', hash, bytes };
  }
  for (const record of await rooms.installed.list()) yield { kind: 'installed', record };
}

function valueItem(revision: number, bytes: Uint8Array): MovedItem | null {
  const found = decodeValue(revision, bytes);
  if (!found) return null;
  const { plugin, org, key, value, endsAt } = found;
  return {
    kind: 'kv',
    plugin,
    org,
    key,
    value,
    expiresAt: endsAt === null ? null : Math.round(endsAt),
  };
}

function tenantItem(seal: Seal, kept: Kept): MovedItem {
  if (isPlugin(kept)) return { kind: 'plugin', ...kept };
  if (isSetting(kept)) return { kind: 'setting', ...kept };
  const { plugin, org, name, changedAt } = kept;
  const value = seal.open(Buffer.from(kept.sealed, 'base64'), secretPlace(kept, name));
  if (value === null)
    throw new HostError(
      'SECRET_UNREADABLE',
      `the secret ${name} of ${plugin} can not be decrypted`,
    );
  return { kind: 'secret', plugin, org, name, value, changedAt };
}

async function take(rooms: Rooms, item: Exclude<MovedItem, { kind: 'change' }>): Promise<boolean> {
  switch (item.kind) {
    case 'kv':
      return takeValue(rooms.kv, item);
    case 'plugin': {
      const { plugin, owner, orgs } = item;
      return putKept(rooms.tenants, pluginKey(plugin), { plugin, owner, orgs });
    }
    case 'setting': {
      const { plugin, org, setting, value } = item;
      const key = settingKey(item, setting as SettingKind);
      return putKept(rooms.tenants, key, { plugin, org, setting: setting as SettingKind, value });
    }
    case 'secret':
      return takeSecret(rooms, item);
    case 'blob':
      return takeBlob(rooms.installed, item);
    case 'installed':
      return takeInstalled(rooms.installed, item);
  }
}

async function takeValue(kv: KvStore, item: MovedOf<'kv'>): Promise<boolean> {
  const { key, value, expiresAt } = item;
  const there = await kv.get(item, key);
  if (there?.value === value && isSameEnd(there.expiresAt, expiresAt)) return false;
  await kv.put(item, key, { value, expiresAt });
  return true;
}

async function putKept(bucket: Bucket, key: string, kept: Kept): Promise<boolean> {
  const text = JSON.stringify(kept);
  const there = await bucket.get(key);
  if (there?.value && Buffer.from(there.value).toString('utf8') === text) return false;
  await bucket.put(key, text);
  return true;
}

async function takeSecret({ tenants, seal }: Rooms, item: MovedOf<'secret'>): Promise<boolean> {
  const { plugin, org, name, value, changedAt } = item;
  const key = secretKey(item, name);
  const place = secretPlace(item, name);
  const there = await tenants.get(key);
  const kept = there?.value ? decodeKept(there.value) : null;
  if (kept && isSecret(kept) && seal.open(Buffer.from(kept.sealed, 'base64'), place) === value)
    return false;
  const sealed = Buffer.from(seal.seal(value, place)).toString('base64');
  await tenants.put(key, JSON.stringify({ plugin, org, name, changedAt, sealed }));
  return true;
}

/** The oldest first. */
async function changesUp(changes: NatsChanges): Promise<Change[]> {
  const all: Change[] = [];
  for (let before: number | undefined; ;) {
    const page = await changes.list({ limit: PAGE, ...(before !== undefined && { before }) });
    all.push(...page);
    before = page.at(-1)?.id;
    if (page.length < PAGE) return all.toReversed();
  }
}

async function takeChange(
  changes: NatsChanges,
  change: Change,
  known: Set<string>,
): Promise<boolean> {
  const print = printOf(change);
  if (known.has(print)) return false;
  await changes.append(change, change.at);
  known.add(print);
  return true;
}

/** Without its number, which is given anew. */
function printOf({ at, who, action, plugin, org, subject, before, after }: Change): string {
  const text = JSON.stringify([at, who, action, plugin, org, subject, before, after]);
  return createHash('sha256').update(text).digest('base64');
}
