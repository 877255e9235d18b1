/**
 * How to reach NATS, and how large what is kept there may grow.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import { silentLog, type Log } from '../../kernel/log.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';

/** Who we are to the server: at most one. Files are read again at every connect. */
export type ClusterCredentials =
  | { readonly kind: 'password'; readonly user: string; readonly passwordFile: string }
  /** A file with the seed of a user's nkey (`SU…`). */
  | { readonly kind: 'nkey'; readonly seedFile: string }
  /** A `.creds` file: the user's JWT with its seed. */
  | { readonly kind: 'creds'; readonly file: string };

export interface ClusterTls {
  /** Whom to trust. @default the system's authorities */
  readonly caFile?: string;
  /** Certificate and key to show, for servers that want one of their clients. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface ClusterOptions {
  /** `nats://HOST:PORT` or `tls://HOST:PORT`; tried in turn, and with those that the servers tell of. */
  readonly servers: readonly string[];
  /** Begins the name of every bucket and stream, so that two clusters can share one NATS. @default 'vcx' */
  readonly prefix?: string;
  /** Copies of everything, on as many servers: 1 in development, 3 recommended. @default 1 */
  readonly replicas?: number;
  /** @default none */
  readonly credentials?: ClusterCredentials | null;
  /** Any of it, or a `tls://` server, makes TLS a must. @default none */
  readonly tls?: ClusterTls | null;
  /** How long `openLink` waits for a server that does not answer, in ms. @default 30000 */
  readonly connectMs?: number;
  /** A request that NATS has not answered by then has failed, in ms. @default 2000 */
  readonly requestMs?: number;
  /** Bytes of a bucket by its name; NATS keeps them free for it. */
  readonly bytes?: Partial<Record<BucketName, number>>;
  /** Name in the server's list of connections. @default 'vcx' */
  readonly name?: string;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** What there is, and how large it may grow unless configured. */
export const BUCKET_BYTES = {
  journal: 536_870_912,
  kv: 1_073_741_824,
  tasks: 33_554_432,
  blocking: 33_554_432,
  events: 268_435_456,
  tenants: 268_435_456,
  changes: 67_108_864,
  installed: 33_554_432,
  bundles: 1_073_741_824,
  members: 16_777_216,
  leases: 4_194_304,
} as const;

export type BucketName = keyof typeof BUCKET_BYTES;

export const CLUSTER_DEFAULTS = {
  prefix: 'vcx',
  replicas: 1,
  credentials: null,
  tls: null,
  connectMs: 30_000,
  requestMs: 2_000,
  name: 'vcx',
} as const satisfies Partial<ClusterOptions>;

/** Resolved: what the rest of the room works with. */
export interface ClusterSettings extends Required<Omit<ClusterOptions, 'bytes'>> {
  readonly bytes: Readonly<Record<BucketName, number>>;
}

const PREFIX = /^[A-Za-z0-9_-]{1,32}$/;

/** Throws CONFIG_INVALID naming the key, never a credential. */
export function resolveOptions(options: ClusterOptions): ClusterSettings {
  const settings = {
    ...CLUSTER_DEFAULTS,
    clock: systemClock,
    log: silentLog,
    ...options,
    bytes: { ...BUCKET_BYTES, ...options.bytes },
  };
  if (settings.servers.length === 0)
    throw new HostError('CONFIG_INVALID', 'cluster.servers: at least one address');
  settings.servers.forEach(checkServer);
  if (!PREFIX.test(settings.prefix))
    throw new HostError(
      'CONFIG_INVALID',
      'cluster.prefix: 1 to 32 letters, digits, dashes and underscores',
    );
  if (![1, 2, 3, 4, 5].includes(settings.replicas))
    throw new HostError('CONFIG_INVALID', 'cluster.replicas: 1 to 5');
  return settings;
}

function checkServer(server: string, index: number): void {
  const url = URL.parse(server);
  if (!url?.hostname || !['nats:', 'tls:'].includes(url.protocol))
    throw new HostError(
      'CONFIG_INVALID',
      `cluster.servers[${index}]: expected nats://HOST:PORT or tls://HOST:PORT`,
    );
  // In an address they would end up in logs and process lists.
  if (url.username || url.password)
    throw new HostError(
      'CONFIG_INVALID',
      `cluster.servers[${index}]: put user and password into cluster.user and cluster.passwordFile`,
    );
}
