/**
 * Keeps vCloud's service records in step with the plug-ins, and the names of rights resolved.
 * May import: kernel, message, vcloud.
 */
import { messageOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { backoffMs, pause } from '../kernel/time.ts';
import type { VcloudClient } from '../vcloud/client.ts';
import { applyRegistration } from '../vcloud/registration/apply.ts';
import { planRegistration } from '../vcloud/registration/plan.ts';
import { resolveRights } from '../vcloud/registration/rights.ts';
import { readReplyExchange } from '../vcloud/amqp-settings.ts';
import type { LivePlugin } from './catalogue.ts';
import { serviceSpec } from './service-spec.ts';

export interface RegistrarOptions {
  readonly client: VcloudClient;
  readonly plugins: readonly LivePlugin[];
  /** `off`: only rights are resolved. */
  readonly registration: 'auto' | 'off';
  /** Resolves when exchanges, queues and bindings exist: a service without them answers every call with 500. */
  readonly topologyReady: (signal: AbortSignal) => Promise<void>;
  readonly log: Log;
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
  const { client, plugins, log } = options;
  const rights = new Map<string, ReadonlyMap<string, string>>();
  const stopped = new AbortController();
  let replyExchange: string | null = null;
  let problem: string | null = 'not registered yet';

  async function settleOne(plugin: LivePlugin): Promise<void> {
    const { name } = plugin.manifest;
    if (rights.has(name)) return;
    const spec = serviceSpec(plugin.manifest);
    if (options.registration === 'auto') {
      const plan = await planRegistration(client, spec);
      await applyRegistration(client, plan);
      if (plan.changes.length > 0) options.onChange?.();
      log.info('plugin.registered', { plugin: name, changes: plan.changes.length });
    }
    const names = plugin.manifest.vcloud.rights.map((right) => right.name);
    rights.set(name, await resolveRights(client, { namespace: spec.namespace, names }));
  }

  async function settleAll(): Promise<void> {
    replyExchange ??= await readReplyExchange(client);
    await options.topologyReady(AbortSignal.any([stopped.signal, AbortSignal.timeout(30_000)]));
    for (const plugin of plugins) await settleOne(plugin);
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
    rightsOf: (plugin) => rights.get(plugin) ?? null,
    replyExchange: () => replyExchange,
    problem: () => problem,
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await done;
    },
  };
}
