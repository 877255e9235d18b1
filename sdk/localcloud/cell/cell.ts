/**
 * One cell: an HTTP front on loopback over the shared store, and a reply queue of its own.
 * May import: accept, admin, broker, documents, fault, filters, message, sign-in, store; hono.
 */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';

import { type HttpBindings, createAdaptorServer } from '@hono/node-server';
import { type Context, Hono } from 'hono';

import { checkVersion, readAccept } from './accept.ts';
import { type AmqpSettings, adminRoutes, queryRoute } from './admin.ts';
import { type CellBroker, type Counts, openBroker } from './broker.ts';
import { sendFault } from './documents.ts';
import { textOf } from './element.ts';
import { VcloudFault } from './fault.ts';
import { servicesFor } from './filters.ts';
import { type CellReply, encodeRequest, targetOf } from './message.ts';
import { rightUrn } from './represent.ts';
import { sessionOf, signInRoutes } from './sign-in.ts';
import { type Entity, type Session, type Store, isAdministrator, rightsOf } from './store.ts';

export interface CellOptions {
  readonly store: Store;
  readonly amqpUrl: string;
  readonly prefix: string;
  /** How long a request waits for its service, in milliseconds. */
  readonly timeoutMs: number;
  /** Port on 127.0.0.1; 0 takes a free one. */
  readonly port: number;
}

export interface Cell extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly uuid: string;
  readonly replyQueue: string;
  readonly counts: Readonly<Counts>;
  /** True while the reply queue is bound. */
  connected(): boolean;
}

type Env = { Bindings: HttpBindings };

const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** Never given to a service, whatever its filters say: without these nobody could take the filter back. */
const RESERVED =
  /^\/(?:api\/(?:versions|sessions?)|api\/admin\/extension(?:\/.*)?|cloudapi\/1\.0\.0\/sessions(?:\/provider)?)$/;

async function bodyOf(c: Context<Env>): Promise<Uint8Array> {
  const announced = Number(c.req.header('content-length') ?? 0);
  const body = announced > MAX_BODY_BYTES ? undefined : new Uint8Array(await c.req.arrayBuffer());
  if (!body || body.byteLength > MAX_BODY_BYTES)
    throw new VcloudFault(413, `The request body is larger than ${MAX_BODY_BYTES} bytes`);
  return body;
}

const BODILESS = new Set([204, 205, 304]);

function toResponse(reply: CellReply): Response {
  const body = BODILESS.has(reply.status) || reply.body.byteLength === 0 ? null : reply.body;
  return new Response(body, {
    status: reply.status,
    headers: reply.headers.map(([a, b]) => [a, b]),
  });
}

/** Publish the request to its service and answer with the reply. */
async function dispatch(
  c: Context<Env>,
  service: Entity,
  session: Session,
  cell: { readonly store: Store; readonly broker: CellBroker },
): Promise<Response> {
  // Documented for a service without resource classes; evaluating them is not part of this cell yet.
  if (textOf(service.content, 'AuthorizationEnabled') === 'true')
    throw new VcloudFault(
      403,
      `The service '${service.name}' has no rule that allows this request`,
    );
  const rights = rightsOf(cell.store, session.user).map(rightUrn);
  const request = encodeRequest(c.env.incoming, await bodyOf(c), { user: session.user, rights });
  const target = {
    service: service.name ?? '',
    exchange: textOf(service.content, 'Exchange') ?? '',
    routingKey: textOf(service.content, 'RoutingKey') ?? '',
  };
  return toResponse(await cell.broker.send(target, request));
}

function amqpSettings({ amqpUrl, prefix }: CellOptions): AmqpSettings {
  const url = new URL(amqpUrl);
  const ssl = url.protocol === 'amqps:';
  return {
    host: url.hostname,
    port: Number(url.port || (ssl ? 5671 : 5672)),
    // No path means the default virtual host, which is named by a slash.
    vhost: decodeURIComponent(url.pathname.slice(1)) || '/',
    username: decodeURIComponent(url.username),
    ssl,
    exchange: 'systemExchange',
    prefix,
  };
}

const QUERIES_FOR_ALL = new Set(['right']);

/** Sign-in, then the services' own paths, then the cell's, in this order. */
function createApp(options: CellOptions, base: string, broker: CellBroker): Hono<Env> {
  const { store } = options;
  const app = new Hono<Env>();
  const admin = { store, base, amqp: amqpSettings(options) };
  const query = queryRoute(admin);
  app.use('*', async (c, next) => {
    await next();
    c.res.headers.set('X-VMWARE-VCLOUD-REQUEST-ID', randomUUID());
  });
  app.onError((error, c) => {
    if (error instanceof VcloudFault) return sendFault(c, error);
    return sendFault(c, new VcloudFault(500, `Internal error: ${error.message}`));
  });
  app.route('/', signInRoutes(store, base));
  app.use('*', async (c, next) => {
    const session = sessionOf(store, c);
    if (!session) throw new VcloudFault(401, 'The request needs a session: see /api/versions');
    const { path } = targetOf(c.env.incoming);
    const [service] = RESERVED.test(path) ? [] : servicesFor(store, path);
    if (service) return dispatch(c, service, session, { store, broker });
    checkVersion(readAccept(c.req.header('accept')));
    const free = path === '/api/query' && QUERIES_FOR_ALL.has(c.req.query('type') ?? '');
    if (/^\/api\/(?:admin\/|query$)/.test(path) && !free && !isAdministrator(session.user))
      throw new VcloudFault(403, 'Only a system administrator may do this');
    return next();
  });
  app.get('/api/query', (c) => query(c));
  app.route('/', adminRoutes(admin));
  app.notFound((c) =>
    sendFault(c, new VcloudFault(404, `There is no resource at ${targetOf(c.env.incoming).path}`)),
  );
  return app;
}

/** Start a cell; resolves when it listens and its reply queue is bound. */
export async function openCell(options: CellOptions): Promise<Cell> {
  const uuid = randomUUID();
  await using undo = new AsyncDisposableStack();
  const { amqpUrl, prefix, timeoutMs } = options;
  const broker = undo.use(await openBroker({ amqpUrl, prefix, uuid, timeoutMs }));
  // The address is part of every link, so the application is made once the port is known.
  let app: Hono<Env> | undefined;
  const server = createAdaptorServer({
    fetch: (request, env) => app?.fetch(request, env) ?? new Response(null, { status: 503 }),
  });
  const listening = Promise.withResolvers<void>();
  server.once('error', listening.reject);
  server.listen(options.port, '127.0.0.1', listening.resolve);
  await listening.promise;
  undo.defer(async () => {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    if ('closeAllConnections' in server) server.closeAllConnections();
    await closed.promise;
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  app = createApp(options, url, broker);
  const owned = undo.move();
  return {
    url,
    uuid,
    replyQueue: broker.replyQueue,
    counts: broker.counts,
    connected: () => broker.connected(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
