/**
 * The operator's endpoint: health for anyone who reaches it, details for whoever holds the token.
 * May import: kernel and everything below operator.
 */
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';

import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';

import { HostError, messageOf } from '../kernel/errors.ts';
import type { Metrics } from '../kernel/metrics.ts';
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

export interface OperatorOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly token: OperatorToken;
  readonly metrics: Metrics;
  readonly health: () => HealthReport;
  /** Everything an operator wants to see, as JSON. */
  readonly status: () => unknown;
}

export interface Operator extends AsyncDisposable {
  readonly url: string;
}

/** Listen; throws CONFIG_INVALID when the address is taken. */
export async function openOperator(options: OperatorOptions): Promise<Operator> {
  const listener = getRequestListener(operatorApp(options).fetch);
  const server = createServer((request, response) => void listener(request, response));
  await listen(server, options);
  const { port, address, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** The routes, apart from the socket. */
export function operatorApp({
  token,
  metrics,
  health,
  status,
}: Omit<OperatorOptions, 'host' | 'port'>): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    c.header('Cache-Control', 'no-store');
    c.header('X-Content-Type-Options', 'nosniff');
    await next();
  });
  app.get('/livez', (c) => c.json({ live: true }));
  app.get('/readyz', (c) => {
    const report = health();
    return c.json(report, report.ready ? 200 : 503);
  });
  const guard = bearerAuth({ verifyToken: (given) => token.matches(given) });
  app.get('/metrics', guard, async (c) => c.text(await metrics.text()));
  app.get('/status', guard, (c) => c.json(status() as object));
  app.notFound((c) => c.json({ error: 'not found' }, 404));
  return app;
}

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
