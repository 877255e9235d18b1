/**
 * Requests in the shared session: version header, one renewal on 401, state for the status page.
 * May import: kernel, vcloud.
 */
import { codeOf, messageOf } from '../../kernel/errors.ts';
import { errorOf } from '../errors.ts';
import type { ResolvedOptions } from '../options.ts';
import type { HttpAnswer, HttpCall } from './http.ts';
import { openHttp, whatOf } from './http.ts';
import { createResilience } from './resilience.ts';
import type { SessionKeeper } from './session.ts';
import { createSessionKeeper } from './session.ts';
import type { Session } from './sign-in.ts';
import { createSignIn } from './sign-in.ts';

export type VcloudMethod = HttpCall['method'];
export type VcloudAnswer = HttpAnswer;

export interface RequestOptions {
  readonly body?: string | Uint8Array;
  /** Media type of the body. */
  readonly type?: string;
  /** Media range to accept; the negotiated version is added. @default 'application/*+xml' */
  readonly accept?: string;
  /** Further headers; they never replace those of the session. */
  readonly headers?: Readonly<Record<string, string>>;
  /** May be repeated although the method says no, as a POST that only asks something. */
  readonly idempotent?: boolean;
  /** Return answers of 300 and above instead of throwing them. */
  readonly raw?: boolean;
  readonly signal?: AbortSignal;
}

export interface VcloudStatus {
  /** `idle` before the first use. */
  readonly state: 'idle' | 'ready' | 'failing';
  readonly apiVersion: string | null;
  readonly lastError: string | null;
}

export interface Calls extends AsyncDisposable {
  request(method: VcloudMethod, path: string, options?: RequestOptions): Promise<VcloudAnswer>;
  connect(signal?: AbortSignal): Promise<string>;
  status(): VcloudStatus;
}

/** Opens no connection yet. Disposing signs out, for a second at most. */
export function openCalls(options: ResolvedOptions): Calls {
  const http = openHttp(options);
  const resilience = createResilience(options);
  const send = (call: HttpCall, repeatable = isIdempotent(call.method)) =>
    resilience.run(() => http.send(call), { repeatable, signal: call.signal });
  const sessions = createSessionKeeper(createSignIn(options, send), options);
  let lastError: string | null = null;

  /** Note the outcome of anything that shows whether vCloud can be reached and lets us in. */
  async function noting<T>(act: () => Promise<T>): Promise<T> {
    try {
      const result = await act();
      lastError = null;
      return result;
    } catch (error) {
      lastError = messageOf(error);
      throw error;
    }
  }

  return {
    async request(method, path, wanted = {}) {
      const started = options.clock.monotonic();
      const call = { method, path: pathOf(path) };
      let outcome = 'ok';
      try {
        const { answer, session } = await noting(() => exchange(call, wanted, { sessions, send }));
        if (answer.status < 300) return answer;
        outcome = String(answer.status);
        if (wanted.raw) return answer;
        throw errorOf(whatOf(call), answer, session.secrets);
      } catch (error) {
        if (outcome === 'ok') outcome = codeOf(error);
        throw error;
      } finally {
        record(options, { method, outcome, ms: options.clock.monotonic() - started });
      }
    },
    connect: (signal) => noting(async () => (await sessions.current(signal)).apiVersion),
    status: () => statusOf(sessions.peek(), lastError),
    async [Symbol.asyncDispose]() {
      await signOut(sessions.peek(), (call) => http.send(call));
      await http[Symbol.asyncDispose]();
    },
  };
}

type Target = Pick<HttpCall, 'method' | 'path'>;

interface Channel {
  readonly sessions: SessionKeeper;
  readonly send: (call: HttpCall, repeatable?: boolean) => Promise<HttpAnswer>;
}

/** Send, and once more in a new session when this one has ended. */
async function exchange(target: Target, wanted: RequestOptions, { sessions, send }: Channel) {
  const repeatable = wanted.idempotent ?? isIdempotent(target.method);
  const session = await sessions.current(wanted.signal);
  const answer = await send(callOf(session, target, wanted), repeatable);
  if (answer.status !== 401) return { answer, session };
  const renewed = await sessions.renew(session, wanted.signal);
  return { answer: await send(callOf(renewed, target, wanted), repeatable), session: renewed };
}

function callOf(session: Session, target: Target, wanted: RequestOptions): HttpCall {
  const accept = wanted.accept ?? 'application/*+xml';
  return {
    ...target,
    headers: {
      ...lowerCased(wanted.headers ?? {}),
      accept: `${accept};version=${session.apiVersion}`,
      ...(wanted.type ? { 'content-type': wanted.type } : {}),
      ...session.headers,
    },
    body: wanted.body,
    signal: wanted.signal,
  };
}

/** Otherwise `Authorization` would go out beside our `authorization`. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

/** Path and query of an href or a path; no scheme, host or user of a document is ever followed. */
function pathOf(href: string): string {
  const url = URL.parse(href, 'http://vcloud.invalid');
  return url ? `${url.pathname}${url.search}` : '/';
}

function isIdempotent(method: VcloudMethod): boolean {
  return method !== 'POST';
}

function statusOf(session: Session | null, lastError: string | null): VcloudStatus {
  const state = lastError ? 'failing' : session ? 'ready' : 'idle';
  return { state, apiVersion: session?.apiVersion ?? null, lastError };
}

/** Sessions count against a limit of the cell; a cell that does not answer is not waited for. */
async function signOut(
  session: Session | null,
  send: (call: HttpCall) => Promise<HttpAnswer>,
): Promise<void> {
  if (!session) return;
  const target = { method: 'DELETE', path: '/api/session' } as const;
  const call = callOf(session, target, { signal: AbortSignal.timeout(1_000) });
  await send(call).catch(() => undefined);
}

function record(
  { metrics, log }: ResolvedOptions,
  { method, outcome, ms }: { method: string; outcome: string; ms: number },
): void {
  metrics?.count('vcx_vcloud_requests_total', { method, outcome });
  metrics?.observeMs('vcx_vcloud_request_ms', ms, { method });
  log.debug('vcloud.request', { method, outcome, ms: Math.round(ms) });
}
