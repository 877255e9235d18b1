/** The corridor of notifications with deliveries, a sandbox and plug-ins that a test holds in its hands. */
import type {
  NotificationBindings,
  NotificationCall,
} from '../../../host/bindings/blocking-task/open.ts';
import { createConfigSchema, createConfigs } from '../../../host/bindings/config/index.ts';
import { createRegistry } from '../../../host/bindings/registry.ts';
import { createCatalogue } from '../../../host/bundles/live/catalogue.ts';
import type { LivePlugin } from '../../../host/bundles/live/plugin.ts';
import { createLogbook } from '../../../host/bundles/live/logbook.ts';
import { createRouteTable } from '../../../host/bundles/live/routes.ts';
import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';
import type { Code } from '../../../host/kernel/errors.ts';
import { createLog } from '../../../host/kernel/log.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import type { EventDelivery, Moved } from '../../../host/message/events.ts';
import { createEventCorridor } from '../../../host/pipeline/notifications/corridor.ts';
import { createLimitsBook } from '../../../host/quotas/limits-book.ts';
import { defaultLimits, type Limits } from '../../../host/quotas/limits.ts';
import { createMeter } from '../../../host/quotas/meter.ts';
import type { Invocation, Outcome, Sandbox } from '../../../host/sandbox/sandbox.ts';
import type { HandledEvents } from '../../../host/storage/handled-events.ts';
import { EVENT, eventMessage, type TestEvent } from './events.ts';

/** Every pair is one org that has the plug-in, and in which version. */
export type Tenancy = (org: string) => {
  readonly enabled: boolean;
  readonly version: string | null;
};

export interface TestEventsOptions {
  readonly manifest?: object;
  /** In place of the current version for orgs that stay with it. */
  readonly pinned?: { readonly version: string; readonly manifest: object };
  readonly tenancy?: Tenancy;
  readonly limits?: Partial<Limits>;
  readonly handledEvents?: HandledEvents;
  readonly notifications?: Partial<NotificationBindings>;
  /** What becomes of an event that is moved. */
  readonly moved?: (verb: string) => Moved;
}

export const PLUGIN = 'listener';
const MANIFEST = {
  name: PLUGIN,
  version: '1.0.0',
  vcloud: {
    name: PLUGIN,
    namespace: 'org.example.listener',
    exchange: 'sdkext',
    routingKey: PLUGIN,
    apiFilters: [{ urlPattern: '/api/listener' }],
  },
  routes: [{ method: 'GET', path: '/api/listener' }],
  notifications: [{ types: ['vm.#'], success: 'both' }],
};

/** How a delivery was settled. */
export type Verdict =
  | { readonly verb: 'ack' | 'requeue' }
  | { readonly verb: 'retry'; readonly reason: string }
  | { readonly verb: 'defer'; readonly pauseMs: number }
  | { readonly verb: 'park'; readonly code: Code; readonly reason: string };

export interface Delivered {
  readonly delivery: EventDelivery;
  /** Resolves when it is settled. */
  readonly verdict: Promise<Verdict>;
  readonly settled: () => boolean;
}

export function testEvents(
  answer: (invocation: Invocation) => Outcome | Promise<Outcome>,
  options: TestEventsOptions = {},
) {
  const metrics = createMetrics();
  const lines: string[] = [];
  const log = createLog({ level: 'debug', write: (line) => void lines.push(line) });
  const tenants = { view: (_: string, org: string) => viewOf(options, org) };
  const catalogue = createCatalogue(tenants);
  const current = pluginOf(options.manifest, options.limits);
  const { pinned } = options;
  const other = pinned && pluginOf({ ...pinned.manifest, version: pinned.version });
  const versions = new Map(pinned && other ? [[pinned.version, other]] : []);
  catalogue.replace(PLUGIN, { name: PLUGIN, current, pinned: versions });
  const invocations: Invocation[] = [];
  const calls: NotificationCall[] = [];
  const closed: string[] = [];
  const corridor = createEventCorridor({
    catalogue: () => catalogue,
    handledEvents: options.handledEvents ?? memoryHandledEvents(),
    sandbox: fakeSandbox(invocations, answer),
    bindings: createRegistry([], { log, metrics }),
    notifications: { ...fakeNotifications(calls, closed), ...options.notifications },
    tenants,
    configs: createConfigs({ ...tenants, setConfig: async () => undefined }),
    limits: createLimitsBook({ ceilings: {}, plugins: {}, orgs: {} }),
    meter: createMeter(),
    logbook: createLogbook(),
    metrics,
    log,
  });
  const accept = (message: TestMessage): Delivered => {
    const delivered = deliveryOf(message, options.moved ?? movedAs);
    corridor.accept(delivered.delivery);
    return delivered;
  };
  return {
    corridor,
    catalogue,
    metrics,
    lines,
    invocations,
    calls,
    closed,
    accept,
    /** An event of a VM, in XML unless told otherwise. */
    send: (changes: Partial<TestEvent> = {}, rest: Partial<TestMessage> = {}) =>
      accept({ ...eventMessage(rest.form ?? 'xml', changes), ...rest }),
    outcomes: (outcome: string) => metrics.total('vcx_events_total', { outcome }),
  };
}

