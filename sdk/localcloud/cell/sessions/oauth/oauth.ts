/**
 * Refresh tokens, API tokens and service accounts, whose refresh token changes with every use.
 * May import: sessions, model, store.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';

import { type SessionRules, openSession } from '../sessions.ts';
import type { Org, User } from '../../model.ts';
import type { Store } from '../../store.ts';

export type ClientStatus = 'CREATED' | 'REQUESTED' | 'GRANTED' | 'ACTIVE';

/** A registered client: an API token of a user, or a service account, which is a user of its own. */
export interface OAuthClient {
  readonly id: string;
  readonly name: string;
  readonly kind: 'apiToken' | 'serviceAccount';
  readonly user: User;
  readonly softwareId: string;
  status: ClientStatus;
  deviceCode?: string;
  userCode?: string;
  /** The one that is good; of a service account, good for one use. */
  refreshToken?: string;
}

export interface OAuthDesk {
  readonly store: Store;
  readonly rules: SessionRules;
  readonly clients: Map<string, OAuthClient>;
}

/** An error of RFC 6749 or RFC 8628; it is answered with status 400. */
export class OAuthFault extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'OAuthFault';
    this.code = code;
  }
}

export interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  /** Seconds. */
  readonly expires_in: number;
  readonly refresh_token: string | null;
}

const fault = (code: string, message: string) => new OAuthFault(code, message);
const secret = () => randomBytes(24).toString('base64url');

export const createOAuthDesk = (store: Store, rules: SessionRules): OAuthDesk => ({
  store,
  rules,
  clients: new Map(),
});

export interface Registration {
  readonly name: string;
  readonly user: User;
  /** Name or URN of the role of a service account; undefined for an API token of the user. */
  readonly scope: string | undefined;
  readonly softwareId: string;
}

/** Role of the org by URN or name; `urn:vcloud:role:Name` is how clients write it. */
function roleFor(store: Store, org: Org, scope: string): string {
  const wanted = decodeURIComponent(scope.replace(/^urn:vcloud:role:/i, '').replaceAll('+', ' '));
  const role = [...store.roles.values()].find(
    ({ id, name, org: { id: own } }) =>
      own === org.id && (id === wanted || name.toLowerCase() === wanted.toLowerCase()),
  );
  if (!role) throw fault('invalid_scope', `The organization has no role '${scope}'`);
  return role.id;
}

/** Register a client; a service account gets a user with the role of its scope, in the registrant's org. */
export function registerClient(desk: OAuthDesk, registration: Registration): OAuthClient {
  const { store, clients } = desk;
  const { name, user: registrant, scope, softwareId } = registration;
  const id = randomUUID();
  const user: User =
    scope === undefined
      ? registrant
      : {
          id: randomUUID(),
          name,
          password: secret(),
          org: registrant.org,
          role: roleFor(store, registrant.org, scope),
          isEnabled: true,
          isServiceAccount: true,
        };
  if (user.isServiceAccount) store.users.set(user.id, user);
  const kind = user.isServiceAccount ? 'serviceAccount' : 'apiToken';
  const client: OAuthClient = { id, name, kind, user, softwareId, status: 'CREATED' };
  clients.set(id, client);
  return client;
}

/** A service account asks for access; an administrator grants it by the user code. */
export function requestDevice(desk: OAuthDesk, org: Org, clientId: string): OAuthClient {
  const client = desk.clients.get(clientId);
  if (client?.kind !== 'serviceAccount' || client.user.org.id !== org.id)
    throw fault('invalid_client', 'There is no service account with this client_id');
  client.status = 'REQUESTED';
  client.deviceCode = secret();
  client.userCode = `${letters()}-${letters()}`;
  return client;
}

const letters = () =>
  Array.from({ length: 4 }, () => 'BCDFGHJKLMNPQRSTVWXZ'.charAt(randomInt(20))).join('');

/** An administrator of the org, or the system's, says yes. */
export function grantDevice(desk: OAuthDesk, userCode: string): OAuthClient | undefined {
  const client = desk.clients
    .values()
    .find((item) => item.userCode === userCode && item.status === 'REQUESTED');
  if (client) client.status = 'GRANTED';
  return client;
}

