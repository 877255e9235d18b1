/**
 * Which bindings each queue of events was given, kept over restarts: AMQP has no way to list them.
 * May import: kernel, message.
 */
import type { DatabaseSync } from 'node:sqlite';

import type { Binding, KnownBindings } from '../../message/events.ts';

/** Hosts that share the broker and not the file each remember what they bound themselves. */
export function createSqliteKnownBindings(database: DatabaseSync): KnownBindings {
  const get = database.prepare('SELECT list FROM event_bindings WHERE queue = ?');
  const remove = database.prepare('DELETE FROM event_bindings WHERE queue = ?');
  const queues = database.prepare('SELECT queue FROM event_bindings ORDER BY queue');
  const put = database.prepare(
    `INSERT INTO event_bindings VALUES (?, ?)
     ON CONFLICT (queue) DO UPDATE SET list = excluded.list`,
  );
  return {
    async get(queue) {
      const row = get.get(queue) as { list: string } | undefined;
      return row ? (JSON.parse(row.list) as Binding[]) : [];
    },
    async put(queue, list) {
      if (list.length === 0) remove.run(queue);
      else put.run(queue, JSON.stringify(list));
    },
    async queues() {
      return (queues.all() as { queue: string }[]).map(({ queue }) => queue);
    },
  };
}
