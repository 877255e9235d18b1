/**
 * Remembers bindings for as long as the process lives.
 * May import: message.
 */
import type { Binding, KnownBindings } from '../../message/events.ts';

export function createMemoryBindings(): KnownBindings {
  const lists = new Map<string, readonly Binding[]>();
  return {
    get: async (queue) => lists.get(queue) ?? [],
    async put(queue, list) {
      if (list.length > 0) lists.set(queue, [...list]);
      else lists.delete(queue);
    },
    queues: async () => [...lists.keys()],
  };
}