export interface TestMessage {
  readonly routingKey: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
  readonly form?: 'xml' | 'json';
  readonly attempt?: number;
  readonly firstSeenAt?: number | null;
}

function deliveryOf(message: TestMessage, moved: (verb: string) => Moved): Delivered {
  const { promise, resolve } = Promise.withResolvers<Verdict>();
  let settled = false;
  const settle = (verdict: Verdict): void => {
    settled = true;
    resolve(verdict);
  };
  const move = async (verdict: Verdict): Promise<Moved> => {
    if (settled) return { kind: 'settled' };
    settle(verdict);
    return moved(verdict.verb);
  };
  const { attempt = 1, firstSeenAt = null, routingKey, headers, body } = message;
  const delivery: EventDelivery = {
    plugin: PLUGIN,
    exchange: 'systemExchange',
    routingKey,
    headers,
    contentType: null,
    body,
    attempt,
    firstSeenAt,
    redelivered: false,
    arrivedAt: performance.now(),
    ack: () => settle({ verb: 'ack' }),
    requeue: () => settle({ verb: 'requeue' }),
    retry: (reason) => move({ verb: 'retry', reason }),
    defer: (pauseMs) => move({ verb: 'defer', pauseMs }),
    park: (code, reason) => move({ verb: 'park', code, reason }),
  };
  return { delivery, verdict: promise, settled: () => settled };
}

function movedAs(verb: string): Moved {
  return verb === 'park'
    ? { kind: 'parked', id: '1', code: 'EVENT_INVALID' }
    : { kind: 'later', pauseMs: 1_000 };
}

/** Everybody has it, in the current version, unless told otherwise. */
function viewOf({ tenancy }: TestEventsOptions, org: string) {
  const { enabled, version } = tenancy?.(org) ?? { enabled: true, version: null };
  return { enabled, config: null, limits: {}, version };
}

function fakeSandbox(
  invocations: Invocation[],
  answer: (invocation: Invocation) => Outcome | Promise<Outcome>,
): Sandbox {
  return {
    probe: async () => ['notification'],
    async invoke(invocation) {
      invocations.push(invocation);
      return answer(invocation);
    },
    warm: async () => undefined,
    retire: async () => undefined,
    status: () => ({ ready: true, reason: null, runners: [], barriers: [] }),
    async [Symbol.asyncDispose]() {},
  };
}

/** Holds nothing, and notes what it was asked and how each ended. */
function fakeNotifications(calls: NotificationCall[], closed: string[]): NotificationBindings {
  return {
    bindings: [],
    async begin(call) {
      calls.push(call);
      return {
        blockingTask: null,
        grants: ['notification'],
        close: async (how) => void closed.push(how),
      };
    },
    async pass(call) {
      calls.push(call);
      closed.push('passed');
    },
    sweep: async () => undefined,
    openTasks: () => 0,
    async [Symbol.asyncDispose]() {},
  };
}

export function memoryHandledEvents(): HandledEvents & { readonly writes: string[][] } {
  const keys = new Set<string>();
  const writes: string[][] = [];
  return {
    writes,
    has: async ({ key }) => keys.has(key),
    async add(list) {
      writes.push(list.map(({ key }) => key));
      for (const { key } of list) keys.add(key);
    },
  };
}

function pluginOf(changes: object = {}, limits: Partial<Limits> = {}): LivePlugin {
  const manifest = parseManifest({ ...MANIFEST, ...changes });
  return {
    manifest,
    guest: {
      plugin: PLUGIN,
      version: manifest.version,
      digest: '',
      source: '',
      limits: { ...defaultLimits(), ...limits },
      isolation: 'plugin',
      bindings: [],
    },
    match: createRouteTable([{ target: null, routes: manifest.routes }]),
    handlers: ['notification'],
    owner: { id: 'provider', kind: 'provider' },
    digest: '',
    source: 'folder',
    config: createConfigSchema(manifest.config ?? null),
    sourceMap: null,
  };
}

export const ORG = EVENT.org;
