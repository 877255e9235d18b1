/**
 * One call of a test: what was asked, what came back, and what it cost.
 * May import: testing/headroom, testing/protocol.
 */
import type { HeadroomMeter } from './headroom.ts';
import type {
  FromHarness,
  HarnessAnswer,
  HarnessCall,
  HarnessUsage,
  HostCallRecord,
} from './protocol.ts';

type CallMessage = Extract<FromHarness, { call: number }>;

/** What a handler decided about a held operation. */
export interface Decision {
  readonly action: 'resume' | 'abort' | 'fail';
  readonly message: string | null;
}

/** One call and all that is known about it afterwards. */
export interface Call {
  /** Counts from 0. */
  readonly id: number;
  readonly method: string;
  readonly url: string;
  /** What the client would see; throws before the call is answered. */
  readonly response: Response;
  /** Why the plug-in did not answer by itself, e.g. `CPU_EXCEEDED`; null when it did. */
  readonly code: string | null;
  /** The reason as the operator's log has it; callers never see it. */
  readonly message: string | null;
  /** Null when the handler was not reached. */
  readonly usage: HarnessUsage | null;
  /** Heap of the isolate after the call, garbage included, in KiB; null until it was looked at. */
  readonly heapKb: number | null;
  readonly hostCalls: readonly HostCallRecord[];
  /** What the handler decided about the blocking task; null when it did not. */
  readonly decision: Decision | null;
  readonly logs: readonly { readonly level: string; readonly text: string }[];
  /** @internal */
  readonly answered: Promise<void>;
  /** @internal */
  take(message: CallMessage, headroom: HeadroomMeter): void;
  /** @internal */
  lose(reason: string): void;
}

export function createCall(id: number, method: string, url: string): Call {
  const { promise: answered, resolve, reject } = Promise.withResolvers<void>();
  const hostCalls: HostCallRecord[] = [];
  const logs: { level: string; text: string }[] = [];
  let answer: HarnessAnswer | null = null;
  let heapKb: number | null = null;
  return {
    id,
    method,
    url,
    hostCalls,
    logs,
    answered,
    get response() {
      if (!answer) throw new Error('the call is not answered yet');
      return responseOf(answer);
    },
    get code() {
      return answer?.code ?? null;
    },
    get message() {
      return answer?.message ?? null;
    },
    get usage() {
      return answer?.usage ?? null;
    },
    get heapKb() {
      return heapKb;
    },
    get decision() {
      return decisionOf(hostCalls);
    },
    take(message, headroom) {
      if (message.type === 'hostDone') hostCalls.push(message.record);
      else if (message.type === 'log') logs.push({ level: message.level, text: message.text });
      else if (message.type === 'settled') {
        heapKb = message.heapKb;
        headroom.see('memoryMb', (heapKb ?? 0) / 1_024);
      } else {
        answer = message.answer;
        seeAnswer(answer, headroom);
        if (answer.code !== null && answer.status >= 500)
          console.error(`${method} ${url}: ${failureOf(answer, logs)}`);
        resolve();
      }
    },
    lose: (reason) => reject(new Error(reason)),
  };
}

/** A test that expects another status says nothing of why: the stack, which is the last line of the log, does. */
function failureOf({ code, message }: HarnessAnswer, logs: Call['logs']): string {
  const { level, text } = logs.at(-1) ?? { level: '', text: '' };
  const told = level === 'error' && message !== null && text.startsWith(message);
  return told ? text : `${code}: ${message}`;
}

const ACTIONS = ['resume', 'abort', 'fail'] as const;

function decisionOf(hostCalls: readonly HostCallRecord[]): Decision | null {
  for (const { binding, method, args, result } of hostCalls) {
    const action = ACTIONS.find((known) => binding === 'blockingTask' && known === method);
    const [message] = args;
    if (action && result.ok)
      return { action, message: typeof message === 'string' ? message : null };
  }
  return null;
}

function seeAnswer({ usage, body, code }: HarnessAnswer, headroom: HeadroomMeter): void {
  if (code === null) headroom.see('responseBytes', Buffer.byteLength(body, 'base64'));
  if (!usage) return;
  headroom.see('cpuMs', usage.cpuMs);
  headroom.see('wallMs', usage.wallMs);
  headroom.see('hostCalls', usage.hostCalls);
}

/** Statuses that a Response with a body refuses. */
const BODILESS = new Set([204, 205, 304]);

function responseOf({ status, headers, body }: HarnessAnswer): Response {
  const bytes = BODILESS.has(status) ? null : Buffer.from(body, 'base64');
  return new Response(bytes, { status, headers: headers.map(([name, value]) => [name, value]) });
}

export function requestOf(
  url: string,
  init: { method?: string; headers?: Readonly<Record<string, string>>; body?: unknown },
): Omit<HarnessCall, 'caller'> {
  const { body } = init;
  const headers = Object.entries(init.headers ?? {});
  const isJson = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array);
  if (isJson && !headers.some(([name]) => name.toLowerCase() === 'content-type'))
    headers.push(['content-type', 'application/json']);
  return {
    handler: 'fetch',
    notification: null,
    method: (init.method ?? (body === undefined ? 'GET' : 'POST')).toUpperCase(),
    url,
    status: null,
    headers,
    body: body === undefined ? null : bytesOf(body).toString('base64'),
  };
}

function bytesOf(body: unknown): Buffer {
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body);
  return Buffer.from(JSON.stringify(body));
}
