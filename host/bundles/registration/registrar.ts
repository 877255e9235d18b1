/**
 * Keeps vCloud's service records in step with the plug-ins, and the names of rights resolved.
 * May import: kernel, message, vcloud.
 */
import { codeOf, HostError, messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { backoffMs, pause } from '../../kernel/time.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { applyRegistration } from '../../vcloud/registration/apply.ts';
import type { DigestFile } from '../../vcloud/registration/digests.ts';
import { planRegistration } from '../../vcloud/registration/plan.ts';
import { resolveRights } from '../../vcloud/registration/rights.ts';
import { readReplyExchange } from '../../vcloud/amqp-settings.ts';
import type { ServiceSpec } from '../../vcloud/service-spec.ts';
import type { LivePlugin } from '../live/catalogue.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { serviceSpec } from './service-spec.ts';

export interface RegistrarOptions {
  readonly client: VcloudClient;
  readonly plugins: readonly LivePlugin[];
  /** `off`: only rights are resolved. */
  readonly registration: 'auto' | 'off';
  /** Resolves when exchanges, queues and bindings exist: a service without them answers every call with 500. */
  readonly topologyReady: (signal: AbortSignal) => Promise<void>;
  readonly log: Log;
  /** Which texts were uploaded last; without it, texts are uploaded with a new service only. */
  readonly digests?: DigestFile;
  /** Called after something of a service was changed in vCloud: what was remembered of it is void. */
  readonly onChange?: () => void;
}

export interface Registrar extends AsyncDisposable {
  /** URNs by the name in the manifest; null until vCloud has been asked. */
  rightsOf(plugin: string): ReadonlyMap<string, string> | null;
  /** `{AmqpPrefix}.replyExchange` of this vCloud, or null while it is not known. */
  replyExchange(): string | null;
  /** Null when everything is registered and resolved, else what is waited for. */
  problem(): string | null;
}

/** Returns at once and works in the background until it is done; retries for ever with growing pauses. */
export function openRegistrar(options: RegistrarOptions): Registrar {
  const { client, log } = options;
  const settled: Settled = { rights: new Map(), hopeless: new Set() };
  const stopped = new AbortController();
  let replyExchange: string | null = null;
  let problem: string | null = 'not registered yet';

  async function settleAll(): Promise<void> {
    replyExchange ??= await readReplyExchange(client);
    await options.topologyReady(AbortSignal.any([stopped.signal, AbortSignal.timeout(30_000)]));
    await settleEach(options, settled);
  }

  async function work(): Promise<void> {
    for (let attempt = 0; !stopped.signal.aborted; attempt += 1) {
      try {
        await settleAll();
        problem = null;
        return;
      } catch (error) {
        const reason = messageOf(error);
        if (reason !== problem && !stopped.signal.aborted)
          log.warn('registration.waits', { reason });
        problem = reason;
        await pause(backoffMs(attempt, { firstMs: 200, maxMs: 10_000 }), stopped.signal);
      }
    }
  }
  const done = work();

  return {
    rightsOf: (plugin) => settled.rights.get(plugin) ?? null,
    replyExchange: () => replyExchange,
    problem: () => problem,
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await done;
    },
  };
}

interface Settled {
  /** By plug-in: names to URNs. */
  readonly rights: Map<string, ReadonlyMap<string, string>>;
  /** Plug-ins that vCloud would never take as they are. */
  readonly hopeless: Set<string>;
}

/** Every plug-in by itself, so that none keeps another waiting. Throws what is still to be waited for. */
async function settleEach(options: RegistrarOptions, settled: Settled): Promise<void> {
  const waiting: string[] = [];
  for (const { manifest } of options.plugins) {
    const { name } = manifest;
    if (settled.rights.has(name) || settled.hopeless.has(name)) continue;
    try {
      settled.rights.set(name, await settleOne(options, manifest));
    } catch (error) {
      if (codeOf(error) === 'BUNDLE_INVALID') {
        // Its rights stay unresolved, so the routes that need them stay closed.
        settled.hopeless.add(name);
        options.log.error('registration.refused', { plugin: name, reason: messageOf(error) });
      } else waiting.push(`${name}: ${messageOf(error)}`);
    }
  }
  if (waiting.length > 0) throw new HostError('VCLOUD_UNAVAILABLE', waiting.join('; '));
}

async function settleOne(
  options: RegistrarOptions,
  manifest: Manifest,
): Promise<ReadonlyMap<string, string>> {
  const spec = serviceSpec(manifest);
  if (options.registration === 'auto') await registerOne(options, manifest.name, spec);
  const names = manifest.vcloud.rights.map((right) => right.name);
  return resolveRights(options.client, { namespace: spec.namespace, names });
}

async function registerOne(
  { client, digests, onChange, log }: RegistrarOptions,
  plugin: string,
  spec: ServiceSpec,
): Promise<void> {
  const known = digests?.get(spec.namespace);
  const plan = await planRegistration(
    client,
    spec,
    known === undefined ? {} : { localizationDigest: known },
  );
  try {
    const { localizationDigest } = await applyRegistration(client, plan);
    if (localizationDigest !== null) digests?.put(spec.namespace, localizationDigest);
  } finally {
    // Half of a plan is a change too.
    if (plan.changes.length > 0) onChange?.();
  }
  for (const { code, where, message } of plan.findings)
    log.warn('registration.finding', { plugin, code, where, message });
  log.info('plugin.registered', { plugin, changes: plan.changes.length });
}
