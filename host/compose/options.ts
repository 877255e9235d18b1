/**
 * From the configuration to the options of the rooms.
 * May import: everything below.
 */
import { readFileSync } from 'node:fs';

import type { BrokerOptions, Credentials } from '../broker/options.ts';
import type { ServiceAddress } from '../bundles/live/catalogue.ts';
import type { Config } from '../config.ts';
import { HostError } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import type { KnownBindings } from '../message/events.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { FairQueueOptions } from '../pipeline/admission/fair-queue.ts';
import type { SandboxOptions } from '../sandbox/options.ts';
import type { VcloudCredentials, VcloudOptions } from '../vcloud/options.ts';

interface BrokerParts {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Without it no plug-in hears of events. */
  readonly knownBindings?: KnownBindings;
}

export function brokerOptions(
  { amqp, vcloud, admission, limits }: Config,
  services: readonly ServiceAddress[],
  { log, metrics, knownBindings }: BrokerParts,
): BrokerOptions {
  const urls = [...(amqp.url ? [amqp.url] : []), ...amqp.urls];
  const { caFile, certFile, keyFile, passwordFile } = amqp;
  return {
    urls,
    services,
    // The backlog waits with us, where it is fair by org, and not in the broker's first-in first-out.
    prefetch: admission.slots + admission.waiting,
    maxMessageBytes: limits.messageBytes,
    queue: { messageTtlMs: vcloud.extensionTimeoutMs },
    deadLetter: { exchange: amqp.deadLetter, queue: amqp.deadLetter },
    canary: { everyMs: amqp.canaryMs },
    ...(knownBindings ? { events: { known: knownBindings } } : {}),
    tls: {
      ...(caFile === undefined ? {} : { caFile }),
      ...(certFile === undefined ? {} : { certFile }),
      ...(keyFile === undefined ? {} : { keyFile }),
    },
    ...(passwordFile === undefined
      ? {}
      : { credentials: () => fromPasswordFile(urls[0] ?? '', passwordFile) }),
    log,
    metrics,
  };
}

/** Asked at every connect, so that a changed password needs no restart. */
function fromPasswordFile(url: string, file: string): Credentials {
  const username = decodeURIComponent(URL.parse(url)?.username || 'guest');
  return { username, password: readSecret('amqp.passwordFile', file) };
}

export function admissionOptions({ admission }: Config): FairQueueOptions {
  const { weights, ...caps } = admission;
  return { ...caps, weightOf: (org) => weights[org.slice(org.lastIndexOf(':') + 1)] ?? 1 };
}

export function sandboxOptions({ sandbox }: Config): Omit<SandboxOptions, 'prelude'> {
  const [first, last] = sandbox.uids;
  return {
    spares: sandbox.spares,
    maxRunners: sandbox.maxRunners,
    idleMs: sandbox.idleMs,
    maxCallsPerIsolate: sandbox.callsPerIsolate,
    heapEveryCalls: sandbox.heapEveryCalls,
    ...(sandbox.memoryBudgetMb === undefined ? {} : { memoryBudgetMb: sandbox.memoryBudgetMb }),
    strict: sandbox.strict,
    argvPrefix: sandbox.argvPrefix,
    uidRange: first === undefined || last === undefined ? null : [first, last],
  };
}

/** Null when no vCloud is configured. Throws CONFIG_INVALID when there is one, but no way to sign in. */
export function vcloudOptions({ vcloud }: Config): VcloudOptions | null {
  if (!vcloud.url) return null;
  const { caFile, fingerprint } = vcloud;
  return {
    url: vcloud.url,
    credentials: credentials(vcloud),
    tls: {
      ...(caFile === undefined ? {} : { caFile }),
      ...(fingerprint === undefined ? {} : { fingerprint }),
    },
  };
}

function credentials(vcloud: Config['vcloud']): VcloudCredentials {
  const [user = '', org = 'System'] = (vcloud.user ?? '').split('@');
  const token =
    vcloud.apiToken ??
    (vcloud.apiTokenFile && readSecret('vcloud.apiTokenFile', vcloud.apiTokenFile));
  if (token) return { kind: 'apiToken', token, org };
  if (vcloud.serviceAccountFile)
    return { kind: 'serviceAccount', tokenFile: vcloud.serviceAccountFile, org };
  const password =
    vcloud.password ??
    (vcloud.passwordFile && readSecret('vcloud.passwordFile', vcloud.passwordFile));
  if (user && password) return { kind: 'password', user, password, org };
  throw new HostError(
    'CONFIG_INVALID',
    'vcloud: a way to sign in is missing; set user and passwordFile (or VCX_VCLOUD_PASSWORD), apiTokenFile, or serviceAccountFile',
  );
}

export function readSecret(key: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `${key}: the file can not be read`, { cause: error });
  }
}
