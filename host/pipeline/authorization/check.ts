/**
 * vCloud's own word on a call: its `authorizationcheck`, asked once for many, remembered for seconds, closed on failure.
 * May import: kernel, message, vcloud, bundles.
 */
import { HostError, messageOf } from '../../kernel/errors.ts';
import { silentLog, type Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import { decodeXml } from '../../message/xml/documents.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { hasStatus } from '../../vcloud/errors.ts';
import { findLink, uuidOf } from '../../vcloud/links.ts';
import { findService } from '../../vcloud/registration/observe.ts';

/** Everything the answer depends on; all of it is part of the key under which it is remembered. */
export interface Question {
  /** Namespace of the service. */
  readonly service: string;
  /** URNs, from the security context only. */
  readonly org: string;
  readonly user: string;
  readonly method: string;
  /** Canonical path, without query. */
  readonly path: string;
  /** Name of the plug-in, for the counters. */
  readonly plugin?: string;
}

export type Verdict =
  | { readonly kind: 'allowed' | 'denied' }
  /** Nobody could say; `reason` may be shown to the caller. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface AuthorizationCheckOptions {
  readonly client: VcloudClient;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly metrics?: Metrics | null;
  /** How long a yes is remembered, in milliseconds. @default 10000 */
  readonly allowedMs?: number;
  /** How long a no is remembered, in milliseconds. @default 2000 */
  readonly deniedMs?: number;
  /** Answers remembered; the one that was not used for longest goes first. @default 10000 */
  readonly entries?: number;
  /** Longest time that one question to vCloud may take, in milliseconds. @default 5000 */
  readonly timeoutMs?: number;
}

export const AUTHORIZATION_CHECK_DEFAULTS = {
  clock: systemClock,
  log: silentLog,
  metrics: null,
  allowedMs: 10_000,
  deniedMs: 2_000,
  entries: 10_000,
  timeoutMs: 5_000,
} as const satisfies Partial<AuthorizationCheckOptions>;

export interface AuthorizationCheck {
  /** Never throws. `unavailable` when vCloud fails or the signal fires first; other callers go on waiting. */
  check(question: Question, signal?: AbortSignal): Promise<Verdict>;
  /** Forget everything: registrations have changed. Answers under way are given, but not remembered. */
  clear(): void;
}

interface Entry {
  readonly allowed: boolean;
  /** Monotonic ms. */
  readonly until: number;
}

/** vCloud has a word for these only. */
const METHODS: Readonly<Record<string, string>> = {
  GET: 'GET',
  HEAD: 'GET',
  POST: 'POST',
  PUT: 'PUT',
  DELETE: 'DELETE',
};

export function createAuthorizationCheck(given: AuthorizationCheckOptions): AuthorizationCheck {
  const options = { ...AUTHORIZATION_CHECK_DEFAULTS, ...given };
  const memory = createMemory(options);
  const flights = new Map<string, Promise<Verdict>>();
  const addresses = createAddresses(options.client);
  let epoch = 0;

  async function fly(key: string, question: Question): Promise<Verdict> {
    const begun = epoch;
    try {
      const signal = AbortSignal.timeout(options.timeoutMs);
      const allowed = await ask(options.client, addresses, question, signal);
      if (epoch === begun) memory.put(key, allowed);
      return { kind: allowed ? 'allowed' : 'denied' };
    } catch (error) {
      options.log.warn('authorization.unavailable', {
        code: 'AUTHORIZATION_UNAVAILABLE',
        service: question.service,
        reason: messageOf(error),
      });
      return { kind: 'unavailable', reason: reasonOf(error) };
    } finally {
      if (epoch === begun) flights.delete(key);
    }
  }

  function counted(question: Question, source: Source, verdict: Verdict): Verdict {
    const plugin = question.plugin ?? question.service;
    const labels = { plugin, source, result: verdict.kind };
    options.metrics?.count('vcx_authorization_checks_total', labels);
    return verdict;
  }

  return {
    async check(question, signal) {
      const key = keyOf(question);
      const known = memory.get(key);
      if (known) return counted(question, 'cache', known);
      const joined = flights.get(key);
      const flight = joined ?? fly(key, question);
      if (!joined) flights.set(key, flight);
      const verdict = await unlessAborted(flight, signal);
      return counted(question, joined ? 'joined' : 'vcloud', verdict);
    },
    clear() {
      epoch += 1;
      memory.clear();
      flights.clear();
      addresses.clear();
    },
  };
}

