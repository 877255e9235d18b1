/**
 * Handled events in SQLite: many in one write, bounded in time and number.
 * May import: kernel.
 */
import type { DatabaseSync } from 'node:sqlite';

import { messageOf } from '../../kernel/errors.ts';
import { silentLog, type Log } from '../../kernel/log.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import {
  HANDLED_DEFAULTS,
  type HandledEvents,
  type HandledEventsOptions,
} from '../handled-events.ts';

export interface SqliteHandledEventsParts extends HandledEventsOptions {
  readonly database: DatabaseSync;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Pause between two sweeps, ms. @default 30000 */
  readonly sweepMs?: number;
}

/** Events taken away at a time: a sweep must not stand in the way of calls. */
const CHUNK = 2_000;

/** Does not own the database: whoever opened it closes it afterwards. */
export function openSqliteHandledEvents(
  parts: SqliteHandledEventsParts,
): HandledEvents & Disposable {
  const { database, keepMs, maxEntries, clock, log, sweepMs } = {
    ...HANDLED_DEFAULTS,
    clock: systemClock,
    log: silentLog,
    sweepMs: 30_000,
    ...parts,
  };
  const find = database.prepare('SELECT 1 FROM handled_events WHERE at = ? AND key = ?');
  const add = database.prepare(
    `INSERT OR IGNORE INTO handled_events
     SELECT value ->> 'at', value ->> 'key' FROM json_each(?)`,
  );
  find.setReturnArrays(true);
  const count = database.prepare('SELECT count(*) AS entries FROM handled_events');
  const trim = database.prepare(
    `DELETE FROM handled_events WHERE (at, key) IN (
       SELECT at, key FROM handled_events WHERE at <= ? ORDER BY at, key LIMIT ?)`,
  );
  const closed = new AbortController();

  /** Chunk by chunk, others in between. */
  async function sweep(): Promise<void> {
    const { entries } = count.get() as { entries: number };
    let surplus = Math.max(0, entries - maxEntries);
    for (let more = true; more && !closed.signal.aborted;) {
      const before = surplus > 0 ? Number.MAX_SAFE_INTEGER : clock.now() - keepMs;
      const taken = Number(
        trim.run(before, surplus > 0 ? Math.min(surplus, CHUNK) : CHUNK).changes,
      );
      more = surplus > 0 || taken === CHUNK;
      surplus = Math.max(0, surplus - CHUNK);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const timer = setInterval(() => {
    // A file that is locked for long or a full disk: the next sweep tries again.
    sweep().catch((error: unknown) => log.error('events.sweep', { error: messageOf(error) }));
  }, sweepMs).unref();

  return {
    has: async ({ key, at }) => find.get(at, key) !== undefined,
    async add(events) {
      add.run(JSON.stringify(events));
    },
    [Symbol.dispose]() {
      closed.abort();
      clearInterval(timer);
    },
  };
}
