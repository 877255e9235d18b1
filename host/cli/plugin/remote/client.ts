/**
 * The operator API as commands use it: JSON in and out, refusals as errors with the host's code.
 * May import: kernel.
 */
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';

import { CODES, HostError, type Code } from '../../../kernel/errors.ts';
import type { Endpoint } from './endpoint.ts';
import { readAll, sendRequest, unavailable, type HttpRequest } from './http.ts';

export interface Client {
  /** Rejects with the code of the host's refusal, or OPERATOR_UNAVAILABLE. */
  get<T>(path: string): Promise<T>;
  /** With a JSON body unless that is undefined. */
  send<T = null>(method: 'POST' | 'PUT' | 'DELETE', path: string, json?: unknown): Promise<T>;
  upload<T>(upload: Upload): Promise<T>;
  /** Lines of an answer that does not end by itself; `instance` is known before the first of them. */
  lines(path: string, options: LinesOptions): AsyncIterable<string>;
}

export interface Upload {
  readonly path: string;
  readonly type: string;
  readonly body: Buffer;
  readonly onProgress: (share: number) => void;
}

export interface LinesOptions {
  readonly signal: AbortSignal;
  readonly onOpen: (instance: string) => void;
}

const PREFIX = '/api/v1';
const MAX_ANSWER_BYTES = 67_108_864;
/** A new version is compiled and tried before the answer. */
const ANSWER_MS = 180_000;
/** The host sends a sign of life every ten seconds. */
const LINES_MS = 30_000;

export function createClient(endpoint: Endpoint): Client {
  async function call<T>(request: Omit<HttpRequest, 'silenceMs'>): Promise<T> {
    const path = PREFIX + request.path;
    const response = await sendRequest(endpoint, { ...request, path, silenceMs: ANSWER_MS });
    const text = (await readAll(endpoint, response, MAX_ANSWER_BYTES)).toString();
    if (!isFine(response)) throw refusalOf(endpoint, response, text);
    return (text === '' ? null : parse(endpoint, text)) as T;
  }

  return {
    get: (path) => call({ method: 'GET', path }),
    send: (method, path, json) =>
      call({
        method,
        path,
        ...(json === undefined
          ? {}
          : {
              headers: { 'Content-Type': 'application/json' },
              body: Buffer.from(JSON.stringify(json)),
            }),
      }),
    upload: ({ path, type, ...rest }) =>
      call({ method: 'POST', path, headers: { 'Content-Type': type }, ...rest }),
    async *lines(path, { signal, onOpen }) {
      const request = { method: 'GET', path: PREFIX + path, silenceMs: LINES_MS, signal };
      const response = await sendRequest(endpoint, request);
      if (!isFine(response)) {
        const text = (await readAll(endpoint, response, MAX_ANSWER_BYTES)).toString();
        throw refusalOf(endpoint, response, text);
      }
      onOpen(String(response.headers['vcx-instance'] ?? ''));
      yield* linesOf(endpoint, response);
    },
  };
}

async function* linesOf(endpoint: Endpoint, response: IncomingMessage): AsyncGenerator<string> {
  const failed = Promise.withResolvers<never>();
  // Readline ends in silence when its input fails.
  response.once('error', (error) => failed.reject(unavailable(endpoint, error)));
  failed.promise.catch(() => undefined);
  using lines = createInterface({ input: response });
  const iterator = lines[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await Promise.race([iterator.next(), failed.promise]);
      if (done) return;
      yield value;
    }
  } finally {
    response.destroy();
  }
}

function isFine({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode < 300;
}

function refusalOf(endpoint: Endpoint, { statusCode }: IncomingMessage, text: string): HostError {
  const { code, message } = codeIn(text);
  if (code !== null && Object.hasOwn(CODES, code)) {
    const refusal = new HostError(code as Code, message);
    // Where it was thrown here says nothing about what failed there.
    delete refusal.stack;
    return refusal;
  }
  const what =
    code === null ? `status ${statusCode}, not as a host answers` : `${code}: ${message}`;
  return unavailable(endpoint, new Error(what));
}

function codeIn(text: string): { code: string | null; message: string } {
  try {
    const { code, message } = JSON.parse(text) as { code?: unknown; message?: unknown };
    if (typeof code === 'string')
      return { code, message: typeof message === 'string' ? message : '' };
  } catch {
    // Not ours.
  }
  return { code: null, message: '' };
}

function parse(endpoint: Endpoint, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw unavailable(endpoint, new Error('the answer is not JSON'));
  }
}
