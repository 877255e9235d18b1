/**
 * Host calls and log lines of guests: counted, capped, and answered while their call lasts.
 * May import: kernel, runner's frame protocol.
 */
import { messageOf, type Code } from '../../kernel/errors.ts';
import type { DecodedFrame } from '../../runner/codec.ts';
import type { Engine } from '../engine.ts';
import { failCall, pump } from './lanes.ts';
import type { Call, Slot } from './records.ts';
import type { Invocation } from '../sandbox.ts';

/** The guest's wrapper writes the keys in this order, so the arguments need not be parsed here and again in the binding. */
const USUAL_FORM = /^\{"binding":"([\w.:-]{1,64})","method":"([\w.:-]{1,64})","args":/;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
const LOG_LINE_CHARS = 2_048;

interface HostRequest {
  readonly binding: string;
  readonly method: string;
  readonly args: string;
}

/** A guest asks for a host service. Which org, grants and deadline hold is known from the call, never from the frame. */
export function onHostCall(engine: Engine, slot: Slot, call: Call, frame: DecodedFrame): void {
  const { invocation } = call;
  if (!invocation) return;
  call.hostCalls++;
  call.hostBytes += frame.size;
  if (overspent(engine, slot, call, invocation)) return;
  const request = requestOf(frame.body);
  const seq = frame.value;
  if (!request) {
    const text = failureText('BINDING_ARGUMENT', 'the host call is not in the expected form');
    return reply(engine, slot, call, { seq, text });
  }
  call.aborter ??= new AbortController();
  call.hostWaiting++;
  // While it waits, another call of the org may compute.
  if (call.lane.queue.length > 0) pump(engine, call.lane);
  invocation
    .hostCall(request.binding, request.method, request.args, call.aborter.signal)
    .catch((error: unknown) => {
      const { callId } = invocation;
      engine.settings.log.error('sandbox.hostCall.rejected', { callId, reason: messageOf(error) });
      return failureText('BINDING_FAILED', 'the host service failed');
    })
    .then((text) => {
      call.hostWaiting--;
      reply(engine, slot, call, { seq, text });
    })
    .catch((error: unknown) =>
      engine.settings.log.error('sandbox.hostCall.lost', { reason: messageOf(error) }),
    );
}

function reply(
  engine: Engine,
  slot: Slot,
  call: Call,
  { seq, text }: { readonly seq: number; readonly text: string },
): void {
  if (slot.call !== call) return;
  call.hostBytes += text.length;
  if (call.invocation && overspent(engine, slot, call, call.invocation)) return;
  slot.runner.send({
    type: 'hostReply',
    slot: slot.number,
    call: call.id,
    value: seq,
    body: text,
  });
}

/** Ends a call that asked for more than it may. */
function overspent(engine: Engine, slot: Slot, call: Call, { bundle }: Invocation): boolean {
  const { hostCalls, hostCallBytes } = bundle.limits;
  if (call.hostCalls > hostCalls)
    failCall(engine, slot, 'HOST_CALLS_EXCEEDED', `more than ${hostCalls} host calls`);
  else if (call.hostBytes > hostCallBytes)
    failCall(engine, slot, 'HOST_CALLS_EXCEEDED', `host calls of more than ${hostCallBytes} bytes`);
  else return false;
  return true;
}

function requestOf(text: string): HostRequest | null {
  const usual = USUAL_FORM.exec(text);
  if (usual?.[1] && usual[2] && text.endsWith('}')) {
    // Whatever else a guest puts before the last brace is no valid JSON for the binding to parse.
    return { binding: usual[1], method: usual[2], args: text.slice(usual[0].length, -1) };
  }
  try {
    const { binding, method, args = null } = JSON.parse(text) as Record<string, unknown>;
    if (typeof binding !== 'string' || typeof method !== 'string') return null;
    return { binding, method, args: JSON.stringify(args) };
  } catch {
    return null;
  }
}

function failureText(code: Code, message: string): string {
  return JSON.stringify({ ok: false, code, message });
}

/** A log line of a guest. False when an honest runner would not have sent it. */
export function onLogLine(engine: Engine, call: Call, text: string): boolean {
  const { invocation } = call;
  if (!invocation) return false;
  const { plugin, limits } = invocation.bundle;
  const over = ++call.logLines - limits.logLines;
  if (over > 1 || (over === 1) !== (text === '')) return false;
  if (over === 1) {
    engine.settings.metrics.count('sandbox_logs_cut_total', { plugin });
    invocation.log('warn', `more than ${limits.logLines} log lines: the others are dropped`);
    return true;
  }
  const line = lineOf(text);
  if (line) invocation.log(line.level, line.text);
  return true;
}

function lineOf(text: string): { level: (typeof LEVELS)[number]; text: string } | null {
  try {
    const parsed: unknown = JSON.parse(text);
    if (!Array.isArray(parsed) || typeof parsed[1] !== 'string') return null;
    const level = LEVELS.find((known) => known === parsed[0]) ?? 'info';
    return { level, text: parsed[1].slice(0, LOG_LINE_CHARS) };
  } catch {
    return null;
  }
}
