/**
 * `fetch` for plug-ins: requests to the origins of the manifest, at addresses that were checked.
 * May import: kernel, quotas.
 */
import { HostError, codeOf } from '../../kernel/errors.ts';
import { silentLog, type Fields, type Log } from '../../kernel/log.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import type { Binding, Grant } from '../binding.ts';
import { outgoingOf, readId, readWanted, type Wanted } from './arguments.ts';
import { travel, type Answer } from './follow.ts';
import type { FetchGrant } from './grant.ts';
import { createGuard, type GuardOptions } from './guard.ts';
import { createFetchMeter, type FetchRates } from './meter.ts';

export interface FetchLimits extends Partial<FetchRates> {
  /** Largest body sent, in bytes. @default 262144 */
  readonly requestBytes?: number;
  /** Largest body received, in bytes on the wire and after decompression. @default 524288 */
  readonly responseBytes?: number;
  /** From the first look-up to the last byte, in ms; the end of the call may come earlier. @default 30000 */
  readonly timeoutMs?: number;
  /** @default 5 */
  readonly maxRedirects?: number;
}

/** Base64 makes a third more of every body, and `limits.hostCallBytes` (1 MiB unless raised) counts both ways. */
export const FETCH_DEFAULTS = {
  requestBytes: 262_144,
  responseBytes: 524_288,
  timeoutMs: 30_000,
  maxRedirects: 5,
  concurrency: 16,
  perSecond: 50,
  burst: 100,
} as const satisfies FetchLimits;

export interface FetchOptions extends GuardOptions {
  /** What this version of the plug-in was granted; null refuses everything. */
  readonly grantOf: (plugin: string, version: string) => FetchGrant | null;
  readonly limits?: FetchLimits;
  /** Certificate authorities in PEM that are trusted in place of the built-in ones. */
  readonly ca?: readonly string[];
  readonly log?: Log;
  readonly clock?: Clock;
}

interface Fetcher {
  /** Throws HostErrors only. */
  run(grant: Grant, wanted: Wanted, ended: AbortSignal): Promise<Answer>;
  /** Ends the fetch of this number, if it is under way. */
  abort(grant: Grant, number: number): void;
}

function createFetcher(options: FetchOptions): Fetcher {
  const { grantOf, ca, clock = systemClock } = options;
  const limits = { ...FETCH_DEFAULTS, ...options.limits };
  const guard = createGuard(options);
  const meter = createFetchMeter(limits, clock);
  const underWay = new Map<string, AbortController>();

  return {
    async run(grant, wanted, ended) {
      const allowed = grantOf(grant.plugin, grant.version);
      if (!allowed) throw new HostError('FETCH_ORIGIN_DENIED', 'the manifest names no origins');
      const outgoing = outgoingOf(wanted, limits.requestBytes);
      using _place = meter.enter(grant.plugin, grant.org);
      const key = keyOf(grant, wanted.id);
      const given = new AbortController();
      const late = AbortSignal.timeout(limits.timeoutMs);
      const signal = AbortSignal.any([ended, late, given.signal]);
      underWay.set(key, given);
      const { redirect } = wanted;
      try {
        return await travel(outgoing, { ...limits, grant: allowed, guard, redirect, ca, signal });
      } catch (error) {
        throw failure(error, {
          aborted: given.signal.aborted,
          late: late.aborted || ended.aborted,
        });
      } finally {
        if (underWay.get(key) === given) underWay.delete(key);
      }
    },
    abort: (grant, number) => underWay.get(keyOf(grant, number))?.abort(),
  };
}

export function createFetchBinding(options: FetchOptions): Binding {
  const { log = silentLog, clock = systemClock } = options;
  const fetcher = createFetcher(options);

  async function fetchOne(grant: Grant, args: unknown, ended: AbortSignal): Promise<unknown> {
    const wanted = readWanted(args);
    const started = clock.monotonic();
    const audit = (fields: Fields) =>
      log.info('fetch.done', { ...whatOf(grant, wanted), ms: msSince(started, clock), ...fields });
    try {
      const { body, ...head } = await fetcher.run(grant, wanted, ended);
      audit({ code: 'OK', status: head.status, bytes: body.length });
      return { ...head, body: body.toString('base64') };
    } catch (error) {
      audit({ code: codeOf(error) });
      throw error;
    }
  }

  return {
    name: 'fetch',
    async call(grant, method, args, signal) {
      switch (method) {
        case 'fetch':
          return fetchOne(grant, args, signal);
        case 'abort':
          fetcher.abort(grant, readId(args));
          return null;
        default:
          throw new HostError('BINDING_ARGUMENT', 'fetch: unknown method');
      }
    },
  };
}

/** Numbers are the guest's own: nobody can name the fetch of another call. */
function keyOf({ plugin, org, callId }: Grant, number: number): string {
  return JSON.stringify([plugin, org, callId, number]);
}

/** Neither path nor query goes into the log: they may hold what is secret. */
function whatOf({ plugin, org, callId }: Grant, { method, url }: Wanted): Fields {
  const origin = URL.parse(url)?.origin.slice(0, 300) ?? 'none';
  return { plugin, org, callId, method, origin };
}

function msSince(started: number, clock: Clock): number {
  return Math.round(clock.monotonic() - started);
}

/** Of what went wrong outside the guest learns a code such as ECONNREFUSED or CERT_HAS_EXPIRED, and no text. */
function failure(error: unknown, why: { aborted: boolean; late: boolean }): HostError {
  if (error instanceof HostError) return error;
  if (why.aborted) return new HostError('FETCH_FAILED', 'the plug-in gave it up');
  if (why.late) return new HostError('FETCH_TIMEOUT', 'there was no full answer in time');
  const { code } = error as { readonly code?: unknown };
  const known = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : null;
  return new HostError('FETCH_FAILED', known ?? 'no usable answer', { cause: error });
}
