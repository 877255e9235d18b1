/**
 * One HTTP request of the command line, with progress and a time limit on silence.
 * May import: kernel.
 *
 * `node:http` and not `fetch`: what was sent so far can be seen, and an early refusal is read while the body is
 * still going out.
 */
import { request as plainRequest, type IncomingMessage } from 'node:http';
import { request as tlsRequest } from 'node:https';

import { HostError, messageOf } from '../../../kernel/errors.ts';
import type { Endpoint } from './endpoint.ts';

export interface HttpRequest {
  readonly method: string;
  /** With query, below the address of the endpoint. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Share of the body that is on its way, 0 to 1. */
  readonly onProgress?: (share: number) => void;
  /** Longest silence, ms. */
  readonly silenceMs: number;
  readonly signal?: AbortSignal;
}

const CHUNK_BYTES = 262_144;

/** The response as soon as its headers are there. Rejects with OPERATOR_UNAVAILABLE. */
export function sendRequest(endpoint: Endpoint, options: HttpRequest): Promise<IncomingMessage> {
  const { method, path, headers = {}, body, silenceMs, signal } = options;
  const url = new URL(endpoint.url.pathname.replace(/\/$/, '') + path, endpoint.url);
  const send = url.protocol === 'https:' ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method,
      agent: false,
      headers: {
        ...headers,
        Authorization: `Bearer ${endpoint.token}`,
        ...(body ? { 'Content-Length': String(body.length) } : {}),
      },
      ...(signal ? { signal } : {}),
    });
    request.setTimeout(silenceMs, () =>
      request.destroy(new Error(`no answer within ${silenceMs / 1_000} s`)),
    );
    request.once('response', resolve);
    // After the response it ends the response's stream, too, where it is seen.
    request.on('error', (error) => reject(unavailable(endpoint, error)));
    writeBody(request, body ?? Buffer.alloc(0), options.onProgress ?? (() => undefined));
  });
}

/** All of the response's body. Rejects with OPERATOR_UNAVAILABLE. */
export async function readAll(
  endpoint: Endpoint,
  response: IncomingMessage,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw unavailable(endpoint, error);
  }
  return Buffer.concat(chunks);
}

export function unavailable({ url }: Endpoint, error: unknown): HostError {
  return new HostError('OPERATOR_UNAVAILABLE', `${url.origin}: ${reasonOf(error)}`, {
    cause: error,
  });
}

/** A name with several addresses fails with several errors and no message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map(messageOf).join('; ');
  return messageOf(error);
}

function writeBody(
  request: ReturnType<typeof plainRequest>,
  body: Buffer,
  onProgress: (share: number) => void,
): void {
  let at = 0;
  const next = () => {
    while (at < body.length && !request.destroyed) {
      const chunk = body.subarray(at, at + CHUNK_BYTES);
      at += chunk.length;
      const hasRoom = request.write(chunk);
      onProgress(at / body.length);
      if (!hasRoom) return void request.once('drain', next);
    }
    request.end();
  };
  next();
}
