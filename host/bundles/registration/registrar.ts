/**
 * Keeps vCloud's service records in step with the plug-ins, and the names of rights resolved.
 * May import: kernel, message, vcloud.
 */
import { codeOf, HostError, messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { openSettling } from '../../kernel/settling.ts';
import type { VcloudMethod } from '../../vcloud/client/calls.ts';
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
  /** Those that are live now; asked at every `refresh`. Ones that extend another's service are passed over. */
  readonly plugins: () => readonly LivePlugin[];
  /**
   * False: only rights are resolved, since an operator or another host registers. Asked before every write: who loses
   * the lease in the middle leaves the rest to the one who has it.
   */
  readonly mayRegister: () => boolean;
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
  /** Plug-ins changed: register what is new, disable the services of those that went. */
  refresh(): void;
  /** From now on it is us who register: look at everything again. */
  takeOver(): void;
}

/** Returns at once and works in the background until it is done; retries for ever with growing pauses. */
export function openRegistrar(options: RegistrarOptions): Registrar {
  const { client, log } = options;
  const settled: Settled = new Map();
  const stopped = new AbortController();
  let replyExchange: string | null = null;

  const settling = openSettling({
    async step() {
      replyExchange ??= await readReplyExchange(client);
      await options.topologyReady(AbortSignal.any([stopped.signal, AbortSignal.timeout(30_000)]));
      await settleEach(options, settled);
      return null;
    },
    waits: (reason) => log.warn('registration.waits', { reason }),
    at: 'not registered yet',
    firstMs: 200,
    maxMs: 10_000,
  });

  return {
    rightsOf: (plugin) => settled.get(plugin)?.rights ?? null,
    replyExchange: () => replyExchange,
    problem: () => settling.problem(),
    refresh: () => settling.refresh(),
    takeOver() {
      for (const [name, known] of settled) settled.set(name, { ...known, told: '' });
      settling.refresh();
    },
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await settling[Symbol.asyncDispose]();
    },
  };
}

/** By plug-in, what vCloud was last told of it. */
type Settled = Map<string, SettledPlugin>;

interface SettledPlugin {
  readonly manifest: Manifest;
  /** What of the manifest vCloud gets to see, as text, to tell whether it changed. */
  readonly told: string;
  /** Names to URNs; null for one that vCloud would never take as it is. */
  readonly rights: ReadonlyMap<string, string> | null;
}

/** Every plug-in by itself, so that none keeps another waiting. Throws what is still to be waited for. */
async function settleEach(options: RegistrarOptions, settled: Settled): Promise<void> {
  const waiting: string[] = [];
  const attempt = async (name: string, work: () => Promise<void>) => {
    await work().catch((error: unknown) => waiting.push(`${name}: ${messageOf(error)}`));
  };
  const present = options
    .plugins()
    .map(({ manifest }) => manifest)
    .filter((manifest) => manifest.extends === undefined);
  for (const manifest of present)
    await attempt(manifest.name, () => settleOne(options, settled, manifest));
  const names = new Set(present.map(({ name }) => name));
  for (const [name, { manifest }] of settled)
    if (!names.has(name)) await attempt(name, () => disableOne(options, settled, manifest));
  if (waiting.length > 0) throw new HostError('VCLOUD_UNAVAILABLE', waiting.join('; '));
}

async function settleOne(
  options: RegistrarOptions,
  settled: Settled,
  manifest: Manifest,
): Promise<void> {
  const { name } = manifest;
  const spec = serviceSpec(manifest);
  const told = JSON.stringify(spec);
  if (settled.get(name)?.told === told) return;
  try {
    if (options.mayRegister()) await registerOne(options, name, spec);
    const names = manifest.vcloud.rights.map((right) => right.name);
    const rights = await resolveRights(options.client, { namespace: spec.namespace, names });
    settled.set(name, { manifest, told, rights });
  } catch (error) {
    if (codeOf(error) !== 'BUNDLE_INVALID') throw error;
    // Its rights stay unresolved, so the routes that need them stay closed.
    settled.set(name, { manifest, told, rights: null });
    options.log.error('registration.refused', { plugin: name, reason: messageOf(error) });
  }
}

/** A service that nobody serves any more must not be called: vCloud would wait in vain for each answer. */
async function disableOne(
  options: RegistrarOptions,
  settled: Settled,
  manifest: Manifest,
): Promise<void> {
  if (options.mayRegister())
    await registerOne(options, manifest.name, { ...serviceSpec(manifest), enabled: false });
  settled.delete(manifest.name);
}

/** The client, as long as it is us who register. */
function fenced({ client, mayRegister }: RegistrarOptions): VcloudClient {
  const check = (method: VcloudMethod) => {
    if (method !== 'GET' && !mayRegister())
      throw new HostError('CLUSTER_UNAVAILABLE', 'another host registers by now');
  };
  return {
    ...client,
    async request(method, path, options) {
      check(method);
      return client.request(method, path, options);
    },
    async sendXml(method, path, document, options) {
      check(method);
      return client.sendXml(method, path, document, options);
    },
  };
}

async function registerOne(
  options: RegistrarOptions,
  plugin: string,
  spec: ServiceSpec,
): Promise<void> {
  const { digests, onChange, log } = options;
  const client = fenced(options);
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
