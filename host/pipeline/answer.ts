/**
 * What happens to a call that was admitted: route, authorize, quotas, journal, dispatch, encode.
 * May import: kernel, message, quotas, storage, sandbox, bindings, bundles.
 */
import type { Configs } from '../bindings/config/index.ts';
import type { LivePlugin } from '../bundles/live/catalogue.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Call } from '../message/call.ts';
import type { ReplyMessage } from '../message/encode.ts';
import type { Meter, RateState } from '../quotas/meter.ts';
import type { TenantStore } from '../storage/tenants.ts';
import { authorizeCall, type AuthorizeRooms } from './authorization/authorize.ts';
import { checkReply, dispatchCall, isIdempotent, type Work } from './dispatch.ts';
import { filterResponse, unfiltered, type FilterRooms } from './filter-response.ts';
import { watchHeap } from './heap.ts';
import { beginOnce, finishOnce, type OnceRooms } from './admission/once.ts';
import { noteCall } from './note-call.ts';
import type { CallIdentity } from './admission/recall.ts';
import { refusalReply, refuse, type Refusal } from './refusal.ts';
import { routeCall } from './route.ts';

export interface AnswerRooms extends AuthorizeRooms, FilterRooms, OnceRooms {
  readonly meter: Meter;
  readonly tenants: Pick<TenantStore, 'view'>;
  readonly configs: Pick<Configs, 'configOf'>;
}

export interface Answered {
  /** Empty when no plug-in was found. */
  readonly plugin: string;
  readonly reply: ReplyMessage;
  /** Set when the reply is a refusal of ours. */
  readonly refusal: Refusal | null;
}

/** Each stage either goes on or ends the call with a refusal. */
export async function answerCall(
  rooms: AnswerRooms,
  call: Call,
  { identity, deadline }: { identity: CallIdentity; deadline: number },
): Promise<Answered> {
  if (call.kind === 'response') return filterResponse(rooms, call, deadline);

  const routed = routeCall(rooms.catalogue(), call);
  if ('code' in routed) return refused('', call, routed);
  const { guest } = routed.plugin;
  const no = (refusal: Refusal) => refused(guest.plugin, call, refusal);

  const authorized = await authorizeCall(rooms, call, routed, deadline);
  if ('code' in authorized) return no(authorized);

  const { org } = call.identity;
  const own = rooms.tenants.view(guest.plugin, org).limits;
  const limits = rooms.limits.forOrg(guest.limits, org, own);
  if (call.bodyBytes > limits.requestBytes)
    return no(refuse('REQUEST_TOO_LARGE', `${limits.requestBytes} bytes at most`));
  const quota = rooms.meter.admit(guest.plugin, org, limits);
  if (!quota.ok)
    return no(
      refuse(quota.code, 'quota of the org', { ...quota, headers: rateHeaders(quota.rate) }),
    );

  const configured = configFor(rooms, routed.plugin, org);
  if ('code' in configured) return no(configured);
  const work: Work = {
    handler: 'fetch',
    ...routed,
    ...authorized,
    ...configured,
    call,
    deadline,
    limits,
    slow: quota.slow,
  };
  if (isIdempotent(work)) return run(rooms, work);
  const once = await beginOnce(rooms, identity, deadline);
  if (once.kind === 'refused') return no(once.refusal);
  if (once.kind === 'answered')
    return { plugin: guest.plugin, reply: { ...once.reply, id: call.id }, refusal: null };
  const answered = await run(rooms, work);
  await finishOnce(rooms, identity, answered.reply);
  return answered;
}

async function run(rooms: AnswerRooms, work: Work): Promise<Answered> {
  const { call, plugin } = work;
  const { plugin: name } = plugin.guest;
  const heap = watchHeap(plugin, call.identity.org);
  const charge = (cpuMs: number) => rooms.meter.charge(name, call.identity.org, cpuMs);
  const outcome = await dispatchCall(rooms, work, { settled: heap.settled, charge });
  if (outcome.usage) charge(outcome.usage.cpuMs);
  const reply = checkReply(work, outcome);
  noteCall(rooms, { ...work, heap }, outcome, reply);
  return 'code' in reply ? refused(name, call, reply) : { plugin: name, reply, refusal: null };
}

/** `env.config` as the org set it, in the form of this version's schema. */
function configFor(
  { configs }: Pick<AnswerRooms, 'configs'>,
  { manifest, config }: LivePlugin,
  org: string,
): { config: unknown } | Refusal {
  if (!manifest.config) return { config: null };
  try {
    return { config: configs.configOf(config, { plugin: manifest.name, org }) };
  } catch (error) {
    return refuse('TENANT_CONFIG_INVALID', messageOf(error));
  }
}

/** Not even begun; of a response of vCloud's own the filter's manifest says what becomes. */
export function turnedAway(rooms: FilterRooms, call: Call, refusal: Refusal): Answered {
  return call.kind === 'response' ? unfiltered(rooms, call, refusal) : refused('', call, refusal);
}

function refused(plugin: string, call: Call, refusal: Refusal): Answered {
  return { plugin, refusal, reply: refusalReply(call.id, call.accept, refusal) };
}

function rateHeaders({ limit, remaining, resetS }: RateState): Record<string, string> {
  return {
    'RateLimit-Limit': String(limit),
    'RateLimit-Remaining': String(remaining),
    'RateLimit-Reset': String(resetS),
  };
}
