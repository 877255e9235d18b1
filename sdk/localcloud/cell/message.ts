/**
 * The AMQP messages between a cell and a service: builds requests, reads replies in both envelopes.
 * May import: store.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

import type { User } from './store.ts';

export interface CellRequest {
  /** The unique id of the message, which the reply must repeat. */
  readonly id: string;
  readonly body: Buffer;
}

export interface CellReply {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer<ArrayBuffer>;
}

/** Path and query as they came over the wire, nothing decoded or tidied up. */
export function targetOf(incoming: IncomingMessage): { path: string; query: string | null } {
  const target = (incoming.url ?? '/').replace(/^https?:\/\/[^/?#]*/i, '');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark < 0 ? null : target.slice(mark + 1) };
}

/** One string per name in the client's own spelling; repeated headers are joined as HTTP says. */
function headersOf(incoming: IncomingMessage): Record<string, string> {
  const found = new Map<string, [string, string]>();
  for (let at = 0; at + 1 < incoming.rawHeaders.length; at += 2) {
    const name = incoming.rawHeaders[at] ?? '';
    const value = incoming.rawHeaders[at + 1] ?? '';
    const known = found.get(name.toLowerCase());
    const glue = name.toLowerCase() === 'cookie' ? '; ' : ', ';
    if (known) known[1] += glue + value;
    else found.set(name.toLowerCase(), [name, value]);
  }
  return Object.fromEntries(found.values());
}

/** Encode a request: an array of message, security context and null, with the keys in a real cell's order. */
export function encodeRequest(
  incoming: IncomingMessage,
  body: Uint8Array,
  who: { readonly user: User; readonly rights: readonly string[] },
): CellRequest {
  const id = randomUUID();
  const { path, query } = targetOf(incoming);
  const { socket } = incoming;
  const message = {
    id,
    method: incoming.method ?? 'GET',
    requestUri: path,
    queryString: query,
    protocol: `HTTP/${incoming.httpVersion}`,
    scheme: 'http',
    remoteAddr: socket.remoteAddress ?? '',
    remotePort: socket.remotePort ?? 0,
    localAddr: socket.localAddress ?? '',
    localPort: socket.localPort ?? 0,
    headers: headersOf(incoming),
    body: Buffer.from(body).toString('base64'),
    statusCode: 0,
    request: true,
  };
  const context = {
    parameters: null,
    user: `urn:vcloud:user:${who.user.id}`,
    org: `urn:vcloud:org:${who.user.org.id}`,
    rights: who.rights,
  };
  return { id, body: Buffer.from(JSON.stringify([message, context, null]), 'utf8') };
}

/** Headers that are vCloud's own business, and those that belong to one connection. */
const STRIPPED = new Set([
  'x-vcloud-authorization',
  'authorization',
  'set-cookie',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'trailer',
]);

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function replyHeaders(value: unknown): (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, content]: [string, unknown]) => {
    const scalar = typeof content === 'string' || typeof content === 'number';
    const text = scalar ? String(content) : '';
    const fine = scalar && NAME.test(name) && /^[\t\x20-\x7E\x80-\xFF]*$/.test(text);
    return fine && !STRIPPED.has(name.toLowerCase()) ? [[name, text] as const] : [];
  });
}

/** The reply to the request with that id, from an array of one or the bare object; undefined if it is none. */
export function decodeReply(content: Uint8Array, id: string): CellReply | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(content).toString('utf8'));
  } catch {
    return undefined;
  }
  const reply = (Array.isArray(parsed) ? parsed[0] : parsed) as unknown;
  if (typeof reply !== 'object' || reply === null) return undefined;
  const { id: answered, statusCode, headers, body } = reply as Record<string, unknown>;
  const inRange = typeof statusCode === 'number' && statusCode >= 200 && statusCode <= 599;
  if (answered !== id || !inRange || !Number.isInteger(statusCode)) return undefined;
  if (body !== undefined && body !== null && typeof body !== 'string') return undefined;
  return {
    status: statusCode,
    headers: replyHeaders(headers),
    body: Buffer.from(body ?? '', 'base64'),
  };
}
