/**
 * Calls from the guest to host services, as messages with a number to answer to.
 * May import: abi, calls, primordials.
 */
import { type Call, currentCall, enterCall, oldestCall, sendFor } from './calls.ts';
import { createTable, defineProperty, parse, quote, stringify, toText } from './primordials.ts';

/** Host calls one call may have waiting for their answers. */
const MAX_WAITING = 64;
/** Arguments of one call, as JSON, in UTF-16 units. */
const MAX_ARGS_CHARS = 1_048_576;

/** A host service refused or failed; `code` is stable, the message is for people. */
export class BindingError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
defineProperty(BindingError.prototype, 'name', { value: 'BindingError' });

interface Answer {
  readonly ok: boolean;
  readonly value?: unknown;
  readonly code?: string;
  readonly message?: string;
}

interface Waiting {
  readonly call: Call;
  readonly resolve: (value: unknown) => void;
  readonly reject: (refused: Answer) => void;
}

const waiting = createTable<Waiting>();
let lastId = 0;
/** The last call that was made when all were dropped. */
let droppedId = 0;

function argsText(args: unknown): string {
  const text = stringify(args);
  if (typeof text !== 'string')
    throw new BindingError('HOST_CALL_INVALID', 'The arguments are not JSON');
  if (text.length > MAX_ARGS_CHARS)
    throw new BindingError('HOST_CALL_TOO_LARGE', `More than ${MAX_ARGS_CHARS} characters`);
  return text;
}

/** Ask the host; rejects with a `BindingError`. */
export async function hostCall(
  binding: string,
  method: string,
  args: unknown,
  call = currentCall(),
): Promise<unknown> {
  if (call.hostWaiting >= MAX_WAITING)
    throw new BindingError('HOST_CALLS_IN_FLIGHT', `More than ${MAX_WAITING} host calls at once`);
  const text = argsText(args);
  const id = ++lastId;
  const answer = new Promise<unknown>((resolve, reject) =>
    waiting.set(id, { call, resolve, reject }),
  );
  call.hostWaiting++;
  sendFor(
    call,
    'host',
    id,
    `{"binding":${quote(binding)},"method":${quote(toText(method))},"args":${text}}`,
  );
  try {
    return await answer;
  } catch (refused) {
    // Made here and not where the answer arrives: its stack leads to the line that waits for it.
    const { code = 'HOST_CALL_FAILED', message = '' } = refused as Answer;
    throw new BindingError(code, message);
  }
}

/** The host has answered call `id`; late and unknown answers are dropped. */
export function settleHostCall(id: number, text: string): void {
  const asked = waiting.get(id);
  if (asked === undefined) return;
  waiting.delete(id);
  asked.call.hostWaiting--;
  enterCall(asked.call);
  const answer = parse(text) as Answer;
  if (answer.ok) asked.resolve(answer.value);
  else asked.reject(answer);
}

/** The call is over: its answers will not come. Their promises stay pending, which costs nothing once unreachable. */
export function dropHostCalls(call: Call): void {
  if (oldestCall() === null) return dropAll();
  if (call.hostWaiting === 0) return;
  waiting.visit((id, asked) => {
    if (asked.call === call) waiting.delete(id);
  });
}

function dropAll(): void {
  if (lastId === droppedId) return;
  droppedId = lastId;
  waiting.drain(() => {});
}
