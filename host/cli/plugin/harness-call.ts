/**
 * One call of a test through what production does with it: routes, rights, sizes, isolate, check of the reply.
 * May import: everything.
 */
import type { GuestNotification, GuestRequest } from '../../../sdk/guest/abi.ts';
import type { HarnessAnswer, HarnessCall, HostResult } from '../../../sdk/testing/protocol.ts';
import type { LivePlugin } from '../../bundles/live/plugin.ts';
import { createRouteTable, type RouteMatch } from '../../bundles/live/routes.ts';
import { CODES } from '../../kernel/errors.ts';
import { guestRequestHeaders } from '../../message/headers.ts';
import { canonicalPath } from '../../message/path.ts';
import { checkReply } from '../../pipeline/dispatch.ts';
import { droppedText } from '../../pipeline/note-call.ts';
import { refuse, type Refusal } from '../../pipeline/refusal.ts';
import type { Invocation, Outcome, Sandbox, Usage } from '../../sandbox/sandbox.ts';

/** What vCloud waits for an extension unless it is told otherwise, ms. */
const EXTENSION_TIMEOUT_MS = 10_000;

export interface HarnessRooms {
  readonly plugin: LivePlugin;
  readonly sandbox: Sandbox;
  /** `env.config`. */
  readonly config: unknown;
}

export interface CallHooks {
  /** Of a notification. */
  readonly notification: GuestNotification | null;
  host(binding: string, method: string, args: unknown, signal: AbortSignal): Promise<HostResult>;
  readonly log: Invocation['log'];
  readonly settled: (heapKb: number | null) => void;
}

export type Harnessed = (id: number, call: HarnessCall, hooks: CallHooks) => Promise<HarnessAnswer>;

export function createHarnessed({ plugin, sandbox, config }: HarnessRooms): Harnessed {
  const match = createRouteTable([{ target: null, routes: plugin.manifest.routes }]);
  const { guest } = plugin;
  return async (id, call, hooks) => {
    const accepted = accept(plugin, match, call);
    if ('code' in accepted) return refusedAnswer(accepted, null);
    const callId = `test-${id}`;
    const deadline = performance.now() + EXTENSION_TIMEOUT_MS;
    const payload = JSON.stringify(
      guestRequest({ call, callId, config, ...accepted }, hooks.notification),
    );
    const outcome = await sandbox.invoke({
      callId,
      bundle: guest,
      org: call.caller.org,
      handler: call.handler,
      payload,
      deadline,
      idempotent: false,
      hostCall: async (binding, method, argsJson, signal) =>
        JSON.stringify(await hooks.host(binding, method, JSON.parse(argsJson), signal)),
      log: hooks.log,
      settled: hooks.settled,
    });
    return answerOf(plugin, callId, outcome);
  };
}

interface Accepted {
  readonly params: Readonly<Record<string, string>>;
  readonly rights: readonly string[];
}

type Match = (method: string, path: string) => RouteMatch<null>;

function accept(plugin: LivePlugin, match: Match, call: HarnessCall): Accepted | Refusal {
  const own = plugin.manifest.vcloud.rights.map(({ name }) => name);
  const rights = call.caller.rights === null ? own : own.filter((name) => holds(call, name));
  const { requestBytes } = plugin.guest.limits;
  if (Buffer.byteLength(call.body ?? '', 'base64') > requestBytes)
    return refuse('REQUEST_TOO_LARGE', `${requestBytes} bytes at most`);
  if (call.handler !== 'fetch') return { params: {}, rights };
  const path = canonicalPath(call.url.split(/[?#]/)[0] ?? '');
  if (!path.ok) return refuse('PATH_AMBIGUOUS', path.why);
  const found = match(call.method, path.path);
  if (found.kind === 'wrongMethod')
    return refuse('METHOD_NOT_ALLOWED', `allowed here: ${found.allowed.join(', ')}`, {
      headers: { Allow: found.allowed.join(', ') },
    });
  if (found.kind === 'none') return refuse('ROUTE_NOT_FOUND', 'the manifest has no such route');
  const missing = found.route.route.rights.find((name) => !rights.includes(name));
  if (missing) return refuse('RIGHT_MISSING', `the right "${missing}" is needed`);
  return { params: found.params, rights };
}

function holds({ caller }: HarnessCall, right: string): boolean {
  return caller.rights?.includes(right) ?? true;
}

function guestRequest(
  work: { call: HarnessCall; callId: string; config: unknown } & Accepted,
  notification: GuestNotification | null,
): GuestRequest {
  const { call, callId, config, params, rights } = work;
  const { user, org, provider } = call.caller;
  return {
    handler: call.handler,
    method: call.method,
    ...(call.status === null ? {} : { status: call.status }),
    url: `https://vcloud.example.com${call.url}`,
    headers: guestRequestHeaders(call.headers),
    body: call.body,
    params,
    requestId: callId,
    caller: notification
      ? { user: null, org, rights: [], provider: false }
      : { user, org, rights, provider },
    ...(notification ? { notification } : {}),
    remainingMs: EXTENSION_TIMEOUT_MS,
    config,
  };
}

function answerOf({ guest }: LivePlugin, id: string, outcome: Outcome): HarnessAnswer {
  const reply = checkReply({ call: { id }, limits: guest.limits }, outcome);
  if ('code' in reply) return refusedAnswer(reply, outcome.usage);
  return {
    status: reply.status,
    headers: Object.entries(reply.headers),
    body: reply.body,
    code: null,
    message: droppedText(reply) || null,
    usage: usageOf(outcome.usage),
  };
}

/** The body tells the code, as vCloud's own error would; the reason is for the author's eyes. */
function refusedAnswer({ code, message, headers }: Refusal, usage: Usage | null): HarnessAnswer {
  const { status } = CODES[code];
  const body = JSON.stringify({ minorErrorCode: code, message });
  return {
    status,
    headers: [['content-type', 'application/json'], ...Object.entries(headers ?? {})],
    body: Buffer.from(body).toString('base64'),
    code,
    message,
    usage: usageOf(usage),
  };
}

function usageOf(usage: Usage | null): HarnessAnswer['usage'] {
  if (!usage) return null;
  const { cpuMs, wallMs, hostCalls, cold } = usage;
  return { cpuMs, wallMs, hostCalls, cold };
}
