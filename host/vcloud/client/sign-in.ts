/**
 * Turns credentials into a session: negotiates the version and signs in the way that version wants.
 * May import: kernel, vcloud.
 */
import { errorOf } from '../errors.ts';
import { VcloudError } from '../errors.ts';
import type { ResolvedOptions, VcloudCredentials } from '../options.ts';
import type { HttpAnswer, HttpCall } from './http.ts';
import { whatOf } from './http.ts';
import type { RefreshTokenFile } from './refresh-token.ts';
import { createRefreshTokenFile } from './refresh-token.ts';
import { chooseVersion, compareVersions } from './versions.ts';

export interface Session {
  readonly apiVersion: string;
  /** Headers that prove who we are. */
  readonly headers: Readonly<Record<string, string>>;
  /** What must never appear in a message. */
  readonly secrets: readonly string[];
}

type Send = (call: HttpCall) => Promise<HttpAnswer>;

/** A function that signs in afresh at each call. It throws `VCLOUD_REFUSED` for wrong credentials. */
export function createSignIn(options: ResolvedOptions, send: Send): () => Promise<Session> {
  const { credentials } = options;
  const file =
    credentials.kind === 'serviceAccount' ? createRefreshTokenFile(credentials.tokenFile) : null;
  return async () => {
    const apiVersion = await negotiate(options, send);
    if (credentials.kind === 'password') return withPassword(credentials, apiVersion, send);
    const exchange = (token: string) => exchangeToken(credentials.org, token, apiVersion, send);
    const tokens =
      credentials.kind === 'apiToken'
        ? await exchange(credentials.token)
        : await (file as RefreshTokenFile).rotate(exchange);
    const { accessToken, refreshToken } = tokens;
    return bearer(apiVersion, accessToken, [refreshToken]);
  };
}

async function negotiate({ apiVersions }: ResolvedOptions, send: Send): Promise<string> {
  // No version yet, so the form must be asked for by itself.
  const headers = { accept: 'application/*+xml, text/xml, application/xml' };
  const call = { method: 'GET', path: '/api/versions', headers } as const;
  return chooseVersion(expectOk(call, await send(call), []).body, apiVersions);
}

/** From API 33.0 on the cloudapi gives a JWT; before, `/api/sessions` gives the old token, and a JWT too from 30.0 on. */
async function withPassword(
  { user, password, org }: Extract<VcloudCredentials, { kind: 'password' }>,
  apiVersion: string,
  send: Send,
): Promise<Session> {
  const basic = Buffer.from(`${user}@${org}:${password}`, 'utf8').toString('base64');
  const old = compareVersions(apiVersion, '33.0') < 0;
  const cloudapi = `/cloudapi/1.0.0/sessions${isProvider(org) ? '/provider' : ''}`;
  const call: HttpCall = {
    method: 'POST',
    path: old ? '/api/sessions' : cloudapi,
    headers: {
      accept: `application/${old ? '*+xml' : 'json'};version=${apiVersion}`,
      authorization: `Basic ${basic}`,
    },
  };
  const { headers } = expectOk(call, await send(call), [password, basic]);
  const jwt = headers['x-vmware-vcloud-access-token'];
  if (jwt) return bearer(apiVersion, jwt, [password, basic]);
  const token = headers['x-vcloud-authorization'];
  if (!token) throw noToken(call);
  return {
    apiVersion,
    headers: { 'x-vcloud-authorization': token },
    secrets: [token, password, basic],
  };
}

/** API tokens and service accounts: a refresh token buys an access token, and for the latter a new refresh token. */
async function exchangeToken(org: string, token: string, apiVersion: string, send: Send) {
  const call: HttpCall = {
    method: 'POST',
    path: `/oauth/${isProvider(org) ? 'provider' : `tenant/${encodeURIComponent(org)}`}/token`,
    headers: {
      accept: `application/*;version=${apiVersion}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token }).toString(),
  };
  const { body } = expectOk(call, await send(call), [token]);
  const { access_token: accessToken, refresh_token: next } = parseTokens(body);
  if (typeof accessToken !== 'string' || !isHeaderSafe(accessToken)) throw noToken(call);
  return { accessToken, refreshToken: typeof next === 'string' && next ? next : token };
}

function parseTokens(body: Uint8Array): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function bearer(apiVersion: string, jwt: string, secrets: readonly string[]): Session {
  return {
    apiVersion,
    headers: { authorization: `Bearer ${jwt}`, 'x-vmware-vcloud-token-type': 'Bearer' },
    secrets: [jwt, ...secrets],
  };
}

function expectOk(call: HttpCall, answer: HttpAnswer, secrets: readonly string[]): HttpAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw errorOf(whatOf(call), answer, secrets);
}

function noToken(call: HttpCall): VcloudError {
  return new VcloudError({
    code: 'VCLOUD_UNAVAILABLE',
    message: `${whatOf(call)}: the answer holds no token`,
  });
}

function isProvider(org: string): boolean {
  return org.toLowerCase() === 'system';
}

function isHeaderSafe(token: string): boolean {
  return /^[\x21-\x7e]{1,16384}$/.test(token);
}
