/**
 * Versions and sessions: the part of the API that needs no session, and the session itself.
 * May import: accept, documents, element, fault, represent, store; hono.
 */
import { Hono, type Context } from 'hono';

import { VERSIONS, checkVersion, isDeprecated, readAccept } from './accept.ts';
import { sendDocument } from './documents.ts';
import { type Element, element, leaf } from './element.ts';
import { VcloudFault } from './fault.ts';
import { EXTENSION, link } from './represent.ts';
import { type Session, type Store, SYSTEM_ORG, isAdministrator, signIn } from './store.ts';
import { writeXml } from './xml.ts';

/** The session of a request, by either kind of token in either header. */
export function sessionOf(store: Store, c: Context): Session | undefined {
  const bearer = /^Bearer\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
  const token = bearer ?? c.req.header('x-vcloud-authorization');
  return token === undefined ? undefined : store.sessions.get(token);
}

function credentialsOf(c: Context): { user: string; org: string; password: string } {
  const encoded = /^Basic\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const login = text.slice(0, Math.max(colon, 0));
  // A user name may hold an @ of its own, an org name cannot.
  const at = login.lastIndexOf('@');
  return { user: login.slice(0, at), org: login.slice(at + 1), password: text.slice(colon + 1) };
}

const ROLES = { all: 'Organization Administrator', view: 'Console Access Only', none: 'vApp User' };

function sessionElement(base: string, { user }: Session, format: 'xml' | 'json'): Element {
  const view = { base, format };
  const role = isAdministrator(user) ? 'system administrator' : ROLES[user.holds];
  const admin = isAdministrator(user)
    ? [link(view, 'down', EXTENSION, 'application/vnd.vmware.admin.vmwExtension')]
    : [];
  return element(
    'vcloud:Session',
    {
      user: user.name,
      org: user.org.name,
      userId: `urn:vcloud:user:${user.id}`,
      roles: role,
      type: `application/vnd.vmware.vcloud.session+${format}`,
      href: `${base}/api/session`,
    },
    [link(view, 'remove', '/api/session'), ...admin, element('vcloud:AuthorizedLocations')],
  );
}

function sendSession(c: Context, base: string, session: Session): Response {
  const { format } = readAccept(c.req.header('accept'));
  return sendDocument(c, {
    document: sessionElement(base, session, format),
    type: 'Session',
    media: 'application/vnd.vmware.vcloud.session',
  });
}

function cloudapiSession({ user, token }: Session) {
  return {
    id: `urn:vcloud:session:${token.slice(-16)}`,
    site: { name: 'localcloud', id: `urn:vcloud:site:${SYSTEM_ORG.id}` },
    user: { name: user.name, id: `urn:vcloud:user:${user.id}` },
    org: { name: user.org.name, id: `urn:vcloud:org:${user.org.id}` },
    location: 'localcloud',
    roles: [isAdministrator(user) ? 'System Administrator' : ROLES[user.holds]],
    roleRefs: [],
    sessionIdleTimeoutMinutes: 30,
  };
}

function versionsElement(base: string): Element {
  const infos = VERSIONS.map((version) =>
    element('versions:VersionInfo', { deprecated: isDeprecated(version) }, [
      leaf('versions:Version', version),
      leaf('versions:LoginUrl', `${base}/cloudapi/1.0.0/sessions`),
      leaf('versions:ProviderLoginUrl', `${base}/cloudapi/1.0.0/sessions/provider`),
    ]),
  );
  return element('versions:SupportedVersions', {}, infos);
}

function versionsJson(base: string) {
  const versionInfo = VERSIONS.map((version) => ({
    version,
    loginUrl: `${base}/cloudapi/1.0.0/sessions`,
    providerLoginUrl: `${base}/cloudapi/1.0.0/sessions/provider`,
    mediaTypeMapping: [],
    any: [],
    deprecated: isDeprecated(version),
    otherAttributes: {},
  }));
  return { versionInfo, any: [], otherAttributes: {} };
}

const failed = () => new VcloudFault(401, 'The user name, org or password is wrong');

function cloudapiSignIn(c: Context, store: Store, provider: boolean): Response {
  checkVersion(readAccept(c.req.header('accept')));
  const session = signIn(store, credentialsOf(c), true);
  // Each of the two addresses serves its own side only.
  if (!session || isAdministrator(session.user) !== provider) throw failed();
  c.header('X-VMWARE-VCLOUD-ACCESS-TOKEN', session.token);
  c.header('X-VMWARE-VCLOUD-TOKEN-TYPE', 'Bearer');
  return c.json(cloudapiSession(session));
}

/** Routes for versions, signing in by both ways, and reading or ending a session. */
export function signInRoutes(store: Store, base: string): Hono {
  const app = new Hono();
  app.get('/api/versions', (c) => {
    if (readAccept(c.req.header('accept')).format === 'json') return c.json(versionsJson(base));
    c.header('Content-Type', 'text/xml');
    return c.body(writeXml(versionsElement(base)));
  });
  app.post('/api/sessions', (c) => {
    checkVersion(readAccept(c.req.header('accept')));
    const session = signIn(store, credentialsOf(c), false);
    if (!session) throw failed();
    c.header('x-vcloud-authorization', session.token);
    return sendSession(c, base, session);
  });
  app.post('/cloudapi/1.0.0/sessions', (c) => cloudapiSignIn(c, store, false));
  app.post('/cloudapi/1.0.0/sessions/provider', (c) => cloudapiSignIn(c, store, true));
  app.get('/api/session', (c) => {
    const session = sessionOf(store, c);
    if (!session) throw new VcloudFault(401, 'No valid session');
    return sendSession(c, base, session);
  });
  app.delete('/api/session', (c) => {
    const session = sessionOf(store, c);
    if (!session) throw new VcloudFault(401, 'No valid session');
    store.sessions.delete(session.token);
    return c.body(null, 204);
  });
  return app;
}
