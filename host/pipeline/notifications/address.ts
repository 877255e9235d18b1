/**
 * Stage: does this plug-in hear of this event, in which version, and for whom?
 * May import: kernel, message, storage, bundles.
 */
import type { Catalogue, LivePlugin } from '../../bundles/live/catalogue.ts';
import {
  BLOCKING_TASK_CREATED,
  subscriptionsOf,
  type BlockingPolicy,
} from '../../bundles/manifest/notifications.ts';
import type { CloudEvent } from '../../message/notification/event.ts';
import { createEventMatcher } from '../../message/notification/patterns.ts';
import type { TenantStore } from '../../storage/tenants.ts';

export type Addressed =
  | { readonly kind: 'to'; readonly plugin: LivePlugin }
  /** The org does not have the plug-in. */
  | { readonly kind: 'foreign' }
  /** The org has it, but it is not live at the moment, or not in the org's version. */
  | { readonly kind: 'away' }
  /** The binding was a coarse sieve, or the manifest has changed since. */
  | { readonly kind: 'unwanted' };

export interface AddressBook {
  readonly catalogue: Catalogue;
  readonly tenants: Pick<TenantStore, 'view'>;
}

const matchers = new WeakMap<LivePlugin, readonly ((event: CloudEvent) => boolean)[]>();

export function addressEvent(
  { catalogue, tenants }: AddressBook,
  name: string,
  event: CloudEvent,
): Addressed {
  const plugin = catalogue.versionFor(name, event.org.id);
  if (!plugin) return { kind: tenants.view(name, event.org.id).enabled ? 'away' : 'foreign' };
  let wanted = matchers.get(plugin);
  if (!wanted) {
    wanted = subscriptionsOf(plugin.manifest).map(createEventMatcher);
    matchers.set(plugin, wanted);
  }
  return wanted.some((matches) => matches(event)) ? { kind: 'to', plugin } : { kind: 'unwanted' };
}

/**
 * What to do about an operation that is held for the whole cloud and that no plug-in of its org decides on; null when
 * one does, or when the event announces none.
 */
export function orphanPolicy(
  catalogue: Catalogue,
  name: string,
  event: CloudEvent,
): BlockingPolicy | null {
  if (event.type !== BLOCKING_TASK_CREATED) return null;
  const policy = catalogue.shelf(name)?.current?.manifest.blockingTasks;
  return policy && !hasDecider(catalogue, event, policy) ? policy : null;
}

/** No two plug-ins decide on one operation: of an event that does not name it, only who decides on ours counts. */
function hasDecider(
  catalogue: Catalogue,
  { org, taskName }: CloudEvent,
  { operations: ours }: BlockingPolicy,
): boolean {
  return catalogue.live.some(({ manifest }) => {
    const decider = catalogue.versionFor(manifest.name, org.id);
    const operations = decider?.manifest.blockingTasks?.operations ?? [];
    return operations.some((one) => (taskName === null ? ours.includes(one) : one === taskName));
  });
}
