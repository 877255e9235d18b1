/**
 * What the vCloud client may be told, with defaults, and the checks at the door.
 * May import: kernel.
 */
import { HostError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { silentLog } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Clock } from '../kernel/time.ts';
import { systemClock } from '../kernel/time.ts';

/** How vcx signs in. `org` is `System` for a provider. */
export type VcloudCredentials =
  | {
      readonly kind: 'password';
      readonly user: string;
      readonly password: string;
      readonly org: string;
    }
  | { readonly kind: 'apiToken'; readonly token: string; readonly org: string }
  /** `tokenFile` holds the refresh token, plain or as JSON; it is rewritten at every sign-in. */
  | { readonly kind: 'serviceAccount'; readonly tokenFile: string; readonly org: string };

export interface VcloudTls {
  /** PEM file with the only certificate authorities to trust. @default those of Node */
  readonly caFile?: string;
  /** SHA-256 fingerprint of the server's certificate, hex with or without colons; replaces all other checks. */
  readonly fingerprint?: string;
  /** PEM files of a client certificate, where a proxy in front of vCloud asks for one. */
  readonly certFile?: string;
  readonly keyFile?: string;
}

export interface VcloudOptions {
  /** Address of the cell or its load balancer; plain http only on loopback. */
  readonly url: string;
  readonly credentials: VcloudCredentials;
  readonly tls?: VcloudTls;
  /** API versions that may be negotiated, both ends included. @default 27.0 to 39.1 */
  readonly apiVersions?: { readonly min: string; readonly max: string };
  /** Connecting, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number;
  /** One request with its answer, in milliseconds. @default 30000 */
  readonly requestTimeoutMs?: number;
  /** Largest answer in bytes. @default 10485760 */
  readonly maxAnswerBytes?: number;
  /** Connections to the cell at a time. @default 8 */
  readonly connections?: number;
  /** Tries of an idempotent request, the first included. @default 3 */
  readonly attempts?: number;
  /** Bound of the first pause between tries in milliseconds; it doubles, with jitter. @default 200 */
  readonly retryPauseMs?: number;
  /** Failures in a row that open the circuit breaker. @default 5 */
  readonly breakerFailures?: number;
  /** How long the open breaker refuses at once, in milliseconds. @default 5000 */
  readonly breakerPauseMs?: number;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly metrics?: Metrics | null;
}

export const VCLOUD_DEFAULTS = {
  tls: {},
  apiVersions: { min: '27.0', max: '39.1' },
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  maxAnswerBytes: 10 * 1024 * 1024,
  connections: 8,
  attempts: 3,
  retryPauseMs: 200,
  breakerFailures: 5,
  breakerPauseMs: 5_000,
  clock: systemClock,
  log: silentLog,
  metrics: null,
} as const satisfies Partial<VcloudOptions>;

/** Options with nothing left open. */
export interface ResolvedOptions extends Required<Omit<VcloudOptions, 'url'>> {
  readonly url: URL;
}

/** Fill in defaults and check. Throws `CONFIG_INVALID`. */
export function resolveOptions(options: VcloudOptions): ResolvedOptions {
  const url = URL.parse(options.url);
  if (!url || !/^https?:$/.test(url.protocol)) throw invalid('vcloud.url', 'an https:// address');
  if (url.username || url.password) throw invalid('vcloud.url', 'an address without credentials');
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw invalid('vcloud.url', 'https:// unless the host is loopback');
  const fingerprint = options.tls?.fingerprint?.replaceAll(':', '');
  if (fingerprint !== undefined && !/^[0-9a-f]{64}$/i.test(fingerprint))
    throw invalid('vcloud.tls.fingerprint', 'a SHA-256 fingerprint of 64 hex digits');
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...VCLOUD_DEFAULTS, ...(Object.fromEntries(given) as unknown as VcloudOptions), url };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function invalid(key: string, expected: string): HostError {
  return new HostError('CONFIG_INVALID', `${key}: expected ${expected}`);
}
