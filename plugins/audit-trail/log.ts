/**
 * The log of one organization in `kv`: pages of entries, the newest first, and a key that says which page is written.
 * Bounded: a new page takes the oldest one's place.
 */
import type { KvNamespace } from '#sdk';

export interface Entry {
  readonly eventId: string;
  readonly at: string;
  readonly type: string;
  readonly success: boolean;
  /** URNs. */
  readonly user: string | null;
  readonly entity: string;
  readonly name: string | null;
}

export interface Page {
  readonly page: number;
  readonly entries: readonly Entry[];
  /** Number of the page before it in time; null when this is the oldest. */
  readonly older: number | null;
}

/** A page stays well below what one value may hold, and the whole below what one organization may keep. */
const ENTRIES = 100;
const PAGES = 50;
/** Calls for one organization run side by side: whoever loses a race tries again. */
const TRIES = 20;

export function createLog(kv: KvNamespace) {
  const keyOf = (page: number) => `page/${page}`;
  const entriesOf = async (page: number) => (await kv.get<Entry[]>(keyOf(page))) ?? [];

  /** True when it is written, by this call or an earlier one; false when another call was quicker. */
  async function tryAdd(entry: Entry): Promise<boolean> {
    const newest = await kv.getWithVersion<number>('newest');
    const number = newest?.value ?? 1;
    const page = await kv.getWithVersion<Entry[]>(keyOf(number));
    const entries = page?.value ?? [];
    const before = number > 1 ? await entriesOf(number - 1) : [];
    // An event may come twice.
    if ([...entries, ...before].some(({ eventId }) => eventId === entry.eventId)) return true;
    if (entries.length < ENTRIES) {
      const ifVersion = page?.version ?? 0;
      return (await kv.put(keyOf(number), [entry, ...entries], { ifVersion })) !== null;
    }
    await kv.delete(keyOf(number + 1 - PAGES));
    await kv.put('newest', number + 1, { ifVersion: newest?.version ?? 0 });
    return false;
  }

  return {
    async add(entry: Entry): Promise<void> {
      for (let tries = 0; tries < TRIES; tries += 1) if (await tryAdd(entry)) return;
      throw new Error('too many others write at the same time');
    },
    /** The newest page when none is named; null when there is no such page. */
    async read(wanted: number | null): Promise<Page | null> {
      const newest = (await kv.get<number>('newest')) ?? 1;
      const page = wanted ?? newest;
      const oldest = Math.max(1, newest + 1 - PAGES);
      if (page < oldest || page > newest) return null;
      const entries = (await entriesOf(page)).toSorted(newestFirst);
      return { page, entries, older: page > oldest ? page - 1 : null };
    },
  };
}

/** Events come in any order; those of one moment stay as they came. */
function newestFirst(a: Entry, b: Entry): number {
  return Date.parse(b.at) - Date.parse(a.at);
}
