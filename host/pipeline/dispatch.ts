/**
 * Stage: run the handler in the sandbox and check what comes back.
 * May import: kernel, message, quotas, sandbox, bindings, bundles.
 */
import { HostError, messageOf, type Code } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Call } from '../message/call.ts';
import type { ReplyMessage } from '../message/encode.ts';
import { replyHeaders } from '../message/headers.ts';
import type { BindingRegistry } from '../bindings/registry.ts';
import type { Logbook, NewLine } from '../bundles/live/logbook.ts';
import { mapPlaces } from '../bundles/source/source-map.ts';
import type { Limits } from '../quotas/limits.ts';
import { logText } from '../sandbox/calls/guest-failure.ts';
import type { Invocation, Outcome, Sandbox } from '../sandbox/sandbox.ts';
import type { Authorized } from './authorization/authorize.ts';
import { refuse, type Refusal } from './refusal.ts';
import type { Routed } from './route.ts';
import { variantOf } from './variants.ts';

export interface DispatchRooms {
  readonly sandbox: Sandbox;
  readonly bindings: BindingRegistry;
  readonly logbook: Pick<Logbook, 'write'>;
  readonly log: Log;
}

export interface Work extends Routed, Authorized {
  readonly handler: 'fetch' | 'response';
  readonly call: Call;
  /** Monotonic ms. */
  readonly deadline: number;
  /** In force for this plug-in and org. */
  readonly limits: Limits;
  /** `env.config`. */
  readonly config: unknown;
  /** The org is over its CPU time: run at a lower priority. */
  readonly slow: boolean;
}

/** As many as a guest lets through itself. */
const MAX_HEADERS = 100;

type LogLevel = NewLine['level'];

/** Methods that may be run a second time after a crash (RFC 9110, 9.2.1). */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

export function isIdempotent({ call, route }: Pick<Work, 'call' | 'route'>): boolean {
  return route.idempotent ?? SAFE.has(call.method);
}

/** Never throws; settles before the deadline plus the sandbox's grace. */
export async function dispatchCall(
  rooms: DispatchRooms,
  work: Work,
  told: Pick<Invocation, 'settled' | 'charge'>,
): Promise<Outcome> {
  const { call, plugin, deadline } = work;
  const { guest } = plugin;
  const { org, user } = call.identity;
  const grant = { plugin: guest.plugin, version: guest.version, org, user, callId: call.id };
  let away = false;
  const failed = (code: Code) => {
    away ||= code === 'CLUSTER_UNAVAILABLE';
  };
  const outcome = await rooms.sandbox.invoke({
    callId: call.id,
    bundle: variantOf(guest, work.limits, work.slow),
    org,
    handler: work.handler,
    payload: guestRequest(work),
    deadline,
    idempotent: isIdempotent(work),
    hostCall: (binding, method, argsJson, signal) =>
      rooms.bindings.serve(guest.bindings, grant, { binding, method, argsJson, failed }, signal),
    log: (level, text) => writeLog(rooms, work, level, text),
    ...told,
  });
  return away ? blameless(outcome) : outcome;
}

/** A handler that throws since what it keeps can not be reached is not to blame. */
function blameless(outcome: Outcome): Outcome {
  if (outcome.kind !== 'failed' || outcome.code !== 'PLUGIN_THREW') return outcome;
  const message = 'the plug-in needs what the hosts share, which can not be reached';
  return { ...outcome, code: 'CLUSTER_UNAVAILABLE', message };
}

/** What the plug-in wrote, with the places of its own source where they are known. */
function writeLog(
  { log, logbook }: DispatchRooms,
  { plugin, call }: Pick<Work, 'plugin' | 'call'>,
  level: LogLevel,
  raw: string,
): void {
  const { plugin: name, version } = plugin.guest;
  const { org } = call.identity;
  const text = mapPlaces(logText(raw), plugin.sourceMap);
  log[level]('plugin.log', { plugin: name, org, text });
  logbook.write({ plugin: name, version, org, callId: call.id, kind: 'log', level, text });
}

/** JSON of `GuestRequest` (`sdk/guest/abi.ts`). */
function guestRequest({ handler, call, params, held, deadline, config }: Work): string {
  return JSON.stringify({
    handler,
    method: call.method,
    ...(handler === 'response' ? { status: call.statusCode } : {}),
    url: `https://${call.host}${call.rawPath}${call.query === '' ? '' : `?${call.query}`}`,
    headers: call.headers,
    body: call.body,
    params,
    requestId: call.id,
    caller: {
      user: call.identity.user,
      org: call.identity.org,
      rights: held,
      provider: call.identity.provider,
    },
    remainingMs: Math.max(0, Math.floor(deadline - performance.now())),
    config,
  });
}

/** As much of the work as the check of its reply needs. */
interface Answerable {
  readonly call: Pick<Call, 'id'>;
  readonly limits: Limits;
}

/** Authors know a limit by its name in the manifest. */
const LIMIT_OF: Partial<Record<Code, keyof Limits>> = {
  CPU_EXCEEDED: 'cpuMs',
  WALL_EXCEEDED: 'wallMs',
  MEMORY_EXCEEDED: 'memoryMb',
  HOST_CALLS_EXCEEDED: 'hostCalls',
  RESPONSE_TOO_LARGE: 'responseBytes',
};

function withLimit({ code, message }: Extract<Outcome, { kind: 'failed' }>, limits: Limits) {
  const name = LIMIT_OF[code];
  return name === undefined ? message : `${message} (limits.${name} is ${limits[name]})`;
}

/** The guest's reply is hostile until it has passed here. */
export function checkReply(work: Answerable, outcome: Outcome): ReplyMessage | Refusal {
  if (outcome.kind === 'failed') return refuse(outcome.code, withLimit(outcome, work.limits));
  try {
    return readReply(work, JSON.parse(outcome.reply));
  } catch (error) {
    const code = error instanceof HostError ? error.code : 'RESPONSE_INVALID';
    const why = error instanceof HostError ? messageOf(error) : 'the reply can not be read';
    return refuse(code, why);
  }
}

function readReply({ call, limits }: Answerable, value: unknown): ReplyMessage {
  const reply = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const { status, headers, body } = reply;
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599)
    throw new HostError('RESPONSE_INVALID', 'the status is not between 200 and 599');
  if (typeof body !== 'string' || body.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(body))
    throw new HostError('RESPONSE_INVALID', 'the body is not base64');
  const { responseBytes } = limits;
  if ((body.length / 4) * 3 > responseBytes + 2)
    throw new HostError('RESPONSE_TOO_LARGE', `more than ${responseBytes} bytes`);
  if (!Array.isArray(headers) || headers.length > MAX_HEADERS || !headers.every(isPair))
    throw new HostError(
      'RESPONSE_INVALID',
      `the headers are not a list of ${MAX_HEADERS} pairs at most`,
    );
  const checked = replyHeaders(headers);
  if (!checked.ok) throw new HostError('RESPONSE_INVALID', checked.why);
  const { dropped } = checked;
  const checkedReply = { id: call.id, status, headers: checked.headers, body };
  return dropped.length === 0 ? checkedReply : { ...checkedReply, dropped };
}

function isPair(value: unknown): value is [string, string] {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'string' &&
    typeof value[1] === 'string'
  );
}
