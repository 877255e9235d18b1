/**
 * A response of vCloud's own that a service asked to see: through the plug-in's `response` handler and back.
 * May import: kernel, message, quotas, sandbox, bindings, bundles.
 */
import type { Catalogue, LivePlugin } from '../bundles/live/catalogue.ts';
import type { Call } from '../message/call.ts';
import type { ReplyMessage } from '../message/encode.ts';
import { isHiddenFromFilter } from '../message/headers.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { LimitsBook } from '../quotas/limits-book.ts';
import { checkReply, dispatchCall, type DispatchRooms, type Work } from './dispatch.ts';
import { refusalReply, type Refusal } from './refusal.ts';

export interface FilterRooms extends DispatchRooms {
  readonly catalogue: () => Catalogue;
  readonly limits: LimitsBook;
  readonly metrics: Metrics;
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
  const plugin = rooms.catalogue().find(call.exchange, call.routingKey);
  if (!plugin?.handlers.includes('response'))
    return { plugin: '', reply: original(call), refusal: null };
  const name = plugin.guest.plugin;
  const work = filterWork(rooms, plugin, call, deadline);
  const tooLarge = call.bodyBytes > work.limits.requestBytes;
  const reply = tooLarge
    ? {
        code: 'REQUEST_TOO_LARGE' as const,
        message: 'the response is larger than a filter may see',
      }
    : checkReply(work, await dispatchCall(rooms, work));
  if (!('code' in reply)) return { plugin: name, reply: withHidden(call, reply), refusal: null };
  rooms.metrics.count('vcx_filter_failures_total', { plugin: name, code: reply.code });
  return plugin.manifest.responseFilter.failClosed
    ? { plugin: name, reply: refusalReply(call.id, call.accept, reply), refusal: reply }
    : { plugin: name, reply: original(call), refusal: null };
}

function filterWork(rooms: FilterRooms, plugin: LivePlugin, call: Call, deadline: number): Work {
  const seen = call.headers.filter(([name]) => !isHiddenFromFilter(name));
  return {
    handler: 'response',
    plugin,
    call: { ...call, headers: seen },
    route: { method: '*', path: call.path, rights: [], idempotent: true },
    params: {},
    held: [],
    deadline,
    limits: rooms.limits.forOrg(plugin.guest.limits, call.identity.org),
    slow: false,
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
