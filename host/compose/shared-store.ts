/**
 * What is kept for all hosts that work on one state, as ports.
 * May import: storage.
 */
import type { HandledEvents } from '../storage/handled-events.ts';
import type { InstalledStore } from '../storage/installed.ts';
import type { Journal } from '../storage/journal.ts';
import type { KvStore } from '../storage/kv-store.ts';
import type { OpenBlockingStore } from '../storage/open-blocking.ts';
import type { OpenTaskStore } from '../storage/open-tasks.ts';
import type { TenantStore } from '../storage/tenants.ts';

/** What several hosts share when they are told of each other. */
export interface SharedStore {
  readonly journal: Journal;
  readonly handledEvents: HandledEvents;
  readonly kv: KvStore;
  readonly openTasks: OpenTaskStore;
  readonly openBlocking: OpenBlockingStore;
  readonly tenants: TenantStore;
  readonly installed: InstalledStore;
}
