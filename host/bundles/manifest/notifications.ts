/**
 * Notifications in the manifest: which events a plug-in hears of, how they reach it, and which operations it decides on.
 * May import: kernel, message.
 */
import { z } from 'zod';

import {
  createEventMatcher,
  typePatternProblem,
  type EventFilter,
} from '../../message/notification/patterns.ts';

const pattern = z.string().superRefine((text, context) => {
  const problem = typePatternProblem(text);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

const uuid = z
  .string()
  .regex(/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/, 'a bare id in small letters');

const subscription = z.strictObject({
  /**
   * `com/vmware/vcloud/event/vapp/create`, or `vapp.create` for short; `*` is one part, `#` any number
   * (`message/notification/patterns.ts`).
   */
  types: z.array(pattern).min(1).max(50),
  /** `only`: what succeeded; `both`: failures too. */
  success: z.enum(['only', 'both']).default('only'),
  /** Kinds of the entity that the event is about, as in its URN: `vapp`, `vm`, `task`. All when left out. */
  entityTypes: z
    .array(z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,63}$/, 'a kind such as vapp or blockingTask'))
    .min(1)
    .max(20)
    .optional(),
  /** Bare ids; every org that has the plug-in when left out. */
  orgs: z.array(uuid).min(1).max(100).optional(),
});

const delivery = z.strictObject({
  /** Events of one entity come one after the other, each after the one before was handled or parked. */
  ordered: z.boolean().default(true),
  /** How often an event is tried before it is parked. */
  maxAttempts: z.int().min(1).max(20).default(5),
  /** Events that are taken from the broker at once, over all orgs; the host's own choice when left out. */
  prefetch: z.int().min(1).max(1_000).optional(),
});

const blockingTasks = z.strictObject({
  /** Operations that vCloud shall hold until the plug-in decides, such as `vdcInstantiateVapp`. */
  operations: z
    .array(
      z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,127}$/, 'an operation such as vdcInstantiateVapp'),
    )
    .min(1)
    .max(50),
  /** What vcx does when the handler fails, returns without a decision, or is late. */
  onFailure: z.enum(['resume', 'abort', 'fail']),
  /** Time for the decision in ms, all tries together; less when vCloud's own time-out comes sooner. */
  decideWithinMs: z.int().min(1_000).max(86_400_000).default(60_000),
});

/** The keys of `plugin.json` that are about notifications. */
export const notificationKeys = {
  notifications: z.array(subscription).max(20).default([]),
  notificationDelivery: delivery.default({ ordered: true, maxAttempts: 5 }),
  /** Implies a subscription to the events that announce the held operations. */
  blockingTasks: blockingTasks.optional(),
} as const;

export type Subscription = z.output<typeof subscription>;
export type NotificationDelivery = z.output<typeof delivery>;
export type BlockingPolicy = z.output<typeof blockingTasks>;

interface NotificationKeys {
  readonly notifications: readonly Subscription[];
  readonly notificationDelivery: NotificationDelivery;
  readonly blockingTasks?: BlockingPolicy | undefined;
}

/** What vCloud says when it holds an operation. */
export const BLOCKING_TASK_CREATED = 'com/vmware/vcloud/event/blockingtask/create';

/**
 * All that a plug-in listens to. `blockingTasks` always adds the event that announces them, whatever the others
 * narrow down: operations are held for the whole cloud, and a held one that nobody hears of waits for its time-out.
 */
export function subscriptionsOf(manifest: NotificationKeys): readonly Subscription[] {
  const { notifications, blockingTasks: policy } = manifest;
  if (!policy || notifications.some(announcesAll)) return notifications;
  return [...notifications, { types: [BLOCKING_TASK_CREATED], success: 'both' }];
}

function announcesAll(subscription: Subscription): boolean {
  const { entityTypes, orgs, success } = subscription;
  const narrow = entityTypes !== undefined || orgs !== undefined || success === 'only';
  return !narrow && meansType(subscription, BLOCKING_TASK_CREATED);
}

function meansType(filter: EventFilter, type: string): boolean {
  const entity = { id: '', type: '', name: null };
  const rest = { operationSuccess: true, org: entity, entity, eventId: '', timestamp: 0 };
  const none = { user: null, task: null, taskOwner: null, taskName: null, resolver: null };
  return createEventMatcher(filter)({ ...rest, ...none, type, form: 'json', extra: {} });
}

const VCLOUD_EVENTS = ['com', 'vmware', 'vcloud', 'event'];

/** The whole type in parts; short forms stand below vCloud's own events. */
function partsOf(pattern: string): string[] {
  const parts = pattern.split(/[./]/);
  const whole = pattern.includes('/') || parts[0] === 'com' || parts[0] === '#';
  return whole ? parts : [...VCLOUD_EVENTS, ...parts];
}

/**
 * Whether a busy cloud sends nearly everything to this pattern: it names no kind of object. Allowed, since an audit
 * may want it, but an operator should know.
 */
export function isBroad(pattern: string): boolean {
  const parts = partsOf(pattern);
  const wildcard = parts.findIndex((part) => part === '*' || part === '#');
  if (wildcard === -1 || wildcard > VCLOUD_EVENTS.length) return false;
  return parts.slice(0, wildcard).every((part, index) => part === VCLOUD_EVENTS[index]);
}

/** Kinds of objects in vCloud's own event types, in vCloud's own spelling; later versions add some. */
const KINDS = new Set(
  (
    'session user group role org network vdc fast_provisioning thin_provisioning providerVdc vappTemplate media vapp ' +
    'vm vc catalog catalogItem task blockingtask datastore disk providerVdcStorageProfile vdcStorageProfile gateway'
  ).split(' '),
);

/** What an operator should look at before the plug-in is installed; each a sentence. Nothing here is forbidden. */
export function subscriptionRemarks(manifest: NotificationKeys): string[] {
  const patterns = manifest.notifications.flatMap(({ types }) => types);
  return patterns.flatMap((pattern) => {
    if (isBroad(pattern)) return [`${pattern}: matches nearly every event of the cloud`];
    const parts = partsOf(pattern);
    const ofVcloud = VCLOUD_EVENTS.every((part, index) => part === parts[index]);
    const kind = ofVcloud ? (parts[VCLOUD_EVENTS.length] ?? '') : '';
    if (!ofVcloud && parts.length === 2 && KINDS.has(parts[0] ?? ''))
      return [`${pattern}: not below ${VCLOUD_EVENTS.join('/')}; with dots it would be`];
    if (kind === '' || KINDS.has(kind)) return [];
    const meant = [...KINDS].find((known) => known.toLowerCase() === kind.toLowerCase());
    return [`${pattern}: vCloud documents no events of ${kind}${meant ? `, but of ${meant}` : ''}`];
  });
}