/** Where an answer came from. */
type Source = 'cache' | 'joined' | 'vcloud';

/** Answers for as long as they hold; bounded. */
function createMemory(options: Required<AuthorizationCheckOptions>) {
  const entries = new Map<string, Entry>();
  const { clock } = options;
  return {
    get(key: string): Verdict | null {
      const entry = entries.get(key);
      if (!entry) return null;
      entries.delete(key);
      if (clock.monotonic() >= entry.until) return null;
      entries.set(key, entry); // the youngest again
      return { kind: entry.allowed ? 'allowed' : 'denied' };
    },
    put(key: string, allowed: boolean): void {
      const until = clock.monotonic() + (allowed ? options.allowedMs : options.deniedMs);
      entries.set(key, { allowed, until });
      const oldest = entries.keys().next().value;
      if (entries.size > options.entries && oldest !== undefined) entries.delete(oldest);
    },
    clear: () => entries.clear(),
  };
}

function keyOf({ service, org, user, method, path }: Question): string {
  return JSON.stringify([service, org, user, METHODS[method] ?? method, path]);
}

interface Addresses {
  of(service: string, signal: AbortSignal): Promise<string>;
  forget(service: string): void;
  clear(): void;
}

/** Where each service takes questions: looked up once, however many ask. */
function createAddresses(client: VcloudClient): Addresses {
  const known = new Map<string, Promise<string>>();

  async function find(service: string, signal: AbortSignal): Promise<string> {
    const found = await findService(client, service, { signal });
    if (!found) throw new HostError('VCLOUD_REFUSED', `the service ${service} is not registered`);
    return (
      findLink(found.document.Link, 'authorization:check') ?? `${found.href}/authorizationcheck`
    );
  }
  return {
    of(service, signal) {
      const held = known.get(service);
      if (held) return held;
      const finding = find(service, signal);
      known.set(service, finding);
      // Those who wait for it hear of the failure; the next one asks anew.
      finding.catch(() => known.get(service) === finding && known.delete(service));
      return finding;
    },
    forget: (service) => void known.delete(service),
    clear: () => known.clear(),
  };
}

async function ask(
  client: VcloudClient,
  addresses: Addresses,
  { service, user, method, path }: Question,
  signal: AbortSignal,
): Promise<boolean> {
  const HttpMethod = METHODS[method];
  const uuid = uuidOf(user);
  if (!HttpMethod) throw new HostError('METHOD_NOT_ALLOWED', `vCloud has no rules for ${method}`);
  if (!uuid) throw new HostError('MESSAGE_INVALID', 'the user of the call has no UUID');
  const href = `${client.origin}/api/admin/user/${uuid}`;
  const value = {
    User: { href, type: 'application/vnd.vmware.admin.user+xml' },
    HttpMethod,
    URL: encodeURI(path),
  };
  const address = await addresses.of(service, signal);
  try {
    // It only asks something, so it may be repeated.
    const options = { signal, idempotent: true };
    const document = { name: 'AuthorizationCheckParams', value } as const;
    const answer = await client.sendXml('POST', address, document, options);
    const { IsAuthorized } = decodeXml('AuthorizationCheckResponse', answer.body);
    if (IsAuthorized === undefined) throw new HostError('XML_INVALID', 'there is no IsAuthorized');
    return IsAuthorized;
  } catch (error) {
    if (hasStatus(error, 404)) addresses.forget(service);
    throw error;
  }
}

/** What the caller may read of it; the rest is in the log. */
function reasonOf(error: unknown): string {
  if (!(error instanceof HostError)) return 'vcx failed';
  switch (error.code) {
    case 'VCLOUD_UNAVAILABLE':
      return 'vCloud did not answer in time or failed';
    case 'VCLOUD_REFUSED':
      return 'vCloud refused the question';
    case 'METHOD_NOT_ALLOWED':
      return 'vCloud has no rules for this method';
    default:
      return "vCloud's answer could not be read";
  }
}

/** One caller leaves, the question goes on for the others. */
async function unlessAborted(flight: Promise<Verdict>, signal?: AbortSignal): Promise<Verdict> {
  if (!signal) return flight;
  const late: Verdict = { kind: 'unavailable', reason: 'there was no answer in time' };
  if (signal.aborted) return late;
  const left = Promise.withResolvers<Verdict>();
  const leave = () => left.resolve(late);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await Promise.race([flight, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
