/**
 * One cell: an HTTP front on loopback over the shared store, and a reply queue of its own.
 * May import: app, broker, oauth, settings, sessions, store; hono.
 */
import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';

import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';

import { type Front, createApp } from './app.ts';
import { type Counts, openBroker } from './amqp/broker.ts';
import type { AmqpSettings } from './extension/settings/amqp.ts';
import type { OAuthDesk } from './sessions/oauth/oauth.ts';
import type { SessionRules } from './sessions/sessions.ts';
import type { Store } from './store.ts';

export interface CellOptions {
  readonly store: Store;
  readonly rules: SessionRules;
  readonly oauth: OAuthDesk;
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
    password: decodeURIComponent(url.password),
    prefix,
  };
}

/** Start a cell; resolves when it listens and its reply queue is bound. */
export async function openCell(options: CellOptions): Promise<Cell> {
  const uuid = randomUUID();
  await using undo = new AsyncDisposableStack();
  const { amqpUrl, prefix, timeoutMs } = options;
  const broker = undo.use(await openBroker({ amqpUrl, prefix, uuid, timeoutMs }));
  // The address is part of every link, so the application is made once the port is known.
  let app: Hono<Front> | undefined;
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
  app = createApp({ ...options, base: url, amqp: amqpSettings(options), broker });
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
