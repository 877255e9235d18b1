/**
 * Stage: run the `notification` handler for one event, under the same sandbox and quotas as calls.
 * May import: kernel, message, quotas, storage, sandbox, bindings, bundles.
 */
import type {
  NotificationBindings,
  NotificationCall,
  NotificationInHand,
} from '../../bindings/blocking-task/open.ts';
import type { Configs } from '../../bindings/config/index.ts';
import type { BindingRegistry } from '../../bindings/registry.ts';
import type { LivePlugin } from '../../bundles/live/catalogue.ts';
import type { Logbook } from '../../bundles/live/logbook.ts';
import { mapPlaces } from '../../bundles/source/source-map.ts';
import { logText } from '../../sandbox/calls/guest-failure.ts';
import { codeOf, messageOf, type Code } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { CloudEvent } from '../../message/notification/event.ts';
import type { Limits } from '../../quotas/limits.ts';
import type { LimitsBook } from '../../quotas/limits-book.ts';
import type { Meter } from '../../quotas/meter.ts';
import type { Outcome, Sandbox, Usage } from '../../sandbox/sandbox.ts';
import type { TenantStore } from '../../storage/tenants.ts';
import { watchHeap, type HeapWatch } from '../heap.ts';
import { variantOf } from '../variants.ts';
import type { Places } from './places.ts';

export interface HandleRooms {
  readonly sandbox: Sandbox;
  readonly bindings: BindingRegistry;
  readonly notifications: NotificationBindings;
  readonly tenants: Pick<TenantStore, 'view'>;
  readonly configs: Pick<Configs, 'configOf'>;
  readonly limits: LimitsBook;
  readonly meter: Meter;
  readonly logbook: Pick<Logbook, 'write'>;
  readonly log: Log;
}

/** As the corridor hands them on. */
export interface EventRooms extends HandleRooms {
  readonly places: Places;
}

export interface EventWork {
  readonly plugin: LivePlugin;
  readonly event: CloudEvent;
  readonly attempt: number;
  /** Whether this is its last try. */
  readonly last: boolean;
}

export type Handled = { readonly kind: 'handled' } | Unhandled;

export type Unhandled =
  /** It could not be begun: the org is over a quota, or there is no room. No attempt is counted. */
  | { readonly kind: 'notNow'; readonly code: Code; readonly afterMs: number }
  | { readonly kind: 'failed'; readonly code: Code; readonly reason: string };

const SOON_MS = 1_000;
/** The handler was not run and it is not this event's doing: no attempt, and a pause in ms. */
const PASSING: ReadonlyMap<Code, number> = new Map([
  ['RUNNER_UNAVAILABLE', SOON_MS],
  ['CONCURRENCY_EXCEEDED', SOON_MS],
  ['DRAINING', SOON_MS],
  ['PLUGIN_QUARANTINED', 5_000],
  ['VCLOUD_UNAVAILABLE', 5_000],
]);
/** How long an event may wait in the sandbox for an isolate, ms. */
const QUEUE_MS = 5_000;
/** Of its wall time, what a handler must have had to be blamed. */
const WHOLE = 0.9;

/** Never throws. */
export async function handleEvent(rooms: EventRooms, work: EventWork): Promise<Handled> {
  let inHand: NotificationInHand | null = null;
  try {
    // Before any quota: from here on a held operation is decided in time, whatever comes.
    inHand = await rooms.notifications.begin(callOf(work));
    const handled = await inPlace(rooms, work, inHand);
    await inHand.close(endOf(handled, work));
    return handled;
  } catch (error) {
    const handled = judgeError(error);
    await inHand?.close(endOf(handled, work));
    return handled;
  }
}

/** As soon as the org has a place and its quota allows. */
async function inPlace(
  rooms: EventRooms,
  work: EventWork,
  inHand: NotificationInHand,
): Promise<Handled> {
  const { name } = work.plugin.manifest;
  const org = work.event.org.id;
  const own = rooms.tenants.view(name, org).limits;
  const limits = rooms.limits.forOrg(work.plugin.guest.limits, org, own);
  const key = `${name}\n${org}`;
  const { concurrency } = limits;
  const entered = rooms.places.enter(key, concurrency);
  if (!(entered === true || (await entered)))
    return notNow('CONCURRENCY_EXCEEDED', rooms.places.away(key, SOON_MS, concurrency));
  let wallMs: number | null = null;
  try {
    const quota = rooms.meter.admit(name, org, limits);
    if (!quota.ok) {
      const leastMs = quota.retryAfterS * 1_000;
      return notNow(quota.code, rooms.places.away(key, leastMs, limits.ratePerSecond));
    }
    const bundle = variantOf(work.plugin.guest, limits, quota.slow);
    const heap = watchHeap(work.plugin, org);
    const charge = (cpuMs: number) => rooms.meter.charge(name, org, cpuMs);
    const outcome = await invoke(rooms, work, { inHand, bundle, settled: heap.settled, charge });
    if (outcome.usage) charge(outcome.usage.cpuMs);
    wallMs = outcome.usage?.wallMs ?? null;
    const handled = judge(outcome, limits);
    // As it was seen last: no event waits for another look.
    heap.whenKnown(false, (memoryKb) =>
      note(rooms, work, handled, { usage: outcome.usage, memoryKb }),
    );
    return handled;
  } finally {
    rooms.places.leave(key, wallMs);
  }
}