/** Take a client's access back: its refresh token and its sessions end, a service account starts over. */
export function revokeClient({ store }: OAuthDesk, client: OAuthClient): void {
  delete client.refreshToken;
  delete client.deviceCode;
  delete client.userCode;
  client.status = 'CREATED';
  if (client.kind === 'serviceAccount')
    for (const session of store.sessions.values())
      if (session.user.id === client.user.id) store.sessions.delete(session.token);
}

function answer({ store, rules }: OAuthDesk, client: OAuthClient, refresh: boolean): TokenAnswer {
  const { token } = openSession(store, rules, client.user, true);
  return {
    access_token: token,
    token_type: 'Bearer',
    expires_in: Math.max(1, Math.floor(rules.expireAfterMs / 1_000)),
    refresh_token: refresh ? (client.refreshToken ?? null) : null,
  };
}

function byRefreshToken(desk: OAuthDesk, org: Org, token: string): TokenAnswer {
  const client = desk.clients.values().find((item) => item.refreshToken === token);
  if (!client || token === '' || client.user.org.id !== org.id)
    throw fault('invalid_grant', 'The refresh token is not valid');
  if (client.kind === 'apiToken') return answer(desk, client, false);
  // Good for one use: whoever loses the answer has lost the account's access.
  client.refreshToken = secret();
  return answer(desk, client, true);
}

function byDeviceCode(desk: OAuthDesk, clientId: string, deviceCode: string): TokenAnswer {
  const client = desk.clients.get(clientId);
  if (!client || deviceCode === '' || client.deviceCode !== deviceCode)
    throw fault('invalid_grant', 'The device code is not valid');
  if (client.status === 'REQUESTED')
    throw fault('authorization_pending', 'The request has not been granted yet');
  if (client.status !== 'GRANTED') throw fault('invalid_grant', 'The device code has been used');
  delete client.deviceCode;
  delete client.userCode;
  client.status = 'ACTIVE';
  client.refreshToken = secret();
  return answer(desk, client, true);
}

/** The first refresh token of an API token, for the session of the user that registered it. */
function byAssertion(desk: OAuthDesk, clientId: string, assertion: string): TokenAnswer {
  const { store, clients } = desk;
  const client = clients.get(clientId);
  const session = store.sessions.get(assertion);
  if (client?.kind !== 'apiToken' || session?.user.id !== client.user.id)
    throw fault('invalid_grant', 'The assertion is not a session of the token’s user');
  if (client.refreshToken !== undefined)
    throw fault('invalid_grant', 'The token of this client was shown already');
  client.refreshToken = secret();
  client.status = 'ACTIVE';
  return answer(desk, client, true);
}

/** Answer a token request of any of the three kinds; throws `OAuthFault`. */
export function issueToken(desk: OAuthDesk, org: Org, form: URLSearchParams): TokenAnswer {
  const field = (name: string) => form.get(name) ?? '';
  const urn = 'urn:ietf:params:oauth:grant-type:';
  switch (field('grant_type')) {
    case 'refresh_token':
      return byRefreshToken(desk, org, field('refresh_token'));
    case `${urn}device_code`:
      return byDeviceCode(desk, field('client_id'), field('device_code'));
    case `${urn}jwt-bearer`:
      return byAssertion(desk, field('client_id'), field('assertion'));
    default:
      throw fault('unsupported_grant_type', `'${field('grant_type')}' is not a grant type`);
  }
}

/** An active service account with its first refresh token, without the dance: for tests. */
export function activeServiceAccount(
  desk: OAuthDesk,
  registrant: User,
  role: string,
): OAuthClient & { readonly refreshToken: string } {
  const name = `service-${randomUUID().slice(0, 8)}`;
  const softwareId = 'localcloud';
  const client = registerClient(desk, { name, user: registrant, scope: role, softwareId });
  return Object.assign(client, { status: 'ACTIVE' as const, refreshToken: secret() });
}
