/**
 * Sessions: signing in, how long a token is good for, and taking tokens away while clients work.
 * May import: model, store.
 */
import { randomBytes } from 'node:crypto';

import type { Session, User } from '../model.ts';
import { type Store, SYSTEM_ORG } from '../store.ts';

/** How long sessions live, and when they end before that; shared by all cells. */
export interface SessionRules {
  /** Lifetime of sessions, those that are open too, in milliseconds. */
  expireAfterMs: number;
  /** Requests that are still let through before all sessions end; undefined: no such end. */
  requestsLeft: number | undefined;
}

export const SESSION_DEFAULTS = { expireAfterMs: 86_400_000 } as const;

export const createSessionRules = (expireAfterMs: number): SessionRules => ({
  expireAfterMs,
  requestsLeft: undefined,
});

export interface Credentials {
  readonly user: string;
  readonly org: string;
  readonly password: string;
}

/** Open a session for a user; `jwt` chooses the token. */
export function openSession(store: Store, rules: SessionRules, user: User, jwt: boolean): Session {
  const openedAt = Date.now();
  const token = jwt
    ? jwtFor(user, openedAt + rules.expireAfterMs)
    : randomBytes(16).toString('hex');
  const session = { token, user, openedAt };
  store.sessions.set(token, session);
  return session;
}

/** The user with this name in this org, whatever the password. */
export const findUser = (store: Store, { user, org }: Credentials): User | undefined =>
  [...store.users.values()].find(
    (item) => item.name === user && item.org.name.toLowerCase() === org.toLowerCase(),
  );

/** The user with this name, org and password; undefined when they are wrong or the user is disabled. */
export function checkPassword(store: Store, credentials: Credentials): User | undefined {
  const found = findUser(store, credentials);
  return found?.isEnabled && found.password === credentials.password ? found : undefined;
}

/** End all sessions: now, or when that many further requests have been let through. */
export function revokeSessions(store: Store, rules: SessionRules, afterRequests: number): void {
  rules.requestsLeft = afterRequests > 0 ? afterRequests : undefined;
  if (afterRequests <= 0) store.sessions.clear();
}

/** The session of a token, counted as one request; undefined when it is unknown, over, or its user gone. */
export function useSession(store: Store, rules: SessionRules, token: string): Session | undefined {
  if (rules.requestsLeft === 0) {
    rules.requestsLeft = undefined;
    store.sessions.clear();
  }
  const session = store.sessions.get(token);
  if (!session) return undefined;
  if (rules.requestsLeft !== undefined) rules.requestsLeft -= 1;
  // What was changed about the user since then holds at once.
  const user = store.users.get(session.user.id);
  if (user?.isEnabled && session.openedAt + rules.expireAfterMs > Date.now())
    return { ...session, user };
  store.sessions.delete(token);
  return undefined;
}

/** Shaped like the real thing; the signature is random, since only this store checks it. */
function jwtFor(user: User, expiresAt: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    sub: user.name,
    iss: `${user.org.id}@${SYSTEM_ORG.id}`,
    exp: Math.floor(expiresAt / 1_000),
    iat: Math.floor(Date.now() / 1_000),
    version: 'vcloud_1.0',
    jti: randomBytes(16).toString('hex'),
  };
  return `${part({ alg: 'RS256' })}.${part(claims)}.${randomBytes(64).toString('base64url')}`;
}