interface Invoked {
  readonly inHand: NotificationInHand;
  readonly bundle: LivePlugin['guest'];
  readonly settled: HeapWatch['settled'];
  readonly charge: (cpuMs: number) => void;
}

function invoke(
  rooms: EventRooms,
  work: EventWork,
  { inHand, bundle, settled, charge }: Invoked,
): Promise<Outcome> {
  const { plugin, event } = work;
  const { guest, manifest, config } = plugin;
  const org = event.org.id;
  const callId = callIdOf(event);
  const grant = { plugin: guest.plugin, version: guest.version, org, user: '', callId };
  const granted = [...guest.bindings, ...inHand.grants];
  const scope = { plugin: manifest.name, org };
  const settings = manifest.config ? rooms.configs.configOf(config, scope) : null;
  // The sandbox ends a handler after `wallMs`; what it waits before it begins is not its own time.
  const deadline = performance.now() + QUEUE_MS + bundle.limits.wallMs;
  return rooms.sandbox.invoke({
    callId,
    bundle,
    org,
    handler: 'notification',
    payload: guestRequest(work, inHand, { remainingMs: bundle.limits.wallMs, settings }),
    deadline,
    // At least once is what events are promised: after a crash it is tried again.
    idempotent: true,
    settled,
    charge,
    hostCall: (binding, method, argsJson, signal) =>
      rooms.bindings.serve(granted, grant, { binding, method, argsJson }, signal),
    log(level, raw) {
      const text = mapPlaces(logText(raw), plugin.sourceMap);
      rooms.log[level]('plugin.log', { plugin: guest.plugin, org, text });
      const { plugin: name, version } = guest;
      rooms.logbook.write({ plugin: name, version, org, callId, kind: 'log', level, text });
    },
  });
}

/** JSON of `GuestRequest` (`sdk/guest/abi.ts`); the body is the SDK's `NotificationEvent`. */
function guestRequest(
  { event, attempt }: EventWork,
  { blockingTask }: NotificationInHand,
  { remainingMs, settings }: { remainingMs: number; settings: unknown },
): string {
  const { form: _form, resolver: _resolver, timestamp, ...rest } = event;
  const body = { ...rest, timestamp: new Date(timestamp).toISOString() };
  return JSON.stringify({
    handler: 'notification',
    method: 'POST',
    url: 'https://vcloud/',
    headers: [],
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    params: {},
    requestId: event.eventId,
    caller: { user: null, org: event.org.id, rights: [], provider: false },
    remainingMs,
    config: settings,
    notification: { attempt, blockingTask },
  });
}

function callOf({ plugin, event }: EventWork): NotificationCall {
  return {
    callId: callIdOf(event),
    plugin: plugin.manifest.name,
    org: event.org.id,
    type: event.type,
    entity: event.entity.id,
    taskOwner: event.taskOwner?.id ?? null,
    resolver: event.resolver,
    taskName: event.taskName,
    policy: plugin.manifest.blockingTasks ?? null,
  };
}

function callIdOf({ eventId }: CloudEvent): string {
  return `event-${eventId}`;
}

function judge(outcome: Outcome, limits: Limits): Handled {
  if (outcome.kind === 'replied') return { kind: 'handled' };
  const { code, message, usage } = outcome;
  // It waited so long that its time was cut short.
  if (code === 'WALL_EXCEEDED' && usage && usage.wallMs < limits.wallMs * WHOLE)
    return notNow('CONCURRENCY_EXCEEDED', SOON_MS);
  return failed(code, message);
}

/** Also of what did not come as far as the sandbox. */
export function judgeError(error: unknown): Unhandled {
  return failed(codeOf(error), messageOf(error));
}

function failed(code: Code, message: string): Unhandled {
  const pauseMs = PASSING.get(code);
  if (pauseMs !== undefined) return notNow(code, pauseMs);
  return { kind: 'failed', code, reason: `${code}: ${message}` };
}

function notNow(code: Code, afterMs: number): Unhandled {
  return { kind: 'notNow', code, afterMs };
}

function endOf(handled: Handled, { last }: EventWork): 'returned' | 'failed' | 'again' {
  if (handled.kind === 'handled') return 'returned';
  return handled.kind === 'failed' && last ? 'failed' : 'again';
}

function note(
  { logbook }: HandleRooms,
  { plugin, event, attempt }: EventWork,
  handled: Handled,
  { usage, memoryKb }: { readonly usage: Usage | null; readonly memoryKb: number | null },
): void {
  const { plugin: name, version } = plugin.guest;
  const failed = handled.kind === 'handled' ? null : handled;
  const reason = failed?.kind === 'failed' ? failed.reason : (failed?.code ?? '');
  logbook.write({
    plugin: name,
    version,
    org: event.org.id,
    callId: callIdOf(event),
    kind: 'call',
    level: failed ? 'error' : 'info',
    text: mapPlaces(reason, plugin.sourceMap),
    call: {
      method: attempt > 1 ? `EVENT(${attempt})` : 'EVENT',
      path: event.type,
      status: failed ? 500 : 204,
      code: failed?.code ?? null,
      cpuMs: usage?.cpuMs ?? 0,
      wallMs: usage?.wallMs ?? 0,
      hostCalls: usage?.hostCalls ?? 0,
      memoryKb,
      cold: usage?.cold ?? false,
    },
  });
}
