/**
 * The addresses of OAuth: tokens, registration and the device flow, for the provider and for each org.
 * May import: caller, fault, oauth, sessions, model, store; hono.
 */
import { type Context, Hono } from 'hono';

import { sessionOf } from '../caller.ts';
import { VcloudFault } from '../../documents/fault.ts';
import type { Org, Session } from '../../model.ts';
import { ADMINISTRATOR_VIEW, SYSTEM_ORG, isAdministrator, rightsOf } from '../../store.ts';
import {
  type OAuthClient,
  type OAuthDesk,
  OAuthFault,
  issueToken,
  registerClient,
  requestDevice,
} from './oauth.ts';

type Fields = Readonly<Record<string, unknown>>;

/** `provider`, or the org of `tenant/{name}`. */
function orgOf({ store }: OAuthDesk, c: Context): Org {
  const name = c.req.param('org');
  if (name === undefined) return SYSTEM_ORG;
  const org = store.orgs.find((item) => item.name.toLowerCase() === name.toLowerCase());
  if (!org) throw new VcloudFault(404, `There is no organization '${name}'`);
  return org;
}

/** The fields of both worlds: OAuth's own, and those that vCloud's errors have. */
function sendOAuthFault(c: Context, { code, message }: OAuthFault): Response {
  return c.json(
    { error: code, error_description: message, minorErrorCode: code, message, stackTrace: null },
    400,
  );
}

async function formOf(c: Context): Promise<URLSearchParams> {
  const type = c.req.header('content-type') ?? '';
  if (!type.toLowerCase().startsWith('application/x-www-form-urlencoded'))
    throw new VcloudFault(415, 'The request must be application/x-www-form-urlencoded');
  return new URLSearchParams(await c.req.text());
}

async function fieldsOf(c: Context): Promise<Fields> {
  try {
    const value: unknown = await c.req.json();
    if (typeof value === 'object' && value !== null) return value as Fields;
  } catch {
    // Refused below like any other body that is no object.
  }
  throw new VcloudFault(400, 'The body must be a JSON object');
}

function sessionFor(desk: OAuthDesk, c: Context, org: Org): Session {
  const session = sessionOf(desk.store, desk.rules, c);
  if (!session) throw new VcloudFault(401, 'The request needs a session');
  if (session.user.org.id !== org.id && !isAdministrator(session.user))
    throw new VcloudFault(403, 'This is not your organization');
  return session;
}

async function register(desk: OAuthDesk, c: Context): Promise<Response> {
  const org = orgOf(desk, c);
  const { user } = sessionFor(desk, c, org);
  const fields = await fieldsOf(c);
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : undefined);
  const name = text('client_name') ?? '';
  if (name === '') throw new OAuthFault('invalid_client_metadata', "'client_name' is required");
  const softwareId = text('software_id');
  // A service account says which role it wants; a token is the user's own.
  const scope = softwareId === undefined ? undefined : (text('scope') ?? '');
  const registrant = scope === undefined ? user : { ...user, org };
  const held = rightsOf(desk.store, user).some((right) => right.name === ADMINISTRATOR_VIEW);
  if (scope !== undefined && !held)
    throw new VcloudFault(403, 'Only an administrator may register a service account');
  const client = registerClient(desk, {
    name,
    user: registrant,
    scope,
    softwareId: softwareId ?? '',
  });
  return c.json(registered(client, scope));
}

const registered = ({ id, name, softwareId }: OAuthClient, scope: string | undefined) => ({
  client_id: id,
  client_name: name,
  software_id: softwareId === '' ? null : softwareId,
  scope: scope ?? null,
  grant_types:
    scope === undefined
      ? ['urn:ietf:params:oauth:grant-type:jwt-bearer', 'refresh_token']
      : ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
  token_endpoint_auth_method: 'none',
});

async function device(desk: OAuthDesk, c: Context): Promise<Response> {
  const org = orgOf(desk, c);
  const client = requestDevice(desk, org, (await formOf(c)).get('client_id') ?? '');
  return c.json({
    device_code: client.deviceCode,
    user_code: client.userCode,
    verification_uri: new URL('/cloudapi/1.0.0/deviceLookup', c.req.url).href,
    expires_in: 3_600,
    interval: 5,
  });
}

/** Routes that need no session, or check it themselves. */
export function oauthRoutes(desk: OAuthDesk): Hono {
  const app = new Hono();
  const guarded =
    (route: (desk: OAuthDesk, c: Context) => Promise<Response>) => async (c: Context) => {
      try {
        return await route(desk, c);
      } catch (error) {
        if (error instanceof OAuthFault) return sendOAuthFault(c, error);
        throw error;
      }
    };
  const token = async (_: OAuthDesk, c: Context) => {
    c.header('Cache-Control', 'no-store');
    return c.json(issueToken(desk, orgOf(desk, c), await formOf(c)));
  };
  for (const side of ['/oauth/provider', '/oauth/tenant/:org']) {
    app.post(`${side}/token`, guarded(token));
    app.post(`${side}/register`, guarded(register));
    app.post(`${side}/device_authorization`, guarded(device));
  }
  return app;
}
