/** Parked events in memory, for tests of the API and the commands. */
import type { EventStatus, ParkedEvent, ParkedEvents } from '../../../host/message/events.ts';
import { HostError } from '../../../host/kernel/errors.ts';
import type { EventsSource } from '../../../host/operator/api/events.ts';

export interface MemoryParked extends EventsSource {
  /** What `status` gives. */
  now: EventStatus;
  /** By plug-in, the oldest first. */
  readonly kept: Map<string, ParkedEvent[]>;
  /** Ids in the order in which they were replayed. */
  readonly replayed: string[];
  readonly recorded: unknown[];
}

export function parkedEvent(id: string, changes: Partial<ParkedEvent> = {}): ParkedEvent {
  const org = { id: 'urn:vcloud:org:a', type: 'org', name: null };
  return {
    id,
    code: 'EVENT_ATTEMPTS_EXHAUSTED',
    reason: 'attempt 5: PLUGIN_THREW: boom\u001b[31m',
    parkedAt: 1_700_000_000_000,
    attempts: 5,
    exchange: 'systemExchange',
    routingKey: 'true.x',
    bodyBytes: 700,
    firstSeenAt: 1_699_999_000_000,
    contentType: null,
    bodySha256: 'ab',
    headers: {},
    event: {
      eventId: `event-${id}`,
      type: 'com/vmware/vcloud/event/vm/create',
      timestamp: 1_699_999_000_000,
      operationSuccess: true,
      org,
      user: null,
      entity: { id: 'urn:vcloud:vm:1', type: 'vm', name: null },
      task: null,
      taskOwner: null,
      taskName: null,
      resolver: null,
      form: 'xml',
      extraFields: ['more'],
    },
    unreadable: null,
    kept: true,
    ...changes,
  };
}

/** A queue that is not consumed, for want of vCloud's exchange. */
export const WAITING_QUEUE = {
  plugin: 'demo',
  queue: 'vcx.events.demo',
  consuming: false,
  missing: ['systemExchange'],
  problem: new HostError('BROKER_TOPOLOGY', 'queue vcx.events.demo: odd'),
  notes: ['made under other settings'],
  waiting: 7,
  parked: 2,
  unsettled: 0,
} as const;

export function createMemoryParked(): MemoryParked {
  const kept = new Map<string, ParkedEvent[]>();
  const replayed: string[] = [];
  const recorded: unknown[] = [];

  function take(plugin: string, which: 'all' | readonly string[], onTaken: (id: string) => void) {
    const there = kept.get(plugin) ?? [];
    const ids = which === 'all' ? there.map(({ id }) => id) : which;
    const failed: { id: string; reason: string }[] = [];
    for (const id of ids) {
      const at = there.findIndex((one) => one.id === id);
      if (at < 0) failed.push({ id, reason: 'not parked' });
      else onTaken(there.splice(at, 1)[0]?.id ?? '');
    }
    return { done: ids.length - failed.length, failed };
  }
  const parked: ParkedEvents = {
    async list(plugin, { limit = 100 } = {}) {
      const all = kept.get(plugin) ?? [];
      return { events: all.slice(0, limit), total: all.length };
    },
    read: async (plugin, id) => kept.get(plugin)?.find((one) => one.id === id) ?? null,
    replay: async (plugin, which) => take(plugin, which, (id) => replayed.push(id)),
    drop: async (plugin, which) => take(plugin, which, () => undefined),
  };
  const changes = { record: async (change: unknown) => void recorded.push(change) };
  const memory: MemoryParked = {
    parked,
    status: () => memory.now,
    now: { consuming: true, reason: null, subscriptions: [], orphans: [] },
    changes,
    kept,
    replayed,
    recorded,
  };
  return memory;
}
