/**
 * The three bindings that speak with vCloud, over one access: `vcloud`, `tasks` and `events`.
 * May import: kernel, storage, vcloud.
 */
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { systemClock, type Clock } from '../kernel/time.ts';
import type { OpenTaskStore } from '../storage/open-tasks.ts';
import type { VcloudClient } from '../vcloud/client.ts';
import type { Binding } from './binding.ts';
import { createEventsBinding } from './events/index.ts';
import { createTasksBinding } from './tasks/index.ts';
import { openSweeper } from './tasks/sweeper.ts';
import { createAccess } from './vcloud/access.ts';
import { createVcloudBinding } from './vcloud/index.ts';
import { createOrgLinks } from './vcloud/org-links.ts';
import { createOwnership } from './vcloud/ownership.ts';

export interface VcloudBindingsOptions {
  /** Null where no vCloud is configured: the bindings are there and refuse every call. */
  readonly client: VcloudClient | null;
  readonly openTasks: OpenTaskStore;
  /** Namespace of a plug-in's service; asked at each call, since plug-ins come and go. */
  readonly namespaceOf: (plugin: string) => string | null;
  /** Templates of `vcloudPaths` that the operator approved for a plug-in. @default none */
  readonly approved?: (plugin: string) => readonly string[];
  readonly log: Log;
  readonly metrics?: Metrics | null;
  readonly clock?: Clock;
  /** Requests of one plug-in to vCloud, and how many at once after a quiet time. @default 20 and 40 */
  readonly requestsPerSecond?: number;
  readonly burst?: number;
  /** Silence after which the tasks of a host are taken over, in milliseconds. @default 15000 */
  readonly leaseMs?: number;
  /** Of several hosts one cleans up after the others. @default always */
  readonly maySweep?: () => boolean;
}

/** What manifests may name of these, whether there is a vCloud or not. */
export const VCLOUD_BINDINGS = ['vcloud', 'tasks', 'events'] as const;

export interface VcloudBindings extends AsyncDisposable {
  readonly bindings: readonly Binding[];
  /** Tasks that calls work on now. */
  openTasks(): number;
  /** End at once what a dead host left; happens by itself too. */
  sweep(): Promise<void>;
}

/** A task that vCloud does not show is looked for this long, ms. */
const LOST_MS = 300_000;
const SWEEPS_PER_LEASE = 3;

/** Disposing ends open tasks as errors, so it comes before the client is closed. */
export function openVcloudBindings(options: VcloudBindingsOptions): VcloudBindings {
  const { client, openTasks: store, namespaceOf, log, metrics = null } = options;
  const { clock = systemClock, leaseMs = 15_000, approved = () => [], maySweep } = options;
  const access = createAccess({ ...options, client });
  const ownership = createOwnership(access, clock);
  const links = createOrgLinks(clock);
  const shared = { access, ownership, links, namespaceOf };
  const tasks = createTasksBinding({ ...shared, store, log, leaseMs, now: () => clock.now() });
  const everyMs = Math.ceil(leaseMs / SWEEPS_PER_LEASE);
  const sweeper =
    client &&
    openSweeper({
      client,
      store,
      clock,
      log,
      metrics,
      leaseMs,
      everyMs,
      lostMs: LOST_MS,
      maySweep,
    });
  const vcloud = createVcloudBinding({ access, ownership, approved });
  return {
    bindings: [vcloud, tasks, createEventsBinding(shared)],
    openTasks: () => tasks.open,
    sweep: async () => sweeper?.sweep(),
    async [Symbol.asyncDispose]() {
      await tasks[Symbol.asyncDispose]();
      await sweeper?.[Symbol.asyncDispose]();
    },
  };
}
