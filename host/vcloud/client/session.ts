/**
 * The one session that all callers share: signed in when first needed, renewed by one of them for all.
 * May import: kernel, vcloud.
 */
import { messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Clock } from '../../kernel/time.ts';
import { VcloudError } from '../errors.ts';
import type { Session } from './sign-in.ts';

export interface SessionKeeper {
  /** The session, signing in first when there is none. Rejects with what signing in threw, or when the signal fires. */
  current(signal?: AbortSignal): Promise<Session>;
  /** A session other than the one that was refused; one sign-in however many ask. */
  renew(refused: Session, signal?: AbortSignal): Promise<Session>;
  /** The session if there is one; never signs in. */
  peek(): Session | null;
}

/** Bounds of the pause after refused credentials: repeated tries would lock the account. */
const PAUSE_MS = { first: 2_000, max: 300_000 } as const;

export function createSessionKeeper(
  signIn: () => Promise<Session>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): SessionKeeper {
  let session: Session | null = null;
  let flight: Promise<Session> | null = null;
  let refusal: {
    readonly error: VcloudError;
    readonly until: number;
    readonly pauseMs: number;
  } | null = null;

  async function open(): Promise<Session> {
    if (refusal && clock.monotonic() < refusal.until) throw refusal.error;
    try {
      session = await signIn();
      refusal = null;
      log.info('vcloud.signed-in', { apiVersion: session.apiVersion });
      return session;
    } catch (error) {
      log.warn('vcloud.sign-in-failed', { reason: messageOf(error) });
      if (error instanceof VcloudError && error.code === 'VCLOUD_REFUSED') {
        const pauseMs = Math.min(PAUSE_MS.max, refusal ? refusal.pauseMs * 2 : PAUSE_MS.first);
        refusal = { error, until: clock.monotonic() + pauseMs, pauseMs };
      }
      throw error;
    }
  }

  function join(signal?: AbortSignal): Promise<Session> {
    if (!flight) {
      flight = open();
      const landed = () => void (flight = null);
      flight.then(landed, landed);
    }
    return unlessAborted(flight, signal);
  }

  return {
    current: async (signal) => session ?? join(signal),
    async renew(refused, signal) {
      if (session === refused) session = null;
      return session ?? join(signal);
    },
    peek: () => session,
  };
}

/** One caller leaves, the sign-in goes on for the others. */
async function unlessAborted<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return promise;
  const left = Promise.withResolvers<never>();
  const leave = () =>
    left.reject(new VcloudError({ code: 'VCLOUD_UNAVAILABLE', message: 'sign-in: cancelled' }));
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([promise, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
