/**
 * Notifications: what the live plug-ins subscribe to becomes queues and bindings, and their events go to the corridor.
 * May import: everything below.
 */
import type { Broker } from '../broker/broker.ts';
import type { Keeper } from '../bundles/live/keeper.ts';
import type { Catalogue, Shelf } from '../bundles/live/catalogue.ts';
import type { LivePlugin } from '../bundles/live/plugin.ts';
import { subscriptionsOf } from '../bundles/manifest/notifications.ts';
import type { Config } from '../config.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { pause } from '../kernel/time.ts';
import type { Subscription } from '../message/events.ts';
import { bindingPatterns } from '../message/notification/patterns.ts';
import type { InstalledStore } from '../storage/installed.ts';
import type { TenantStore } from '../storage/tenants.ts';

export interface SubscriptionParts {
  readonly catalogue: Catalogue;
  readonly tenants: Pick<TenantStore, 'tenancy'>;
  readonly notifications: Config['notifications'];
}

export interface FollowSubscriptionsOptions extends SubscriptionParts {
  readonly installed: Pick<InstalledStore, 'list'>;
  readonly keeper: Pick<Keeper, 'states'>;
  readonly broker: Broker;
  readonly log: Log;
}

/** How often orgs, which other hosts may change, are compared with what is bound, ms. */
const COMPARE_MS = 1_000;
/** Every so many of these, queues of plug-ins that are gone are looked for. */
const FORGET_EVERY = 10;

/** Until disposed: plug-ins that change, come or go, and orgs that are given one or lose it. */
export function followSubscriptions(options: FollowSubscriptionsOptions): AsyncDisposable {
  const { catalogue, broker, log } = options;
  const stopped = new AbortController();
  let told = '';
  /** Had a queue while this host runs: it is emptied when there is nothing more to hear. */
  const heard = new Set<string>();
  const compare = () => {
    for (const plugin of broker.events.status().orphans) heard.add(plugin);
    const list = subscriptionsFor(options, heard);
    for (const { plugin } of list) heard.add(plugin);
    const text = JSON.stringify(list);
    if (text === told) return;
    told = text;
    broker.events.setSubscriptions(list).catch((error: unknown) => {
      told = '';
      log.error('events.subscriptions', { reason: messageOf(error) });
    });
  };
  compare();
  const watching = catalogue.watch(compare);
  async function compareNowAndThen(): Promise<void> {
    for (let round = 1; !stopped.signal.aborted; round += 1) {
      await pause(COMPARE_MS, stopped.signal);
      compare();
      if (round % FORGET_EVERY === 0)
        await forgetRemoved(options).catch((error: unknown) =>
          log.warn('events.forget', { reason: messageOf(error) }),
        );
    }
  }
  const work = compareNowAndThen();
  return {
    async [Symbol.asyncDispose]() {
      watching[Symbol.dispose]();
      stopped.abort();
      await work;
    },
  };
}

/** Queues of plug-ins that were removed go, as far as nothing waits in them; those of disabled ones go on filling. */
async function forgetRemoved({
  broker,
  installed,
  keeper,
  log,
}: FollowSubscriptionsOptions): Promise<void> {
  const { orphans } = broker.events.status();
  if (orphans.length === 0) return;
  const known = new Set((await installed.list()).map(({ plugin }) => plugin));
  for (const { name } of keeper.states) known.add(name);
  for (const plugin of orphans.filter((name) => !known.has(name))) {
    const left = await broker.events.forget(plugin);
    log.info('events.forgotten', { plugin, left });
  }
}

/**
 * Of every live plug-in that listens. One of `heard` that does not any more, or that no org has, is in the list with
 * no bindings: its old ones are taken off, and what waits is looked at.
 */
export function subscriptionsFor(
  { catalogue, tenants, notifications }: SubscriptionParts,
  heard: ReadonlySet<string> = new Set(),
): readonly Subscription[] {
  const { exchanges, prefetch, retryMs } = notifications;
  const list: Subscription[] = [];
  for (const name of new Set(catalogue.live.map(({ manifest }) => manifest.name))) {
    const shelf = catalogue.shelf(name);
    const bindings = shelf ? bindingsOf(shelf, tenants.tenancy(name)?.orgs ?? []) : [];
    const delivery = shelf?.current?.manifest.notificationDelivery;
    if (!delivery || (bindings.length === 0 && !heard.has(name))) continue;
    const { maxAttempts, ordered } = delivery;
    // A plug-in may ask for less than the operator allows.
    const most = Math.min(delivery.prefetch ?? prefetch, prefetch);
    list.push({ plugin: name, exchanges, bindings, prefetch: most, maxAttempts, retryMs, ordered });
  }
  return list;
}

/** Of all versions that are live: an org may stay with an older one. */
function bindingsOf(shelf: Shelf, orgs: 'all' | readonly string[]): readonly string[] {
  const versions = [...(shelf.current ? [shelf.current] : []), ...shelf.pinned.values()];
  const patterns = versions.flatMap((plugin) => patternsOf(plugin, orgs));
  return [...new Set(patterns)].sort();
}

/** An org without the plug-in never gets into its queue, unless operations are held, which concerns all orgs. */
function patternsOf({ manifest }: LivePlugin, orgs: 'all' | readonly string[]): string[] {
  const everybody = orgs === 'all' || manifest.blockingTasks !== undefined;
  return subscriptionsOf(manifest).flatMap((filter) => {
    if (everybody) return bindingPatterns(filter);
    const bare = orgs.map((org) => org.slice(org.lastIndexOf(':') + 1));
    const wanted = filter.orgs ? bare.filter((org) => filter.orgs?.includes(org)) : bare;
    return wanted.length === 0 ? [] : bindingPatterns({ ...filter, orgs: wanted });
  });
}
