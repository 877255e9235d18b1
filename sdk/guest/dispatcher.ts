/**
 * Takes what the runner sends in: loads the plug-in, runs its handlers, answers with text.
 * Nothing a guest throws or returns is touched outside the `try` in here.
 * May import: everything in this folder.
 */
import type { EnterKind, GuestFailure, GuestRequest, GuestSetup } from './abi.ts';
import { createBinding, publishFetch } from './bindings.ts';
import { beginCall, type Call, endCall } from './calls.ts';
import { Context } from './context.ts';
import { describe } from './describe.ts';
import { collectGarbage, keepMessages, send, takeKept } from './host.ts';
import { dropHostCalls, settleHostCall } from './hostcall.ts';
import { endTimers, fireTimer } from './platform/timers.ts';
import { reportError, setLogLineChars } from './platform/console.ts';
import { parse, quote } from './primordials.ts';
import { ReplyError } from './reply.ts';
import { HANDLERS, type Handlers, runHandler } from './handlers.ts';
import { NotificationContext } from './notification.ts';

let setup: GuestSetup = { bindings: [], responseBytes: 262_144, logLineChars: 2_000 };
let plugin: Handlers = {};
function settleIfDone(call: Call): void {
  if (!call.answered || call.pending > 0 || call.over) return;
  endCall(call);
  endTimers(call);
  dropHostCalls(call);
  send('settled', call.id, '');
}

async function finish(call: Call, work: unknown): Promise<void> {
  try {
    await work;
  } catch (error) {
    reportError(error);
  }
  call.pending--;
  settleIfDone(call);
}

function fail(id: number, error: unknown): void {
  const reason: GuestFailure['reason'] = ReplyError.reasonOf(error) ?? 'threw';
  const { message, stack } = describe(error);
  send('threw', id, `{"reason":"${reason}","message":${quote(message)},"stack":${quote(stack)}}`);
}

function createEnv(config: unknown, call: Call): Record<string, unknown> {
  const env: Record<string, unknown> = { config };
  for (const name of setup.bindings) env[name] = createBinding(name, call);
  return env;
}

async function runCall(id: number, text: string): Promise<void> {
  const call = beginCall(id);
  try {
    const request = parse(text) as GuestRequest;
    const waitUntil = (work: unknown): void => {
      if (call.over) throw new TypeError('The call is over');
      call.pending++;
      void finish(call, work); // reports its own failure
    };
    const bind = (name: string) => createBinding(name, call);
    const About = request.handler === 'notification' ? NotificationContext : Context;
    const context = new About({ request, waitUntil, bind });
    const env = createEnv(request.config, call);
    const ready = runHandler({ plugin, request, env, context, maxBytes: setup.responseBytes });
    send('reply', id, typeof ready === 'string' ? ready : await ready);
  } catch (error) {
    fail(id, error);
  }
  call.answered = true;
  settleIfDone(call);
}

function load(id: number, text: string): void {
  const scope = globalThis as unknown as { __vcx_plugin?: unknown };
  try {
    setup = parse(text) as GuestSetup;
    setLogLineChars(setup.logLineChars);
    if (setup.bindings.includes('fetch')) publishFetch();
    const exported = scope.__vcx_plugin;
    delete scope.__vcx_plugin;
    if ((typeof exported !== 'object' && typeof exported !== 'function') || exported === null)
      throw new TypeError('the module has no default export');
    plugin = exported;
    const names = HANDLERS.filter((name) => typeof plugin[name] === 'function');
    if (names.length === 0)
      throw new TypeError(`the default export has none of: ${HANDLERS.join(', ')}`);
    send('loaded', id, `["${names.join('","')}"]`);
  } catch (error) {
    send('refused', id, describe(error).message);
  }
}

/** What the runner calls. Answers are posted, or kept until they are taken. */
export function enter(kind: EnterKind, id: number, text: string, keep = false): string | void {
  switch (kind) {
    case 'call':
      keepMessages(keep);
      void runCall(id, text); // answers by itself, failures included
      return;
    case 'take':
      return takeKept();
    case 'trim':
      return collectGarbage();
    case 'hostReply':
      settleHostCall(id, text);
      return;
    case 'timer':
      fireTimer(id);
      return;
    case 'load':
      load(id, text);
  }
}
