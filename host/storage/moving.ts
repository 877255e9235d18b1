/**
 * What a store holds as a sequence of items, so that it can be moved to a store of another kind.
 * May import: kernel, storage.
 *
 * The journal and open tasks are not among them: they belong to calls under way, and are empty once all hosts drained.
 */
import { HostError } from '../kernel/errors.ts';
import type { Change } from './changes.ts';
import type { InstalledPlugin, InstalledStore } from './installed.ts';

export type MovedItem =
  | {
      readonly kind: 'kv';
      readonly plugin: string;
      readonly org: string;
      readonly key: string;
      readonly value: string;
      /** Epoch ms. */
      readonly expiresAt: number | null;
    }
  | {
      readonly kind: 'plugin';
      readonly plugin: string;
      /** URN of an org, null for the provider. */
      readonly owner: string | null;
      /** JSON of `Tenancy.orgs`. */
      readonly orgs: string;
    }
  | {
      readonly kind: 'setting';
      readonly plugin: string;
      readonly org: string;
      readonly setting: string;
      /** JSON. */
      readonly value: string;
    }
  | {
      readonly kind: 'secret';
      readonly plugin: string;
      readonly org: string;
      readonly name: string;
      /** In clear, in memory only: each store seals it with its own key. */
      readonly value: string;
      readonly changedAt: number;
    }
  | { readonly kind: 'change'; readonly change: Change }
  | { readonly kind: 'blob'; readonly hash: string; readonly bytes: Uint8Array }
  | { readonly kind: 'installed'; readonly record: InstalledPlugin };

export interface Movable {
  /** For people: `SQLite`, `NATS`. */
  readonly title: string;
  /** Items there are, about: for progress. */
  count(): Promise<number>;
  /** Blobs come before the records that name them; changes in the order in which they were made. */
  items(): AsyncIterable<MovedItem>;
  /**
   * Make it so here. An item that is here already is left as it is, one that differs is replaced: to do it again
   * does no harm. False when nothing had to be done.
   */
  take(item: MovedItem): Promise<boolean>;
}

export type MovedOf<K extends MovedItem['kind']> = Extract<MovedItem, { kind: K }>;

/** Ms by which two times may differ and be the same: stores with a clock of their own convert them. */
const SAME_TIME_MS = 1_000;

export function isSameEnd(one: number | null, other: number | null): boolean {
  return one === null || other === null ? one === other : Math.abs(one - other) < SAME_TIME_MS;
}

/** `take` for a blob, in any store. */
export async function takeBlob(
  installed: InstalledStore,
  { hash, bytes }: MovedOf<'blob'>,
): Promise<boolean> {
  if (await installed.getBlob(hash)) return false;
  await installed.putBlob(bytes);
  return true;
}

/** `take` for a record, in any store. Revisions are the store's own: all but that is compared. */
export async function takeInstalled(
  installed: InstalledStore,
  { record }: MovedOf<'installed'>,
): Promise<boolean> {
  const there = await installed.get(record.plugin);
  const wanted = { ...record, revision: there?.revision ?? 0 };
  if (there && JSON.stringify(sorted(there)) === JSON.stringify(sorted(wanted))) return false;
  if ((await installed.save(wanted)) !== null) return true;
  throw new HostError('PLUGIN_CHANGED', `${record.plugin} was changed while it was moved`);
}

function sorted(record: InstalledPlugin): unknown {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
