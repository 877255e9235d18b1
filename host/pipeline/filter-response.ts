/**
 * A response of vCloud's own that a service asked to see: through the plug-in's `response` handler and back.
 * May import: kernel, message, quotas, sandbox, bindings, bundles.
 */
import type { Catalogue, LivePlugin, Serving } from '../bundles/live/catalogue.ts';
import { versionsOf } from '../bundles/live/shelf.ts';
import type { Call } from '../message/call.ts';
import type { ReplyMessage } from '../message/encode.ts';
import { isHiddenFromFilter } from '../message/headers.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { LimitsBook } from '../quotas/limits-book.ts';
import type { Meter } from '../quotas/meter.ts';
import { checkReply, dispatchCall, type DispatchRooms, type Work } from './dispatch.ts';
import { watchHeap } from './heap.ts';
import { noteCall } from './note-call.ts';
import { refusalReply, refuse, type Refusal } from './refusal.ts';

export interface FilterRooms extends DispatchRooms {
  readonly catalogue: () => Catalogue;
  readonly limits: LimitsBook;
  readonly metrics: Metrics;
  readonly meter: Pick<Meter, 'charge' | 'isSlow'>;
}

export interface Filtered {
  readonly plugin: string;
  readonly reply: ReplyMessage;
  readonly refusal: Refusal | null;
}

/** A failing filter lets the original through unchanged, unless the manifest says `failClosed`. */
export async function filterResponse(
  rooms: FilterRooms,
  call: Call,
  deadline: number,
): Promise<Filtered> {
  const serving = rooms.catalogue().serving(call.exchange, call.routingKey, call.identity.org);
  if (serving.kind === 'unavailable') return withoutFilter(rooms, call, serving.plugin);
  const plugin = filterOf(serving);
  if (!plugin) return { plugin: '', reply: original(call), refusal: null };
  const name = plugin.guest.plugin;
  const work = filterWork(rooms, plugin, call, deadline);
  const tooLarge = call.bodyBytes > work.limits.requestBytes;
  const reply = tooLarge
    ? {
        code: 'REQUEST_TOO_LARGE' as const,
        message: 'the response is larger than a filter may see',
      }
    : await runFilter(rooms, work);
  if (!('code' in reply)) return { plugin: name, reply: withHidden(call, reply), refusal: null };
  return failed(rooms, call, { plugin, refusal: reply });
}

/** A response that never came as far as its filter, because of this refusal. */
export function unfiltered(rooms: FilterRooms, call: Call, refusal: Refusal): Filtered {
  const serving = rooms.catalogue().serving(call.exchange, call.routingKey, call.identity.org);
  if (serving.kind === 'unavailable') return withoutFilter(rooms, call, serving.plugin);
  const plugin = filterOf(serving);
  if (!plugin) return { plugin: '', reply: original(call), refusal: null };
  return failed(rooms, call, { plugin, refusal });
}

/** The org's version of the filter is not live: by the word of the one that others have. */
function withoutFilter(rooms: FilterRooms, call: Call, name: string): Filtered {
  const shelf = rooms.catalogue().shelf(name);
  const plugin = shelf && versionsOf(shelf).find(isFilter);
  if (!plugin) return { plugin: name, reply: original(call), refusal: null };
  const refusal = refuse('PLUGIN_UNAVAILABLE', "the org's version of the filter is not loaded");
  return failed(rooms, call, { plugin, refusal });
}

function failed(
  { metrics }: FilterRooms,
  call: Call,
  { plugin: { manifest }, refusal }: { plugin: LivePlugin; refusal: Refusal },
): Filtered {
  const { name: plugin, responseFilter } = manifest;
  metrics.count('vcx_filter_failures_total', { plugin, code: refusal.code });
  return responseFilter.failClosed
    ? { plugin, reply: refusalReply(call.id, call.accept, refusal), refusal }
    : { plugin, reply: original(call), refusal: null };
}

async function runFilter(rooms: FilterRooms, work: Work): Promise<ReplyMessage | Refusal> {
  const { org } = work.call.identity;
  const heap = watchHeap(work.plugin, org);
  // Charged like calls, though never refused for it: vCloud's own answers wait for nobody's quota.
  const charge = (cpuMs: number) => rooms.meter.charge(work.plugin.guest.plugin, org, cpuMs);
  const outcome = await dispatchCall(rooms, work, { settled: heap.settled, charge });
  if (outcome.usage) charge(outcome.usage.cpuMs);
  const reply = checkReply(work, outcome);
  noteCall(rooms, { ...work, heap }, outcome, reply);
  return reply;
}

/** Filters are the provider's: what an org owns never sees responses of vCloud's own. */
function isFilter({ handlers, owner }: LivePlugin): boolean {
  return handlers.includes('response') && owner.kind === 'provider';
}

function filterOf(serving: Serving): LivePlugin | null {
  return serving.kind === 'found' ? (serving.plugins.find(isFilter) ?? null) : null;
}

function filterWork(rooms: FilterRooms, plugin: LivePlugin, call: Call, deadline: number): Work {
  const seen = call.headers.filter(([name]) => !isHiddenFromFilter(name));
  const { org } = call.identity;
  const limits = rooms.limits.forOrg(plugin.guest.limits, org);
  return {
    handler: 'response',
    plugin,
    call: { ...call, headers: seen },
    route: { method: '*', path: call.path, rights: [], idempotent: true },
    params: {},
    held: [],
    deadline,
    limits,
    config: null,
    slow: rooms.meter.isSlow(plugin.guest.plugin, org, limits),
  };
}

function original(call: Call): ReplyMessage {
  return {
    id: call.id,
    status: call.statusCode,
    headers: Object.fromEntries(call.headers),
    body: call.body ?? '',
  };
}

/** What the guest may not see, such as vCloud's own cookies, goes back as it came. */
function withHidden(call: Call, reply: ReplyMessage): ReplyMessage {
  const hidden = call.headers.filter(([name]) => isHiddenFromFilter(name));
  return { ...reply, headers: { ...reply.headers, ...Object.fromEntries(hidden) } };
}
