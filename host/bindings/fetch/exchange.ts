/**
 * One HTTP request to an address that was checked, and the reading of its answer under a cap.
 * May import: kernel.
 *
 * node:http and not a pool: every request has a connection of its own, made to the pinned addresses, with
 * an agent that knows nothing of proxy variables, cookies or other plug-ins' connections.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';

import { HostError } from '../../kernel/errors.ts';
import { bareHost, portOf } from './addresses.ts';
import type { HeaderPairs } from './headers.ts';
import type { Address } from './resolver.ts';

export interface Outgoing {
  readonly url: URL;
  readonly method: string;
  readonly headers: HeaderPairs;
  readonly body: Uint8Array | null;
}

export interface Connection {
  /** Nothing else is connected to. */
  readonly addresses: readonly Address[];
  /** Certificate authorities in PEM in place of the built-in ones. */
  readonly ca: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

const MAX_HEADER_BYTES = 16_384;
const ACCEPT_ENCODING = 'gzip, deflate, br';
/** An honest server compresses once. */
const MAX_ENCODINGS = 2;
/** Answers with a status of 1xx before the real one: without a bound a server sends them for as long as it likes. */
const MAX_INFORMATION = 16;

/** The head of the answer; its body waits to be read or destroyed. Rejects with what the socket said. */
export function send(outgoing: Outgoing, connection: Connection): Promise<IncomingMessage> {
  const { url, method, headers, body } = outgoing;
  const host = bareHost(url.hostname);
  const common = {
    host,
    port: portOf(url),
    method,
    path: `${url.pathname}${url.search}`,
    lookup: pinnedTo(connection.addresses),
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
    signal: connection.signal,
  };
  const request =
    url.protocol === 'https:'
      ? httpsRequest({
          ...common,
          agent: new HttpsAgent({ maxCachedSessions: 0 }),
          servername: isIP(host) === 0 ? host : '',
          rejectUnauthorized: true,
          ...(connection.ca ? { ca: [...connection.ca] } : {}),
        })
      : httpRequest({ ...common, agent: new HttpAgent() });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    // Errors after the answer has begun reach whoever reads it; this listener keeps them from being thrown.
    request.on('response', resolve).on('error', reject);
    let informed = 0;
    // `continue` comes for 100, `information` for all of them.
    request.on('information', () => {
      informed += 1;
      if (informed > MAX_INFORMATION) request.destroy(new Error('too many interim answers'));
    });
    request.on('upgrade', (_, socket: Duplex) => {
      socket.destroy();
      reject(new Error('an upgrade that nobody asked for'));
    });
  });
  request.setHeader('accept-encoding', ACCEPT_ENCODING);
  for (const [name, value] of headers) request.appendHeader(name, value);
  // Said out loud: Node leaves it out where a method usually has no body.
  if (body !== null) request.setHeader('content-length', body.length);
  request.end(body ?? undefined);
  return answer;
}

/** Whatever name is asked for, these are its addresses. */
function pinnedTo(addresses: readonly Address[]): LookupFunction {
  return (_name, options, callback) => {
    const [first] = addresses;
    if (options.all) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family ?? 0);
  };
}

/** The body, decompressed. Throws FETCH_TOO_LARGE as soon as any form of it is over `maxBytes`. */
export async function readBody(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  async function* capped(source: AsyncIterable<Buffer>) {
    let read = 0;
    for await (const chunk of source) {
      read += chunk.length;
      if (read > maxBytes) throw tooLarge(maxBytes);
      yield chunk;
    }
  }
  async function collect(source: AsyncIterable<Buffer>): Promise<void> {
    for await (const chunk of source) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  }
  const stages = hasBody(answer) ? decoders(answer) : [];
  // What one layer makes of the wire's bytes is the next one's input, and may become nothing for as long as one likes.
  await pipeline([answer, capped, ...stages.flatMap((stage) => [stage, capped]), collect]);
  return Buffer.concat(chunks, size);
}

/** An answer to HEAD tells the encoding of a body that does not come. */
function hasBody({ statusCode, req }: IncomingMessage & { req?: { method?: string } }): boolean {
  return req?.method !== 'HEAD' && statusCode !== 204 && statusCode !== 304;
}

function decoders(answer: IncomingMessage): Duplex[] {
  const encodings = (answer.headers['content-encoding'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  if (encodings.length > MAX_ENCODINGS) throw notDecodable();
  return encodings.toReversed().map((name) => {
    if (name === 'gzip' || name === 'x-gzip') return createGunzip();
    if (name === 'deflate') return createInflate();
    if (name === 'br') return createBrotliDecompress();
    throw notDecodable();
  });
}

function notDecodable(): HostError {
  return new HostError('FETCH_FAILED', 'the answer is compressed in a way that was not asked for');
}

function tooLarge(maxBytes: number): HostError {
  return new HostError('FETCH_TOO_LARGE', `the answer is larger than ${maxBytes} bytes`);
}
