/**
 * `@vcx/sdk/testing`: runs a plug-in in a real isolate, under its real limits, from a test.
 * May import: everything in this folder.
 */
import type { NotificationEvent, ResolvedEntity } from '../src/notification.ts';
import { type Call, requestOf } from './call.ts';
import { eventOf } from './event.ts';
import type { Headroom } from './headroom.ts';
import type { TestCaller } from './protocol.ts';
import { createSession, type Session, type Stub } from './session.ts';

export type { Call, Decision } from './call.ts';
export type { Headroom } from './headroom.ts';
export type {
  HarnessUsage as Usage,
  HostCallRecord,
  HostResult,
  Quota,
  TestCaller,
} from './protocol.ts';
export type { Stub } from './session.ts';

/** What stands in for the host's services and for the org's settings. */
export interface OpenOptions {
  /** Folder that holds plugin.json. @default the working directory */
  readonly folder?: string;
  /** `env.config`. @default null */
  readonly config?: unknown;
  /** Host services by name. `kv` is the real one, in memory, unless it stands here; others refuse unless they do. */
  readonly bindings?: Readonly<Record<string, Stub>>;
  /** Who calls, unless a call says otherwise. @default a user of an org who holds all rights of the plug-in */
  readonly caller?: Partial<TestCaller>;
}

/** A call; what is left out is a GET without a body by the plug-in's usual caller. */
export interface CallInit {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text as it is; bytes as they are; anything else as JSON. */
  readonly body?: unknown;
  readonly caller?: Partial<TestCaller>;
}

/** `org` and `user` are those of the event, unless it has its own. */
export interface NotifyInit extends Partial<TestCaller> {
  /** @default 1 */
  readonly attempt?: number;
  /** The operation that vCloud holds for the plug-in; the event announces it unless it says otherwise. */
  readonly blockingTask?: { readonly operation: string; readonly timeoutMs?: number };
  /** What `ctx.entity()` and `ctx.blockingTask.entity()` give. @default null */
  readonly entity?: ResolvedEntity;
}

/** A plug-in in a real isolate, in a process of its own; disposing it ends that, and writes down its headroom. */
export interface TestPlugin extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  /** Every call so far, in the order they began. */
  readonly calls: readonly Call[];
  /** An API call through the plug-in's routes and rights; `path` may have a query. Never rejects for what the plug-in does. */
  fetch(path: string, init?: CallInit): Promise<Response>;
  /** The same with all that is known about it: code, usage, host calls, log lines. */
  call(path: string, init?: CallInit): Promise<Call>;
  /** Hand in a notification; what is left out of it is made up. `call.decision` tells what became of a blocking task. */
  notify(event: Partial<NotificationEvent>, init?: NotifyInit): Promise<Call>;
  /** Hand in an answer of vCloud's own, as a response filter gets it. */
  filter(path: string, answer: Response, caller?: Partial<TestCaller>): Promise<Call>;
  /** How close the calls came to the limits. */
  headroom(): readonly Headroom[];
}

const CALLER: TestCaller = {
  user: 'urn:vcloud:user:00000000-0000-4000-8000-00000000000a',
  org: 'urn:vcloud:org:00000000-0000-4000-8000-000000000001',
  rights: null,
  provider: false,
};

/**
 * Load the plug-in; rejects with the reason when it does not load. Dispose of it at the end of the test.
 *
 * @example
 * await using plugin = await openPlugin();
 * const response = await plugin.fetch('/api/hello?name=you');
 * expect(await response.json()).toMatchObject({ hello: 'you' });
 */
export async function openPlugin(options: OpenOptions = {}): Promise<TestPlugin> {
  const { folder = process.cwd(), config = null, bindings = {}, caller = {} } = options;
  const session = createSession({ folder, config, bindings, caller: { ...CALLER, ...caller } });
  try {
    const { plugin, version } = await session.ready;
    return { name: plugin, version, ...pluginOf(session) };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

function pluginOf(session: Session): Omit<TestPlugin, 'name' | 'version'> {
  const call: TestPlugin['call'] = (path, init = {}) =>
    session.run(requestOf(path, init), init.caller);
  return {
    calls: session.calls,
    call,
    fetch: async (path, init) => (await call(path, init)).response,
    notify: (event, init = {}) => notify(session, event, init),
    async filter(path, answer, caller) {
      const body = Buffer.from(await answer.arrayBuffer()).toString('base64');
      const given = { handler: 'response', status: answer.status, body } as const;
      return session.run(
        { ...requestOf(path, {}), ...given, headers: [...answer.headers] },
        caller,
      );
    },
    headroom: () => session.headroom(),
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

function notify(
  session: Session,
  event: Partial<NotificationEvent>,
  { attempt = 1, blockingTask, entity, ...caller }: NotifyInit,
): Promise<Call> {
  const operation = blockingTask?.operation ?? null;
  const body = eventOf(event, { ...session.caller, ...caller }, operation);
  const held = blockingTask && { timeoutMs: 300_000, ...blockingTask };
  const notification = { attempt, blockingTask: held ?? null, entity: entity ?? null };
  const request = requestOf('/', { method: 'POST', body });
  return session.run({ ...request, handler: 'notification', notification }, caller);
}
