/**
 * The operator's endpoint: health for anyone who reaches it, details and the API for whoever holds a token.
 * May import: kernel and everything below operator.
 */
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';

import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';

import type { PluginAdmin } from '../bundles/change/admin.ts';
import type { Logbook } from '../bundles/live/logbook.ts';
import { HostError, messageOf } from '../kernel/errors.ts';
import { silentLog, type Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { systemClock, type Clock } from '../kernel/time.ts';
import type { TokenStore } from '../storage/tokens.ts';
import { createAnswerError } from './answer-error.ts';
import { createApi } from './api/api.ts';
import type { ClusterSource } from './api/cluster.ts';
import type { EventsSource } from './api/events.ts';
import { createGuard } from './guard.ts';
import { createIdentify, operatorOnly, type ApiEnv } from './identify.ts';
import type { OperatorToken } from './token.ts';

/** One thing the host depends on. */
export interface Dependency {
  readonly ok: boolean;
  /** What is wrong, in one line; null when nothing is. */
  readonly reason: string | null;
}

export interface HealthReport {
  /** True only while calls are consumed and can be answered. */
  readonly ready: boolean;
  readonly dependencies: Readonly<Record<string, Dependency>>;
}

export interface OperatorAppOptions {
  /** Address that is listened on. @default '127.0.0.1' */
  readonly host?: string;
  /** Further names, without port, under which the endpoint may be reached. @default [] */
  readonly hosts?: readonly string[];
  readonly token: OperatorToken;
  readonly metrics: Metrics;
  readonly health: () => HealthReport;
  /** Everything an operator wants to see, as JSON. */
  readonly status: () => unknown;
  /** @default null: the API can not work on plug-ins */
  readonly admin?: PluginAdmin | null;
  /** @default null: there are no logs to read */
  readonly logbook?: Logbook | null;
  /** @default null: there is no token but the operator's */
  readonly tokens?: TokenStore | null;
  /** @default null: this host works alone */
  readonly cluster?: ClusterSource | null;
  /** @default null: parked events can not be reached */
  readonly events?: EventsSource | null;
  readonly log?: Log;
  readonly clock?: Clock;
}

export interface OperatorOptions extends OperatorAppOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface Operator extends AsyncDisposable {
  readonly url: string;
}

/** A request must have arrived whole after so long, ms: slow uploads end here. */
const REQUEST_MS = 300_000;
const HEADERS_MS = 20_000;

/** Listen; throws CONFIG_INVALID when the address is taken. Disposing ends followed logs too. */
export async function openOperator(options: OperatorOptions): Promise<Operator> {
  const listener = getRequestListener(operatorApp(options).fetch);
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: HEADERS_MS },
    (request, response) => void listener(request, response),
  );
  await listen(server, options);
  const { port, address, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The routes, apart from the socket. */
export function operatorApp(options: OperatorAppOptions): Hono<ApiEnv> {
  const { metrics, health, status, log = silentLog, clock = systemClock } = options;
  const { host = '127.0.0.1', hosts = [], admin = null, logbook = null, tokens = null } = options;
  const { cluster = null, events = null } = options;
  const app = new Hono<ApiEnv>();
  app.use(securityHeaders);
  app.onError(createAnswerError(log));
  app.notFound((c) =>
    c.json({ code: 'OPERATOR_NOT_FOUND', message: 'there is nothing here' }, 404),
  );

  // Health is for probes too, which call by the address of the day: no name is asked for.
  app.get('/livez', (c) => c.json({ live: true }));
  app.get('/readyz', (c) => {
    const report = health();
    return c.json(report, report.ready ? 200 : 503);
  });
  const guard = createGuard({ host, hosts });
  const identify = createIdentify({ token: options.token, tokens, metrics, log, clock });
  app.get('/metrics', guard, identify, operatorOnly(), async (c) => c.text(await metrics.text()));
  app.get('/status', guard, identify, operatorOnly(), (c) => c.json(status() as object));
  app.use('/api/*', guard, identify);
  app.route('/api/v1', createApi({ admin, logbook, tokens, cluster, events, clock }));
  return app;
}

const securityHeaders: Parameters<Hono<ApiEnv>['use']>[1] = async (c, next) => {
  await next();
  c.header('Cache-Control', 'no-store');
  c.header('X-Content-Type-Options', 'nosniff');
  c.header('Referrer-Policy', 'no-referrer');
  c.header('Cross-Origin-Resource-Policy', 'same-origin');
  if (!c.res.headers.has('Content-Security-Policy'))
    c.header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
};

function listen(server: Server, { host, port }: OperatorOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new HostError(
          'CONFIG_INVALID',
          `operator: can not listen on ${host}:${port}: ${messageOf(error)}`,
          {
            cause: error,
          },
        ),
      ),
    );
    server.listen(port, host, () => resolve());
  });
}
