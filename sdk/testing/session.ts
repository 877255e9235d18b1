/**
 * One plug-in under test: its harness, the calls made so far, and the stubs that stand in for host services.
 * May import: testing/call, headroom, harness, protocol.
 */
import { type Call, createCall } from './call.ts';
import { createHeadroom, type Headroom, type HeadroomMeter } from './headroom.ts';
import { type Harness, spawnHarness } from './harness.ts';
import type { FromHarness, HarnessCall, HostResult, TestCaller } from './protocol.ts';

/**
 * Stands in for a host service. What it returns is the value that the plug-in gets, as JSON. A throw becomes the
 * plug-in's `BindingError`, with the error's `code` when it has one.
 */
export type Stub = (method: string, args: readonly unknown[]) => unknown;

export interface SessionOptions {
  readonly folder: string;
  readonly config: unknown;
  readonly bindings: Readonly<Record<string, Stub>>;
  readonly caller: TestCaller;
}

type Ready = Extract<FromHarness, { type: 'ready' }>;

export interface Session extends AsyncDisposable {
  /** Who calls unless a call says otherwise. */
  readonly caller: TestCaller;
  /** Rejects with the reason when the plug-in does not load. */
  readonly ready: Promise<Ready>;
  readonly calls: readonly Call[];
  /** Resolves when the call is answered; rejects only when the harness is lost. */
  run(request: Omit<HarnessCall, 'caller'>, caller?: Partial<TestCaller>): Promise<Call>;
  headroom(): readonly Headroom[];
}

/** Disposing lets work after the reply end within its limits, and saves the headroom. Idempotent. */
export function createSession(options: SessionOptions): Session {
  const { folder, bindings, config } = options;
  const opened = Promise.withResolvers<Ready>();
  const calls: Call[] = [];
  let headroom: HeadroomMeter | null = null;
  let closing: Promise<void> | null = null;
  const onLost = (reason: string) => {
    opened.reject(new Error(reason));
    for (const call of calls) call.lose(reason);
  };
  const harness = spawnHarness({
    folder,
    onLost,
    onMessage(message) {
      if (message.type === 'ready') {
        headroom = createHeadroom(message.limits);
        opened.resolve(message);
      } else if (message.type === 'failed') onLost(`${message.code}: ${message.message}`);
      else if (message.type === 'host') void answerStub(harness, bindings, message); // never rejects
      else if (headroom) calls[message.call]?.take(message, headroom);
    },
  });
  harness.send({ type: 'open', stubs: Object.keys(bindings), config });

  async function close(): Promise<void> {
    await harness[Symbol.asyncDispose]();
    headroom?.save();
  }

  return {
    caller: options.caller,
    ready: opened.promise,
    calls,
    async run(request, caller) {
      const call = createCall(calls.length, request.method, request.url);
      calls.push(call);
      const who = { ...options.caller, ...caller };
      harness.send({ type: 'call', id: call.id, call: { ...request, caller: who } });
      await call.answered;
      return call;
    },
    headroom: () => headroom?.report() ?? [],
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

async function answerStub(
  harness: Harness,
  bindings: Readonly<Record<string, Stub>>,
  { id, binding, method, args }: Extract<FromHarness, { type: 'host' }>,
): Promise<void> {
  let result: HostResult;
  try {
    result = { ok: true, value: (await bindings[binding]?.(method, args)) ?? null };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const message = error instanceof Error ? error.message : String(error);
    result = { ok: false, code: typeof code === 'string' ? code : 'BINDING_FAILED', message };
  }
  harness.send({ type: 'hostReply', id, result });
}
