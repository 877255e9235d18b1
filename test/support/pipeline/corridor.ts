/** A corridor with a transport, a sandbox and plug-ins that a test holds in its hands. */
import { createDeadlineSignals } from '../../../host/kernel/deadline-signals.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { createLog } from '../../../host/kernel/log.ts';
import type { Binding } from '../../../host/bindings/binding.ts';
import { createRegistry } from '../../../host/bindings/registry.ts';
import { createConfigSchema, createConfigs } from '../../../host/bindings/config/index.ts';
import { createCatalogue, type Catalogue } from '../../../host/bundles/live/catalogue.ts';
import { createLogbook } from '../../../host/bundles/live/logbook.ts';
import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';
import { createRouteTable } from '../../../host/bundles/live/routes.ts';
import type { OutgoingReply, ReplyOutcome, Transport } from '../../../host/message/delivery.ts';
import { createAuthority } from '../../../host/pipeline/authorization/authority.ts';
import { createCorridor } from '../../../host/pipeline/corridor.ts';
import type { FairQueueOptions } from '../../../host/pipeline/admission/fair-queue.ts';
import { defaultLimits, type Limits } from '../../../host/quotas/limits.ts';
import { createLimitsBook } from '../../../host/quotas/limits-book.ts';
import { createMeter } from '../../../host/quotas/meter.ts';
import type { HandlerName, Invocation, Outcome, Sandbox } from '../../../host/sandbox/sandbox.ts';
import type { Journal } from '../../../host/storage/journal.ts';
import { createSeal } from '../../../host/storage/seal.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { openSqliteJournal } from '../../../host/storage/sqlite/journal.ts';
import { SYSTEM_ORG } from './messages.ts';

interface Reply {
  readonly id: string;
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export const USAGE = { cpuMs: 1, wallMs: 1, hostCalls: 0, pid: 1, cold: false };
export const replied = (reply: unknown): Outcome => ({
  kind: 'replied',
  reply: JSON.stringify(reply),
  usage: USAGE,
});

const MANIFEST = {
  name: 'hello',
  version: '1.0.0',
  vcloud: {
    name: 'hello',
    namespace: 'org.example.hello',
    exchange: 'sdkext',
    routingKey: 'hello',
    apiFilters: [{ urlPattern: '/api/hello.*' }],
    rights: [{ name: 'View' }],
  },
  routes: [
    { method: 'GET', path: '/api/hello' },
    { method: 'POST', path: '/api/hello' },
    { method: 'GET', path: '/api/hello/{id}', rights: ['View'] },
  ],
  limits: { requestBytes: 1_024, responseBytes: 1_024 },
};

export interface TestCorridorOptions {
  readonly admission?: FairQueueOptions;
  readonly journal?: Journal;
  readonly orgs?: Record<string, Partial<Limits>>;
  readonly manifest?: object;
  readonly handlers?: readonly HandlerName[];
  readonly bindings?: readonly Binding[];
}

export function testCorridor(
  answer: (invocation: Invocation) => Outcome | Promise<Outcome>,
  options: TestCorridorOptions = {},
) {
  const sent: (OutgoingReply & { reply: Reply })[] = [];
  const parked: Record<string, unknown>[] = [];
  const invocations: Invocation[] = [];
  const lines: string[] = [];
  const logbook = createLogbook();
  const metrics = createMetrics();
  const log = createLog({ level: 'debug', write: (line) => void lines.push(line) });
  const catalogue = testCatalogue(options.manifest, options.handlers);
  let outcome: (attempt: number) => ReplyOutcome = () => ({ kind: 'confirmed' });
  let rights: ReadonlyMap<string, string> | null = new Map([['View', 'urn:vcloud:right:view']]);

  const transport: Transport = {
    async reply(out) {
      const [reply] = JSON.parse(Buffer.from(out.body).toString()) as [Reply];
      sent.push({ ...out, reply });
      return outcome(sent.length);
    },
    async park({ body }) {
      parked.push(JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>);
      return true;
    },
    consume() {},
    async cancel() {},
    status: () => ({ consuming: true, reason: null, blocked: false }),
    async [Symbol.asyncDispose]() {},
  };
  const sandbox: Sandbox = {
    probe: async () => ['fetch'],
    async invoke(invocation) {
      invocations.push(invocation);
      return answer(invocation);
    },
    warm: async () => undefined,
    retire: async () => undefined,
    status: () => ({ ready: true, reason: null, runners: [], barriers: [] }),
    async [Symbol.asyncDispose]() {},
  };
  const corridor = createCorridor({
    transport,
    sandbox,
    bindings: createRegistry(options.bindings ?? [], { log, metrics }),
    log,
    metrics,
    envelope: 'array',
    parkMs: 1_000,
    signals: createDeadlineSignals(),
    journal: options.journal ?? memoryJournal(),
    limits: createLimitsBook({ ceilings: {}, plugins: {}, orgs: options.orgs ?? {} }),
    meter: createMeter(),
    tenants: { view: () => EVERYBODY },
    configs: createConfigs({ view: () => EVERYBODY, setConfig: async () => undefined }),
    logbook,
    authority: createAuthority(null),
    ...(options.admission ? { admission: options.admission } : {}),
    decode: { maxMessageBytes: 4_194_304, systemOrg: SYSTEM_ORG },
    deadlines: { extensionTimeoutMs: 10_000, marginMs: 300 },
    catalogue: () => catalogue,
    rights: { rightsOf: () => rights },
    mayReplyTo: (exchange) => exchange === 'vcd.replyExchange',
  });
  return {
    corridor,
    metrics,
    sent,
    parked,
    invocations,
    lines,
    logbook,
    whenPublished: (next: typeof outcome) => (outcome = next),
    setRights: (next: typeof rights) => (rights = next),
    idle: () => corridor.idle(AbortSignal.timeout(10_000)),
  };
}

export function memoryJournal(database = openDatabase(':memory:')): Journal {
  return openSqliteJournal({ database, seal: createSeal(Buffer.alloc(32)) });
}

const EVERYBODY = { enabled: true, config: null, limits: {}, version: null };

function testCatalogue(
  changes: object = {},
  handlers: readonly HandlerName[] = ['fetch'],
): Catalogue {
  const manifest = parseManifest({ ...MANIFEST, ...changes });
  const limits = { ...defaultLimits(), requestBytes: 1_024, responseBytes: 1_024 };
  const plugin = {
    manifest,
    guest: {
      plugin: 'hello',
      version: '1.0.0',
      digest: '',
      source: '',
      limits,
      isolation: 'plugin' as const,
      bindings: manifest.bindings,
    },
    match: createRouteTable([{ target: null, routes: manifest.routes }]),
    handlers,
    owner: { id: 'provider', kind: 'provider' as const },
    digest: '',
    source: 'folder' as const,
    config: createConfigSchema(manifest.config ?? null),
    sourceMap: null,
  };
  const tenants = { view: () => EVERYBODY };
  const catalogue = createCatalogue(tenants);
  catalogue.replace('hello', { name: 'hello', current: plugin, pinned: new Map() });
  return catalogue;
}
