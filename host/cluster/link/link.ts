/**
 * The connection to NATS: made once, kept up for ever, and honest about when it is away.
 * May import: kernel, @nats-io.
 */
import { jetstream, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';

import { HostError, messageOf, type Code } from '../../kernel/errors.ts';
import { backoffMs, pause } from '../../kernel/time.ts';
import { authenticatorOf, tlsOf } from './credentials.ts';
import { clusterError, connectError } from './faults.ts';
import { resolveOptions, type ClusterOptions, type ClusterSettings } from './options.ts';

export interface LinkStatus {
  /** Null while NATS answers; else why not, in one line that begins with a code. */
  readonly reason: string | null;
  readonly server: string | null;
  readonly serverVersion: string | null;
  readonly reconnects: number;
  /** Buckets whose last write was refused since they are full. */
  readonly full: readonly string[];
}

export interface Link extends AsyncDisposable {
  readonly settings: ClusterSettings;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  /** Largest message that the server takes, in bytes. */
  readonly maxPayload: number;
  /**
   * Do something with NATS. Throws a CLUSTER code; CLUSTER_UNAVAILABLE at once while it is away. After that
   * code, or a time-out, a write may still have been made.
   */
  run<T>(about: string, work: () => Promise<T>): Promise<T>;
  /** Called after each reconnect. */
  onReconnect(listener: () => void): Disposable;
  status(): LinkStatus;
}

/** Dead peers are found out in about twice this. */
const PING_MS = 3_000;
const CLOSE_MS = 2_000;
const CLOSED = 'closed';
/** Faults that no waiting mends. */
const LASTING: ReadonlySet<Code> = new Set([
  'CONFIG_INVALID',
  'CLUSTER_CREDENTIALS',
  'CLUSTER_JETSTREAM_DISABLED',
]);

/**
 * Connect and see that JetStream is there. A server that does not answer is tried for `connectMs`; then, and at
 * once for what waiting does not mend, it throws CLUSTER_UNAVAILABLE, CLUSTER_CREDENTIALS,
 * CLUSTER_JETSTREAM_DISABLED or CONFIG_INVALID. From then on the connection is made again by itself, for ever.
 */
export async function openLink(options: ClusterOptions, signal?: AbortSignal): Promise<Link> {
  const settings = resolveOptions(options);
  const { clock, log, connectMs } = settings;
  const connection = connectionOptions(settings);
  const until = clock.monotonic() + connectMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      signal?.throwIfAborted();
      return await begin(settings, connection);
    } catch (error) {
      const fault = connectError(error, settings.servers.join(', '));
      if (LASTING.has(fault.code) || clock.monotonic() > until || signal?.aborted) throw fault;
      log.warn('cluster.connect_failed', { reason: messageOf(fault), attempt: attempt + 1 });
      await pause(backoffMs(attempt, { maxMs: 2_000 }), signal);
    }
  }
}

function connectionOptions(settings: ClusterSettings): ConnectionOptions {
  const authenticator = authenticatorOf(settings);
  const tls = tlsOf(settings);
  return {
    servers: [...settings.servers],
    name: settings.name,
    ...(authenticator && { authenticator }),
    ...(tls && { tls }),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    // A password that is changed on the server before it is changed here must not end us.
    ignoreAuthErrorAbort: true,
    pingInterval: PING_MS,
    maxPingOut: 1,
    timeout: 5_000,
    // An error object for every request that goes well is a twentieth of what a call costs.
    noAsyncTraces: true,
  };
}

async function begin(settings: ClusterSettings, options: ConnectionOptions): Promise<Link> {
  const connection = await connect(options);
  try {
    const client = jetstream(connection, { timeout: settings.requestMs });
    const manager = await client.jetstreamManager(true);
    const server = connection.getServer();
    settings.log.info('cluster.connected', { server, version: connection.info?.version });
    return new NatsLink(settings, connection, { client, manager });
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function withCode(reason: string): string {
  return reason.startsWith('CLUSTER_') ? reason : `CLUSTER_UNAVAILABLE: ${reason}`;
}

class NatsLink implements Link {
  readonly settings: ClusterSettings;
  readonly client: JetStreamClient;
  readonly manager: JetStreamManager;
  readonly #connection: NatsConnection;
  readonly #listeners = new Set<() => void>();
  readonly #full = new Set<string>();
  readonly #watching: Promise<void>;
  #away: string | null = null;
  #fault: string | null = null;
  #reconnects = 0;

  constructor(
    settings: ClusterSettings,
    connection: NatsConnection,
    { client, manager }: { client: JetStreamClient; manager: JetStreamManager },
  ) {
    this.settings = settings;
    this.client = client;
    this.manager = manager;
    this.#connection = connection;
    this.#watching = this.#watch();
  }

  get maxPayload(): number {
    return this.#connection.info?.max_payload ?? 1_048_576;
  }

  async run<T>(about: string, work: () => Promise<T>): Promise<T> {
    if (this.#away !== null) throw new HostError('CLUSTER_UNAVAILABLE', `${about}: ${this.#away}`);
    try {
      const result = await work();
      this.#fault = null;
      this.#full.delete(about);
      return result;
    } catch (error) {
      const fault = clusterError(error, about);
      if (fault.code === 'CLUSTER_STORE_FULL') this.#full.add(about);
      else if (fault.code.startsWith('CLUSTER_')) this.#fault = `${fault.code}: ${fault.message}`;
      throw fault;
    }
  }

  onReconnect(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  status(): LinkStatus {
    return {
      reason: this.#away === null ? this.#fault : withCode(this.#away),
      server: this.#away === null ? this.#connection.getServer() : null,
      serverVersion: this.#connection.info?.version ?? null,
      reconnects: this.#reconnects,
      full: [...this.#full],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#away = CLOSED;
    // Draining asks the server, which may be gone.
    const drained = new AbortController();
    const late = pause(CLOSE_MS, drained.signal);
    await Promise.race([this.#connection.drain().catch(() => undefined), late]);
    // What is left of the wait would hold a command that is done.
    drained.abort();
    await this.#connection.close();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (this.#away === CLOSED) continue;
      if (status.type === 'disconnect') this.#disconnected(status.server);
      else if (status.type === 'error') this.#failed(status.error);
      else if (status.type === 'reconnect') this.#reconnected(status.server);
    }
  }

  /** The client says so again for each attempt that the server refused. */
  #disconnected(server: string): void {
    if (this.#away !== null) return;
    this.#away = `${server}: disconnected`;
    this.settings.log.warn('cluster.disconnected', { server });
  }

  #failed(error: Error): void {
    const { code, message } = clusterError(error, this.#connection.getServer());
    const text = `${code}: ${message}`;
    if (this.#away !== text) this.settings.log.warn('cluster.error', { code, reason: message });
    if (this.#away !== null) this.#away = text;
  }

  #reconnected(server: string): void {
    if (this.#away === null) return;
    this.#away = null;
    this.#reconnects += 1;
    this.settings.log.info('cluster.reconnected', { server });
    for (const listener of this.#listeners) listener();
  }
}
