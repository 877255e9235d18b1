/**
 * One HTTP exchange with the cell: keep-alive, time limits, a cap on the answer, TLS with a CA file or a pin.
 * May import: kernel, vcloud. undici is used here and nowhere else in this room.
 */
import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import { Agent, buildConnector, request } from 'undici';
import { HostError, messageOf } from '../../kernel/errors.ts';
import { VcloudError } from '../errors.ts';
import type { ResolvedOptions } from '../options.ts';

export interface HttpCall {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path and query on the configured address. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; the first value of a repeated header. */
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface HttpSender extends AsyncDisposable {
  /** Any status is an answer. Throws `VCLOUD_UNAVAILABLE` when there is none, `XML_INVALID` when it is too large. */
  send(call: HttpCall): Promise<HttpAnswer>;
}

/** Opens nothing yet; connections are made by the first calls and kept alive. Redirects are never followed. */
export function openHttp(options: ResolvedOptions): HttpSender {
  const agent = new Agent({
    connect: connectorOf(options),
    connections: options.connections,
    pipelining: 1,
    keepAliveTimeout: 30_000,
  });
  return {
    async send(call) {
      const limit = AbortSignal.timeout(options.requestTimeoutMs);
      const signal = call.signal ? AbortSignal.any([call.signal, limit]) : limit;
      const what = whatOf(call);
      try {
        const answer = await request(`${options.url.origin}${call.path}`, {
          dispatcher: agent,
          method: call.method,
          headers: call.headers,
          body: call.body ?? null,
          signal,
        });
        const body = await readCapped(answer.body, options.maxAnswerBytes, what);
        const headers = firstValues(answer.headers);
        const contentType = (headers['content-type'] ?? '').toLowerCase();
        return { status: answer.statusCode, headers, contentType, body };
      } catch (error) {
        if (error instanceof HostError) throw error;
        const reason = limit.aborted ? `no answer in ${options.requestTimeoutMs} ms` : why(error);
        const message = `${what}: ${reason}`;
        throw new VcloudError({ code: 'VCLOUD_UNAVAILABLE', message, cause: error });
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

/** Method and path for messages: without the query, which may name tenants' objects. */
export function whatOf({ method, path }: Pick<HttpCall, 'method' | 'path'>): string {
  return `${method} ${path.split('?')[0]}`;
}

function connectorOf({ tls, connectTimeoutMs }: ResolvedOptions): buildConnector.connector {
  const common = { timeout: connectTimeoutMs, allowH2: false, ...clientCertificate(tls) };
  if (!tls.fingerprint)
    return buildConnector({ ...common, ...(tls.caFile ? { ca: readPem(tls.caFile) } : {}) });
  const expected = tls.fingerprint.replaceAll(':', '').toUpperCase();
  // The chain is not checked because the pin below is stricter; no session is resumed, since a resumed one shows no certificate.
  const connect = buildConnector({ ...common, rejectUnauthorized: false, maxCachedSessions: 0 });
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      if (error) return callback(error, null);
      const found = fingerprintOf(socket as TLSSocket);
      if (found === expected || target.protocol === 'http:') return callback(null, socket);
      socket.destroy();
      return callback(new Error(`the certificate has another fingerprint: ${found}`), null);
    });
}

function fingerprintOf(socket: TLSSocket): string {
  if (typeof socket.getPeerCertificate !== 'function') return 'none';
  return (socket.getPeerCertificate().fingerprint256 ?? 'none').replaceAll(':', '').toUpperCase();
}

function clientCertificate({ certFile, keyFile }: ResolvedOptions['tls']) {
  return certFile && keyFile ? { cert: readPem(certFile), key: readPem(keyFile) } : {};
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `vcloud.tls: ${messageOf(error)}`, { cause: error });
  }
}

async function readCapped(
  body: AsyncIterable<Uint8Array>,
  limit: number,
  what: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Throwing here destroys the stream, and with it the connection.
    if (size > limit)
      throw new HostError('XML_INVALID', `${what}: the answer is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function firstValues(headers: Readonly<Record<string, string | string[] | undefined>>) {
  const first: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const text = Array.isArray(value) ? value[0] : value;
    if (text !== undefined) first[name] = text;
  }
  return first;
}

/** Some errors of sockets have no message but a code, or only inner errors. */
function why(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  const text = messageOf(error);
  if (error instanceof AggregateError && !text) return error.errors.map(messageOf).join('; ');
  return text || (typeof code === 'string' ? code : 'no connection');
}
