/**
 * Who calls: the operator or an owner, by the bearer token. Wrong ones are counted and slowed down.
 * May import: kernel and everything below operator.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

import type { MiddlewareHandler } from 'hono';

import type { Actor } from '../bundles/change/admin.ts';
import { HostError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Clock } from '../kernel/time.ts';
import { createBucket } from '../quotas/bucket.ts';
import type { TokenStore } from '../storage/tokens.ts';
import type { OperatorToken } from './token.ts';

export interface Caller extends Actor {
  readonly role: 'operator' | 'owner';
  /** False once the token was deleted: for what goes on after its request. */
  stillValid(): Promise<boolean>;
}

/** What routes find in `c.var`. */
export interface ApiEnv {
  Variables: { caller: Caller };
}

export interface IdentifyOptions {
  readonly token: OperatorToken;
  readonly tokens: TokenStore | null;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
}

/** Wrong tokens a moment may bring, and how many a second later. */
const FAILURES = { capacity: 20, perSecond: 0.5 } as const;
const MAX_TOKEN_CHARS = 200;

/**
 * Sets `c.var.caller`, or throws OPERATOR_UNAUTHENTICATED; OPERATOR_RATE_EXCEEDED for wrong tokens that come too
 * fast. The right token always opens: with 256 random bits there is nothing to guess, and whoever sends wrong
 * ones must not lock the operator out.
 */
export function createIdentify(options: IdentifyOptions): MiddlewareHandler<ApiEnv> {
  const { metrics, log, clock } = options;
  const failures = createBucket(FAILURES, clock.monotonic());
  return async (c, next) => {
    const given = bearerOf(c.req.header('authorization'));
    const caller = given === null ? null : await callerOf(given, options);
    if (caller) {
      c.set('caller', caller);
      return next();
    }
    const reason = given === null ? 'none' : 'wrong';
    metrics.count('vcx_operator_refused_total', { reason });
    const now = clock.monotonic();
    if (failures.level(now) < 1)
      throw new HostError('OPERATOR_RATE_EXCEEDED', 'too many requests without a valid token');
    failures.take(1, now);
    log.warn('operator.refused', { reason, path: c.req.path });
    throw new HostError(
      'OPERATOR_UNAUTHENTICATED',
      given === null ? 'a bearer token is needed' : 'the token is not valid',
    );
  };
}

/** Throws OPERATOR_FORBIDDEN for owners. */
export function operatorOnly(): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    if (c.var.caller.role !== 'operator')
      throw new HostError('OPERATOR_FORBIDDEN', 'this is for the operator alone');
    await next();
  };
}

/** A token of an owner, to be shown once; the prefix lets scanners of source code find leaked ones. */
export function makeOwnerToken(): string {
  return `vcxo_${randomBytes(32).toString('base64url')}`;
}

/** What is kept of a token: SHA-256, hex. */
export function tokenDigest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function bearerOf(header: string | undefined): string | null {
  const [, token] = /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(header?.trim() ?? '') ?? [];
  return token === undefined || token.length > MAX_TOKEN_CHARS ? null : token;
}

async function callerOf(
  given: string,
  { token, tokens }: Pick<IdentifyOptions, 'token' | 'tokens'>,
): Promise<Caller | null> {
  if (token.matches(given))
    return { who: 'operator', owner: null, role: 'operator', stillValid: async () => true };
  const digest = tokenDigest(given);
  // Looked up by digest: how long that takes says nothing about the token itself.
  const find = async () => {
    const found = (await tokens?.find(digest)) ?? null;
    return found && timingSafeEqual(Buffer.from(found.digest), Buffer.from(digest)) ? found : null;
  };
  const found = await find();
  if (!found) return null;
  return {
    who: `token:${found.name}`,
    owner: found.owner,
    role: 'owner',
    stillValid: async () => (await find()) !== null,
  };
}
