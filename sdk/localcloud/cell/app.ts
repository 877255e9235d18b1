/**
 * What a cell does with a request: sign-in first, then the services' own paths, then its own, and its answers past
 * the services that filter them.
 * May import: accept, admin, broker, caller, dispatch, documents, events, extension, fault, filters, message, oauth,
 * sign-in, tenant, work; hono.
 */
import { randomUUID } from 'node:crypto';

import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';

import { checkVersion, readAccept } from './documents/accept.ts';
import { type AdminOptions, adminRoutes, queryRoute } from './extension/admin.ts';
import type { CellBroker } from './amqp/broker.ts';
import {
  type Caller,
  type CellEnv,
  callerOf,
  requireProvider,
  sessionOf,
} from './sessions/caller.ts';
import { dispatch, filterAnswer } from './amqp/dispatch.ts';
import { sendFault } from './documents/documents.ts';
import { authorizationRoutes } from './extension/authorization/routes.ts';
import { bundleRoutes } from './extension/bundles/routes.ts';
import { resolverRoutes } from './extension/resolver-routes.ts';
import { localRoutes } from './events/routes.ts';
import { VcloudFault } from './documents/fault.ts';
import { servicesFor, servicesForAnswer } from './amqp/filters.ts';
import { type HttpMessage, requestMessage, targetOf } from './amqp/message.ts';
import { accountRoutes } from './sessions/oauth/account-routes.ts';
import type { OAuthDesk } from './sessions/oauth/oauth.ts';
import { oauthRoutes } from './sessions/oauth/routes.ts';
import type { SessionRules } from './sessions/sessions.ts';
import { signInRoutes } from './sessions/sign-in.ts';
import { peopleRoutes } from './tenant/people-routes.ts';
import { tenantRoutes } from './tenant/routes.ts';
import { vAppRoutes } from './tenant/vapp-routes.ts';
import { workRoutes } from './work/routes.ts';

export interface AppOptions extends AdminOptions {
  readonly rules: SessionRules;
  readonly oauth: OAuthDesk;
  readonly broker: CellBroker;
}

/** What the server gives with each request. */
export interface Front {
  readonly Bindings: HttpBindings;
}

/** What the cell's own routes are given: who asks has been found out by then. */
interface Inner {
  readonly Bindings: { readonly caller: Caller };
  readonly Variables: { caller: Caller };
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** Never given to a service, whatever its filters say: without these nobody could take the filter back. */
const RESERVED =
  /^\/(?:api\/(?:versions|sessions?)|api\/admin\/extension(?:\/.*)?|cloudapi\/1\.0\.0\/.*|oauth\/.*|transfer\/.*|_local\/.*)$/s;

async function bodyOf(c: Context<Front>): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(c.req.header('content-length') ?? 0);
  const body = announced > MAX_BODY_BYTES ? undefined : new Uint8Array(await c.req.arrayBuffer());
  if (!body || body.byteLength > MAX_BODY_BYTES)
    throw new VcloudFault(413, `The request body is larger than ${MAX_BODY_BYTES} bytes`);
  return body;
}

/** Errors as vCloud's own document, whatever went wrong. */
function answerError(error: Error, c: Context): Response {
  if (error instanceof VcloudFault) return sendFault(c, error);
  return sendFault(c, new VcloudFault(500, `Internal error: ${error.message}`));
}

/** The cell's own routes, behind sign-in. */
function createInner(options: AppOptions): Hono<Inner> {
  const app = new Hono<Inner>();
  const query = queryRoute(options);
  app.onError(answerError);
  app.use('*', async (c, next) => {
    const { caller } = c.env;
    c.set('caller', caller);
    checkVersion(readAccept(c.req.header('accept')));
    if (/^\/api\/admin\/extension(?:\/|$)/.test(c.req.path)) requireProvider(caller);
    return next();
  });
  const own = new Hono<CellEnv>();
  own.get('/api/query', (c) => query(c));
  for (const routes of [
    tenantRoutes(options),
    peopleRoutes(options),
    vAppRoutes(options),
    workRoutes(options),
    localRoutes(options.store),
    authorizationRoutes(options),
    bundleRoutes(options),
    resolverRoutes(options),
    accountRoutes(options.oauth),
    adminRoutes(options),
  ])
    own.route('/', routes);
  app.route('/', own);
  app.notFound((c) => sendFault(c, new VcloudFault(404, `There is no resource at ${c.req.path}`)));
  return app;
}

/** The request that a chain of services has left over, as one that the cell can answer itself. */
function toRequest(base: string, message: HttpMessage): Request {
  const { method, requestUri, queryString, headers, body } = message;
  // What the platform makes no request of.
  if (/^(?:connect|trace|track)$/i.test(method))
    throw new VcloudFault(405, `The method ${method} is not allowed`);
  const url = `${base}${requestUri}${queryString === null ? '' : `?${queryString}`}`;
  const kept = Object.entries(headers).filter(
    ([name]) => !/^(?:host|content-length|connection|transfer-encoding)$/i.test(name),
  );
  const bodiless = body === '' || method === 'GET' || method === 'HEAD';
  return new Request(url, {
    method,
    headers: kept,
    ...(bodiless ? {} : { body: Buffer.from(body, 'base64') }),
  });
}

/** Answer a request that has a session: by its services, or by the cell and whoever filters its answers. */
async function serve(
  c: Context<Front>,
  options: AppOptions,
  inner: Hono<Inner>,
): Promise<Response> {
  const { store, rules, base, broker } = options;
  const session = sessionOf(store, rules, c);
  if (!session) throw new VcloudFault(401, 'The request needs a session: see /api/versions');
  const { path } = targetOf(c.env.incoming);
  const caller = callerOf(store, session, c);
  const request = requestMessage(c.env.incoming, await bodyOf(c));
  if (RESERVED.test(path)) return inner.fetch(toRequest(base, request), { caller });
  const exchange = { store, broker, caller };
  const services = servicesFor(store, path);
  const left = services.length > 0 ? await dispatch(exchange, services, request) : request;
  if (left instanceof Response) return left;
  const answer = await inner.fetch(toRequest(base, left), { caller });
  const filtered = servicesForAnswer(store, answer.headers.get('content-type') ?? '').length > 0;
  return filtered ? filterAnswer(exchange, left, answer) : answer;
}

/** The whole application of a cell. */
export function createApp(options: AppOptions): Hono<Front> {
  const app = new Hono<Front>();
  const inner = createInner(options);
  app.onError(answerError);
  app.use('*', async (c, next) => {
    await next();
    c.res.headers.set('X-VMWARE-VCLOUD-REQUEST-ID', randomUUID());
  });
  app.route('/', signInRoutes(options));
  app.route('/', oauthRoutes(options.oauth));
  app.all('*', (c) => serve(c, options, inner));
  return app;
}
