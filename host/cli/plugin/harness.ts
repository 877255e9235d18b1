/**
 * `vcx plugin harness DIR`, which people never type: the test kit starts it, and it runs the plug-in in the real
 * sandbox with the real limits, told what to do by lines of JSON on its standard input.
 * May import: everything.
 */
import { createInterface } from 'node:readline';

import { buildPrelude } from '#sdk/guest';

import type { FromHarness, HostResult, ToHarness } from '../../../sdk/testing/protocol.ts';
import { createKvBinding } from '../../bindings/kv/index.ts';
import { createRegistry, type BindingRegistry } from '../../bindings/registry.ts';
import { codeOf, messageOf } from '../../kernel/errors.ts';
import { mapPlaces } from '../../bundles/source/source-map.ts';
import { createLog } from '../../kernel/log.ts';
import { logText } from '../../sandbox/calls/guest-failure.ts';
import { createMetrics } from '../../kernel/metrics.ts';
import { openSandbox } from '../../sandbox/open.ts';
import { openMemoryKv } from '../../storage/memory-kv.ts';
import { loadForHarness } from './harness-load.ts';
import { createHarnessed, type CallHooks } from './harness-call.ts';
import { createEventDesk, type EventDesk } from './harness-event.ts';

type Open = Extract<ToHarness, { type: 'open' }>;
type Send = (message: FromHarness) => void;

/** Ends when standard input does, after what is under way. Returns the exit code. */
export async function harness(folder: string): Promise<number> {
  const send: Send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  try {
    const first = await lines.next();
    if (first.done) return 0;
    await serve(folder, JSON.parse(first.value) as Open, { lines, send });
    return 0;
  } catch (error) {
    send({ type: 'failed', code: codeOf(error), message: messageOf(error) });
    return 1;
  }
}

interface Channel {
  readonly lines: AsyncIterator<string>;
  readonly send: Send;
}

async function serve(folder: string, open: Open, { lines, send }: Channel): Promise<void> {
  const plugin = await loadForHarness(folder);
  const log = createLog({ level: 'warn', write: (line) => process.stderr.write(line) });
  await using kv = openMemoryKv();
  const registry = createRegistry([createKvBinding(kv)], { log, metrics: createMetrics() });
  // One runner, no spare: a test wants to start fast. The heap is looked at after every call.
  await using sandbox = openSandbox({
    prelude: await buildPrelude(),
    log,
    spares: 0,
    heapEveryCalls: 1,
  });
  await sandbox.probe(plugin.guest);
  const run = createHarnessed({ plugin, sandbox, config: open.config });
  const stubs = createStubs(send);
  const { name, version } = plugin.manifest;
  send({ type: 'ready', plugin: name, version, limits: plugin.guest.limits });

  const running = new Set<Promise<void>>();
  for (let line = await lines.next(); !line.done; line = await lines.next()) {
    const message = JSON.parse(line.value) as ToHarness;
    if (message.type === 'hostReply') stubs.settle(message.id, message.result);
    if (message.type !== 'call') continue;
    const { id, call } = message;
    const service = serviceOf(plugin.manifest, { registry, stubs, open, caller: call.caller });
    const desk = createEventDesk(call.notification, plugin.manifest.blockingTasks);
    const places = plugin.sourceMap;
    const work = run(id, call, hooksOf(id, { send, service, desk, places })).then((answer) =>
      send({ type: 'answer', call: id, answer }),
    );
    running.add(work);
    void work.finally(() => running.delete(work)); // `run` never rejects
  }
  stubs.close();
  await Promise.all(running);
}

type Service = CallHooks['host'];

interface Hooked {
  readonly send: Send;
  readonly service: Service;
  readonly desk: EventDesk;
  /** Source map of the script. */
  readonly places: string | null;
}

function hooksOf(id: number, { send, service, desk, places }: Hooked): CallHooks {
  return {
    notification: desk.notification,
    async host(binding, method, args, signal) {
      const known = desk.serve(binding, method, args);
      const result = known ?? (await service(binding, method, args, signal));
      const list = Array.isArray(args) ? (args as unknown[]) : [args];
      send({ type: 'hostDone', call: id, record: { binding, method, args: list, result } });
      return result;
    },
    log: (level, line) =>
      send({ type: 'log', call: id, level, text: mapPlaces(logText(line), places) }),
    settled: (heapKb) => send({ type: 'settled', call: id, heapKb }),
  };
}

interface Services {
  readonly registry: BindingRegistry;
  readonly stubs: Stubs;
  readonly open: Open;
  readonly caller: { readonly org: string; readonly user: string };
}

/** A stub of the test's, else the real service where there is one, else a refusal that says what to do. */
function serviceOf(
  { name, version, bindings }: { name: string; version: string; bindings: readonly string[] },
  { registry, stubs, open, caller }: Services,
): Service {
  const { org, user } = caller;
  return async (binding, method, args, signal) => {
    if (bindings.includes(binding) && open.stubs.includes(binding))
      return stubs.ask(binding, method, args);
    if (bindings.includes(binding) && !registry.names.includes(binding)) {
      const message = `the test stands in for no "${binding}": give openPlugin({ bindings: { ${binding} } })`;
      return { ok: false, code: 'BINDING_DENIED', message };
    }
    const grant = { plugin: name, version, org, user, callId: 'test' };
    const call = { binding, method, argsJson: JSON.stringify(args) };
    return JSON.parse(await registry.serve(bindings, grant, call, signal)) as HostResult;
  };
}

interface Stubs {
  ask(binding: string, method: string, args: unknown): Promise<HostResult>;
  settle(id: number, result: HostResult): void;
  /** Nobody answers any more. */
  close(): void;
}

function createStubs(send: Send): Stubs {
  const waiting = new Map<number, (result: HostResult) => void>();
  let last = 0;
  return {
    ask(binding, method, args) {
      const id = ++last;
      const list = Array.isArray(args) ? (args as unknown[]) : [args];
      return new Promise((resolve) => {
        waiting.set(id, resolve);
        send({ type: 'host', id, binding, method, args: list });
      });
    },
    settle(id, result) {
      waiting.get(id)?.(result);
      waiting.delete(id);
    },
    close() {
      const result = { ok: false, code: 'BINDING_FAILED', message: 'the test is over' } as const;
      for (const resolve of waiting.values()) resolve(result);
      waiting.clear();
    },
  };
}
