/**
 * The log of one organization in `kv`: a key for each event, in the order of time, the newest first. Events are handled
 * side by side, and no two of them write to one key.
 */
import type { KvNamespace } from '#sdk';

export interface Entry {
  readonly eventId: string;
  /** ISO 8601. */
  readonly at: string;
  readonly type: string;
  readonly success: boolean;
  /** URNs. */
  readonly user: string | null;
  readonly entity: string;
  readonly name: string | null;
}

export interface Page {
  readonly entries: readonly Entry[];
  /** What to ask the next page with; null when this is the last. */
  readonly older: string | null;
}

export interface LogOptions {
  /** Entries that are kept; the oldest go. @default 5000 */
  readonly most?: number;
  /** How often an entry has the old ones looked for, from 0 to 1. @default 0.02 */
  readonly chance?: number;
}

const PREFIX = 'event/';
const PLACE = /^\d{15}\/[A-Za-z0-9._:-]{1,128}$/;
const DIGITS = 15;
const LAST_MS = 10 ** DIGITS - 1;
/** Host calls at once are bounded, and so are those of one call: for both there is room. */
const ENTRIES = 50;
const KEYS = 1_000;

export function createLog(kv: KvNamespace, { most = 5_000, chance = 0.02 }: LogOptions = {}) {
  /** Keys behind the newest `most`, as far as one call may delete them; with what others find they become no more. */
  async function oldest(): Promise<readonly string[]> {
    let cursor: string | undefined;
    for (let left = most; left > 0; left -= KEYS) {
      const found = await kv.list(from(Math.min(left, KEYS), cursor));
      if (found.cursor === null) return [];
      cursor = found.cursor;
    }
    return (await kv.list(from(2 * ENTRIES, cursor))).keys;
  }

  return {
    /** An event may come twice: it is written once. */
    async add(entry: Entry): Promise<void> {
      await kv.put(PREFIX + placeOf(entry), entry, { ifVersion: 0 });
      if (Math.random() < chance) for (const key of await oldest()) await kv.delete(key);
    },
    /** The newest, or those behind a place that a page before named; null for what is no place. */
    async read(behind: string | null): Promise<Page | null> {
      if (behind !== null && !PLACE.test(behind)) return null;
      const cursor = behind === null ? undefined : PREFIX + behind;
      const found = await kv.list(from(ENTRIES, cursor));
      const entries = await Promise.all(found.keys.map((key) => kv.get<Entry>(key)));
      return {
        // One may have gone since its key was listed.
        entries: entries.filter((entry) => entry !== null),
        older: found.cursor === null ? null : found.cursor.slice(PREFIX.length),
      };
    },
  };
}

function from(limit: number, cursor: string | undefined) {
  return { prefix: PREFIX, limit, ...(cursor === undefined ? {} : { cursor }) };
}

/** Keys are listed in ascending order, so the later the smaller. */
function placeOf({ at, eventId }: Entry): string {
  const ms = Math.min(LAST_MS, Math.max(0, Date.parse(at) || 0));
  return `${String(LAST_MS - ms).padStart(DIGITS, '0')}/${eventId}`;
}
