/**
 * Versions and sessions: the part of the API that needs no session, and the session itself.
 * May import: accept, caller, documents, element, fault, notice, represent, sessions, model, store; hono.
 */
import { Hono, type Context } from 'hono';

import { VERSIONS, checkVersion, isDeprecated, readAccept } from '../documents/accept.ts';
import { sessionOf } from './caller.ts';
import { sendDocument, viewOf } from '../documents/documents.ts';
import { type Element, element, leaf } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import { EVENT_ROOT, raise, userNamed } from '../events/notice.ts';
import { EXTENSION, type View, link } from '../documents/represent.ts';
import { type SessionRules, checkPassword, findUser, openSession } from './sessions.ts';
import type { Session, User } from '../model.ts';
import { type Store, SYSTEM_ORG, isAdministrator } from '../store.ts';
import { writeXml } from '../documents/xml.ts';

function credentialsOf(c: Context): { user: string; org: string; password: string } {
  const encoded = /^Basic\s+(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1] ?? '';
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const login = text.slice(0, Math.max(colon, 0));
  // A user name may hold an @ of its own, an org name cannot.
  const at = login.lastIndexOf('@');
  return { user: login.slice(0, at), org: login.slice(at + 1), password: text.slice(colon + 1) };
}

const roleName = (store: Store, user: User) => store.roles.get(user.role)?.name ?? '';

/** Where clients go on from the session. */
function sessionLinks(view: View, user: User): Element[] {
  const vcloud = 'application/vnd.vmware.vcloud.';
  const admin = 'application/vnd.vmware.admin.';
  const provider = isAdministrator(user)
    ? [
        link(view, 'down', '/api/admin', `${admin}vcloud`),
        link(view, 'down', EXTENSION, `${admin}vmwExtension`),
      ]
    : [];
  return [
    link(view, 'remove', '/api/session'),
    link(view, 'down', '/api/org', `${vcloud}orgList`),
    link(view, 'down', `/api/org/${user.org.id}`, `${vcloud}org`),
    link(view, 'down', '/api/query', `${vcloud}query.queryList`),
    link(view, 'entityResolver', '/api/entity/', `${vcloud}entity`),
    link(view, 'down:extensibility', '/api/extensibility', `${vcloud}apiextensibility`),
    ...provider,
  ];
}

function sessionElement(store: Store, view: View, { user }: Session): Element {
  return element(
    'vcloud:Session',
    {
      user: user.name,
      org: user.org.name,
      userId: `urn:vcloud:user:${user.id}`,
      roles: roleName(store, user),
      type: `application/vnd.vmware.vcloud.session+${view.format}`,
      href: `${view.base}/api/session`,
    },
    [...sessionLinks(view, user), element('vcloud:AuthorizedLocations')],
  );
}

function sendSession(c: Context, { store, base }: SignInOptions, session: Session): Response {
  return sendDocument(c, {
    document: sessionElement(store, viewOf(c, base), session),
    type: 'Session',
    media: 'application/vnd.vmware.vcloud.session',
  });
}

function cloudapiSession(store: Store, { user, token }: Session) {
  const role = { name: roleName(store, user), id: `urn:vcloud:role:${user.role}` };
  return {
    id: `urn:vcloud:session:${token.slice(-16)}`,
    site: { name: 'localcloud', id: `urn:vcloud:site:${SYSTEM_ORG.id}` },
    user: { name: user.name, id: `urn:vcloud:user:${user.id}` },
    org: { name: user.org.name, id: `urn:vcloud:org:${user.org.id}` },
    location: 'localcloud',
    roles: [role.name],
    roleRefs: [role],
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

/** The user whose name and password a request holds, and who may sign in there; 401 otherwise. An event either way. */
function signIn(c: Context, store: Store, mayHere: (user: User) => boolean): User {
  const credentials = credentialsOf(c);
  const user = checkPassword(store, credentials);
  const meant = user ?? findUser(store, credentials);
  const success = user !== undefined && mayHere(user);
  if (meant)
    raise(store, {
      type: `${EVENT_ROOT}session/login`,
      success,
      org: meant.org,
      user: userNamed(meant),
      entity: userNamed(meant),
    });
  if (!user || !success) throw failed();
  return user;
}

// Each of the two addresses serves its own side only.
function cloudapiSignIn(c: Context, options: SignInOptions, provider: boolean): Response {
  const { store, rules } = options;
  checkVersion(readAccept(c.req.header('accept')));
  const user = signIn(c, store, (found) => isAdministrator(found) === provider);
  const session = openSession(store, rules, user, true);
  c.header('X-VMWARE-VCLOUD-ACCESS-TOKEN', session.token);
  c.header('X-VMWARE-VCLOUD-TOKEN-TYPE', 'Bearer');
  return c.json(cloudapiSession(store, session));
}

export interface SignInOptions {
  readonly store: Store;
  readonly rules: SessionRules;
  /** `http://127.0.0.1:PORT` */
  readonly base: string;
}

/** Routes for versions, signing in by both ways, and reading or ending a session. */
export function signInRoutes(options: SignInOptions): Hono {
  const { store, rules, base } = options;
  const app = new Hono();
  const sessionIn = (c: Context): Session => {
    const session = sessionOf(store, rules, c);
    if (!session) throw new VcloudFault(401, 'No valid session');
    return session;
  };
  app.get('/api/versions', (c) => {
    if (readAccept(c.req.header('accept')).format === 'json') return c.json(versionsJson(base));
    c.header('Content-Type', 'text/xml');
    return c.body(writeXml(versionsElement(base)));
  });
  app.post('/api/sessions', (c) => {
    checkVersion(readAccept(c.req.header('accept')));
    const user = signIn(c, store, () => true);
    const session = openSession(store, rules, user, false);
    c.header('x-vcloud-authorization', session.token);
    return sendSession(c, options, session);
  });
  app.post('/cloudapi/1.0.0/sessions', (c) => cloudapiSignIn(c, options, false));
  app.post('/cloudapi/1.0.0/sessions/provider', (c) => cloudapiSignIn(c, options, true));
  app.get('/api/session', (c) => sendSession(c, options, sessionIn(c)));
  app.delete('/api/session', (c) => {
    store.sessions.delete(sessionIn(c).token);
    return c.body(null, 204);
  });
  return app;
}
